// Keep an offline copy of the page, once the page itself works, and announce a new version.
//
// <html data-offline> is its state: `waiting`, `installing`, `ready`, `update` (a new version waits for a yes),
// `failed` or `unavailable`; data-offline-reason is the reason. Without an offline copy the page still works online.
"use strict";
(() => {
  const root = document.documentElement;
  const tr = self.farcallText;
  const patience = Number(document.currentScript.dataset.after ?? 0); // ms of rest before copying begins

  function tell(state, reason = "") {
    root.dataset.offline = state;
    root.dataset.offlineReason = reason;
    // A private session of WebKit drops an unused copy once it stops the idle service worker, so the page uses it too.
    if (state === "ready") caches.keys().catch(() => {});
  }

  // null where this browser or frame has none: a sandboxed frame throws on reading the property.
  function workers() {
    try {
      return isSecureContext ? (navigator.serviceWorker ?? null) : null;
    } catch {
      return null;
    }
  }

  const container = workers();
  if (!container) return tell("unavailable", tr("this browser keeps no offline copies here (https and no sandbox are needed)"));
  if (window !== window.top) return tell("unavailable", tr("embedded pages keep no copy of their own"));
  if (navigator.connection?.saveData) return tell("unavailable", tr("the browser was asked to save data"));

  // Copying 19 MB must not compete with the first load or with training; files they fetched are in the HTTP cache by then.
  let timer = 0;
  tell("waiting");
  const observer = new MutationObserver(wait);
  observer.observe(root, { attributes: true, attributeFilter: ["data-phase"] });
  wait();

  function wait() {
    clearTimeout(timer);
    if (root.dataset.phase === "ready") timer = setTimeout(begin, patience);
  }

  function begin() {
    observer.disconnect();
    register();
  }

  async function register() {
    container.addEventListener("message", (event) => heard(event.data));
    try {
      const registration = await container.register("./sw.js", { updateViaCache: "none" });
      watch(registration);
    } catch (error) {
      tell("failed", error.message);
    }
  }

  function watch(registration) {
    if (registration.active) tell("ready");
    if (registration.waiting) offer(registration.waiting);
    follow(registration.installing);
    registration.addEventListener("updatefound", () => follow(registration.installing));
  }

  function follow(worker) {
    if (!worker) return;
    const update = Boolean(container.controller);
    if (!update) tell("installing");
    worker.addEventListener("statechange", () => {
      if (worker.state === "activated") tell("ready");
      if (worker.state === "installed" && update) offer(worker);
      if (worker.state === "redundant" && !update && root.dataset.offline !== "failed") tell("failed", tr("it could not be installed"));
    });
  }

  function heard({ type, reason, count }) {
    if (type === "farcall:failed" && root.dataset.offline !== "ready") tell("failed", reason);
    if (type === "farcall:others") say(count === 1 ? tr("Close the other tab of this page first, then update.") : tr("Close the other {count} tabs of this page first, then update.", { count }));
  }

  function say(text) {
    document.querySelector("#offline-notice p").textContent = text;
  }

  function offer(worker) {
    if (document.getElementById("offline-notice")) return;
    tell("update");
    const notice = document.createElement("aside");
    notice.id = "offline-notice";
    notice.className = "row";
    notice.setAttribute("role", "status");
    notice.append(document.createElement("p"), button(tr("Update"), () => take(worker)), button(tr("Later"), () => notice.remove()));
    document.body.append(notice);
    say(tr("A new version is ready. Updating reloads the page: save your model first."));
  }

  function button(name, pressed) {
    const element = document.createElement("button");
    element.type = "button";
    element.textContent = name;
    element.addEventListener("click", pressed);
    return element;
  }

  function take(worker) {
    container.addEventListener("controllerchange", () => location.reload(), { once: true });
    worker.postMessage("farcall:update");
  }
})();
