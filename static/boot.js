// Report a start that fails. MicroPython cannot report that itself when its own files are missing, blocked or broken.
// Until main.py takes over (it sets data-python), a failed script, an unhandled rejection or 60 s of silence shows a message;
// so does a worker whose runtime does not arrive. A failure that may be temporary reloads the page first, at most twice.
"use strict";
(() => {
  // WebKitGTK in the C locale reports its language as "C"; all of Intl throws on that, and so does uPlot.
  const speak = (language) => Object.defineProperty(navigator, "language", { value: language });
  try {
    new Intl.NumberFormat(navigator.language);
  } catch {
    speak("en");
  }
  const root = document.documentElement;
  const PAUSES = [500, 2000]; // ms before the page reloads
  const LANGUAGES = ["de"]; // besides English; each has a file in static/languages
  const PATIENCE = 3000; // ms that a page waits for the texts of its language before it shows what it has

  // Set before the first paint: a framed page would flash the full layout, and the other theme.
  const query = new URLSearchParams(location.search);
  if (query.get("embed") === "1") root.dataset.embed = "";
  if (["light", "dark"].includes(query.get("theme"))) root.dataset.theme = query.get("theme");

  // The panels that a link or a framing page leaves out: app/state/settings.py has the same rule, for changes. Python ends this sheet.
  const names = (text) => (text ?? "").split(",").filter((word) => /^[a-z-]+$/.test(word)).map((word) => `#${word}`);
  const hidden = [...names(query.get("hide")), ...names(new URLSearchParams(location.hash.slice(1)).get("hide"))];
  const shown = names(query.get("show") || (query.get("compact") === "1" ? "draw,training" : ""));
  if (shown.length) hidden.push(`[data-panel]:not(${shown.join()}, :has(${shown.join()}))`);
  if (query.get("compact") === "1") hidden.push("#history");
  const sheet = (text) => {
    if (!("adoptedStyleSheets" in document)) return null;
    const made = new CSSStyleSheet();
    made.replaceSync(text);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, made];
    return made;
  };
  if (hidden.length) self.farcallHidden = sheet(hidden.map((panel) => `${panel} { display: none !important }`).join(" "));

  // The picture and the curves are laid out for the window's width, so paper has it too; printers scale it.
  addEventListener("beforeprint", () => sheet(`@page { size: ${innerWidth}px ${Math.round(innerWidth * Math.SQRT2)}px; margin: 0 }`));

  // A link may name a language. Its texts are fetched now; language.js puts them in before the first paint, and Python asks for them.
  const named = () => new URLSearchParams(location.hash.slice(1)).get("lang");
  const tr = (text, values = {}) => (texts[text] ?? text).replace(/{(\w+)}/g, (mark, name) => values[name] ?? mark);
  let texts = {};
  self.farcallText = tr; // of the other scripts, too
  self.farcallLanguage = LANGUAGES.includes(named()) ? named() : "en"; // of our texts; a browser that translates a page changes root.lang
  if (self.farcallLanguage !== "en") {
    root.lang = self.farcallLanguage;
    speak(root.lang); // the numbers of the charts' axes
    const hidden = sheet("body { visibility: hidden }");
    self.farcallShow = () => { if (hidden) hidden.disabled = true; };
    setTimeout(self.farcallShow, PATIENCE);
    self.farcallTexts = fetch(`./static/languages/${root.lang}.json`).then(async (response) => {
      const text = await response.text();
      texts = JSON.parse(text);
      return text;
    }).catch(() => { root.lang = self.farcallLanguage = "en"; return "{}"; }); // the page is as good in English
    document.head.append(Object.assign(document.createElement("script"), { src: "./static/language.js" }));
  }
  addEventListener("hashchange", () => { if (named() && named() !== self.farcallLanguage) location.reload(); });
  addEventListener("click", (event) => {
    const language = event.target.closest?.("[data-language]")?.dataset.language;
    if (!language || language === self.farcallLanguage) return;
    const rest = location.hash.slice(1).split("&").filter((pair) => pair && !pair.startsWith("lang="));
    const hash = [...rest, ...(language === "en" ? [] : [`lang=${language}`])].join("&");
    history.replaceState(history.state, "", location.pathname + location.search + (hash && `#${hash}`));
    location.reload();
  });

  const note = (loads) => history.replaceState({ ...history.state, farcallLoads: loads }, "");

  // Until the page is ready, a reload loses nothing, and only a reload fetches a failed module again.
  const again = () => {
    const loads = history.state?.farcallLoads ?? 0;
    if (loads >= PAUSES.length) return false;
    note(loads + 1);
    document.getElementById("status")?.replaceChildren(tr("A file did not arrive. Loading the page again…"));
    setTimeout(() => location.reload(), PAUSES[loads]);
    return true;
  };

  // diagnose.js calls this too; `wrong` is its list of files that the server sends wrongly, or null if it could not check.
  self.farcallFailure = (title, what, next, wrong) => {
    note(0); // Retry may reload twice again
    root.dataset.phase = "error";
    const show = () => {
      const failure = document.getElementById("failure");
      const reload = document.getElementById("failure-reload");
      if (failure.hidden) {
        document.getElementById("failure-title").textContent = title;
        document.getElementById("failure-what").textContent = what;
        document.getElementById("failure-next").textContent = next;
        document.getElementById("status").textContent = `${title}.`;
        reload.addEventListener("click", () => location.reload());
        failure.hidden = false;
      }
      reload.textContent = tr("Retry");
      reload.hidden = false;
      if (wrong?.length) document.getElementById("failure-what").after(list(wrong));
    };
    if (document.body) show(); else addEventListener("DOMContentLoaded", show);
  };

  function list(wrong) {
    const items = document.createElement("ul");
    items.id = "failure-files";
    const more = wrong.length > 8 ? [tr("and {count} more", { count: wrong.length - 8 })] : [];
    for (const text of [...wrong.slice(0, 8), ...more]) items.append(Object.assign(document.createElement("li"), { textContent: text }));
    return items;
  }

  let failed = false;
  const fail = async (what) => {
    if (failed || root.dataset.phase !== "loading") return; // a page that has started goes on without another worker
    failed = true;
    root.dataset.broken = ""; // Python does not replace this message
    const wrong = self.farcallExamine ? await self.farcallExamine() : [];
    if (root.dataset.phase === "error" || (wrong?.length === 0 && again())) return;
    const next = self.origin === "null"
      ? tr("This frame is sandboxed without allow-same-origin: give it that, or have the server send Access-Control-Allow-Origin: *.")
      : tr("Check the connection, and that the folder static/vendor is complete on the server (make serve fills it), then press Retry.");
    self.farcallFailure(tr("Python could not start"), what, next, wrong);
  };
  const early = (what) => { if (!root.dataset.python) fail(what); };
  addEventListener("error", (event) => {
    const file = event.target.src || event.target.href;
    if (/preload$/.test(event.target.rel)) return; // a hint: the request for the file itself is retried
    if (file) early(tr("This file could not be loaded: {file}", { file }));
    else if (event.message) early(event.message);
  }, true);
  addEventListener("unhandledrejection", (event) => early(String(event.reason)));
  addEventListener("farcall-broken", (event) => fail(tr("The worker's Python did not arrive: {problem}", { problem: event.detail })));

  let arrived = 0;
  const watch = setInterval(() => {
    const files = performance.getEntriesByType("resource").length;
    if (root.dataset.python) clearInterval(watch);
    else if (files === arrived) early(tr("Nothing happened for 60 seconds while the Python runtime was loading."));
    arrived = files;
  }, 60000);
})();
