// Put the texts of another language than English into a page, before its first paint: static/boot.js loads this for such a page
// alone. The texts of index.html and playground.html are keys of the file; tools/catalogue.py finds them by the same rule.
"use strict";
(() => {
  const root = document.documentElement;
  const SHOWN = ["title", "aria-label", "placeholder", "alt", "label", "data-further"];
  const PAGES = /^\.\/(index|playground)\.html/;
  let texts = {};

  const say = (text) => texts[text.trim().replace(/\s+/g, " ")];

  // Of English prose, as a lesson's, what is marked alone: names of what is on the page.
  const isProse = (element) => !["B", "EM"].includes(element.nodeName) && element.closest("[lang=en]");

  // Python asks for this too, for the HTML that it puts.
  self.farcallTranslate = (place) => {
    const walk = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
    for (let node; (node = walk.nextNode()); ) {
      if (["SCRIPT", "STYLE"].includes(node.parentNode.nodeName) || isProse(node.parentNode)) continue;
      const text = say(node.data);
      if (text !== undefined) node.data = node.data.replace(/\S.*\S|\S/s, () => text);
    }
    for (const name of SHOWN) for (const element of place.querySelectorAll(`[${name}]`)) put(element, name);
  };

  function put(element, name) {
    const text = say(element.getAttribute(name));
    if (text !== undefined) element.setAttribute(name, text);
  }

  // A link that says no language keeps this one: lessons, the playground's ideas, the other page.
  const kept = (hash) => (/(^#|&)lang=/.test(hash) ? hash : `${hash || "#"}${hash.length > 1 ? "&" : ""}lang=${self.farcallLanguage}`);
  addEventListener("hashchange", () => history.replaceState(history.state, "", location.pathname + location.search + kept(location.hash)));

  // What only this language needs of the style.
  document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: `./static/languages/${self.farcallLanguage}.css` }));

  async function start() {
    texts = JSON.parse(await self.farcallTexts);
    if (document.readyState === "loading") await new Promise((done) => addEventListener("DOMContentLoaded", done));
    self.farcallTranslate(root);
    const about = document.querySelector("meta[name=description]");
    if (about) put(about, "content");
    for (const button of document.querySelectorAll("[data-language]")) button.ariaPressed = button.dataset.language === self.farcallLanguage;
    for (const link of document.querySelectorAll("a")) {
      if (PAGES.test(link.getAttribute("href"))) link.hash = kept(link.hash);
    }
  }

  start().finally(self.farcallShow);
})();
