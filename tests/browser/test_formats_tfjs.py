"""TensorFlow.js itself, in Chromium, loads our layers-models and we load its own."""

import base64
import json

import nn
import numpy as np
import pytest
from nn.io import tfjs

PAGE = """<!doctype html><meta charset="utf-8"><title>TensorFlow.js</title>
<link rel="icon" href="data:,">
<script src="node_modules/@tensorflow/tfjs/dist/tf.min.js"></script>
"""

# The backend is chosen before anything else: software WebGL takes seconds to start.
PREDICT = """
const [url, inputs, done] = arguments;
(async () => {
  await tf.setBackend('cpu');
  const model = await tf.loadLayersModel(url);
  const tensors = inputs.map(({values, shape}) => tf.tensor(values, shape));
  const outputs = [model.predict(tensors.length > 1 ? tensors : tensors[0])].flat();
  return outputs.map(y => ({values: Array.from(y.dataSync()), shape: y.shape}));
})().then(done, error => done({error: String(error.stack)}));
"""

WRITE = """
const done = arguments[0];
(async () => {
  await tf.setBackend('cpu');
  const input = tf.input({shape: [8, 8, 2]});
  let x = tf.layers.conv2d({filters: 3, kernelSize: 3, padding: 'same', activation: 'relu',
                            kernelRegularizer: 'l1l2'}).apply(input);
  x = tf.layers.maxPooling2d({poolSize: 2}).apply(x);
  x = tf.layers.leakyReLU({alpha: 0.1}).apply(tf.layers.flatten().apply(x));
  const dense = tf.layers.dense({units: 4, activation: 'softmax'});
  const model = tf.model({inputs: input, outputs: dense.apply(x)});
  const data = tf.randomUniform([3, 8, 8, 2], 0, 1, 'float32', 7);
  let saved;
  await model.save(tf.io.withSaveHandler(async artifacts => { saved = artifacts; return {}; }));
  const bytes = new Uint8Array(saved.weightData);
  const weights = btoa(Array.from(bytes, b => String.fromCharCode(b)).join(''));
  return {topology: saved.modelTopology, specs: saved.weightSpecs, weights,
          x: Array.from(data.dataSync()), y: Array.from(model.predict(data).dataSync())};
})().then(done, error => done({error: String(error.stack)}));
"""


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    module_site.replace("tfjs.html", PAGE)
    return open_module_page(module_site.url + "tfjs.html")


def predictions(page, site, files, *inputs):
    """Serve the files, let TensorFlow.js load them from their address and predict."""
    for name, data in files.items():
        site.replace(f"model/{name}", data)
    wanted = [{"values": x.ravel().tolist(), "shape": x.shape} for x in inputs]
    outputs = page.execute_async_script(PREDICT, f"{site.url}model/model.json", wanted)
    assert isinstance(outputs, list), outputs
    return [np.array(y["values"], np.float32).reshape(y["shape"]) for y in outputs]


def random(shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def randomized(model):
    """Give every weight, biases and statistics too, a value that shows when it is misplaced."""
    rng = np.random.default_rng(1)
    for variable in model.variables:
        variable.assign(rng.uniform(0.1, 0.5, variable.shape) * rng.choice([1, -1]))
        if "variance" in variable.path:
            variable.assign(np.abs(variable.value))
    return model


def seed_network():
    return nn.Sequential(
        [
            nn.Input((28, 28, 1)),
            nn.Conv2D(8, 3, activation="relu"),
            nn.MaxPooling2D(),
            nn.Conv2D(16, 3, activation="relu"),
            nn.MaxPooling2D(),
            nn.Flatten(),
            nn.Dense(128, activation="relu"),
            nn.Dense(10, activation="softmax"),
        ]
    )


def test_predicts_what_the_seed_network_predicts(page, module_site):
    model, x = seed_network(), random((16, 28, 28, 1))
    (y,) = predictions(page, module_site, tfjs.save_files(model), x)
    np.testing.assert_allclose(y, model.predict_on_batch(x), atol=1e-5)


def images():
    return nn.Sequential(
        [
            nn.Input((12, 11, 3)),
            nn.ZeroPadding2D(((2, 2), (0, 3))),
            nn.Cropping2D(((1, 0), (0, 2))),
            nn.DepthwiseConv2D(3, depth_multiplier=2, activation="relu"),
            nn.BatchNormalization(epsilon=0.01),
            nn.SeparableConv2D(5, 3, padding="same", activation="silu"),
            nn.UpSampling2D(2),
            nn.AveragePooling2D(2, padding="same"),
            nn.Conv2DTranspose(3, 3, strides=2, padding="same"),
            nn.SpatialDropout2D(0.3),
            nn.LayerNormalization(),
            nn.ELU(),
            nn.GlobalAveragePooling2D(),
            nn.Reshape((1, 3)),
            nn.Permute((2, 1)),
            nn.Flatten(),
            nn.Dense(4, activation="gelu"),
        ]
    )


def sequences():
    entry = nn.Input((7, 4), name="entry")
    x = nn.Conv1D(5, 2, activation="relu")(entry)
    left = nn.LSTM(5, return_sequences=True)(x)
    right = nn.SimpleRNN(5, return_sequences=True)(x)
    x = nn.Concatenate()([nn.Add()([left, right]), nn.Multiply()([left, x])])
    return nn.Model(entry, nn.SimpleRNN(3)(x))


def steps():
    return nn.Sequential(
        [
            nn.Input((12, 5)),
            nn.MaxPooling1D(3, strides=2, padding="same"),
            nn.AveragePooling1D(3, strides=1, padding="same"),
            nn.SpatialDropout1D(0.3),
            nn.PReLU(shared_axes=[1]),
            nn.GlobalAveragePooling1D(),
            nn.AlphaDropout(0.3),
            nn.GaussianDropout(0.3),
            nn.RepeatVector(3),
            nn.PReLU(),
            nn.GlobalMaxPooling1D(),
            nn.ThresholdedReLU(0.4),
        ]
    )


def volumes():
    pools = [nn.MaxPooling3D((2, 1, 3), strides=1), nn.AveragePooling3D(2)]
    return nn.Sequential([nn.Input((7, 6, 8, 2)), *pools, nn.Flatten()])


def merged():
    entry = nn.Input((3, 4))
    first, last = nn.Dense(4)(entry), nn.Dense(1)(entry)
    few = nn.GlobalMaxPooling1D()(entry)
    x = nn.Maximum()([nn.Average()([first, few]), nn.Minimum()([entry, last])])
    return nn.Model(entry, nn.Dot((2, 1), normalize=True)([nn.Multiply()([x, last]), few]))


def test_begins_with_the_states_that_are_given(page, module_site):
    x, h, c = nn.Input((5, 2)), nn.Input((3,)), nn.Input((3,))
    model = randomized(nn.Model([x, h, c], nn.LSTM(3)(x, initial_state=[h, c])))
    values = [random((2, 5, 2)), random((2, 3), 1), random((2, 3), 2)]
    (y,) = predictions(page, module_site, tfjs.save_files(model), *values)
    np.testing.assert_allclose(y, model.predict_on_batch(values), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (images, (2, 12, 11, 3)),
        (sequences, (2, 7, 4)),
        (steps, (2, 12, 5)),
        (volumes, (2, 7, 6, 8, 2)),
        (merged, (2, 3, 4)),
    ],
)
def test_predicts_what_every_kind_of_layer_predicts(page, module_site, make, shape):
    model, x = randomized(make()), random(shape)
    files = tfjs.save_files(model)
    (y,) = predictions(page, module_site, files, x)
    np.testing.assert_allclose(y, model.predict_on_batch(x), atol=1e-5)
    np.testing.assert_array_equal(tfjs.load(files).predict_on_batch(x), model.predict_on_batch(x))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16"])
def test_reads_the_quantized_weights_as_we_do(page, module_site, dtype):
    model, x = seed_network(), random((4, 28, 28, 1))
    files = tfjs.save_files(model, quantization={dtype: "*"})
    (y,) = predictions(page, module_site, files, x)
    np.testing.assert_allclose(y, tfjs.load(files).predict_on_batch(x), atol=1e-5)


def test_reads_weights_in_several_shards(page, module_site):
    model = randomized(nn.Sequential([nn.Input((1100,)), nn.Dense(1100), nn.Dense(2)]))
    files = tfjs.save_files(model)
    assert sorted(files)[:2] == ["group1-shard1of2.bin", "group1-shard2of2.bin"]
    x = random((2, 1100)) / 100
    (y,) = predictions(page, module_site, files, x)
    np.testing.assert_allclose(y, model.predict_on_batch(x), rtol=1e-4)


@pytest.mark.promise(
    "Earlier work: models in production",
    "Models of Keras and TensorFlow.js are opened",
)
def test_we_load_what_tensorflow_js_saves(page):
    saved = page.execute_async_script(WRITE)
    assert "error" not in saved, saved
    manifest = [{"paths": ["weights.bin"], "weights": saved["specs"]}]
    document = {"modelTopology": saved["topology"], "weightsManifest": manifest}
    files = {
        "model.json": json.dumps(document).encode(),
        "weights.bin": base64.b64decode(saved["weights"]),
    }
    model = nn.io.load(files)
    x = np.array(saved["x"], np.float32).reshape(3, 8, 8, 2)
    y = np.array(saved["y"], np.float32).reshape(3, 4)
    np.testing.assert_allclose(model.predict_on_batch(x), y, atol=1e-5)
    assert model.layers[1].kernel.regularizer is not None
