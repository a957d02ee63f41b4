// Say goodbye with a request that the worker has signed before: a page that is closed has no time
// to wait, and no interpreter that is sure to run. A worker that has died cannot say it either.
() => {
  let url = "";
  let text = "";
  let request = {};
  const hold = (signed) => {
    if (signed) {
      const { body, headers, ...said } = JSON.parse(signed);
      const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
      url = said.url;
      request = { method: "POST", keepalive: true, headers, body: bytes };
    }
    text = signed;
    document.getElementById("federation").toggleAttribute("data-goodbye", signed !== "");
  };
  const say = () => {
    if (!text) return;
    fetch(url, request).catch(() => {});
    hold(""); // once: in Firefox the end of the worker still reaches a page that is closed
  };
  window.addEventListener("pagehide", () => {
    // A beacon, and before anything else: of a tab that is closed, Firefox loses two of three
    // requests of `fetch`. That one follows for where no beacon gets through: nginx in place of the
    // gateway, and a page whose referrer policy hides its origin.
    if (text) navigator.sendBeacon?.(url, text);
    say();
  });
  document.addEventListener("freeze", say);
  return { hold, say };
}
