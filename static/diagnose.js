// Request every file of the page when the page does not start, and list those that are missing or sent wrongly.
//
// Nothing else notices all of them: a worker's failed download raises no event here, and for a module with a wrong MIME type
// browsers report only that it could not be loaded. It runs after a failure, or if the page is not ready after 15 s.
"use strict";
(() => {
  const root = document.documentElement;
  const tr = self.farcallText;
  const PATIENCE = 15000;
  const AT_ONCE = 8;
  const SCRIPT = /^(text|application)\/(x-)?(java|ecma)script\b/;
  const LIST = "./static/vendor/precache.js";

  const observer = new MutationObserver(() => {
    if (root.dataset.phase !== "error" && root.dataset.phase !== "ready") return;
    stop();
    if (root.dataset.phase === "ready" && history.state?.farcallLoads) history.replaceState({ ...history.state, farcallLoads: 0 }, "");
    if (root.dataset.phase === "error") diagnose();
  });
  observer.observe(root, { attributes: true, attributeFilter: ["data-phase"] });
  const timer = setTimeout(() => diagnose(), PATIENCE);

  function stop() {
    observer.disconnect();
    clearTimeout(timer);
  }

  async function diagnose() {
    const wrong = await self.farcallExamine();
    if (!wrong?.length || document.getElementById("failure-files")) return;
    stop();
    const what = tr("Files of this page are missing, or the server sends them wrongly.");
    const next = tr("Restore them on the server, or press Retry when the connection is back.");
    self.farcallFailure(tr("The page could not start"), what, next, wrong);
  }

  // One line for each wrong file; null in a sandboxed frame whose server lets no other origin read. The list is a script for
  // the service worker; here it is read as text, line by line.
  self.farcallExamine = async () => {
    const response = await fetch(LIST).catch(() => null);
    if (!response && self.origin === "null") return null;
    if (!response) return copied() ? [] : [`${LIST}: ${tr("no answer")}`]; // a slow start without network is not a failure
    if (!response.ok) return [tr("{file} is missing: make serve writes it", { file: LIST })];
    return check([...(await response.text()).matchAll(/^"(.+?)": \[/gm)].map((line) => line[1]));
  };

  function copied() {
    try {
      return Boolean(navigator.serviceWorker?.controller);
    } catch {
      return false;
    }
  }

  async function check(files) {
    const queue = [...files];
    const wrong = [];
    const work = async () => {
      for (let path; (path = queue.shift()); ) {
        const problem = await examine(path);
        if (problem) wrong.push(`${path}: ${problem}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return wrong.sort();
  }

  async function examine(path) {
    try {
      const response = await fetch(`./${path}`, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (!response.ok) return tr("the server answers {status}", { status: response.status });
      const type = response.headers.get("content-type") ?? "nothing";
      if (/\.m?js$/.test(path) && !SCRIPT.test(type)) return tr("the server sends it as {type}, browsers need text/javascript", { type });
      if (path.endsWith(".wasm") && type !== "application/wasm") return tr("the server sends it as {type}, Pyodide needs application/wasm", { type });
      return null;
    } catch {
      return tr("no answer");
    }
  }
})();
