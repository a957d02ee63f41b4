// @tensorflow/tfjs-backend-wasm, one thread: fused operations with folded batch norm, as its converter makes graphs.
importScripts(
    "../node_modules/@tensorflow/tfjs/dist/tf.min.js",
    "../node_modules/@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js",
);
const { tf } = self;

const ones = new Map();
const constant = (n, value) => {
    const key = `${n} ${value}`;
    if (!ones.has(key)) ones.set(key, tf.keep(tf.fill([n], value)));
    return ones.get(key);
};
// "same" where it is meant: what is asymmetric in these networks is TensorFlow's own rule.
const padded = ([[top, bottom], [left, right]]) => {
    if (top + bottom + left + right === 0) return "valid";
    return [[0, 0], [top, bottom], [left, right], [0, 0]];
};

const operations = {
    convolution: ([x], node, [filter, bias]) => tf.fused.conv2d({
        x, filter, bias, strides: node.strides, pad: padded(node.padding), activation: node.activation }),
    depthwise: ([x], node, [filter, bias]) => tf.fused.depthwiseConv2d({
        x, filter, bias, strides: node.strides, pad: padded(node.padding), activation: node.activation }),
    affine: ([x], node, [scale, shift]) => {
        const n = shift.shape[0];
        return tf.relu(tf.batchNorm(x, constant(n, 0), constant(n, 1), shift, scale, 0));
    },
    max_pool: ([x], node) => tf.maxPool(x, node.size, node.strides, "valid"),
    pad: ([x], node) => tf.pad(x, [[0, 0], ...node.padding, [0, 0]]),
    add: ([a, b]) => tf.add(a, b),
    mean: ([x]) => tf.mean(x, [1, 2]),
    dense: ([a], node, [b, bias]) => tf.fused.matMul({ a, b, bias }),
};
const USED = { convolution: 2, depthwise: 2, affine: 2, dense: 2 };

// A padding that only a convolution reads is the convolution's.
const absorbed = (nodes) => {
    const readers = nodes.map((_, i) => nodes.filter((n) => n.inputs.includes(i + 1)));
    nodes.forEach((node, i) => {
        const [reader] = readers[i];
        if (node.op !== "pad" || readers[i].length > 1 || !["convolution", "depthwise"].includes(reader.op)) return;
        reader.padding = node.padding;
        reader.inputs = node.inputs;
        node.op = "absorbed";
    });
    return nodes;
};

const create = async (network, { bytes, images }) => {
    const { nodes, shapes } = JSON.parse(new TextDecoder().decode(await bytes(`${network}.folded.json`)));
    const flat = new Float32Array((await bytes(`${network}.folded.f32`)).buffer);
    let at = 0;
    const weights = shapes.map((shape) => {
        const size = shape.reduce((a, b) => a * b, 1);
        return tf.keep(tf.tensor(flat.slice(at, at += size), shape));
    });
    const graph = absorbed(nodes);
    const forward = (x) => {
        const values = [x];
        for (const node of graph) {
            const used = weights.slice(node.weights, node.weights + (USED[node.op] ?? 0));
            const given = node.inputs.map((i) => values[i]);
            values.push(node.op === "absorbed" ? null : operations[node.op](given, node, used));
        }
        return values.at(-1);
    };
    return async (batch) => {
        const pixels = await images(batch);
        const scores = tf.tidy(() => forward(tf.tensor4d(pixels, [batch, 224, 224, 3])));
        const values = await scores.data();
        scores.dispose();
        return values;
    };
};

const start = async () => {
    const { photographs } = await import("./photographs.mjs");
    tf.wasm.setWasmPaths(new URL("../node_modules/@tensorflow/tfjs-backend-wasm/dist/", self.location).href);
    tf.wasm.setThreadsCount(1);
    await tf.setBackend("wasm");
    await tf.ready();
    photographs(create, { tfjs: tf.version.tfjs, backend: tf.getBackend(), threads: tf.wasm.getThreadsCount() });
};

start().catch((error) => self.postMessage({ failed: String(error.stack ?? error) }));
