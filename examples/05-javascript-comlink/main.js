import * as Comlink from "https://cdn.jsdelivr.net/npm/comlink@4.4.2/dist/esm/comlink.mjs";
import { PyWorker } from "https://cdn.jsdelivr.net/npm/@pyscript/core@0.7.31/dist/core.js";

const show = (id, text) => { document.getElementById(id).textContent = text; };

const worker = await PyWorker("./worker.py", { config: "./config.toml", async: true });
const port = await new Promise((resolve) => {
  worker.addEventListener("message", ({ ports }) => ports.length && resolve(ports[0]));
  worker.sync.open();
});
const statistics = Comlink.wrap(port);
const progress = Comlink.proxy((share) => show("progress", `${100 * share}%`));
show("mean", await statistics.mean([1, 2, 3, 6], progress));
document.documentElement.dataset.phase = "ready";
