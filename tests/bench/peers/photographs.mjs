// What the browser's peers for photographs have in common: files, images, and times of predictions.
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

export const photographs = (create, info) => {
    const networks = new Map();
    let folder = null, floats = null;
    const bytes = async (name) => {
        const response = await fetch(new URL(name, folder));
        if (!response.ok) throw new Error(`${name}: ${response.status}`);
        return new Uint8Array(await response.arrayBuffer());
    };
    const images = async (batch) => {
        floats ??= new Float32Array((await bytes("photographs.f32")).buffer);
        return floats.slice(0, batch * 224 * 224 * 3);
    };
    const operations = {
        info: () => info,
        async load({ network, folder: given }) {
            folder = given;
            networks.set(network, await create(network, { bytes, images }));
            return {};
        },
        async predict({ network, batch, count }) {
            const predict = networks.get(network), times = [];
            let scores = null;
            for (let i = 0; i < count; i++) {
                const start = performance.now();
                scores = await predict(batch);
                times.push(performance.now() - start);
            }
            return { ms: median(times), scores: [...scores.slice(0, 1000)] };
        },
    };
    self.onmessage = async ({ data: { operation, arguments: given } }) => {
        try {
            self.postMessage({ result: await operations[operation](given) });
        } catch (error) {
            self.postMessage({ error: String(error.stack ?? error) });
        }
    };
    self.postMessage({ ready: true });
};
