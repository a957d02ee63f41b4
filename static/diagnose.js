// Request every file of the page when the page does not start, and list those that are missing or sent wrongly.
//
// Nothing else notices all of them: a worker's failed download raises no event here, and for a module with a wrong MIME type
// browsers report only that it could not be loaded. It runs after a failure, and where a page is not ready after 15 s, 30 s, a
// minute and so on. Then a file that gets no answer, or "later", is a failure of a start that stands still: other ones ask again.
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
    if (root.dataset.phase === "error") diagnose(true);
  });
  observer.observe(root, { attributes: true, attributeFilter: ["data-phase"] });
  let before = "";
  let timer = setTimeout(look, PATIENCE);

  async function look() {
    await diagnose(arrived() === before);
    before = arrived();
    if (root.dataset.phase === "loading") timer = setTimeout(look, performance.now());
  }

  // What has arrived: files of the page, without what is asked for here, and what the list of steps says of its worker's.
  const file = ({ name, decodedBodySize }) => decodedBodySize && !name.endsWith(LIST.slice(1));
  const arrived = () => `${performance.getEntriesByType("resource").filter(file).length} ${document.getElementById("phases")?.textContent}`;

  function stop() {
    observer.disconnect();
    clearTimeout(timer);
  }

  async function diagnose(busy) {
    const wrong = await self.farcallExamine(busy);
    if (!["loading", "error"].includes(root.dataset.phase)) return; // it is ready meanwhile
    if (!wrong?.length || document.getElementById("failure-files")) return;
    stop();
    const what = tr("Files of this page are missing, or the server sends them wrongly.");
    const next = tr("Restore them on the server, or press Retry when the connection is back.");
    self.farcallFailure(tr("The page could not start"), what, next, wrong);
  }

  // One line for each wrong file; null in a sandboxed frame whose server lets no other origin read. The list is a script for
  // the service worker; here it is read as text, line by line. `busy`: whether no answer counts, and a status that passes.
  self.farcallExamine = async (busy = true) => {
    const response = await fetch(LIST).catch(() => null);
    if (!response && self.origin === "null") return null;
    if (!response) return copied() || !busy ? [] : [`${LIST}: ${tr("no answer")}`]; // a slow start without network is not a failure
    if (passing(response)) return busy ? [`${LIST}: ${answered(response)}`] : [];
    if (!response.ok) return [tr("{file} is missing: make serve writes it", { file: LIST })];
    return check([...(await response.text()).matchAll(/^"(.+?)": \[/gm)].map((line) => line[1]), busy);
  };

  const passing = ({ status }) => status >= 500 || [408, 425, 429].includes(status);
  const answered = ({ status }) => tr("the server answers {status}", { status });

  function copied() {
    try {
      return Boolean(navigator.serviceWorker?.controller);
    } catch {
      return false;
    }
  }

  async function check(files, busy) {
    const queue = [...files];
    const wrong = [];
    const work = async () => {
      for (let path; (path = queue.shift()); ) {
        const problem = await examine(path, busy);
        if (problem) wrong.push(`${path}: ${problem}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return wrong.sort();
  }

  async function examine(path, busy) {
    try {
      const response = await fetch(`./${path}`, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (!response.ok) return busy || !passing(response) ? answered(response) : null;
      const type = response.headers.get("content-type") ?? "nothing";
      if (/\.m?js$/.test(path) && !SCRIPT.test(type)) return tr("the server sends it as {type}, browsers need text/javascript", { type });
      if (path.endsWith(".wasm") && type !== "application/wasm") return tr("the server sends it as {type}, Pyodide needs application/wasm", { type });
      return null;
    } catch {
      return busy ? tr("no answer") : null;
    }
  }
})();
