// What PyScript takes for granted, for a page in a sandbox without `allow-same-origin`: its origin is "null" then.
//
// There browsers will not start a module worker from a blob, as PyScript does. So here is a worker that begins as a script and
// imports the module. JavaScript, because it must be there before PyScript is; what a sandbox takes away is in docs/embedding.md.
"use strict";
(() => {
  if (self.origin !== "null") return;

  // What is said to the worker before its module listens would be lost; and the module waits for it before it ends.
  const start = (address, base) => {
    Object.defineProperty(self, "location", { value: new URL(base) }); // a blob's own address, "blob:null/...", is no base
    const early = [];
    const keep = (event) => {
      if (!event.isTrusted) return;
      event.stopImmediatePropagation();
      early.push(event);
    };
    const listen = self.addEventListener;
    // One a turn, as messages come: the module may listen anew after each.
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
