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
  // Tor, LibreWolf and others give a page noise in place of what it draws, which could tell who it is, until the user allows it.
  // Less is changed by Brave and by Firefox in private windows: the last bit of some numbers.
  legible() {
    const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, 8, 8);
    return pen.getImageData(0, 0, 8, 8).data.every((value) => value > 240);
  },
  // Where storage is forbidden, reading it throws, which unwinds MicroPython's own stack: Python cannot catch it.
  remembers() { try { return Boolean(localStorage); } catch { return false; } },
  recall(key) { try { return localStorage.getItem(key); } catch { return null; } },
  remember(key, text) { try { localStorage.setItem(key, text); } catch { /* nothing is remembered */ } },
  // What was chosen or dropped: paths and addresses of the files, those in folders too. A drop is read at once, for it is
  // empty after its event; what systems put into folders is left out.
  async files(given) {
    const names = [], urls = [];
    const add = (file, path) => {
      if (/\/(\.|__MACOSX\/|thumbs\.db$|desktop\.ini$)/i.test(path) || !file.name) return;
      names.push(path);
      urls.push(URL.createObjectURL(file));
    };
    const ask = (item, way) => new Promise((done) => item[way](done, () => done([])));
    const walk = async (item) => {
      if (item.isFile) return add(await ask(item, "file"), item.fullPath.slice(1));
      const reader = item.createReader();
      for (let some; (some = await ask(reader, "readEntries")).length;) for (const one of some) await walk(one);
    };
    const items = [...given.items ?? []].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    if (items.length) for (const item of items) await walk(item);
    else for (const file of given.files ?? given) add(file, file.webkitRelativePath || file.name);
    return {
      names, urls, title: [...new Set(names.map((name) => name.split("/")[0]))].join(", "),
      free() { urls.forEach(URL.revokeObjectURL); },
    };
  },
  setData(plot, columns) { plot.batch(() => plot.setData(columns)); },
})
