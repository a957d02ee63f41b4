// The one thing that MicroPython on this page cannot do is to say that it did not start: its own files missing, blocked or broken.
// Until main.py takes over (it sets data-python), a failed script, an unhandled rejection or 60 s of silence becomes a visible message.
"use strict";
(() => {
  // WebKitGTK in the C locale names its language "C", at which everything of Intl throws, and uPlot with it.
  try {
    new Intl.NumberFormat(navigator.language);
  } catch {
    Object.defineProperty(navigator, "language", { value: "en" });
  }
  const root = document.documentElement;

  // Set before the first paint: a framed page would flash the full layout, and the other theme.
  const query = new URLSearchParams(location.search);
  if (query.get("embed") === "1") root.dataset.embed = "";
  if (["light", "dark"].includes(query.get("theme"))) root.dataset.theme = query.get("theme");

  const fail = (what) => {
    if (root.dataset.python || root.dataset.phase === "error") return;
    root.dataset.phase = "error";
    const show = () => {
      document.getElementById("failure-title").textContent = "Python could not start";
      document.getElementById("failure-what").textContent = what;
      document.getElementById("failure-next").textContent = self.origin === "null"
        ? "This frame is sandboxed without allow-same-origin: give it that, or have the server send Access-Control-Allow-Origin: *."
        : "Check that the folder static/vendor is complete on the server (make serve fills it), then reload the page.";
      document.getElementById("failure-reload").addEventListener("click", () => location.reload());
      document.getElementById("status").textContent = "Python could not start.";
      document.getElementById("failure").hidden = false;
    };
    if (document.body) show(); else addEventListener("DOMContentLoaded", show);
  };
  addEventListener("error", (event) => {
    const file = event.target.src || event.target.href;
    if (file) fail(`This file could not be loaded: ${file}`);
    else if (event.message) fail(event.message);
  }, true);
  addEventListener("unhandledrejection", (event) => fail(String(event.reason)));
  setTimeout(() => fail("Nothing happened for 60 seconds while the Python runtime was loading."), 60000);
})();
