// How PyScript starts workers here: with names, which DevTools show, and in a sandbox. It is JavaScript because it must run before PyScript.
"use strict";

(() => {
  // PyScript gives its workers no names. Right before it makes one, it asks the worker's script for its attribute "service-worker".
  let name = "";
  HTMLScriptElement.prototype.getAttribute = function (attribute) {
    if (attribute === "service-worker") name = this.getAttribute("name") || this.dataset.farcall || "";
    return Element.prototype.getAttribute.call(this, attribute);
  };

  // A sandbox without `allow-same-origin` has the origin "null", where browsers do not start a module worker from a blob, as PyScript does.
  // There a worker begins as a classic script and imports the module; docs/embedding.md lists what such a sandbox takes away.
  //
  // Messages sent before the module listens would be lost, and the module waits for them. So they are kept.
  const start = (address, base) => {
    Object.defineProperty(self, "location", { value: new URL(base) }); // a blob's own address, "blob:null/...", cannot be a base
    const early = [];
    const keep = (event) => {
      if (!event.isTrusted) return;
      event.stopImmediatePropagation();
      early.push(event);
    };
    const listen = self.addEventListener;
    // One in each turn, as messages arrive: the module may add a listener after each.
    const deliver = () => {
      const event = early.shift();
      if (!event) return self.removeEventListener("message", keep);
      self.dispatchEvent(new MessageEvent("message", { data: event.data, ports: event.ports }));
      setTimeout(deliver);
    };
    self.addEventListener("message", keep);
    self.addEventListener = (type, ...rest) => {
      listen.call(self, type, ...rest);
      if (type !== "message") return;
      self.addEventListener = listen;
      setTimeout(deliver);
    };
    import(address);
  };

  const classic = (address) => {
    const text = `"use strict"; (${start})(${JSON.stringify(String(address))}, ${JSON.stringify(location.href)});`;
    return URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  };

  const Native = self.Worker;
  self.Worker = class extends Native {
    constructor(address, options) {
      if (self.origin === "null") super(classic(address), { name, ...options, type: "classic" });
      else super(address, { name, ...options });
      name = "";
    }
  };
})();
