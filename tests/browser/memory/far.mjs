// JavaScript's Comlink, which gives values of drawn sizes.
import * as Comlink from "../../../node_modules/comlink/dist/esm/comlink.mjs";

const nested = (count) => Array.from({ length: count }, (_, n) => [n, [n]]);
Comlink.expose({
  nested,
  text: (count) => "\u00e9".repeat(count),
  echo: (value) => value,
  async hand(callback, count) {
    try { return await callback(nested(count)); } finally { callback[Comlink.releaseProxy](); }
  },
});
