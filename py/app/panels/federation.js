// Say goodbye with a request that the worker has signed before: a page that is closed has no time
// to wait, and no interpreter that is sure to run. A worker that has died cannot say it either.
() => {
  let farewell = "";
  const hold = (signed) => {
    farewell = signed;
    document.getElementById("federation").toggleAttribute("data-goodbye", signed !== "");
  };
  const say = () => {
    if (!farewell) return;
    const { url, body, headers } = JSON.parse(farewell);
    // Once, whatever becomes of the request: in Firefox the end of the worker still reaches a page
    // that is closed, and so does an error of a request that was sent all the same.
    hold("");
    const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
    fetch(url, { method: "POST", keepalive: true, headers, body: bytes }).catch(() => {});
  };
  window.addEventListener("pagehide", say);
  document.addEventListener("freeze", say);
  return { hold, say };
}
