// Comlink for the worker of Comlink's tests: MicroPython exposes the value by farcall.comlink.
const early = [];
const keep = (event) => early.push(event);
self.addEventListener("message", keep);

self.Comlink = {
  async expose(value) {
    const { interpreter } = await import("/tests/conformance/comlink/interpreters.mjs");
    const files = (await (await fetch("/base/files")).text()).split(",");
    const { python } = await interpreter("mpy", files);
    self.exposed = value;
    python.runPython("import js\nfrom farcall import comlink\n"
      + "comlink.expose(lambda *values: js.exposed(*values), js.self)");
    self.removeEventListener("message", keep);
    for (const { data, ports } of early) self.dispatchEvent(new MessageEvent("message", { data, ports }));
  },
};
