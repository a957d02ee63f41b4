// TensorFlow.js 4.22 with its WebGPU backend: networks by its layers, operations by its core.
import * as tf from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";
import "@tensorflow/tfjs-backend-webgpu";

export const layout = "nhwc";

const MADE = {
  Conv2D: (o) => layers.layers.conv2d({
    filters: o.filters, kernelSize: o.kernel_size, padding: o.padding ?? "valid",
    activation: o.activation ?? "linear", useBias: o.use_bias ?? true,
  }),
  MaxPooling2D: (o) => layers.layers.maxPooling2d({ poolSize: o.pool_size }),
  BatchNormalization: () => layers.layers.batchNormalization({ momentum: 0.99, epsilon: 1e-3 }),
  Activation: (o) => layers.layers.activation({ activation: o.activation }),
  Flatten: () => layers.layers.flatten({}),
  Dense: (o) => layers.layers.dense({ units: o.units, activation: o.activation ?? "linear" }),
};

const ready = async () => {
  await tf.setBackend("webgpu");
  await tf.ready();
};

export const network = async (given, batch) => {
  await ready();
  const model = layers.sequential();
  model.add(layers.layers.inputLayer({ inputShape: [28, 28, 1] }));
  for (const [name, options] of given.layers) model.add(MADE[name](options));
  const left = [...given.weights];
  for (const layer of model.layers) {
    const own = left.splice(0, layer.weights.length);
    if (own.length) layer.setWeights(own.map(({ values, shape }) => tf.tensor(values, shape)));
  }
  const optimizer = tf.train.adam(1e-3, 0.9, 0.999, 1e-7);
  const trained = model.trainableWeights.map((weight) => weight.read() && weight.val);
  return (x, y) => {
    const loss = tf.tidy(() => {
      const images = tf.tensor4d(x, [batch, 28, 28, 1]);
      const targets = tf.oneHot(tf.tensor1d(y, "int32"), 10);
      const value = () => tf.losses.softmaxCrossEntropy(targets, model.apply(images, { training: true }));
      return optimizer.minimize(value, true, trained);
    });
    return {
      read: async () => {
        const [value] = await loss.data();
        loss.dispose();
        return value;
      },
      drop: () => loss.dispose(),
    };
  };
};

// What `count` runs of an operation take, the last one's result awaited.
export const operation = async (name) => {
  await ready();
  const [side, wide] = [tf.randomNormal([2048, 2048]), tf.randomNormal([2048, 2048])];
  const x = tf.randomNormal([256, 28, 28, 64]), kernel = tf.randomNormal([3, 3, 64, 64]);
  const runs = {
    gemm2048: { given: side, apply: (y) => tf.matMul(y, wide) },
    conv3x3: { given: x, apply: (y) => tf.conv2d(y, kernel, 1, "same") },
  };
  return async (count) => {
    const first = tf.tidy(() => {
      let y = runs[name].given;
      for (let i = 0; i < count; i++) y = runs[name].apply(y); // each needs the one before
      return tf.slice(tf.reshape(y, [-1]), [0], [1]);
    });
    await first.data();
    first.dispose();
  };
};
