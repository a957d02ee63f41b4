// Let PyScript start workers on a page in a sandbox without `allow-same-origin`, where the origin is "null".
//
// There, browsers do not start a module worker from a blob, as PyScript does. This worker begins as a classic script and imports
// the module. It is JavaScript because it must run before PyScript; docs/embedding.md lists what a sandbox takes away.
"use strict";
(() => {
  if (self.origin !== "null") return;

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

  const Native = self.Worker;
  self.Worker = class extends Native {
    constructor(address, options) {
      const text = `"use strict"; (${start})(${JSON.stringify(String(address))}, ${JSON.stringify(location.href)});`;
      super(URL.createObjectURL(new Blob([text], { type: "text/javascript" })), { ...options, type: "classic" });
    }
  };
})();
