// What JavaScript does for the document and its charts. Evaluated by dom.py.
"use strict";
({
  // Another text in the node that is there: another node would have the browser ask again which elements are empty, and
  // compute styles and layout twice.
  write(element, text) {
    const node = element.firstChild;
    if (text && node?.nodeType === Node.TEXT_NODE && !node.nextSibling) node.data = text;
    else element.textContent = text;
  },
  // A strict policy of the host (docs/hosting.md) forbids styles in HTML, not those that scripts set.
  put(element, html) {
    element.innerHTML = html.replaceAll(' style="', ' data-style="');
    for (const part of element.querySelectorAll("[data-style]")) {
      part.style.cssText = part.dataset.style;
      part.removeAttribute("data-style");
    }
    self.farcallTranslate?.(element);
  },
  // Where storage is forbidden, reading it throws, which unwinds MicroPython's own stack: Python cannot catch it.
  remembers() { try { return Boolean(localStorage); } catch { return false; } },
  recall(key) { try { return localStorage.getItem(key); } catch { return null; } },
  remember(key, text) { try { localStorage.setItem(key, text); } catch { /* nothing is remembered */ } },
  setData(plot, columns) { plot.batch(() => plot.setData(columns)); },
})
