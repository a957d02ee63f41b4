// @tensorflow/tfjs-backend-wasm 4.22.0, as shipped, one thread.
// It cannot train a convolution: "Kernel 'Conv2DBackpropFilter' not registered for backend 'wasm'".
// So it trains the MLP and predicts with any network of convolutions, pooling and dense layers.
// A classic worker: the package ships UMD bundles, which importScripts loads.
importScripts(
    "../node_modules/@tensorflow/tfjs/dist/tf.min.js",
    "../node_modules/@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js",
);
const { tf } = self;

const json = async (url) => JSON.parse(new TextDecoder().decode(await loop.buffer(url)));

const layers = {
    Conv2D: (x, options, [filter, bias]) => tf.fused.conv2d({
        x, filter, bias, strides: 1, pad: options.padding ?? "valid", activation: options.activation }),
    MaxPooling2D: (x, { pool_size }) => tf.maxPool(x, pool_size, pool_size, "valid"),
    Flatten: (x) => tf.reshape(x, [x.shape[0], -1]),
    Dense: (a, options, [b, bias]) => tf.fused.matMul({ a, b, bias, activation: options.activation ?? "linear" }),
};

const variables = async (network, folder) => {
    const { nhwc } = await json(new URL(`${network}.shapes.json`, folder));
    const flat = new Float32Array(await loop.buffer(new URL(`${network}.nhwc.f32`, folder)));
    let offset = 0;
    return nhwc.map((shape) => {
        const size = shape.reduce((a, b) => a * b, 1);
        const values = flat.slice(offset, offset += size);
        return tf.variable(tf.tensor(values, shape));
    });
};

const create = async (network, folder) => {
    const spec = (await json(new URL("networks.json", folder)))[network];
    const weights = await variables(network, folder);
    const forward = (x) => {
        let next = 0;
        for (const [name, options] of spec) {
            const used = name === "Conv2D" || name === "Dense" ? 2 : 0;
            x = layers[name](x, options, weights.slice(next, next += used));
        }
        return x;
    };
    const images = (pixels, count) => tf.tensor4d(pixels, [count, 28, 28, 1]);
    const optimizer = tf.train.adam(1e-3, 0.9, 0.999, 1e-7);
    const step = async (pixels, labels) => {
        const loss = tf.tidy(() => {
            const expected = tf.oneHot(tf.tensor1d(Int32Array.from(labels), "int32"), 10);
            const given = images(pixels, labels.length);
            return optimizer.minimize(() => tf.losses.softmaxCrossEntropy(expected, forward(given)), true);
        });
        const value = (await loss.data())[0];
        loss.dispose();
        return value;
    };
    const predict = async (pixels, count) => {
        const scores = tf.tidy(() => forward(images(pixels, count)));
        const values = await scores.data();
        scores.dispose();
        return values;
    };
    const convolves = spec.some(([name]) => name === "Conv2D");
    return { predict, step: convolves ? undefined : step };
};

let loop = null;

const start = async () => {
    loop = await import("./loop.mjs");
    tf.wasm.setWasmPaths(new URL("../node_modules/@tensorflow/tfjs-backend-wasm/dist/", self.location).href);
    tf.wasm.setThreadsCount(1);
    await tf.setBackend("wasm");
    await tf.ready();
    loop.serve(create, { tfjs: tf.version.tfjs, backend: tf.getBackend(), threads: tf.wasm.getThreadsCount() });
};

start().catch((error) => self.postMessage({ failed: String(error.stack ?? error) }));
