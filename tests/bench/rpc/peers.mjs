// What needs no Python: raw postMessage between JavaScript and JavaScript, and JavaScript Comlink.
import * as Comlink from "../../../node_modules/comlink/dist/esm/comlink.mjs";

const worker = new Worker(new URL("./peers_worker.mjs", import.meta.url), { type: "module" });
const channel = new MessageChannel();
worker.postMessage({ raw: true }, [channel.port2]);
const remote = Comlink.wrap(worker);
const port = channel.port1;

const raw = (value) => new Promise((resolve) => {
  port.onmessage = (event) => resolve(event.data);
  port.postMessage(value);
});

async function times(call, count) {
  const list = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await call(i);
    list.push(performance.now() - start);
  }
  return JSON.stringify(list);
}

globalThis.peers = {
  raw_js: (count) => times(raw, count),
  comlink: (count) => times((i) => remote.echo(i), count),
};
