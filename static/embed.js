// <farcall-demo></farcall-demo>: the demo in any page. A button states the download size; pressing it loads the demo.
// docs/embedding.md has its attributes, events and messages.
//
// It is JavaScript because it runs in other pages: 5 kB (compressed) without dependencies, before any Python runtime is loaded.
"use strict";
(() => {
  const SIZE = "20 MB"; // of a first visit, compressed, with the data, rounded up: a test holds it to the built site
  const PATIENCE = 30000; // ms after the frame has loaded: the demo's Python answers within seconds, or not at all
  const SANDBOX = "allow-scripts allow-same-origin allow-downloads";
  const POSTER = { width: 1120, height: 485 }; // pixels of static/poster-*.webp
  // A module, a bundle and a script without a file have no such address: then the one in the page counts, or an element's src.
  const FILE = document.currentScript?.src || document.querySelector('script[src$="/embed.js"]')?.src;
  const HERE = FILE && new URL("../", FILE).href;
  // They stand here because another site may not read the demo's static/languages.
  const TEXTS = {
    de: {
      "Train a neural network in this page": "Ein neuronales Netz in dieser Seite trainieren",
      "Run the demo here ({size})": "Die Demo hier starten ({size})",
      "Python and NumPy run on your device; nothing you do leaves it.": "Python und NumPy laufen auf Ihrem Gerät; nichts, was Sie tun, verlässt es.",
      "Open it in a tab of its own": "In einem eigenen Tab öffnen",
      "Try again": "Noch einmal versuchen",
      "The demo at {src} does not answer. It may not be there, or not allow this page to show it.":
        "Die Demo unter {src} antwortet nicht. Vielleicht gibt es sie dort nicht, oder sie erlaubt dieser Seite nicht, sie zu zeigen.",
    },
  };
  const STYLE = `
:host { display: block; position: relative; min-height: 12rem; font: 1rem/1.5 system-ui, sans-serif; }
:host([hidden]) { display: none; }
i { position: absolute; color: color-mix(in srgb, currentColor, currentColor); transition: color 1ms; } @starting-style { i { color: #0000; } }
iframe { display: block; width: 73rem; min-width: 100%; max-width: 100%; height: 40rem; border: 0; border-radius: 0.5rem; background: light-dark(#f5f0e6, #1a1713); }
.box { display: grid; gap: 0.75rem; justify-items: center; align-content: center; text-align: center; min-height: 12rem; padding: 1.5rem; box-sizing: border-box;
  border: 1px solid light-dark(#d9cfbc, #3d362d); border-radius: 0.5rem; background: light-dark(#fffcf5, #221e19); color: light-dark(#1e1a15, #f0e9dc); }
.box p { margin: 0; } img { max-width: 100%; height: auto; } .fault { border-color: light-dark(#b3261e, #ff9c93); margin-bottom: 0.5rem; }
button { font: inherit; font-weight: 600; min-height: 2.75rem; padding: 0.4rem 1.4rem; border: 0; border-radius: 0.6rem; cursor: pointer;
  background: light-dark(#2346d8, #9fb2ff); color: light-dark(#fffcf5, #221e19); }
:focus-visible { outline: 0.2rem solid light-dark(#2346d8, #9fb2ff); outline-offset: 0.15rem; }
.note { font-size: 0.85rem; } a { color: light-dark(#2346d8, #9fb2ff); }`;
  const sheet = new CSSStyleSheet(); // a <style> would need 'unsafe-inline' in the host's policy
  sheet.replaceSync(STYLE);

  const languageOf = (config) => {
    const named = new URLSearchParams(config ?? "").get("lang");
    return Object.hasOwn(TEXTS, named) ? named : "en";
  };
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  class FarcallDemo extends HTMLElement {
    static observedAttributes = ["theme", "config", "src", "load", "label", "poster"];
    frame = null;
    state = null;
    #heard = (event) => this.#hear(event);
    #changed = () => this.#dress();
    #watch = null;
    #timer = 0;
    #worn = "";
    #scheme = new CSSStyleSheet();
    #text = make("i"); // has the colour of the page's text, and an event when that changes or is first shown

    constructor() {
      super();
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [sheet, this.#scheme];
      root.append(this.#text);
      root.addEventListener("transitionend", this.#changed);
      // Slides and manuals have shortcuts, which would take the keys that press the button.
      root.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && event.stopPropagation());
    }

    connectedCallback() {
      addEventListener("message", this.#heard);
      addEventListener("transitionend", this.#changed); // Firefox has no other event where the page's colours change slowly
      this.#dress();
      this.#begin();
    }

    connectedMoveCallback() {} // moveBefore() keeps what the frame does

    disconnectedCallback() {
      removeEventListener("message", this.#heard);
      removeEventListener("transitionend", this.#changed);
      this.#watch?.disconnect();
      this.#end();
    }

    attributeChangedCallback(name, before, now) {
      if (before === now) return;
      if (name === "theme") return this.#dress();
      if (!this.frame) return this.shadowRoot.querySelector(".box") && this.#begin();
      this.frame.title = this.#name;
      // Only the hash differs: no reload. Another `frame.src` would be a page for the host's Back.
      if (name === "config") this.frame.contentWindow.location.replace(Object.assign(new URL(this.frame.src), { hash: now ?? "" }));
      else if (name === "src") this.#again();
    }

    // A poster, or the demo at once.
    #begin() {
      this.#watch?.disconnect();
      const wish = navigator.connection?.saveData ? "click" : this.getAttribute("load");
      if (this.frame || wish === "eager") return this.#load();
      this.#poster();
      if (wish !== "visible") return;
      this.#watch = new IntersectionObserver((seen) => seen.some(({ isIntersecting }) => isIntersecting) && this.#load());
      this.#watch.observe(this);
    }

    #end() {
      clearTimeout(this.#timer);
      this.frame = this.state = null;
      delete this.dataset.phase;
    }

    #again(focus = false) {
      this.#end();
      this.#load(focus);
    }

    #wear() { this.frame.contentWindow.postMessage({ type: "farcall-demo", theme: this.#theme }, this.#sealed ? "*" : this.#origin); }

    #dress() {
      if (this.#worn === this.#theme) return;
      this.#worn = this.#theme;
      this.#scheme.replaceSync(`:host { color-scheme: ${this.#worn}; }`);
      if (this.state) this.#wear();
      else if (!this.frame && this.shadowRoot.querySelector(".box")) this.#poster();
    }

    // Where the page's text is light, the page is dark: so a manual's own switch counts, and not the reader's system alone.
    get #theme() {
      const named = this.getAttribute("theme");
      if (["light", "dark"].includes(named)) return named;
      const [red, green, blue] = getComputedStyle(this.#text).color.match(/[\d.e-]+/g)?.map(Number) ?? [];
      return red + green + blue > 1.5 ? "dark" : "light";
    }

    // React, Vue and others set a property where there is one of an attribute's name.
    get src() { return this.#absolute("src", HERE ?? document.baseURI); }
    set src(address) { this.#reflect("src", address); }
    get load() { return this.#load; }
    set load(wish) { this.#reflect("load", wish); }
    #reflect(name, text) { if (text == null) this.removeAttribute(name); else this.setAttribute(name, text); }

    get #height() {
      const height = this.getAttribute("height")?.replace(/^\d+$/, "$&px") ?? ""; // as an <iframe> takes it
      return CSS.supports("height", height) ? height : "auto";
    }
    // Of the frame as it was made, whatever the attributes say now.
    get #origin() { return new URL(this.frame.src).origin; }
    get #sealed() { return !this.frame.sandbox.contains("allow-same-origin"); } // then its origin is "null"
    get #name() { return this.getAttribute("label") ?? this.#tr("Train a neural network in this page"); }
    get #language() { return languageOf(this.getAttribute("config")); }

    #absolute(name, other) {
      const text = this.getAttribute(name) ?? other;
      if (URL.canParse(text, document.baseURI)) return new URL(text, document.baseURI).href;
      console.warn(`<farcall-demo> ${name}: expected an address, received ${text}; ${other} is used`);
      return other;
    }

    #tr(text, values = {}) { return (TEXTS[this.#language]?.[text] ?? text).replace(/{(\w+)}/g, (_, name) => values[name]); }

    // What stands in the frame's place, in its language.
    #box(properties, ...children) { return make("div", { lang: this.#language, dir: "ltr", ...properties }, ...children); }

    #address(framed = true) {
      const url = new URL(this.src);
      url.hash = this.getAttribute("config") ?? "";
      if (!framed) return url.href;
      url.searchParams.set("embed", "1");
      if (window.origin !== "null") url.searchParams.set("host", window.origin);
      if (this.hasAttribute("compact")) url.searchParams.set("compact", "1");
      url.searchParams.set("theme", this.#theme);
      for (const name of ["hide", "show"]) if (this.hasAttribute(name)) url.searchParams.set(name, this.getAttribute(name));
      return url.href;
    }

    #link() { return make("a", { href: this.#address(false), target: "_blank", rel: "noopener", textContent: this.#tr("Open it in a tab of its own") }); }

    #poster() {
      const button = make("button", { type: "button", textContent: this.#tr("Run the demo here ({size})", { size: SIZE }), onclick: () => this.#load(true) });
      const focused = this.shadowRoot.activeElement?.localName;
      const note = make("p", { className: "note" }, this.#tr("Python and NumPy run on your device; nothing you do leaves it."), " ", this.#link());
      this.#show(this.#box({ className: "box" }, ...this.#picture(), make("p", { textContent: this.#name }), button, note));
      this.shadowRoot.querySelector(focused ?? "none")?.focus();
    }

    // What the button starts, in the theme's colours: tools/pictures.py takes it.
    #picture() {
      if (this.getAttribute("poster") === "" || navigator.connection?.saveData) return [];
      const own = new URL(`static/poster-${this.#theme}.webp`, HERE ?? this.src).href;
      return [make("img", { src: this.#absolute("poster", own), alt: "", ...POSTER })];
    }

    #show(child) { this.shadowRoot.replaceChildren(this.#text, child); }

    #load(focus = false) {
      if (this.frame) return;
      this.#watch?.disconnect();
      const frame = this.frame = make("iframe", { title: this.#name, allow: "camera; clipboard-write; fullscreen; cross-origin-isolated", src: this.#address() });
      frame.sandbox = this.getAttribute("sandbox") ?? SANDBOX;
      if (this.#height !== "auto") frame.style.height = this.#height;
      frame.addEventListener("load", () => { this.#timer = setTimeout(() => this.#silent(), PATIENCE); }, { once: true });
      this.#show(frame);
      if (focus) frame.focus();
    }

    // A frame fires "load" for an error page too, and its content cannot be read.
    #silent() {
      if (this.state || window.origin === "null") return;
      const again = make("button", { type: "button", textContent: this.#tr("Try again"), onclick: () => this.#again(true) });
      const words = this.#tr("The demo at {src} does not answer. It may not be there, or not allow this page to show it.", { src: this.src });
      this.shadowRoot.prepend(this.#box({ className: "box fault", role: "alert" }, make("p", { textContent: words }), again, this.#link()));
    }

    #hear({ source, origin, data }) {
      if (!this.frame || source !== this.frame.contentWindow || origin !== (this.#sealed ? "null" : this.#origin)) return;
      if (data?.type !== "farcall-demo") return;
      const { type: _, kind, ...detail } = data;
      if (kind === "hello") this.#hello(detail);
      if (kind === "size" && this.#height === "auto") this.frame.style.height = `${Number(detail.height)}px`;
      if (kind === "state") this.#tell("farcall-state", this.state = detail);
    }

    #hello(detail) {
      clearTimeout(this.#timer);
      this.shadowRoot.querySelector(".fault")?.remove();
      this.state ??= { phase: "loading" };
      if (new URL(this.frame.src).searchParams.get("theme") !== this.#theme) this.#wear(); // it heard nothing until now
      this.#tell("farcall-load", detail);
    }

    #tell(name, detail) {
      if (name === "farcall-state") this.dataset.phase = detail.phase;
      this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
    }
  }

  if (!customElements.get("farcall-demo")) customElements.define("farcall-demo", FarcallDemo);
})();
