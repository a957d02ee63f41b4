// Sequential round trips over raw postMessage and over Comlink, JavaScript on both sides.
import * as Comlink from "../../../node_modules/comlink/dist/esm/comlink.mjs";

const started = (script) => new Worker(new URL(script, import.meta.url), { type: "module" });

const raw = () => {
    const worker = started("./raw_worker.mjs");
    const waiting = new Map();
    let next = 0;
    worker.onmessage = ({ data }) => {
        const [id, result] = JSON.parse(data);
        waiting.get(id)(result);
        waiting.delete(id);
    };
    return (a, b) => new Promise((resolve) => {
        waiting.set(++next, resolve);
        worker.postMessage(JSON.stringify([next, "add", [a, b]]));
    });
};

const remote = Comlink.wrap(started("./comlink_worker.mjs"));
const peers = { raw_js: raw(), comlink: (a, b) => remote.add(a, b) };

const operations = {
    info: () => ({ comlink: "4.4.2", isolated: crossOriginIsolated }),
    async latency({ peer, calls }) {
        const call = peers[peer];
        const samples = [];
        for (let i = 0; i < calls; i++) {
            const start = performance.now();
            const value = await call(i, 1);
            samples.push(performance.now() - start);
            if (value !== i + 1) throw new Error(`add(${i}, 1) gave ${value}`);
        }
        samples.sort((a, b) => a - b);
        const at = (share) => samples[Math.floor(samples.length * share)];
        return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
    },
};

window.call = async (operation, given) => {
    try {
        return { result: await operations[operation](given) };
    } catch (error) {
        return { error: String(error.stack ?? error) };
    }
};
