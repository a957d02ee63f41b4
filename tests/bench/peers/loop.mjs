// The measured loop of the peers written in JavaScript: loop.py's twin, step for step.
// A peer gives `create(network, data) -> {step(pixels, labels), predict(pixels, count)}`.

const WARM_UP_STEPS = 10;
const IMAGES = 8192, PIXELS = 784;
export const folder = new URL("../../../build/bench/data/", import.meta.url);

export const buffer = async (url) => {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`);
    return response.arrayBuffer();
};

export const gunzipped = async (url) => {
    const packed = new Blob([await buffer(url)]).stream();
    const body = packed.pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(body).arrayBuffer());
};

const scaled = (images, start, count) => {
    const pixels = new Float32Array(count * PIXELS);
    for (let i = 0, from = start * PIXELS; i < pixels.length; i++) pixels[i] = images[from + i] / 255;
    return pixels;
};

export const serve = (create, info, more = {}) => {
    let data = null;
    const models = new Map();

    const loaded = async () => {
        const [images, labels] = await Promise.all([
            buffer(new URL("images.u8", folder)), buffer(new URL("labels.u8", folder)),
        ]);
        return { images: new Uint8Array(images), labels: new Uint8Array(labels) };
    };

    const step = (model, batch) => {
        const start = model.position * batch % IMAGES;
        model.position++;
        return model.step(scaled(data.images, start, batch), data.labels.subarray(start, start + batch));
    };

    const repeated = async (seconds, action) => {
        const start = performance.now();
        let elapsed = 0, count = 0;
        for (; elapsed < seconds * 1000; elapsed = performance.now() - start, count++) await action();
        return { elapsed, count };
    };

    const operations = {
        info: () => info,
        async load({ network, batch }) {
            data ??= await loaded();
            const model = await create(network, folder);
            model.position = 0;
            models.set(network + batch, model);
            const losses = [];
            for (let i = 0; i < WARM_UP_STEPS && batch; i++) losses.push(await step(model, batch));
            return { losses };
        },
        async train({ network, batch, seconds }) {
            const model = models.get(network + batch);
            let loss = 0;
            const { elapsed, count } = await repeated(seconds, async () => { loss = await step(model, batch) });
            return { rate: count * batch / elapsed * 1000, loss, steps: count };
        },
        async predict({ network, batch, count, seconds }) {
            const model = models.get(network + batch);
            const predict = () => model.predict(scaled(data.images, 0, count), count);
            const first = [...await predict()].slice(0, 10);
            const { elapsed, count: calls } = await repeated(seconds, predict);
            return { rate: calls * count / elapsed * 1000, ms: elapsed / calls, first };
        },
        ...more,
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
