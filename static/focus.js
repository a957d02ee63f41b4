// Keep the keyboard's focus on a control that can be seen. Without this, no control would have it after the one that had it was
// disabled, hidden or drawn again. The element that `data-then` names gets it; a control that is enabled again gets it back.
"use strict";
(() => {
  const CONTROLS = "button, input, select, textarea, a[href], summary, [tabindex]";
  const MOST = 9; // controls that are remembered
  const usable = (element) => element?.isConnected && !element.disabled && !element.closest("[hidden]");
  const shown = (element) => element.checkVisibility?.() ?? true;
  const former = []; // what had the focus before, the newest last
  let held = null; // what has the focus, or had it when it could be pressed no longer
  let place = null; // of `held` in its list, where one like it may be drawn again
  let lost = false;

  addEventListener("focusin", ({ target }) => {
    if (held && held !== target) former.push(held);
    if (former.length > MOST) former.shift();
    held = target;
    lost = false;
    const list = target.parentElement?.closest("[id]");
    place = list && [list, [...list.querySelectorAll(CONTROLS)].indexOf(target)];
  });
  addEventListener("focusout", ({ target, relatedTarget }) => queueMicrotask(() => { // it may be taken out just now
    if (!relatedTarget && target === held && usable(target) && document.hasFocus()) held = null; // left on purpose
  }));
  addEventListener("pointerdown", () => { held = null; }, true); // what is pressed next has it
  // A key that is held down presses one button once, not whatever has the focus after it.
  addEventListener("keydown", (event) => {
    if (event.repeat && event.key === "Enter" && event.target.matches?.("button")) event.preventDefault();
  }, true);

  const another = () => {
    if (!place?.[0].isConnected) return null;
    const controls = [...place[0].querySelectorAll(CONTROLS)];
    return controls[Math.min(place[1], controls.length - 1)];
  };
  const next = () => {
    const waits = held.disabled && held.isConnected && !held.closest("[hidden]");
    const again = usable(held) && shown(held);
    lost = !again;
    const found = [again ? held : null, document.getElementById(held.dataset.then), held.isConnected ? null : another()];
    return found.find(usable) ?? (waits ? null : former.findLast((element) => usable(element) && shown(element)));
  };
  const MODES = ["data-drawing", "data-mode", "data-own"]; // of the document: the style sheet hides parts by them
  new MutationObserver((records) => {
    const turned = records.some(({ attributeName }) => MODES.includes(attributeName));
    lost ||= Boolean(held) && !(usable(held) && (!turned || shown(held)));
    if (!lost || !document.hasFocus()) return;
    const active = document.activeElement;
    if (active && active !== document.body && active !== held) return;
    next()?.focus({ preventScroll: true });
  }).observe(document, { subtree: true, childList: true, attributeFilter: ["disabled", "hidden", ...MODES] });
})();
