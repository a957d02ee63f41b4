"""Every layer and option that is saved for TensorFlow.js predicts the same there, or is refused.

All models are run by npm's TensorFlow.js in one process.
"""

import nn
import numpy as np
import pytest
from nn.io import errors, tfjs
from nn.layers import CLASSES

from tests.support import tensorflowjs
from tools import breadth

RNG = np.random.default_rng(0)


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


IMAGE, ROWS, FLAT, VOLUME = random(2, 6, 5, 4), random(2, 6, 4), random(3, 6), random(2, 4, 4, 4, 3)
FILM = random(2, 3, 5, 4, 2)
WORDS = np.array([[1, 2, 0, 3, 0, 0], [0, 4, 4, 0, 2, 1]], np.float32)
MERGES = ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract", "Divide")
SEVERAL = (*MERGES, "Concatenate", "Dot")
NEEDED = {
    "Activation": {"activation": "relu"}, "Bidirectional": None, "CategoryEncoding": None,
    "CenterCrop": {"height": 2, "width": 2}, "Conv1D": {"filters": 2, "kernel_size": 3},
    "ConvLSTM1D": {"filters": 2, "kernel_size": 3}, "ConvLSTM2D": {"filters": 2, "kernel_size": 3},
    "Conv2D": {"filters": 2, "kernel_size": 3}, "Conv2DTranspose": {"filters": 2, "kernel_size": 3},
    "Conv3D": {"filters": 2, "kernel_size": 2}, "Conv3DTranspose": {"filters": 2, "kernel_size": 2},
    "Dense": {"units": 3}, "DepthwiseConv2D": {"kernel_size": 3}, "Dot": {"axes": 2},
    "Dropout": {"rate": 0.5}, "AlphaDropout": {"rate": 0.5}, "GaussianDropout": {"rate": 0.5},
    "SpatialDropout1D": {"rate": 0.5}, "SpatialDropout2D": {"rate": 0.5},
    "SpatialDropout3D": {"rate": 0.5}, "Embedding": {"input_dim": 9, "output_dim": 3},
    "GRU": {"units": 3}, "LSTM": {"units": 3}, "SimpleRNN": {"units": 3},
    "GaussianNoise": {"stddev": 0.5}, "GroupNormalization": {"groups": 2}, "RepeatVector": {"n": 3},
    "Permute": {"dims": (2, 1)}, "Rescaling": {"scale": 2.0}, "Reshape": {"target_shape": (-1, 2)},
    "Resizing": {"height": 3, "width": 4},
    "SeparableConv2D": {"filters": 2, "kernel_size": 3},
}  # fmt: skip
OPTIONS = {
    "activation": ["relu", "softmax", "gelu", "silu", "exponential", "leaky_relu", "hard_sigmoid",
                   "keras2_hard_sigmoid", "mish"],
    "recurrent_activation": ["sigmoid", "hard_sigmoid", "keras2_hard_sigmoid"],
    "axis": [1, 2, -1, -2, [1, 2]],
    "axes": [1, -1],
    "center": [False], "scale": [False], "epsilon": [0.1], "use_bias": [False],
    "data_format": ["channels_first"],
    "depth_multiplier": [2], "dilation_rate": [2], "groups": [2],
    "dropout": [0.2], "go_backwards": [True], "return_sequences": [True], "return_state": [True],
    "stateful": [True], "reset_after": [False], "unit_forget_bias": [False],
    "interpolation": ["bilinear"],
    "keepdims": [True],
    "max_value": [6.0], "negative_slope": [0.1], "threshold": [0.5], "alpha": [0.7],
    "theta": [0.5],
    "normalize": [True],
    "offset": [1.0],
    "output_padding": [1],
    "padding": ["same", "causal"],
    "pool_size": [3], "strides": [2, 3], "size": [3],
    "shared_axes": [[1], [1, 2]],
    "target_shape": [(2, -1), (4, 6)],
    "mask_zero": [True],
    "cropping": [1],
}  # fmt: skip


def inputs(kind):
    """The input of a layer, by the number of axes that it takes."""
    if kind == "ConvLSTM2D":
        return [FILM]
    if kind == "ConvLSTM1D":
        return [IMAGE]
    if "2D" in kind or kind in ("CenterCrop", "Resizing"):
        return [IMAGE]
    if "3D" in kind:
        return [VOLUME]
    if kind in ("Embedding", "RepeatVector"):
        return [WORDS if kind == "Embedding" else FLAT]
    if kind in ("BatchNormalization", "LayerNormalization", "Softmax", "Activation", "PReLU"):
        return [ROWS, IMAGE]
    return [ROWS]


def cases():
    """Yield (class, options, input) for each layer as it is, and with each option alone."""
    for kind, layer in CLASSES.items():
        needed = NEEDED.get(kind, {})
        if kind == "InputLayer" or needed is None:
            continue
        for x in inputs(kind):
            yield kind, needed, x
            for name in layer.fields:
                yield from ((kind, {**needed, name: v}, x) for v in OPTIONS.get(name, ()))
    for kernel, stride in ((1, 1), (1, 2), (2, 3), (3, 2), (4, 2)):
        options = {"filters": 2, "kernel_size": kernel, "strides": stride, "padding": "same"}
        yield from ((kind, options, IMAGE) for kind in ("Conv2D", "Conv2DTranspose"))
        yield from ((kind, options, VOLUME) for kind in ("Conv3D", "Conv3DTranspose"))
        options = {"pool_size": kernel, "strides": stride, "padding": "same"}
        yield from ((kind, options, VOLUME) for kind in ("AveragePooling3D", "MaxPooling3D"))


def alone(kind, options, x):
    count = 2 if kind in SEVERAL else 1
    entries = [nn.Input(x.shape[1:], name=f"x{i}") for i in range(count)]
    return nn.Model(entries, CLASSES[kind](**options)(*entries)), [x, 0.5 * x + 0.1][:count]


def masked(kind, options, which, end=None):
    """The layer after one or two embeddings, of which some mask their zeros, and before another."""
    count = 2 if kind in SEVERAL else 1
    entries = [nn.Input((6,), name=f"x{i}") for i in range(count)]
    found = [nn.Embedding(9, 4, mask_zero=i in which)(x) for i, x in enumerate(entries)]
    y = CLASSES[kind](**options)(*found)
    return nn.Model(entries, end()(y) if end else y), [WORDS, WORDS[::-1]][:count]


def in_masks():
    """Every layer on masked steps, before what reads a mask here or there."""
    ends = [None, lambda: nn.LSTM(3), lambda: nn.TimeDistributed(nn.Softmax()),
            nn.GlobalAveragePooling1D]  # fmt: skip
    for kind in CLASSES.keys() - {"InputLayer"}:
        options = NEEDED.get(kind, {})
        every = {"return_sequences": True} if "return_sequences" in CLASSES[kind].fields else {}
        for which in [(0,), (1,), (0, 1)] if kind in SEVERAL else [(0,)]:
            for end in ends:
                if options is not None:
                    yield lambda a=(kind, {**options, **every}, which, end): masked(*a)
    for which in ((0,), (0, 1)):
        for end in ends:
            yield lambda w=which, e=end: masked("Concatenate", {"axis": 1}, w, e)
    for layer in (lambda: nn.Bidirectional(nn.LSTM(3)), lambda: nn.RNN(nn.LSTMCell(3)),
                  lambda: nn.RNN(nn.GRUCell(2, reset_after=False), return_sequences=True),
                  lambda: nn.TimeDistributed(nn.Dense(2)), lambda: inside(nn.LSTM(3)),
                  lambda: inside(nn.Dense(3))):  # fmt: skip
        yield lambda layer=layer: after_mask(layer())
        yield lambda layer=layer: after_mask(layer(), nn.RepeatVector(2), nn.LSTM(2))
        yield lambda layer=layer: after_mask(layer(), nn.LSTM(2))
    rows = np.where(RNG.random((2, 6, 1)) < 0.5, 1.0, ROWS).astype(np.float32)
    for layer in (nn.LSTM(3), nn.Flatten(), nn.GlobalAveragePooling1D()):
        yield lambda layer=layer: (
            nn.Sequential([nn.Input((6, 4)), nn.Masking(1.0), layer]),
            [rows],
        )


def inside(layer):
    return nn.Sequential([nn.Input((6, 4)), layer])


def stacks():
    """Models whose layers matter for one another."""
    words = [nn.Input((6,)), nn.Embedding(9, 4, mask_zero=True)]
    for middle in ([], [nn.Dense(3)], [nn.Dropout(0.1)], [nn.BatchNormalization()],
                   [nn.LSTM(3, return_sequences=True)], [nn.Rescaling(2.0)]):  # fmt: skip
        yield nn.Sequential([*words, *middle, nn.LSTM(3)]), [WORDS]
    for shape in ((-1, 2), (2, -1)):
        layers = [nn.Input((6,)), nn.Reshape(shape), nn.Flatten(), nn.Dense(2)]
        yield nn.Sequential(layers), [WORDS]
    yield from twice()
    for calls in (1, 2):
        entry = nn.Input((6,))
        inner = nn.Sequential([nn.Input((6,)), nn.Dense(4), nn.Dense(6, name="last")])
        y = inner(inner(entry)) if calls == 2 else inner(entry)
        yield nn.Model(entry, [y, nn.Dense(2, name="head")(inner(entry))]), [WORDS]


def twice():
    """Models in which one call reads a tensor twice: an input or what a layer made of it, alone or
    before another call, beside an output that it is."""
    for make in (lambda x: x, nn.Dense(6)):
        for ending in (nn.Dense(2), lambda *both: nn.Add()(both)):
            entry = nn.Input((6,))
            x = make(entry)
            y = nn.Multiply()([x, x])
            last = ending(y) if isinstance(ending, nn.Dense) else ending(y, x)
            yield nn.Model(entry, last), [WORDS]
            yield nn.Model(entry, [last, nn.Rescaling(2.0)(x)]), [WORDS]
            yield nn.Model(entry, [last, x]), [WORDS]


def one_of_each():
    """Recurrent layers and their cells as TensorFlow.js has them."""
    older = {"reset_after": False}
    kinds = [(nn.LSTM, nn.LSTMCell, {}), (nn.SimpleRNN, nn.SimpleRNNCell, {})]
    return [*kinds, (nn.GRU, nn.GRUCell, older), (nn.GRU, nn.GRUCell, {})]


def wrapped():
    """Yield (layer, input) for layers around others, of every kind and with every option."""
    for layer, cell, more in one_of_each():
        for every in (False, True):
            inner = [layer(3, return_sequences=every, **more) for _ in range(5)]
            modes = ("concat", "sum", "mul", "ave", None)
            yield from ((nn.Bidirectional(i, m), ROWS) for i, m in zip(inner, modes, strict=True))
            for option in ("return_state", "go_backwards", "stateful"):
                some = {"return_sequences": every, option: True}
                yield nn.Bidirectional(layer(3, **some, **more)), ROWS
                yield nn.RNN(cell(3, **more), **some), ROWS
                yield nn.RNN([cell(3, **more), cell(2, **more)], **some), ROWS
            yield nn.RNN(cell(3, **more), return_sequences=every), ROWS
        yield nn.Bidirectional(nn.RNN(cell(3, **more))), ROWS
        yield nn.TimeDistributed(layer(3, **more)), IMAGE
    backward = [nn.LSTM(3, go_backwards=True, use_bias=bias) for bias in (True, False)]
    yield from ((nn.Bidirectional(nn.LSTM(3), backward_layer=layer), ROWS) for layer in backward)
    for inner in (nn.Dense(3, activation="relu"), nn.BatchNormalization(), nn.Dropout(0.5),
                  nn.Reshape((2, 2)), nn.Activation("softmax"), nn.LayerNormalization(),
                  nn.Sequential([nn.Input((4,)), nn.Dense(2)])):  # fmt: skip
        yield nn.TimeDistributed(inner), ROWS
    for inner in (nn.Conv2D(2, 3), nn.DepthwiseConv2D(3), nn.Flatten(), nn.MaxPooling2D(),
                  nn.GlobalAveragePooling2D(), nn.TimeDistributed(nn.Dense(2))):  # fmt: skip
        yield nn.TimeDistributed(inner), VOLUME


def around(layer, x):
    """The layer on an input."""
    entry = nn.Input(x.shape[1:])
    return nn.Model(entry, layer(entry)), [x]


def after_mask(*layers):
    """The layers after an embedding that masks zeros."""
    entry = nn.Input((6,))
    y = nn.Embedding(9, 4, mask_zero=True)(entry)
    for layer in layers:
        y = layer(y)
    return nn.Model(entry, y), [WORDS]


def from_states(layer, count):
    """The layer with its initial states as inputs."""
    entry = nn.Input((6, 4))
    states = [nn.Input((3,)) for _ in range(count)]
    output = layer(entry, initial_state=states)
    return nn.Model([entry, *states], output), [ROWS, *(ROWS[:, i, :3] for i in range(count))]


def built():
    makers = [lambda c=c: alone(*c) for c in cases()]
    makers += [lambda layer=layer, x=x: around(layer, x) for layer, x in wrapped()]
    makers += in_masks()
    with_states = ((nn.LSTM(3), 2), (nn.RNN(nn.LSTMCell(3)), 2), (nn.Bidirectional(nn.LSTM(3)), 4))
    for layer, count in with_states:
        makers.append(lambda layer=layer, count=count: from_states(layer, count))
    makers += [lambda s=s: s for s in stacks()]
    for make in makers:
        try:
            model, xs = make()
        except (nn.errors.NNError, TypeError, ValueError):  # an option that the layer has not
            continue
        for variable in model.variables:
            variable.assign(
                RNG.uniform(0.1, 0.6, variable.shape) * RNG.choice([1, -1], variable.shape)
            )
            if "variance" in variable.path:
                variable.assign(np.abs(variable.value))
        yield model, xs


# Their shapes or sizes of pictures are others there.
NOT_SAVED = {"categoryencoding", "centercrop", "randomwidth", "resizing"}


def flat(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


def layers_there():
    """The layers of TensorFlow.js, in lower case."""
    source = (breadth.TFJS / breadth.SOURCES["layers"][0]).read_text()
    names = {n for n in breadth.FUNCTION.findall(source) if not breadth.ALIASES.fullmatch(n)}
    return {name.lower() for name in names if not name.endswith(("Cell", "Cells"))}


def test_what_is_saved_predicts_the_same_in_tensorflow_js():
    tasks, expected, refused = [], [], []
    for model, xs in built():
        try:
            files = tfjs.save_files(model)
        except errors.UnsupportedError as error:
            refused.append(str(error))
            continue
        outputs = model.predict_on_batch(xs if len(xs) > 1 else xs[0])
        again = tfjs.load(files).predict_on_batch(xs if len(xs) > 1 else xs[0])
        for a, b in zip(flat(again), flat(outputs), strict=True):
            np.testing.assert_array_equal(a, b)
        expected.append((model, xs, flat(outputs)))
        tasks.append(tensorflowjs.task(files, *xs))
    assert len(tasks) > 150
    assert len(refused) > 50
    assert all("layer '" in text for text in refused)
    saved = {type(layer).__name__.lower() for model, *_ in expected for layer in model.layers}
    assert layers_there() - saved == NOT_SAVED
    for answer, (model, xs, outputs) in zip(tensorflowjs.ask(tasks), expected, strict=True):
        settings = model.layers[-1].get_config()
        assert "error" not in answer, (settings, answer["error"])
        for theirs, ours in zip(answer["outputs"], outputs, strict=True):
            np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=2e-5, err_msg=str(settings))
        if type(model.layers[-1]) is nn.SeparableConv2D and settings["depth_multiplier"] > 1:
            continue  # TensorFlow.js does not save it, and cannot open the file either
        back = tfjs.load(tensorflowjs.files(answer))  # as TensorFlow.js saves it again
        again = back.predict_on_batch(xs if len(xs) > 1 else xs[0])
        for read, ours in zip(flat(again), outputs, strict=True):
            np.testing.assert_allclose(read, ours, rtol=1e-4, atol=2e-5, err_msg=str(settings))


def of_axes():
    """Yield the layers on inputs of one to seven axes, beside the batch's, that have an output
    here."""
    for axes in range(1, 8):
        x = abs(random(2, *(3, 4, 2, 3, 2, 2, 2)[:axes]))
        turned = {"Permute": {"dims": range(axes, 0, -1)}, "Reshape": {"target_shape": (1, -1)}}
        kinds = {kind: needed for kind, needed in NEEDED.items() if needed is not None}
        plain = {kind: {} for kind in CLASSES.keys() - NEEDED.keys() - {"InputLayer"}}
        for kind, needed in ({**plain, **kinds, **turned}).items():
            for more in ({}, {"activation": "softmax"}, {"axis": 1}, {"axis": -1}):
                yield lambda k=kind, o={**needed, **more}, x=x: alone(k, o, x)
        for inner in (nn.Dense(2), nn.BatchNormalization(), nn.Softmax(), nn.Softmax(1),
                      nn.LayerNormalization(), nn.Flatten(), nn.Activation("tanh")):  # fmt: skip
            yield lambda inner=inner, x=x: around(nn.TimeDistributed(inner), x)


def test_what_is_saved_has_as_many_axes_as_tensorflow_js_takes():
    tasks, said, refused = [], [], 0
    for make in of_axes():
        try:
            model, xs = make()
            expected = flat(model.predict_on_batch(xs if len(xs) > 1 else xs[0]))
        except (nn.errors.NNError, TypeError, ValueError):  # the layer takes no such input
            continue
        try:
            files = tfjs.save_files(model)
        except errors.UnsupportedError:
            refused += 1
            continue
        tasks.append(tensorflowjs.task(files, *xs))
        said.append((f"{model.layers[-1].get_config()} on {xs[0].shape}", expected))
    assert len(tasks) > 150
    assert refused > 100
    for answer, (where, expected) in zip(tensorflowjs.ask(tasks), said, strict=True):
        assert "error" not in answer, (where, answer["error"])
        for theirs, ours in zip(answer["outputs"], expected, strict=True):
            np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=2e-5, err_msg=where)


def test_an_output_that_is_named_twice_is_refused():
    x = nn.Input((6,))
    y = nn.Dense(2)(x)
    for outputs in ([y, y], [y, nn.Model(x, [y, y])(x)[0]]):
        with pytest.raises(errors.UnsupportedError, match="has each output once"):
            tfjs.save_files(nn.Model(x, outputs))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: alone("BatchNormalization", {"axis": 1}, ROWS), "last axis"),
        (lambda: alone("Softmax", {"axis": 1}, ROWS), "last axis"),
        (lambda: alone("Concatenate", {"axis": -2}, ROWS), "axis=1"),
        (lambda: alone("DepthwiseConv2D", {"kernel_size": 2, "dilation_rate": 2}, IMAGE), "dilat"),
        (lambda: alone("LSTM", {"units": 2, "stateful": True}, ROWS), "stateful"),
        (lambda: around(nn.RNN(nn.LSTMCell(2), stateful=True), ROWS), "stateful"),
        (lambda: around(nn.Bidirectional(nn.RNN(nn.LSTMCell(2))), ROWS), "an RNN inside"),
        (lambda: around(nn.Bidirectional(nn.GRU(2)), ROWS), "reset_after=True"),
        (lambda: around(nn.TimeDistributed(nn.Resizing(2, 2)), VOLUME), "no Resizing inside"),
        (lambda: after_mask(nn.Bidirectional(nn.LSTM(2, return_sequences=True))), "masked steps"),
        (lambda: alone("BatchNormalization", {}, VOLUME), "2 to 4 axes, received 5"),
        (lambda: alone("Flatten", {}, FLAT), "3 to 6 axes, received 2"),
        (lambda: masked("Softmax", {}, (0,)), "masked steps"),
        (lambda: masked("Multiply", {}, (1,)), "masked steps"),
        (lambda: masked("Dense", {"units": 2}, (0,), nn.GlobalAveragePooling1D), "masked steps"),
        (
            lambda: masked("Conv1D", {"filters": 2, "kernel_size": 1}, (0,), lambda: nn.LSTM(2)),
            "masked steps",
        ),
        (lambda: masked("Concatenate", {"axis": 1}, (0,)), "all inputs or of none"),
    ],
)
def test_what_tensorflow_js_computes_otherwise_is_refused_with_the_reason(make, says):
    model, _ = make()
    name = model.layers[-1].name
    with pytest.raises(errors.UnsupportedError, match=says) as caught:
        tfjs.save_files(model)
    assert f"layer {name!r} ({type(model.layers[-1]).__name__})" in str(caught.value)
