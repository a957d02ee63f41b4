// Shows a note beside an element; returns false in a browser without popovers. Evaluated by numbers_explained.py.
"use strict";
(note, element) => {
  const box = element.getBoundingClientRect();
  Object.assign(note.style, {
    position: "fixed",
    inset: "auto",
    top: `${Math.min(box.bottom + 4, innerHeight - 90)}px`,
    left: `${Math.max(4, Math.min(box.left, innerWidth - 300))}px`,
    maxWidth: "18rem",
    margin: "0",
    padding: ".5rem .75rem",
    border: "1px solid var(--edge)",
    borderRadius: ".5rem",
    background: "var(--plate)",
    color: "var(--ink)",
  });
  if (!note.showPopover) return false;
  note.showPopover();
  return true;
}
