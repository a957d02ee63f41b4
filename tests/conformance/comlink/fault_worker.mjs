// A worker that real Comlink serves, and that fails on demand. ?fault=import: it never gets that far.
import * as Comlink from "../../../node_modules/comlink/dist/esm/comlink.mjs";

if (new URL(import.meta.url).searchParams.get("fault") === "import") await import("./missing.mjs");

Comlink.expose({
  add: (a, b) => a + b,
  echo: (value) => value,
  kind: (value) => (value === null ? "null" : value?.constructor?.name ?? typeof value),
  holdsItself: (list) => list[0] === list,
  date: () => new Date(0),
  forever: () => new Promise(() => {}),
  box: () => Comlink.proxy({ forever: () => new Promise(() => {}) }),
  callsBack: (callback) => callback(),
  crash() { setTimeout(() => { throw new Error("crashed on demand"); }); },
});
