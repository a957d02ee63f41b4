// Puts the lens's tables and lines. A table of the same shape stays, and only its texts and strengths change: the browser would
// compute the styles and the layout of a new one twelve times a second while the network trains.
// Evaluated by lens.py.
"use strict";
(element, html) => {
  const made = document.createElement("template");
  made.innerHTML = html;
  const all = (root) => [root, ...root.querySelectorAll("*")];
  const shape = (root) => all(root).map((part) => [...part.childNodes].map((node) => node.nodeName).join()).join(";");
  const same = shape(element) === shape(made.content);
  if (!same) element.replaceChildren(made.content.cloneNode(true));
  const wanted = all(made.content);
  all(element).forEach((part, n) => {
    const other = wanted[n];
    other.childNodes.forEach((node, k) => {
      if (node.nodeType === Node.TEXT_NODE && node.data !== part.childNodes[k].data) part.childNodes[k].data = node.data;
    });
    if (n && part.className !== other.className) part.className = other.className;
    if (n && other.dataset.v && part.style.getPropertyValue("--v") !== other.dataset.v) part.style.setProperty("--v", other.dataset.v);
  });
}
