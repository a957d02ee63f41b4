"""Models saved with their optimizer train on here as in TensorFlow.js, and there as here.

The models are those of its published examples, smaller, and without dropout.
"""

import base64
import json

import nn
import numpy as np
import pytest
from nn.io import errors, tfjs

from tests.support import tensorflowjs

RNG = np.random.default_rng(0)
STEPS = 2


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def one_hot(classes, *shape):
    return np.eye(classes, dtype=np.float32)[RNG.integers(classes, size=shape)]


def numbers(below, *shape):
    return RNG.integers(below, size=shape).astype(np.float32)


NORMALIZED = "tf.layers.batchNormalization(),"


def dense(optimizer="'sgd'", loss="'meanSquaredError'", metrics="[]"):
    return f"""
      const model = tf.sequential({{layers: [
        tf.layers.dense({{inputShape: [6], units: 5, activation: 'tanh'}}),
        {NORMALIZED} tf.layers.dense({{units: 3, activation: 'softmax'}})]}});
      model.compile({{optimizer: {optimizer}, loss: {loss}, metrics: {metrics}}});
      return model;"""


BOTH = "['binaryCrossentropy', 'sparseCategoricalCrossentropy']"
DISCRIMINATOR = """
      const body = tf.sequential({layers: [
        tf.layers.conv2d({inputShape: [6, 6, 1], filters: 3, kernelSize: 3, strides: 2}),
        tf.layers.leakyReLU({alpha: 0.2}), tf.layers.flatten()]});
      const image = tf.input({shape: [6, 6, 1]}), features = body.apply(image);
      const real = tf.layers.dense({units: 1, activation: 'sigmoid'}).apply(features);
      const kind = tf.layers.dense({units: 4, activation: 'softmax'}).apply(features);
      const discriminator = tf.model({inputs: image, outputs: [real, kind]});"""
# Name -> code, inputs and targets.
MODELS = {
    "addition": ("""
      const lstm = {units: 4, recurrentInitializer: 'glorotNormal'};
      const model = tf.sequential({layers: [
        tf.layers.lstm({...lstm, inputShape: [5, 6]}), tf.layers.repeatVector({n: 3}),
        tf.layers.lstm({...lstm, returnSequences: true}),
        tf.layers.timeDistributed({layer: tf.layers.dense({units: 6})}),
        tf.layers.activation({activation: 'softmax'})]});
      model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy']});
      return model;""", [one_hot(6, 4, 5)], [one_hot(6, 4, 3)]),
    "sentiment": ("""
      const model = tf.sequential({layers: [
        tf.layers.embedding({inputDim: 9, outputDim: 4, inputLength: 5}),
        tf.layers.bidirectional({layer: tf.layers.gru({units: 3}), mergeMode: 'concat'}),
        tf.layers.dense({units: 1, activation: 'sigmoid'})]});
      model.compile({optimizer: 'adam', loss: 'binaryCrossentropy', metrics: ['acc']});
      return model;""", [numbers(9, 4, 5)], [numbers(2, 4, 1)]),
    "weather": ("""
      const kernelRegularizer = tf.regularizers.l2();
      const model = tf.sequential({layers: [
        tf.layers.flatten({inputShape: [3, 2]}), tf.layers.dense({units: 4, kernelRegularizer}),
        tf.layers.dense({units: 1})]});
      model.compile({optimizer: 'rmsprop', loss: 'meanAbsoluteError'});
      return model;""", [random(4, 3, 2)], [random(4, 1)]),
    "translation": ("""
      const [from, to] = [5, 4].map(n => tf.input({shape: [null, n]}));
      const [, h, c] = tf.layers.lstm({units: 3, returnState: true}).apply(from);
      const decoder = tf.layers.lstm({units: 3, returnSequences: true, returnState: true});
      const [y] = decoder.apply(to, {initialState: [h, c]});
      const outputs = tf.layers.dense({units: 4, activation: 'softmax'}).apply(y);
      const model = tf.model({inputs: [from, to], outputs});
      model.compile({optimizer: 'rmsprop', loss: 'categoricalCrossentropy'});
      return model;""", [one_hot(5, 2, 4), one_hot(4, 2, 3)], [one_hot(4, 2, 3)]),
    "discriminator": (f"""{DISCRIMINATOR}
      discriminator.compile({{optimizer: tf.train.adam(0.01, 0.5), loss: {BOTH}}});
      return discriminator;""", [random(4, 6, 6, 1)], [numbers(2, 4, 1), numbers(4, 4, 1)]),
    # A list of metrics is for each output there.
    "metrics of both": (f"""{DISCRIMINATOR}
      discriminator.compile({{optimizer: 'sgd', loss: 'meanSquaredError',
        metrics: ['binaryAccuracy', 'MAE']}});
      return discriminator;""", [random(4, 6, 6, 1)], [numbers(2, 4, 1), one_hot(4, 4)]),
    "transfer": ("""
      const [first, second] = [false, true].map(trainable => tf.layers.conv2d(
        {inputShape: [5, 5, 1], filters: 2, kernelSize: 2, activation: 'relu', trainable}));
      const model = tf.sequential({layers: [
        first, second, tf.layers.flatten(), tf.layers.dense({units: 3, activation: 'softmax'})]});
      model.compile({optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy'});
      return model;""", [random(4, 5, 5, 1)], [one_hot(3, 4)]),
}  # fmt: skip
# That a model is frozen is not in the file.
LOST = (f"""{DISCRIMINATOR}
      discriminator.trainable = false;
      const noise = tf.input({{shape: [4]}});
      const generator = tf.sequential({{layers: [
        tf.layers.dense({{inputShape: [4], units: 9}}),
        tf.layers.reshape({{targetShape: [3, 3, 1]}}),
        tf.layers.conv2dTranspose({{filters: 1, kernelSize: 3, strides: 2, padding: 'same'}})]}});
      const outputs = discriminator.apply(generator.apply(noise));
      const combined = tf.model({{inputs: noise, outputs}});
      combined.compile({{optimizer: tf.train.adam(0.01, 0.5), loss: {BOTH}}});
      return combined;""", [random(4, 4)], [numbers(2, 4, 1), numbers(4, 4, 1)])  # fmt: skip
OPTIMIZERS = (
    "'sgd'", "'adam'", "'rmsprop'", "'adagrad'", "tf.train.momentum(0.1, 0.9)",
    "tf.train.momentum(0.1, 0.8, true)", "tf.train.adam(0.01, 0.8, 0.95)",
    "tf.train.rmsprop(0.01, 0.8, 0.5, 1e-3)", "tf.train.adagrad(0.1, 0.2)",
)  # fmt: skip
LOSSES = (
    "meanSquaredError", "meanAbsoluteError", "meanAbsolutePercentageError",
    "meanSquaredLogarithmicError", "squaredHinge", "hinge", "categoricalHinge", "logcosh",
    "categoricalCrossentropy", "sparseCategoricalCrossentropy", "binaryCrossentropy",
    "kullbackLeiblerDivergence", "poisson", "cosineProximity",
)  # fmt: skip
X = random(4, 6)
SHARES = nn.activations.softmax(random(4, 3))


def cases():
    """Yield (name, code, inputs, targets)."""
    yield from ((name, *case) for name, case in MODELS.items())
    yield from ((each, dense(optimizer=each), [X], [SHARES]) for each in OPTIMIZERS)
    for loss in LOSSES:
        targets = numbers(3, 4, 1) if loss.startswith("sparse") else SHARES
        yield loss, dense(loss=f"'{loss}'", metrics="['mse', 'MAE']"), [X], [targets]


CASES = {name: case for name, *case in cases()}
# Their steps differ from those of Keras: the older mean of squares, and epsilon subtracted.
OTHERWISE = {
    "Adadelta": (dense("'adadelta'"), "accum_grad accum_var", "accumulated_grad "
                 "accumulated_delta_var"),
    "centered": (dense("tf.train.rmsprop(0.01, 0.8, 0.5, 1e-9, true)").replace(NORMALIZED, ""),
                 "rms momentum mg", "velocity momentum average_gradient"),
}  # fmt: skip


@pytest.fixture(scope="module")
def written():
    tasks = [tensorflowjs.training(*case, STEPS) for case in CASES.values()]
    tasks += [tensorflowjs.training(each[0], [X], [SHARES], STEPS) for each in OTHERWISE.values()]
    tasks.append(tensorflowjs.training(*LOST, STEPS))
    return dict(zip([*CASES, *OTHERWISE, "lost"], tensorflowjs.ask(tasks), strict=True))


def files(written, **changed):
    found = {key: written[key] for key in ("modelTopology", "trainingConfig")}
    manifest = [{"paths": ["./w.bin"], "weights": written["weightSpecs"]}]
    document = {**found, "weightsManifest": manifest, **changed}
    body = base64.b64decode(written["weights"])
    return {"model.json": json.dumps(document).encode(), "w.bin": body}


def one(arrays):
    return arrays if len(arrays) > 1 else arrays[0]


@pytest.mark.parametrize("name", CASES)
def test_a_model_saved_with_its_optimizer_trains_on_to_the_same_losses(written, name):
    _, inputs, targets = CASES[name]
    model = nn.io.load(files(written[name]))
    outputs = model.predict_on_batch(one(inputs))
    for ours, theirs in zip(flat(outputs), written[name]["outputs"], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-6)
    for theirs in written[name]["losses"]:
        ours = np.ravel(model.train_on_batch(one(inputs), one(targets)))
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


def test_a_record_of_indexeddb_keeps_the_optimizer_too(written):
    name = "sentiment"
    parts = ("modelTopology", "weightSpecs", "trainingConfig")
    record = {key: written[name][key] for key in parts}
    record |= {"format": "layers-model", "weightData": written[name]["weights"]}
    model = nn.io.load(json.dumps({"modelArtifacts": record}).encode())
    _, inputs, targets = CASES[name]
    for theirs in written[name]["losses"]:
        ours = model.train_on_batch(one(inputs), one(targets))
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


def flat(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


@pytest.mark.parametrize("name", OTHERWISE)
def test_the_slots_of_optimizers_with_other_steps_are_kept(written, name):
    _, there, here = OTHERWISE[name]
    model = nn.io.load(files(written[name]))
    assert model.optimizer.iterations == STEPS
    stored = arrays(written[name])
    for ending, slot in zip(there.split(), here.split(), strict=True):
        expected = [array for path, array in stored.items() if path.endswith(f"/{ending}")]
        found = [model.optimizer.part(slot, v) for v in model.parameters.variables]
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
            assert np.any(ours)


def arrays(written):
    """Return the arrays of a file by name."""
    found, rest = {}, np.frombuffer(base64.b64decode(written["weights"]), np.float32)
    for spec in written["weightSpecs"]:
        size = int(np.prod(spec["shape"]))
        found[spec["name"]], rest = rest[:size].reshape(spec["shape"]), rest[size:]
    return found


def test_without_compile_the_training_state_is_left_out(written):
    model = nn.io.load(files(written["sentiment"]), compile=False)
    assert not model.compiled
    made = model.predict_on_batch(CASES["sentiment"][1][0])
    np.testing.assert_allclose(made, written["sentiment"]["outputs"][0], atol=2e-6)


def test_an_optimizer_of_a_model_with_other_frozen_layers_starts_over(written):
    with pytest.warns(RuntimeWarning, match="starts over: .* expected 22 .* received 9"):
        model = nn.io.load(files(written["lost"]))
    assert model.optimizer.learning_rate == pytest.approx(0.01)


def changed(written, **settings):
    """Return the `trainingConfig` with other settings of the optimizer."""
    training = written["trainingConfig"]
    return {**training, "optimizer_config": {**training["optimizer_config"], **settings}}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"class_name": "Rocket"}, "expected one of .* received {'class_name': 'Rocket'"),
        ({"config": {"learningRate": 0.1, "amsgrad": 3, "thrust": 2}}, "no option 'thrust'"),
        ({"class_name": "Adamax", "config": {"learningRate": 0.1, "decay": 0.5}}, "'decay'"),
    ],
)
def test_an_optimizer_that_is_not_here_leaves_the_model_uncompiled(written, settings, says):
    training = changed(written["sentiment"], **settings)
    with pytest.warns(RuntimeWarning, match=f"loaded without compiling: .*{says}"):
        model = nn.io.load(files(written["sentiment"], trainingConfig=training))
    assert not model.compiled


@pytest.mark.parametrize(
    ("training", "error", "says"),
    [
        ({"loss": "hinge"}, errors.MissingEntryError, "'optimizer_config' to be dict"),
        ({"optimizer_config": {"config": {}}}, errors.MissingEntryError, "'class_name' to be str"),
        ({"optimizer_config": {"class_name": "SGD"}}, errors.MissingEntryError, "'config'"),
        (["adam"], errors.MissingEntryError, "'optimizer_config' to be dict, received NoneType"),
    ],
)
def test_a_damaged_training_state_is_refused(written, training, error, says):
    with pytest.raises(error, match=says):
        nn.io.load(files(written["sentiment"], trainingConfig=training))


def test_steps_of_no_number_and_slots_of_other_shapes_do_not_pass(written):
    specs = [dict(spec) for spec in written["sentiment"]["weightSpecs"]]
    slots = [spec for spec in specs if spec.get("group") == "optimizer"]
    slots[1]["shape"] = slots[1]["shape"][::-1]
    sent = files(written["sentiment"], weightsManifest=[{"paths": ["./w.bin"], "weights": specs}])
    with pytest.warns(RuntimeWarning, match=r"starts over: optimizer, momentum: expected shape"):
        nn.io.load(sent)
    slots[0]["group"] = "elsewhere"
    sent = files(written["sentiment"], weightsManifest=[{"paths": ["./w.bin"], "weights": specs}])
    with pytest.raises(errors.MismatchError, match="iter belong to no layer"):
        nn.io.load(sent)


# Writing.


def sent(name, model):
    """What TensorFlow.js is to do with a model that nn saved with its optimizer."""
    _, inputs, targets = CASES[name]
    files = tfjs.save_files(model, include_optimizer=True)
    return tensorflowjs.training_on(files, inputs, targets, STEPS)


def test_tensorflow_js_trains_on_from_what_nn_saved_to_the_losses_of_nn(written):
    """The optimizers' slots and steps are those that TensorFlow.js left, and later ones."""
    models = {name: nn.io.load(files(written[name])) for name in CASES}
    tasks = [sent(name, model) for name, model in models.items()]
    later = {}
    for name, model in models.items():
        _, inputs, targets = CASES[name]
        later[name] = [model.train_on_batch(one(inputs), one(targets)) for _ in range(STEPS)]
    tasks += [sent(name, model) for name, model in models.items()]
    answers = tensorflowjs.ask(tasks)
    for name, first, second in zip(
        CASES, answers[: len(CASES)], answers[len(CASES) :], strict=True
    ):
        assert "error" not in first, (name, first)
        np.testing.assert_allclose(
            first["losses"], written[name]["losses"], rtol=2e-5, atol=2e-6, err_msg=name
        )
        model, (_, inputs, targets) = models[name], CASES[name]
        for theirs in second["losses"]:
            ours = np.ravel(model.train_on_batch(one(inputs), one(targets)))
            np.testing.assert_allclose(
                theirs[: len(ours)], ours, rtol=2e-5, atol=2e-6, err_msg=name
            )


def network(optimizer="adam", loss="mse", outputs=1, **compiled):
    entry = nn.Input((4,))
    ends = [nn.Dense(3, name=f"end{place}")(entry) for place in range(outputs)]
    model = nn.Model(entry, ends if outputs > 1 else ends[0])
    model.compile(optimizer, loss, **compiled)
    return model


FUNCTION = nn.losses.mean_squared_error
REFUSED = {
    "TensorFlow.js trains on with .*, received Adamax": network("adamax"),
    "takes a learning rate, received {": network(nn.Adam(nn.schedules.CosineDecay(0.1, 9))),
    "takes a learning rate, received 0": network(nn.SGD(0.0, momentum=0.5)),
    "SGD: TensorFlow.js has no clipnorm=1": network(nn.SGD(clipnorm=1.0)),
    "Adam: TensorFlow.js has no weight_decay=0.1": network(nn.Adam(weight_decay=0.1)),
    "Adam: TensorFlow.js has no amsgrad=True": network(nn.Adam(amsgrad=True)),
    "Adam: TensorFlow.js has no epsilon=0.001": network(nn.Adam(epsilon=1e-3)),
    "RMSprop: TensorFlow.js has no centered=True": network(nn.RMSprop(centered=True)),
    "loss Hinge: TensorFlow.js has no reduction='sum'": network(
        loss=nn.losses.Hinge(reduction="sum")
    ),
    "loss BinaryCrossentropy: TensorFlow.js has no from_logits=True": network(
        loss=nn.losses.BinaryCrossentropy(from_logits=True)
    ),
    "loss: TensorFlow.js has .*; received Huber": network(loss="huber"),
    "loss: .* received FunctionLoss": network(loss=lambda true, pred: FUNCTION(true, pred)),
    "loss: .* received NoneType": network(loss=["mse", None], outputs=2),
    "metric: TensorFlow.js has .*; received AUC": network(metrics=["mse", nn.metrics.AUC()]),
    "no loss_weights, received": network(loss_weights=[0.5]),
    "no weighted_metrics, received": network(weighted_metrics=["mse"]),
    "reads one an output, received": network(outputs=2, metrics=[["mse", "mae"], []]),
}


@pytest.mark.parametrize("says", REFUSED)
def test_what_tensorflow_js_would_train_otherwise_is_refused(says):
    model = REFUSED[says]
    with pytest.raises(errors.UnsupportedError, match=says):
        tfjs.save_files(model, include_optimizer=True)
    assert "trainingConfig" not in json.loads(tfjs.save_files(model)["model.json"])


WORDS = np.array([[1, 2, 0, 3, 0], [0, 4, 4, 0, 0], [1, 1, 0, 2, 2]], np.float32)
# Layers after a mask, and whether training is the same there: it is not where a loss or moments
# are of steps.
AFTER_MASKS = [
    ([nn.LSTM(3, return_sequences=True)], False),
    ([nn.Dense(2)], False),
    ([nn.TimeDistributed(nn.Dense(2))], False),
    ([nn.BatchNormalization(), nn.LSTM(3)], False),
    ([nn.LSTM(3), nn.BatchNormalization()], True),
    ([nn.Flatten(), nn.Dense(2)], True),
    ([nn.Sequential([nn.Input((5, 4)), nn.LSTM(3)])], True),
]


def test_masks_count_in_training_there_as_here_or_are_refused():
    tasks, expected = [], []
    for layers, same in AFTER_MASKS:
        model = nn.Sequential([nn.Input((5,)), nn.Embedding(9, 4, mask_zero=True), *layers])
        model.compile("sgd", "mse", metrics=["mae"])
        targets = random(3, *model.output_shape[1:])
        if not same:
            with pytest.raises(errors.UnsupportedError, match="trains on masked steps too"):
                tfjs.save_files(model, include_optimizer=True)
            continue
        files = tfjs.save_files(model, include_optimizer=True)
        tasks.append(tensorflowjs.training_on(files, [WORDS], [targets], STEPS))
        expected.append([model.train_on_batch(WORDS, targets) for _ in range(STEPS)])
    for answer, ours in zip(tensorflowjs.ask(tasks), expected, strict=True):
        np.testing.assert_allclose(answer["losses"], ours, rtol=2e-5, atol=2e-6)


def test_layers_frozen_after_compile_are_refused():
    model = network()
    model.layers[-1].trainable = False
    with pytest.raises(errors.UnsupportedError, match="compile again"):
        tfjs.save_files(model, include_optimizer=True)


def test_a_model_that_is_not_compiled_is_written_without_training_state():
    model = nn.Sequential([nn.Input((4,)), nn.Dense(3)])
    assert tfjs.save(model, include_optimizer=True) == tfjs.save(model)


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ([], []),
        (["accuracy", "mse"], ["accuracy", "mse"]),
        ([nn.metrics.MeanAbsoluteError(), nn.metrics.BinaryAccuracy()], ["mae", "binary_accuracy"]),
    ],
)
def test_metrics_are_written_by_their_names_there(metrics, expected):
    files = tfjs.save_files(network(metrics=metrics), include_optimizer=True)
    assert json.loads(files["model.json"])["trainingConfig"]["metrics"] == expected


def test_metrics_of_several_outputs_are_written_by_their_layers(written):
    model = network(outputs=2, metrics=[["mse"], ["mae"]])
    files = tfjs.save_files(model, include_optimizer=True)
    training = json.loads(files["model.json"])["trainingConfig"]
    assert training["metrics"] == {"end0": "mse", "end1": "mae"}
    inputs, targets = [random(4, 4)], [random(4, 3), random(4, 3)]
    [answer] = tensorflowjs.ask([tensorflowjs.training_on(files, inputs, targets, STEPS)])
    for theirs in answer["losses"]:
        ours = model.train_on_batch(inputs[0], targets)
        np.testing.assert_allclose(theirs[0], ours[0], rtol=2e-5)
        np.testing.assert_allclose(theirs[-2:], ours[-2:], rtol=2e-5)
