"""Layers-models as the field has them, by TensorFlow.js' own writers and by its converter.

TensorFlow.js itself (npm, in Node) writes and runs them; names of files are those of
tfjs-core/src/io/browser_files.ts and indexed_db.ts, names of weights those that the converter makes
of Keras 2 and 3.
"""

import base64
import io
import json
import zipfile

import nn
import numpy as np
import pytest
from nn.io import errors, tfjs

from tests.support import tensorflowjs

RNG = np.random.default_rng(0)
IMAGES = RNG.random((2, 8, 8, 3), dtype=np.float32)
STEPS = RNG.random((2, 5, 4), dtype=np.float32)

# tf.sequential in tf.sequential, with a shape in the innermost model alone, as Teachable Machine's.
CODE = {
    "images": """
      const features = tf.sequential({layers: [
        tf.layers.conv2d({inputShape: [8, 8, 3], filters: 4, kernelSize: 3, strides: 2}),
        tf.layers.batchNormalization(), tf.layers.reLU({maxValue: 6}),
        tf.layers.depthwiseConv2d({kernelSize: 3, padding: 'same'})]});
      const head = tf.sequential({layers: [
        tf.layers.dense({inputShape: [4], units: 5, activation: 'relu'}),
        tf.layers.dense({units: 2, useBias: false, activation: 'softmax'})]});
      const base = tf.model({inputs: features.inputs, outputs: features.outputs});
      const body = tf.sequential({layers: [base, tf.layers.globalAveragePooling2d({})]});
      return tf.sequential({layers: [body, head]});""",
    "recurrent": """
      return tf.sequential({layers: [
        tf.layers.lstm({inputShape: [5, 4], units: 3, returnSequences: true}),
        tf.layers.gru({units: 4, returnSequences: true}),
        tf.layers.simpleRNN({units: 2})]});""",
    "wrapped": """
      const both = {layer: tf.layers.gru({units: 2, returnSequences: true}), mergeMode: 'ave'};
      const {lstmCell, gruCell} = tf.layers;
      const cells = [lstmCell({units: 3}), gruCell({units: 2}), lstmCell({units: 2})];
      return tf.sequential({layers: [
        tf.layers.bidirectional({inputShape: [5, 4], mergeMode: 'concat',
          layer: tf.layers.lstm({units: 3, returnSequences: true})}),
        tf.layers.timeDistributed({layer: tf.layers.dense({units: 3, activation: 'tanh'})}),
        tf.layers.bidirectional(both),
        tf.layers.rnn({cell: tf.layers.simpleRNNCell({units: 3}), returnSequences: true}),
        tf.layers.rnn({cell: cells})]});""",
    # Calls of a model inside another are numbered from 1.
    "models inside": """
      const inner = tf.sequential({layers: [
        tf.layers.dense({inputShape: [5, 4], units: 3}), tf.layers.dense({units: 4})]});
      const input = tf.input({shape: [5, 4]});
      const twice = inner.apply(inner.apply(input));
      const sum = tf.layers.add().apply([twice, inner.apply(input)]);
      return tf.model({inputs: input, outputs: sum});""",
    # A mask counts beside initial states, as in Keras 2 and not in Keras 3.
    "states and a mask": """
      const input = tf.input({shape: [5]});
      const words = tf.layers.embedding({inputDim: 5, outputDim: 4, maskZero: true}).apply(input);
      const states = [1, 2].map(_ => tf.layers.dense({units: 3}).apply(input));
      const read = tf.layers.lstm({units: 3}).apply(words, {initialState: states});
      return tf.model({inputs: input, outputs: read});""",
    # The generator of TensorFlow.js' mnist-acgan: a stack made for [4] is called on [1, 4].
    "more axes": """
      const stack = tf.sequential({layers: [
        tf.layers.dense({inputShape: [4], units: 18}), tf.layers.reshape({targetShape: [3, 3, 2]}),
        tf.layers.conv2dTranspose({filters: 3, kernelSize: 3, strides: 2, padding: 'same'}),
        tf.layers.batchNormalization(), tf.layers.flatten()]});
      const input = tf.input({shape: [1]});
      const words = tf.layers.embedding({inputDim: 5, outputDim: 4}).apply(input);
      return tf.model({inputs: input, outputs: stack.apply(words)});""",
    # What is -1 in Keras is null in TensorFlow.js' files.
    "sizes left open": """
      return tf.sequential({layers: [
        tf.layers.reshape({inputShape: [8, 8, 3], targetShape: [-1, 6]}),
        tf.layers.dense({units: 2}), tf.layers.reshape({targetShape: [4, -1]})]});""",
    "another size": """
      const stack = tf.sequential({layers: [
        tf.layers.conv2d({inputShape: [16, 16, 3], filters: 2, kernelSize: 3}),
        tf.layers.maxPooling2d({poolSize: 2}), tf.layers.globalAveragePooling2d({})]});
      const input = tf.input({shape: [8, 8, 3]});
      return tf.model({inputs: input, outputs: stack.apply(input)});""",
}
WORDS = np.array([[1, 2, 0, 0, 0], [3, 0, 0, 4, 0]], np.float32)
INPUTS = {
    "images": IMAGES, "recurrent": STEPS, "wrapped": STEPS, "models inside": STEPS,
    "states and a mask": WORDS, "more axes": WORDS[:, :1], "another size": IMAGES,
    "sizes left open": IMAGES,
}  # fmt: skip


# What TensorFlow.js computes otherwise than Keras: how it is called on 8 x 8 x 3 numbers.
OTHERWISE = {
    "dilation_rate": "depthwiseConv2d({kernelSize: 3, dilationRate: 2, inputShape: [8, 8, 3]})",
    "interpolation": "upSampling2d({interpolation: 'bilinear', inputShape: [8, 8, 3]})",
}


@pytest.fixture(scope="module")
def written():
    tasks = [tensorflowjs.writing(CODE[k], INPUTS[k]) for k in CODE]
    for call in OTHERWISE.values():
        code = f"return tf.sequential({{layers: [tf.layers.{call}]}});"
        tasks.append(tensorflowjs.writing(code, IMAGES))
    return dict(zip([*CODE, *OTHERWISE], tensorflowjs.ask(tasks), strict=True))


def document(written, *paths, rename=lambda name: name):
    """model.json, with the paths of its shards and its weights renamed."""
    specs = [{**spec, "name": rename(spec["name"])} for spec in written["weightSpecs"]]
    manifest = [{"paths": list(paths), "weights": specs}]
    found = {"modelTopology": written["modelTopology"], "weightsManifest": manifest}
    return json.dumps(found).encode()


def weights(written):
    return base64.b64decode(written["weights"])


def expect_same(data, written, kind):
    loaded = nn.io.load(data)
    made = loaded.predict_on_batch(INPUTS[kind])
    np.testing.assert_allclose(made, written["outputs"][0], atol=2e-6)


@pytest.mark.parametrize("kind", CODE)
def test_downloads_of_a_browser_open(written, kind):
    files = {
        "m.json": document(written[kind], "./m.weights.bin"),
        "m.weights.bin": weights(written[kind]),
    }
    expect_same(files, written[kind], kind)


def test_a_stack_of_a_file_is_made_for_another_shape_by_its_first_call_alone(written):
    kind = "more axes"
    whole = {"model.json": document(written[kind], "a.bin"), "a.bin": weights(written[kind])}
    loaded = nn.io.load(whole)
    for format in ("npz", "keras", "tfjs"):
        expect_same(nn.io.save(loaded, format), written[kind], kind)
    model = json.loads(whole["model.json"])
    config = model["modelTopology"]["config"]
    stack = next(item for item in config["layers"] if item["class_name"] == "Sequential")
    words, plain = stack["inbound_nodes"][0], [[config["input_layers"][0][0], 0, 0, {}]]
    for calls in ([words, plain], [plain, words]):  # of shapes [1, 4] and [1]
        stack["inbound_nodes"] = calls
        with pytest.raises(errors.CorruptError, match=r"expected inputs \[|was built"):
            nn.io.load({**whole, "model.json": json.dumps(model).encode()})


def test_masks_beside_states_go_to_every_format_but_that_of_keras_3(written):
    kind = "states and a mask"
    whole = {"model.json": document(written[kind], "a.bin"), "a.bin": weights(written[kind])}
    loaded = nn.io.load(whole)
    for format in ("npz", "tfjs"):
        expect_same(nn.io.save(loaded, format), written[kind], kind)
    with pytest.raises(errors.UnsupportedError, match="Keras 3 leaves no steps out"):
        nn.io.save(loaded, "keras")


@pytest.mark.parametrize("kind", CODE)
def test_a_record_of_indexeddb_opens(written, kind):
    artifacts = {key: written[kind][key] for key in ("modelTopology", "weightSpecs")} | {
        "format": "layers-model"
    }
    inside = {**artifacts, "weightData": written[kind]["weights"]}
    expect_same(json.dumps({"modelArtifacts": inside}).encode(), written[kind], kind)
    numbers = {**artifacts, "weightData": list(weights(written[kind]))}
    expect_same(json.dumps(numbers).encode(), written[kind], kind)
    beside = {"model.json": json.dumps(artifacts).encode(), "data.bin": weights(written[kind])}
    expect_same(beside, written[kind], kind)


def cells(name):
    """The cell's name in front of the weight's, as TensorFlow has had it since 2.2."""
    layer, weight = name.split("/")
    return f"{layer}/{layer.split('_')[0]}_cell_7/{weight}"


@pytest.mark.parametrize(
    "rename",
    [cells, lambda name: f"sequential/{name}", lambda name: f"sequential/{cells(name)}:0"],
    ids=["TensorFlow 2.2", "Keras 3", "both"],
)
def test_names_of_the_converter_are_found(written, rename):
    model = written["recurrent"]
    files = {"model.json": document(model, "w.bin", rename=rename), "w.bin": weights(model)}
    expect_same(files, model, "recurrent")


@pytest.mark.parametrize("folder", ["", "web_model/", "a/b/", "web\\", "./"])
@pytest.mark.parametrize("shard", ["w.bin", "./w.bin", "elsewhere/w.bin"])
def test_files_are_found_in_any_folder(written, folder, shard):
    model = written["images"]
    files = {f"{folder}model.json": document(model, shard), f"{folder}w.bin": weights(model)}
    expect_same(files, model, "images")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    expect_same(stream.getvalue(), model, "images")


@pytest.mark.parametrize("option", OTHERWISE)
def test_what_tensorflow_js_computes_otherwise_is_refused_in_its_files_not_in_those_of_keras(
    written, option
):
    files = tensorflowjs.files(written[option])
    with pytest.raises(errors.UnsupportedError, match=f"TensorFlow.js has another {option}="):
        nn.io.load(files)
    document = json.loads(files["model.json"])
    document["modelTopology"]["keras_version"] = "2.15.0"
    converted = nn.io.load({**files, "model.json": json.dumps(document).encode()})
    made = converted.predict_on_batch(IMAGES)
    theirs = written[option]["outputs"][0]
    assert made.shape != theirs.shape or np.abs(made - theirs).max() > 0.01


def with_objects(value, layer=False):
    """A topology with every number among a layer's settings as tf.keras 1 wrote those of NumPy."""
    if isinstance(value, dict):
        inside = "trainable" in value and "layers" not in value
        return {key: with_objects(item, inside) for key, item in value.items()}
    if isinstance(value, list):
        return [with_objects(item) for item in value]
    number = layer and type(value) in (int, float)
    return {"type": "ndarray", "value": value} if number else value


@pytest.mark.parametrize("kind", CODE)
def test_numbers_may_be_objects_as_older_keras_wrote_those_of_numpy(written, kind):
    topology = with_objects(written[kind]["modelTopology"])
    assert '"ndarray"' in json.dumps(topology)
    files = tensorflowjs.files({**written[kind], "modelTopology": topology})
    expect_same(files, written[kind], kind)


def test_teachable_machine_s_labels_are_kept(written):
    model = written["images"]
    files = {
        "model.json": document(model, "weights.bin"),
        "weights.bin": weights(model),
        "metadata.json": json.dumps({"labels": ["hand", "no hand"], "imageSize": 224}).encode(),
    }
    loaded = nn.io.load(files)
    assert loaded.labels == ["hand", "no hand"]
    assert nn.io.load(nn.io.save(loaded)).labels == ["hand", "no hand"]


def test_hard_sigmoid_is_the_one_of_keras_2():
    code = """
      return tf.sequential({layers: [
        tf.layers.lstm({inputShape: [5, 4], units: 3, recurrentActivation: 'hardSigmoid'}),
        tf.layers.dense({units: 40, activation: 'hardSigmoid'})]});"""
    (model,) = tensorflowjs.ask([tensorflowjs.writing(code, STEPS)])
    files = {"model.json": document(model, "w.bin"), "w.bin": weights(model)}
    expect_same(files, model, "recurrent")
    again = tfjs.save_files(nn.io.load(files))
    expect_same(again, model, "recurrent")


def test_keras_3_files_refuse_it_and_name_the_layer():
    steep = "keras2_hard_sigmoid"
    inner = nn.GRU(2, recurrent_activation=steep, name="inner")
    for layer, name in (
        (nn.Dense(2, activation=steep), "dense"),
        (nn.Activation(steep), "activation"),
        (nn.LSTM(2, recurrent_activation=steep), "lstm"),
        (nn.RNN([nn.LSTMCell(2), nn.GRUCell(2, recurrent_activation=steep)]), "gru_cell"),
        (nn.Bidirectional(inner), "forward_inner"),
        (nn.TimeDistributed(nn.Dense(2, activation=steep, name="each")), "each"),
    ):
        model = nn.Sequential([nn.Input((5, 4)), layer])
        with pytest.raises(errors.UnsupportedError, match=f"layer '{name}': .* of Keras 2"):
            nn.io.save(model, "keras")


@pytest.mark.parametrize(
    ("files", "error", "says"),
    [
        ({"format": "graph-model", "modelTopology": {"node": []}}, errors.UnsupportedError,
         "--output_format=tfjs_layers_model"),
        ({"modelTopology": {"node": []}, "weightsManifest": []}, errors.UnsupportedError,
         "graph-model"),
        ({"class_name": "Sequential", "config": {}}, errors.MissingEntryError, "topology alone"),
        ({"modelTopology": {}, "weightsManifest": [{"paths": ["./a.bin"], "weights": []}]},
         errors.MissingEntryError, "'./a.bin', received model.json alone"),
        ({"modelTopology": {}, "weightSpecs": []}, errors.MissingEntryError, "weightData"),
    ],
)  # fmt: skip
def test_a_lone_document_says_what_is_missing(files, error, says):
    with pytest.raises(error) as caught:
        nn.io.load(json.dumps(files).encode())
    assert says in str(caught.value)
