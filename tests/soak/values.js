// Random values of JavaScript's own types, and what one holds as a text: the same on both sides of a wire.
// A module of workers, and evaluated by Python; it leaves its functions in `drawnValues`.
globalThis.drawnValues = (() => {
  const integer = (below) => Math.floor(Math.random() * below);
  const text = () => String.fromCodePoint(...Array.from({ length: integer(20) }, () => 33 + integer(700)));
  const pairs = () => Array.from({ length: integer(5) }, () => [integer(99), text()]);
  const image = () => {
    const made = new ImageData(1 + integer(4), 1 + integer(4));
    made.data.forEach((_, n) => { made.data[n] = n % 4 === 3 ? 255 : integer(256); });
    return made;
  };
  const MAKE = {
    Map: () => new Map([...pairs(), [new Date(integer(2 ** 40)), new Map(pairs())]]),
    Set: () => new Set(pairs().flat()),
    Date: () => new Date(integer(2 ** 42)),
    RegExp: () => new RegExp(`a{${integer(9)}}`, "gu"),
    Blob: () => new Blob([text(), new Uint8Array(integer(9))], { type: "text/plain" }),
    File: () => new File([text()], "größe.csv", { lastModified: integer(2 ** 40) }),
    ImageData: image,
    Object: () => ({ ...Object.fromEntries(pairs()), at: new Date(integer(2 ** 40)) }),
    Array: () => [...pairs(), new Set([integer(9)])],
    ImageBitmap: () => createImageBitmap(image()),
    OffscreenCanvas: () => new OffscreenCanvas(1 + integer(9), 1 + integer(9)),
    ReadableStream: () => new Blob([`stream ${text()}`]).stream(),
  };
  const HOLDS = {
    Date: (v) => v.toISOString(),
    RegExp: String,
    Blob: async (v) => [v.type, await v.text()],
    File: async (v) => [v.name, v.lastModified, await v.text()],
    ImageData: (v) => [v.width, v.height, ...v.data],
    ImageBitmap: (v) => [v.width, v.height],
    OffscreenCanvas: (v) => [v.width, v.height],
    ReadableStream: (v) => new Response(v).text(),
    Map: (v) => all([...v].flat()),
    Set: (v) => all([...v]),
    Array: (v) => all(v),
    Object: (v) => all(Object.entries(v).flat()),
  };
  const all = (items) => Promise.all(items.map(held));
  const held = async (value) => {
    const name = Object.prototype.toString.call(value).slice(8, -1);
    return `${name} ${JSON.stringify(name in HOLDS ? await HOLDS[name](value) : value)}`;
  };
  return {
    names: Object.keys(MAKE),
    // A stream is read by asking what it holds, so half of it is asked.
    async draw(name) {
      const value = await MAKE[name]();
      if (name !== "ReadableStream") return [value, await held(value)];
      const [sent, asked] = value.tee();
      return [sent, await held(asked)];
    },
    held,
  };
})();
