// jax-js 0.1.25 on WebGPU: the whole step in one jit, Adam by hand, as its documentation does it.
import * as jax from "@jax-js/jax";

const { numpy: np, lax, nn, jit, valueAndGrad, tree } = jax;

export const layout = "nchw";

const ready = async () => {
  const found = await jax.init("webgpu");
  if (!found.includes("webgpu")) throw new Error(`jax-js finds ${JSON.stringify(found)}`);
  jax.defaultDevice("webgpu");
};

const pooled = (x) => lax.reduceWindow(x, np.max, [2, 2], [2, 2]);

// Batch normalization by the batch's own statistics; a running mean is not part of a gradient.
const normalized = (x, gamma, beta) => {
  const mean = np.mean(x.ref, [0, 2, 3], { keepdims: true });
  const centred = x.sub(mean);
  const variance = np.mean(np.square(centred.ref), [0, 2, 3], { keepdims: true });
  return centred.mul(gamma.div(np.sqrt(variance.add(1e-3)))).add(beta);
};

const APPLIED = {
  Conv2D: (o, x, take) => {
    const kernel = take(), y = lax.convGeneralDilated(x, kernel, [1, 1], o.padding === "same" ? "SAME" : "VALID");
    const sum = o.use_bias === false ? y : y.add(take());
    return o.activation === "relu" ? nn.relu(sum) : sum;
  },
  MaxPooling2D: (_, x) => pooled(x),
  BatchNormalization: (_, x, take) => normalized(x, take(), take()),
  Activation: (_, x) => nn.relu(x),
  Flatten: (_, x) => x.reshape([x.shape[0], -1]),
  Dense: (o, x, take) => {
    const y = np.dot(x, np.transpose(take())).add(take());
    return o.activation === "relu" ? nn.relu(y) : y;
  },
};

export const network = async (given, batch) => {
  await ready();
  const used = given.weights.filter(({ label }) => !label.includes("running"));
  const named = used.map((weight, number) => [`p${number}`, weight]);
  const kernels = given.layers.map(([name]) => name);
  // A bias of a convolution, and what batch normalization multiplies, stand beside channels.
  const shapeOf = ({ label, shape }) => {
    const kind = kernels[+label.split(".")[0]];
    return shape.length === 1 && kind !== "Dense" ? [1, shape[0], 1, 1] : shape;
  };
  const arrays = (value) => Object.fromEntries(named.map(([key, weight]) =>
    [key, np.array(value(weight)).reshape(shapeOf(weight))]));
  const logits = (p, x) => {
    let number = 0;
    const take = () => p[`p${number++}`];
    return given.layers.reduce((h, [name, options]) => APPLIED[name](options, h, take), x);
  };
  const loss = (p, x, y) => nn.logSoftmax(logits(p, x)).mul(nn.oneHot(y, 10)).sum().mul(-1 / batch);
  const update = jit((p, m, v, size, x, y) => {
    const [value, gradient] = valueAndGrad(loss)(tree.ref(p), x, y);
    const [after, mean, square] = [{}, {}, {}];
    for (const [key] of named) {
      mean[key] = m[key].mul(0.9).add(gradient[key].ref.mul(0.1));
      square[key] = v[key].mul(0.999).add(np.square(gradient[key]).mul(0.001));
      const change = mean[key].ref.mul(size.ref).div(np.sqrt(square[key].ref).add(1e-7));
      after[key] = p[key].sub(change);
    }
    size.dispose();
    return [after, mean, square, value];
  });
  let p = arrays(({ values }) => values.slice());
  let m = arrays(({ values }) => new Float32Array(values.length));
  let v = arrays(({ values }) => new Float32Array(values.length));
  let t = 0;
  return (x, y) => {
    t++;
    const size = (1e-3 * Math.sqrt(1 - 0.999 ** t)) / (1 - 0.9 ** t);
    let value;
    [p, m, v, value] = update(p, m, v, np.array(new Float32Array([size])).reshape([]),
      np.array(x).reshape([batch, 1, 28, 28]), np.array(y, { dtype: np.int32 }));
    return { read: () => value.jsAsync(), drop: () => value.dispose() };
  };
};

export const operation = async (name) => {
  await ready();
  const random = (shape) => {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.random() - 0.5);
    return np.array(values).reshape(shape);
  };
  const pairs = {
    gemm2048: () => [random([2048, 2048]), random([2048, 2048]), jit((a, b) => np.dot(a, b))],
    conv3x3: () => [random([256, 64, 28, 28]), random([64, 64, 3, 3]),
      jit((a, b) => lax.convGeneralDilated(a, b, [1, 1], "SAME"))],
  };
  const [a, b, run] = pairs[name]();
  return async (count) => {
    let y = a.ref;
    for (let i = 0; i < count; i++) y = run(y, b.ref); // each needs the one before
    await jax.blockUntilReady(y);
    y.dispose();
  };
};
