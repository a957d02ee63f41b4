"""ONNX export and import, compared with ONNX Runtime."""

import contextlib
import tracemalloc
import warnings

import nn
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nn.io import errors
from nn.layers import CLASSES
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(0)
ACTIVATIONS = [
    "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "sigmoid", "hard_sigmoid",
    "tanh", "softplus", "softsign", "exponential", "softmax", "log_softmax", "linear",
]  # fmt: skip


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def run(data, *inputs):
    """Return the outputs of ONNX Runtime."""
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def randomized(model):
    for variable in model.variables:
        variable.assign(RNG.uniform(0.1, 0.6, variable.shape) * RNG.choice([1, -1], variable.shape))
        if "variance" in variable.path:
            variable.assign(np.abs(variable.value))
    return model


def assert_both_ways(model, *inputs):
    """Check that ONNX Runtime and the model that is read again predict the same; return it."""
    data = nn.io.save(model, "onnx")
    assert nn.io.sniff(data) == "onnx"
    onnx.checker.check_model(onnx.load_model_from_string(data), full_check=True)
    again = nn.io.load(data)
    given = list(inputs) if len(inputs) > 1 else inputs[0]
    expected, read = (as_list(m.predict_on_batch(given)) for m in (model, again))
    for wanted, *received in zip(expected, run(data, *inputs), read, strict=True):
        for made in received:
            np.testing.assert_allclose(made, wanted, rtol=1e-4, atol=1e-5)
    return again


def as_list(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


def stack(shape, *layers):
    return randomized(nn.Sequential([nn.Input(shape), *layers]))


def test_the_seed_network_passes_both_ways():
    layers = [
        nn.Conv2D(8, 3, activation="relu"),
        nn.MaxPooling2D(),
        nn.Conv2D(16, 3, activation="relu"),
        nn.MaxPooling2D(),
        nn.Flatten(),
        nn.Dense(128, activation="relu"),
        nn.Dense(10, activation="softmax"),
    ]
    model, x = nn.Sequential([nn.Input((28, 28, 1)), *layers]), random(5, 28, 28, 1)
    again = assert_both_ways(model, x)
    again.compile("adam", "sparse_categorical_crossentropy")
    before = again.train_on_batch(x, np.arange(5))
    for _ in range(10):
        again.reset_metrics()
        after = again.train_on_batch(x, np.arange(5))
    assert after < before


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_exported(activation):
    assert_both_ways(stack((5,), nn.Dense(4, activation=activation)), random(3, 5))


@settings(deadline=None, max_examples=30)
@given(
    st.integers(4, 9),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from(["valid", "same"]),
    st.sampled_from([(1, 1), (1, 2), (2, 1)]),
    st.sampled_from([1, 2]),
)
def test_convolutions_of_any_geometry_pass_both_ways(size, kernel, stride, padding, spread, groups):
    dilation = 1 if stride > 1 else spread
    assume(padding == "same" or size > (kernel - 1) * np.max(dilation))
    layer = nn.Conv2D(4, kernel, strides=stride, padding=padding, dilation_rate=dilation,
                      groups=groups, activation="tanh")  # fmt: skip
    pool = nn.MaxPooling2D(2, strides=1, padding=padding) if size > 7 else nn.Dropout(0.5)
    model, x = stack((size, size + 1, 2), layer, pool), random(2, size, size + 1, 2)
    assert_both_ways(model, x)


MORE = {
    "ReLU": lambda: nn.ReLU(max_value=0.5),
    "LeakyReLU": lambda: nn.LeakyReLU(0.2),
    "ELU": lambda: nn.ELU(0.7),
    "Softmax": lambda: nn.Softmax(),
    "AveragePooling2D": lambda: CLASSES["AveragePooling2D"](2, padding="same"),
    "BatchNormalization": lambda: CLASSES["BatchNormalization"](),
    "Conv2DTranspose": lambda: CLASSES["Conv2DTranspose"](3, 3, strides=2, padding="same"),
    "Cropping2D": lambda: CLASSES["Cropping2D"](((1, 2), (0, 1))),
    "DepthwiseConv2D": lambda: CLASSES["DepthwiseConv2D"](3, depth_multiplier=2),
    "GlobalAveragePooling2D": lambda: CLASSES["GlobalAveragePooling2D"](),
    "GlobalMaxPooling2D": lambda: CLASSES["GlobalMaxPooling2D"](),
    "LayerNormalization": lambda: CLASSES["LayerNormalization"](),
    "Normalization": lambda: nn.Normalization((1, 3), 0.5, 2.0),
    "Permute": lambda: CLASSES["Permute"]((3, 1, 2)),
    "Rescaling": lambda: CLASSES["Rescaling"](0.5, offset=-1.0),
    "Reshape": lambda: CLASSES["Reshape"]((7, -1)),
    "SeparableConv2D": lambda: CLASSES["SeparableConv2D"](5, 3, padding="same"),
    "SpatialDropout2D": lambda: CLASSES["SpatialDropout2D"](0.3),
    "UpSampling2D": lambda: CLASSES["UpSampling2D"](2),
    "ZeroPadding2D": lambda: CLASSES["ZeroPadding2D"](((1, 2), (0, 1))),
}


@pytest.mark.parametrize("kind", [kind for kind in MORE if kind in CLASSES])
def test_every_layer_for_images_is_exported(kind):
    assert_both_ways(stack((7, 6, 4), nn.Conv2D(4, 1), MORE[kind]()), random(2, 7, 6, 4))


OF_MORE_NODES = {
    "RepeatVector": ((5,), lambda: CLASSES["RepeatVector"](4)),
    "RepeatVector once": ((5,), lambda: CLASSES["RepeatVector"](1)),
    "UpSampling1D": ((5, 3), lambda: CLASSES["UpSampling1D"](3)),
    "UpSampling3D": ((2, 3, 4, 2), lambda: CLASSES["UpSampling3D"]((1, 2, 3))),
    "UnitNormalization": ((5, 3), lambda: CLASSES["UnitNormalization"]()),
    "UnitNormalization of steps": ((5, 3), lambda: CLASSES["UnitNormalization"](axis=1)),
    "GroupNormalization of vectors": ((8,), lambda: CLASSES["GroupNormalization"](2)),
    "GroupNormalization of steps": ((5, 6), lambda: CLASSES["GroupNormalization"](3)),
    "GroupNormalization of images": ((5, 4, 6), lambda: CLASSES["GroupNormalization"](3)),
    "GroupNormalization of each channel": ((5, 4, 6), lambda: CLASSES["GroupNormalization"](-1)),
    "GroupNormalization of volumes": (
        (2, 5, 4, 6), lambda: CLASSES["GroupNormalization"](1, center=False)
    ),
    "GroupNormalization without scale": (
        (5, 4, 6), lambda: CLASSES["GroupNormalization"](2, scale=False, epsilon=0.1)
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", OF_MORE_NODES)
def test_layers_of_several_nodes_pass_both_ways(kind):
    shape, make = OF_MORE_NODES[kind]
    x = random(3, *shape)
    x[0] = 0  # a vector of no length has no direction
    assert_both_ways(stack(shape, make()), x)


def test_images_of_any_height_are_normalized_by_groups():
    model = stack((None, 4, 6), CLASSES["GroupNormalization"](3))
    x = random(2, 5, 4, 6)
    np.testing.assert_allclose(
        run(nn.io.save(model, "onnx"), x)[0], model.predict_on_batch(x), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("shapes", "axes"),
    [([(4,), (4,)], 1), ([(5, 4), (4, 3)], (2, 1)), ([(5, 4), (3, 4)], 2), ([(4, 5), (4, 3)], 1),
     ([(5, 4), (4,)], (2, 1)), ([(4,), (3, 4)], (1, 2)), ([(2, 3, 4), (5, 4)], (3, 2)),
     ([(2, 4, 3), (4, 2, 3)], (2, 1))],
    ids=str,
)  # fmt: skip
def test_dot_products_pass_both_ways(shapes, axes):
    inputs = [nn.Input(shape) for shape in shapes]
    model = nn.Model(inputs, CLASSES["Dot"](axes)(inputs))
    assert_both_ways(model, *(random(2, *shape) for shape in shapes))


def test_what_these_operators_cannot_say_is_refused_by_name():
    x = nn.Input((4, 5))
    images = nn.Input((4, 5, 1))
    for layer, inputs in (
        (nn.Resizing(2, 3, "bicubic"), images),
        (nn.Resizing(2, 3, pad_to_aspect_ratio=True), images),
        (CLASSES["UnitNormalization"](axis=(1, 2)), x),
        (CLASSES["GroupNormalization"](2, axis=1), x),
        (CLASSES["Dot"](2, normalize=True), [x, x]),
    ):
        with pytest.raises(errors.UnsupportedError, match=f"{layer.name}: ONNX export"):
            nn.io.save(nn.Model(images if inputs is images else x, layer(inputs)), "onnx")


@pytest.mark.parametrize("kind", ["Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"])
@pytest.mark.parametrize("shape", [(5, 6, 3), (1, 1, 3), (5, 1, 1)], ids=str)
def test_merges_are_exported_with_axes_that_repeat(kind, shape):
    entry, other = nn.Input((5, 6, 3)), nn.Input(shape)
    model = nn.Model([entry, other], CLASSES[kind]()([nn.Conv2D(3, 1)(entry), other]))
    assert_both_ways(model, random(2, 5, 6, 3), random(2, *shape))


def test_a_merge_of_inputs_with_fewer_axes_is_refused():
    entry, other = nn.Input((5, 3)), nn.Input((3,))
    with pytest.raises(nn.io.UnsupportedError, match=r"'add'.*fewer axes"):
        nn.io.save(nn.Model([entry, other], nn.Add()([entry, other])), "onnx")


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("sizes", [(3, 9), (14, 2), (7, 6), (20, 1)])
def test_resizing_is_exported(interpolation, sizes):
    model = stack((7, 6, 2), nn.Resizing(*sizes, interpolation))
    assert_both_ways(model, random(2, 7, 6, 2))


SEQUENCES = {
    "Conv1D": lambda: nn.Conv1D(6, 3, strides=2, groups=2),
    "Conv1DTranspose": lambda: nn.Conv1DTranspose(3, 3, strides=2, padding="same"),
    "Conv1DTranspose longer": lambda: nn.Conv1DTranspose(3, 2, strides=3, output_padding=2),
    "DepthwiseConv1D": lambda: nn.DepthwiseConv1D(3, depth_multiplier=2, padding="same"),
    "SeparableConv1D": lambda: nn.SeparableConv1D(5, 2, strides=2, depth_multiplier=3),
}


@pytest.mark.parametrize("kind", SEQUENCES)
def test_convolutions_of_sequences_pass_both_ways(kind):
    assert_both_ways(stack((7, 4), nn.Conv1D(4, 1), SEQUENCES[kind]()), random(2, 7, 4))


OF_ANY_RANK = {
    "MaxPooling": [{"pool_size": 2}, {"pool_size": 3, "strides": 2, "padding": "same"}],
    "AveragePooling": [{"pool_size": 2}, {"pool_size": 3, "strides": 1, "padding": "same"}],
    "GlobalMaxPooling": [{}, {"keepdims": True}],
    "GlobalAveragePooling": [{}, {"keepdims": True}],
    "Conv": [{"filters": 3, "kernel_size": 2, "strides": 2, "padding": "same"}],
    "Conv Transpose": [{"filters": 3, "kernel_size": 2, "strides": 2, "padding": "same"}],
    "Cropping": [{"cropping": 1}, {"cropping": (1, 2)}, {"cropping": (0, 1)}],
    "ZeroPadding": [{"padding": 1}, {"padding": (1, 2)}, {"padding": (0, 1)}],
}
CASES = [
    (kind, i, rank)
    for kind in OF_ANY_RANK
    for i in range(len(OF_ANY_RANK[kind]))
    for rank in (1, 2, 3)
]


@pytest.mark.parametrize(("kind", "case", "rank"), CASES)
def test_layers_of_one_to_three_axes_pass_both_ways(kind, case, rank):
    options = dict(OF_ANY_RANK[kind][case])
    for name in ("cropping", "padding"):
        if isinstance(options.get(name), tuple) and rank > 1:
            options[name] = (options[name],) * rank  # before and after of each axis
    shape = (*(6, 7, 5)[:rank], 2)
    first, *rest = kind.split()
    layer = CLASSES[f"{first}{rank}D{''.join(rest)}"](**options)
    assert_both_ways(stack(shape, nn.Dense(2), layer, nn.Rescaling(0.5)), random(2, *shape))


@pytest.mark.parametrize("shape", [(5,), (4, 5), (3, 4, 5), (2, 3, 4, 5)], ids=str)
@pytest.mark.parametrize("shared", [None, [1]], ids=str)
def test_slopes_of_negative_values_pass_both_ways(shape, shared):
    layers = [nn.Dense(5), CLASSES["PReLU"](shared_axes=shared), nn.Dense(2)]
    assert_both_ways(stack(shape, *layers), random(2, *shape))


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize(("strides", "spread"), [(1, 1), (2, 1), (1, 2)])
def test_each_padding_of_sequences_passes_both_ways(padding, strides, spread):
    layer = nn.Conv1D(6, 3, padding=padding, strides=strides, dilation_rate=spread)
    assert_both_ways(stack((7, 4), layer), random(2, 7, 4))


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from(["valid", "same"]),
    st.integers(1, 2),
    st.integers(-1, 2),
)
def test_transposed_convolutions_of_any_geometry_pass_both_ways(
    size, kernel, stride, padding, dilation, extra
):
    dilation = 1 if stride > 1 else dilation
    layer = nn.Conv2DTranspose(
        3, kernel, strides=stride, padding=padding, dilation_rate=dilation,
        output_padding=None if extra < 0 or extra >= stride else extra, activation="relu",
    )  # fmt: skip
    # Of an axis of 1 an even kernel leaves nothing here, as in Keras; ONNX Runtime refuses that.
    assume(0 not in layer.output_shape((2, size, size + 1, 2)))
    model, x = stack((size, size + 1, 2), layer), random(2, size, size + 1, 2)
    assert_both_ways(model, x)


FIRST = {
    "Conv2D": lambda: nn.Conv2D(3, 3, padding="same", strides=2, activation="softmax",
                                data_format="channels_first"),
    "DepthwiseConv2D": lambda: nn.DepthwiseConv2D(2, data_format="channels_first"),
    "SeparableConv2D": lambda: nn.SeparableConv2D(2, 2, data_format="channels_first"),
    "Conv2DTranspose": lambda: nn.Conv2DTranspose(2, 3, strides=2, data_format="channels_first"),
    "MaxPooling2D": lambda: nn.MaxPooling2D(2, data_format="channels_first"),
    "GlobalAveragePooling2D": lambda: nn.GlobalAveragePooling2D(data_format="channels_first"),
    "GlobalMaxPooling2D": lambda: nn.GlobalMaxPooling2D("channels_first", keepdims=True),
    "Flatten": lambda: nn.Flatten("channels_first"),
    "ZeroPadding2D": lambda: nn.ZeroPadding2D(((1, 0), (2, 3)), "channels_first"),
    "Cropping2D": lambda: nn.Cropping2D(((1, 0), (2, 1)), "channels_first"),
    "UpSampling2D": lambda: nn.UpSampling2D((2, 3), "channels_first"),
    "Resizing": lambda: nn.Resizing(4, 9, data_format="channels_first"),
    "SpatialDropout2D": lambda: nn.SpatialDropout2D(0.5, "channels_first"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FIRST)
def test_layers_with_channels_first_are_exported(kind):
    assert_both_ways(stack((4, 6, 5), FIRST[kind](), nn.Rescaling(2.0)), random(2, 4, 6, 5))


RECURRENT = {"SimpleRNN": nn.SimpleRNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
INSIDE = ["tanh", "sigmoid", "relu", "linear", "leaky_relu", "hard_sigmoid", "elu", "softsign"]


@settings(deadline=None, max_examples=12)
@given(st.data())
@pytest.mark.parametrize("kind", RECURRENT)
def test_recurrent_layers_of_any_kind_are_exported(kind, data):
    draw = data.draw
    options = {name: draw(st.booleans(), name) for name in (
        "use_bias", "return_sequences", "return_state", "go_backwards"
    )}  # fmt: skip
    options["activation"] = draw(st.sampled_from(INSIDE))
    if kind != "SimpleRNN":
        options["recurrent_activation"] = draw(st.sampled_from(["sigmoid", "hard_sigmoid"]))
    if kind == "GRU":
        options["reset_after"] = draw(st.booleans())
    steps, features, units = (draw(st.integers(1, 4)) for _ in range(3))
    layer = RECURRENT[kind](units, dropout=0.2, **options)
    inputs = [nn.Input((steps, features))]
    arrays = [random(3, steps, features)]
    if draw(st.booleans(), "initial_state"):
        states = 2 if kind == "LSTM" else 1
        inputs += [nn.Input((units,)) for _ in range(states)]
        arrays += [random(3, units) for _ in range(states)]
    made = layer(inputs[0], initial_state=inputs[1:] or None)
    model = randomized(nn.Model(inputs, made))
    assert_both_ways(model, *arrays)


@pytest.mark.parametrize("kind", RECURRENT)
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("every", [False, True])
def test_layers_of_both_directions_are_exported(kind, mode, every):
    for states in (False, True):
        layer = RECURRENT[kind](3, return_sequences=every, return_state=states)
        entry = nn.Input((4, 2))
        both = nn.Bidirectional(layer, merge_mode=mode)
        model, x = randomized(nn.Model(entry, both(entry))), random(2, 4, 2)
        assert_both_ways(model, x)
    turned = nn.Bidirectional(RECURRENT[kind](3, return_sequences=every, go_backwards=True))
    assert_both_ways(stack((4, 2), turned, nn.Dense(2)), random(2, 4, 2))


@pytest.mark.parametrize(
    ("inner", "shape"),
    [
        (lambda: nn.Dense(3, activation="softmax"), (4, 5)),
        (lambda: nn.Conv2D(2, 3, activation="relu"), (3, 6, 5, 2)),
        (lambda: nn.MaxPooling2D(), (3, 6, 5, 2)),
        (lambda: nn.Flatten(), (3, 4, 2, 3)),
        (lambda: nn.LSTM(3), (3, 4, 2)),
        (lambda: nn.TimeDistributed(nn.Dense(2)), (3, 4, 2)),
        (lambda: nn.Bidirectional(nn.GRU(2, return_sequences=True)), (3, 4, 2)),
        (lambda: nn.Sequential([nn.Input((5,)), nn.Dense(4), nn.Dense(2)]), (4, 5)),
    ],
)
def test_layers_over_steps_are_exported(inner, shape):
    assert_both_ways(stack(shape, nn.TimeDistributed(inner())), random(2, *shape))


def test_wrapped_layers_that_onnx_lacks_are_named():
    cases = {
        "no RNN inside": ((4, 2), nn.Bidirectional(nn.RNN(nn.LSTMCell(2)))),
        "sizes that are known": ((None, 2), nn.TimeDistributed(nn.Dense(2))),
        "keeps no state": ((4, 2), nn.Bidirectional(nn.LSTM(2, stateful=True))),
    }
    for message, (shape, layer) in cases.items():
        with pytest.raises(errors.UnsupportedError, match=message):
            nn.io.save(stack(shape, layer), "onnx")


def test_stacked_recurrent_layers_after_an_embedding_are_exported():
    layers = [nn.Embedding(9, 4), nn.LSTM(5, return_sequences=True), nn.GRU(3), nn.Dense(2)]
    model = stack((6,), *layers)
    assert_both_ways(model, np.array(RNG.integers(0, 9, (2, 6)), np.float32))


def test_what_recurrent_operators_cannot_say_is_named():
    cases = {
        r"keeps no state from run to run": [nn.LSTM(2, stateful=True)],
        "no activation 'gelu'": [nn.GRU(2, activation="gelu")],
    }
    for message, layers in cases.items():
        with pytest.raises(errors.UnsupportedError, match=message):
            nn.io.save(stack((3, 2), *layers), "onnx")
    masked = stack((3,), nn.Embedding(5, 2, mask_zero=True), nn.Dropout(0.1), nn.LSTM(2))
    with pytest.raises(errors.UnsupportedError, match="knows no masks, the input from 'dropout"):
        nn.io.save(masked, "onnx")
    pooled = stack((3,), nn.Embedding(5, 2, mask_zero=True), nn.Dense(2))
    assert_both_ways(pooled, np.array([[1, 0, 2]], np.float32))


def test_graphs_with_several_inputs_and_outputs_and_models_inside_are_exported():
    left, right = nn.Input((4,), name="left"), nn.Input((4,), name="right")
    shared = nn.Dense(3, activation="tanh", name="shared")
    inner = nn.Sequential([nn.Input((3,)), nn.Dense(2)])
    model = randomized(nn.Model([left, right], [inner(shared(left)), shared(right)]))
    assert_both_ways(model, random(2, 4), random(2, 4))


def test_layers_without_a_counterpart_are_named():
    class Twice(nn.Layer):
        def forward(self, ctx, x, training=False):
            return 2 * x

    with pytest.raises(errors.UnsupportedError, match="no Twice"):
        nn.io.save(nn.Sequential([nn.Input((4,)), Twice()]), "onnx")


# Graphs from elsewhere, as PyTorch writes them: images (n, c, h, w), matrices (out, in).


def graph(nodes, constants, shape, opset=17):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    initializers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    made = helper.make_graph(nodes, "g", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8).SerializeToString()


def node(operator, inputs, output, **attributes):
    return helper.make_node(operator, inputs, [output], **attributes)


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "Networks as PyTorch exports them",
)
def test_a_network_as_pytorch_exports_it_predicts_the_same():
    nodes = [
        node("Conv", ["x", "w1", "b1"], "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], "r"),
        node("MaxPool", ["r"], "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Dropout", ["p"], "d"),
        node("Flatten", ["d"], "f", axis=1),
        node("Gemm", ["f", "w2", "b2"], "g", transB=1),
        node("LeakyRelu", ["g"], "l", alpha=0.1),
        node("MatMul", ["l", "w3"], "m"),
        node("Add", ["m", "b3"], "a"),
        node("Softmax", ["a"], "y"),
    ]
    constants = {
        "w1": random(5, 2, 3, 3), "b1": random(5), "w2": random(7, 5 * 4 * 3), "b2": random(7),
        "w3": random(7, 4), "b3": random(4),
    }  # fmt: skip
    data, x = graph(nodes, constants, (2, 8, 6)), random(3, 2, 8, 6)
    model = nn.io.load(data)
    received = model.predict_on_batch(x.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(received, run(data, x)[0], atol=1e-5)
    assert [type(layer).__name__ for layer in model.layers][-2:] == ["Dense", "Activation"]


IMPORTS = {
    "Relu": {}, "Sigmoid": {}, "Tanh": {}, "Softplus": {}, "Softsign": {}, "Exp": {}, "Selu": {},
    "Elu": {"alpha": 0.5}, "LeakyRelu": {"alpha": 0.3}, "LogSoftmax": {"axis": -1},
    "Softmax": {"axis": 1}, "Identity": {},
}  # fmt: skip


@pytest.mark.parametrize("operator", IMPORTS)
def test_each_activation_is_imported(operator):
    last = node(operator, ["g"], "y", **IMPORTS[operator])
    nodes = [node("Gemm", ["x", "w"], "g", alpha=0.5), last]
    data, x = graph(nodes, {"w": random(4, 3)}, (4,)), random(2, 4)
    np.testing.assert_allclose(nn.io.load(data).predict_on_batch(x), run(data, x)[0], atol=1e-5)


# gelu(x) before opset 20, as PyTorch, tf2onnx and others write it; the constants come late.
GELUS = {
    "torch": [
        node("Div", ["g", "root"], "d"), node("Erf", ["d"], "e"),
        node("Constant", [], "one", value_float=1.0), node("Add", ["e", "one"], "a"),
        node("Mul", ["g", "a"], "m"), node("Constant", [], "half", value_float=0.5),
        node("Mul", ["m", "half"], "y"),
    ],
    "half first": [
        node("Constant", [], "half", value_float=0.5), node("Mul", ["half", "g"], "h"),
        node("Mul", ["g", "inverse"], "d"), node("Erf", ["d"], "e"),
        node("Constant", [], "one", value_float=1.0), node("Add", ["one", "e"], "a"),
        node("Mul", ["h", "a"], "y"),
    ],
    "half in the middle": [
        node("Constant", [], "half", value_float=0.5), node("Constant", [], "one", value_float=1.0),
        node("Div", ["g", "root"], "d"), node("Erf", ["d"], "e"), node("Add", ["e", "one"], "a"),
        node("Mul", ["half", "a"], "m"), node("Mul", ["m", "g"], "y"),
    ],
}  # fmt: skip


def gelu_graph(nodes):
    first = [
        node("Gemm", ["x", "w"], "g"),
        node("Constant", [], "root", value_float=2**0.5),
        node("Constant", [], "inverse", value_float=0.5**0.5),
    ]
    return graph([*first, *nodes], {"w": random(4, 3)}, (4,))


@pytest.mark.parametrize("writer", GELUS)
def test_gelu_of_erf_is_imported(writer):
    data, x = gelu_graph(GELUS[writer]), random(2, 4)
    model = nn.io.load(data)
    np.testing.assert_allclose(model.predict_on_batch(x), run(data, x)[0], atol=1e-6)
    assert [type(layer).__name__ for layer in model.layers] == ["InputLayer", "Dense", "Activation"]


ERF = [node("Div", ["g", "root"], "d"), node("Erf", ["d"], "e")]


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Erf", ["g"], "y")],
        [*ERF, node("Add", ["e", "inverse"], "y")],
        [*ERF, node("Add", ["e", "e"], "y")],
        [*ERF, node("Constant", [], "one", value_float=1.0), node("Add", ["e", "one"], "y")],
    ],
)
def test_an_erf_of_something_else_is_refused(nodes):
    with pytest.raises(errors.UnsupportedError, match="no erf by itself"):
        nn.io.load(gelu_graph(nodes))


RESIZES = [
    {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    {"mode": "nearest"},
    {"mode": "linear"},
    {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
]


@pytest.mark.parametrize("options", RESIZES, ids=str)
@pytest.mark.parametrize("factors", [(2, 2), (1, 3)], ids=str)
@pytest.mark.parametrize("by", ["scales", "sizes"])
def test_images_are_enlarged_as_onnx_does(options, factors, by):
    sizes = np.array([2, 3, 4 * factors[0], 5 * factors[1]])
    constants = (
        {"scales": np.array([1, 1, *factors], np.float32)} if by == "scales" else {"sizes": sizes}
    )
    names = ["x", "", "scales"] if by == "scales" else ["x", "", "", "sizes"]
    nodes = [node("Resize", names, "y", **options)]
    assert_imported(nodes, constants, (3, 4, 5), random(2, 3, 4, 5))


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"]),
    st.sampled_from(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]),
    st.sampled_from(["linear", "nearest", "cubic"]),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
)
def test_images_get_any_size_as_onnx_gives_it_or_are_refused(how, rounding, mode, new, old):
    options = {"coordinate_transformation_mode": how, "nearest_mode": rounding, "mode": mode}
    nodes = [node("Resize", ["x", "", "", "sizes"], "y", **options)]
    constants = {"sizes": np.array([2, 3, *new])}
    own = (how, rounding) == ("half_pixel", "round_prefer_ceil")
    refused = errors.UnsupportedError if mode == "nearest" and not own else ()
    with contextlib.suppress(refused):
        assert_imported(nodes, constants, (3, *old), random(2, 3, *old))


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"]),
    st.sampled_from([{"mode": "linear"}, {"mode": "cubic"}, {"mode": "cubic", "exclude_outside": 1},
                     {"mode": "cubic", "cubic_coeff_a": -0.5}]),
    st.tuples(*[st.sampled_from([0.4, 0.5, 1, 1.3, 1.5, 2, 2.6, 3])] * 2),
    st.tuples(st.integers(3, 7), st.integers(3, 7)),
)  # fmt: skip
def test_images_of_known_sizes_are_mixed_by_any_factor_as_by_onnx_runtime(how, mode, factors, old):
    # ONNX Runtime 1.31 copies an image whose size stays, by whatever factors.
    assume([int(size * factor) for size, factor in zip(old, factors, strict=True)] != [*old])
    options = {"coordinate_transformation_mode": how, **mode}
    nodes = [node("Resize", ["x", "", "scales"], "y", **options)]
    constants = {"scales": np.array([1, 1, *factors], np.float32)}
    assert_imported(nodes, constants, (3, *old), random(2, 3, *old))


@pytest.mark.parametrize(
    ("options", "scales"),
    [
        ({"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize"}, [1, 1, 2, 2]),
        ({"mode": "nearest"}, [1, 2, 2, 2]),
        ({"mode": "nearest"}, [2, 1, 2, 2]),
        ({"mode": "nearest", "keep_aspect_ratio_policy": "not_larger"}, [1, 1, 2, 3]),
        ({"mode": "linear", "antialias": 1}, [1, 1, 0.5, 1]),
        ({"mode": "linear", "keep_aspect_ratio_policy": "not_larger"}, [1, 1, 2, 3]),
        ({"mode": "nearest", "axes": [1, 2]}, [2, 2]),
        ({"mode": "nearest"}, [1, 1, np.nan, 2]),
        ({"mode": "nearest"}, []),
    ],
)
def test_other_ways_to_resize_are_refused(options, scales):
    nodes = [node("Resize", ["x", "", "scales"], "y", **options)]
    constants = {"scales": np.array(scales, np.float32)}
    with pytest.raises(errors.UnsupportedError, match="Resize"):
        nn.io.load(graph(nodes, constants, (3, 4, 5)))


IMAGE_NODES = {
    ("AveragePooling2D",): [node("AveragePool", ["x"], "y", kernel_shape=[2, 2], strides=[2, 2])],
    ("GlobalAveragePooling2D",): [
        node("GlobalAveragePool", ["x"], "p"),
        node("Flatten", ["p"], "y"),
    ],
    ("BatchNormalization",): [
        node("BatchNormalization", ["x", "s", "b", "m", "v"], "n"),
        node("Flatten", ["n"], "f"),
        node("MatMul", ["f", "w"], "y"),
    ],
    ("Add", "Concatenate"): [
        node("Conv", ["x", "k"], "c"),
        node("Add", ["x", "c"], "a"),
        node("Concat", ["a", "x"], "t", axis=1),
        node("Transpose", ["t"], "y", perm=[0, 2, 3, 1]),
    ],
    ("ZeroPadding2D",): [
        node("Relu", ["x"], "r"),
        node("MaxPool", ["r"], "p", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Transpose", ["p"], "y", perm=[0, 2, 3, 1]),
    ],
    ("Rescaling",): [
        node("Constant", [], "half", value_float=0.5),
        node("Mul", ["x", "half"], "h"),
        node("Transpose", ["h"], "y", perm=[0, 2, 3, 1]),
    ],
    ("Flatten",): [
        node("Reshape", ["x", "shape"], "f"),
        node("MatMul", ["f", "w"], "y"),
    ],
}
CONSTANTS = {
    "s": random(3), "b": random(3), "m": random(3), "v": np.abs(random(3)), "k": random(3, 3, 1, 1),
    "w": random(3 * 6 * 5, 2), "shape": np.array([-1, 90]),
}  # fmt: skip


@pytest.mark.parametrize("kinds", [kinds for kinds in IMAGE_NODES if set(kinds) <= set(CLASSES)])
def test_each_operator_on_images_is_imported(kinds):
    nodes = IMAGE_NODES[kinds]
    used = {name for n in nodes for name in n.input}
    constants = {name: array for name, array in CONSTANTS.items() if name in used}
    data, x = graph(nodes, constants, (3, 6, 5)), random(2, 3, 6, 5)
    received = nn.io.load(data).predict_on_batch(x.transpose(0, 2, 3, 1))
    expected = run(data, x)[0]
    if received.ndim == 4 and expected.shape != received.shape:
        expected = expected.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(received, expected, atol=1e-5)


def assert_imported(nodes, constants, shape, x):
    """Check that an imported graph predicts the same; images are transposed."""
    data = graph(nodes, constants, shape)
    turned = x.transpose(0, 2, 3, 1) if x.ndim == 4 else x
    received, expected = nn.io.load(data).predict_on_batch(turned), run(data, x)[0]
    expected = expected.transpose(0, 2, 3, 1) if expected.ndim == 4 else expected
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(2, 5),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.data(),
)
def test_transposed_convolutions_are_imported_with_any_padding(size, kernel, strides, data):
    dilation = data.draw(st.integers(1, 2)) if max(strides) == 1 else 1
    reach = [(k - 1) * dilation + 1 for k in kernel]
    options = {"strides": list(strides), "dilations": [dilation] * 2}
    if data.draw(st.booleans(), "auto") and dilation == 1:
        options["auto_pad"] = data.draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
        # ONNX Runtime wants a kernel that reaches at least as far as the stride for these.
        assume(all(r >= s for r, s in zip(reach, strides, strict=True)))
    else:
        pairs = zip(strides, reach, strict=True)
        limits = [(size - 1 + i) * s + r for i, (s, r) in enumerate(pairs)]
        pads = [data.draw(st.integers(0, min(2, r - 1))) for r in reach * 2]
        assume(all(limits[i] > pads[i] + pads[i + 2] for i in (0, 1)))
        options["pads"] = pads
        options["output_padding"] = [data.draw(st.integers(0, s - 1)) for s in strides]
    nodes = [node("ConvTranspose", ["x", "w", "b"], "y", **options)]
    constants = {"w": random(2, 3, *kernel), "b": random(3)}
    assert_imported(nodes, constants, (2, size, size + 1), random(2, 2, size, size + 1))


STEPS = [
    node("Reshape", ["x", "joined"], "one"), node("Conv", ["one", "k"], "c"),
    node("Relu", ["c"], "r"), node("GlobalAveragePool", ["r"], "p"), node("Flatten", ["p"], "f"),
]  # fmt: skip
STEP_CONSTANTS = {
    "joined": np.array([-1, 3, 6, 5]), "parted": np.array([-1, 2, 4]), "k": random(4, 3, 2, 2),
}  # fmt: skip


def test_layers_for_each_image_of_several_are_imported():
    nodes = [*STEPS, node("Reshape", ["f", "parted"], "q"), node("Tanh", ["q"], "y")]
    x = random(3, 2, 3, 6, 5)
    assert_imported(nodes, STEP_CONSTANTS, (2, 3, 6, 5), x)
    model = nn.io.load(graph(nodes, STEP_CONSTANTS, (2, 3, 6, 5)))
    assert [type(layer).__name__ for layer in model.layers][1] == "TimeDistributed"


def test_steps_that_stay_with_the_batch_are_refused_and_those_that_need_others_are_imported():
    whole = node("Identity", ["f"], "y")
    with pytest.raises(errors.UnsupportedError, match="'y': expected axes apart"):
        nn.io.load(graph([*STEPS, whole], STEP_CONSTANTS, (2, 3, 6, 5)))
    other = [
        node("Reshape", ["x", "joined"], "two"), node("GlobalMaxPool", ["two"], "m"),
        node("Conv", ["m", "k1"], "w"), node("Flatten", ["w"], "g"), node("Add", ["f", "g"], "s"),
        node("Reshape", ["s", "parted"], "y"),
    ]  # fmt: skip
    constants = {**STEP_CONSTANTS, "k1": random(4, 3, 1, 1)}
    assert_imported([*STEPS, *other], constants, (2, 3, 6, 5), random(3, 2, 3, 6, 5))


def constant(name, value):
    return node("Constant", [], name, value=numpy_helper.from_array(np.array(value, np.int64)))


def test_shapes_that_pytorch_computes_are_followed():
    """A decoder: x.view(x.size(0), 2, 3, 4), two convolutions, y.view(y.size(0), -1)."""
    nodes = [
        node("Gemm", ["x", "w", "b"], "g"),
        node("Shape", ["g"], "s"), constant("zero", 0), node("Gather", ["s", "zero"], "n", axis=0),
        constant("front", [0]), node("Unsqueeze", ["n", "front"], "n1"),
        constant("c", [2]), constant("h", [3]), constant("v", [4]),
        node("Concat", ["n1", "c", "h", "v"], "t", axis=0),
        node("Reshape", ["g", "t"], "i"),
        node("BatchNormalization", ["i", "s1", "s2", "s3", "s4"], "bn"),
        node("ConvTranspose", ["bn", "k"], "u", strides=[2, 2], pads=[1, 1, 1, 1],
             output_padding=[1, 1]),
        node("Relu", ["u"], "r"),
        node("Shape", ["r"], "s0"), constant("one", [1]),
        node("Slice", ["s0", "front", "one"], "m"),
        constant("rest", [-1]),
        node("Concat", ["m", "rest"], "flat", axis=0),
        node("Reshape", ["r", "flat"], "f"),
        node("MatMul", ["f", "last"], "y"),
    ]  # fmt: skip
    nodes.sort(key=lambda n: n.op_type != "Constant")
    constants = {
        "w": random(5, 24), "b": random(24), "k": random(2, 3, 3, 3), "last": random(3 * 6 * 8, 2),
        **{f"s{i}": np.abs(random(2)) for i in (1, 2, 3, 4)},
    }  # fmt: skip
    assert_imported(nodes, constants, (5,), random(3, 5))


def test_sizes_are_reckoned_with_and_images_put_into_the_graphs_order():
    """y = x.reshape(n, c * h, w) of an image, and back: elements lie as the graph means them."""
    nodes = [
        node("Conv", ["x", "k"], "a"), node("Shape", ["a"], "s"),
        *(constant(f"i{i}", i) for i in range(4)), constant("axis", [0]),
        *(node("Gather", ["s", f"i{i}"], f"d{i}") for i in range(4)),
        node("Mul", ["d1", "d2"], "rows"),
        *(node("Unsqueeze", [f"d{i}", "axis"], f"u{i}") for i in (0, 1, 2, 3)),
        node("Unsqueeze", ["rows", "axis"], "ur"),
        node("Concat", ["u0", "ur", "u3"], "two", axis=0), node("Reshape", ["a", "two"], "t"),
        node("Tanh", ["t"], "h"),
        node("Concat", ["u0", "u1", "u2", "u3"], "four", axis=0),
        node("Cast", ["four"], "f4", to=7),
        node("Reshape", ["h", "f4"], "back"), node("Add", ["back", "a"], "sum"),
        node("Transpose", ["sum"], "y", perm=[0, 3, 1, 2]),
    ]  # fmt: skip
    nodes.sort(key=lambda n: n.op_type != "Constant")
    assert_imported(nodes, {"k": random(3, 2, 1, 1)}, (2, 4, 5), random(2, 2, 4, 5))


def test_a_flattened_image_may_leave_or_be_folded_again():
    x = random(2, 3, 4, 2)
    assert_imported([node("Flatten", ["x"], "y")], {}, (3, 4, 2), x)
    folded = [
        node("Flatten", ["x"], "f"), node("Relu", ["f"], "r"),
        node("Concat", ["r", "f"], "c", axis=1), node("Reshape", ["c", "t"], "y"),
    ]  # fmt: skip
    assert_imported(folded, {"t": np.array([-1, 8, 6])}, (3, 4, 2), x)


def test_an_input_without_a_shape_is_given_one():
    data = graph([node("Flatten", ["x"], "f"), node("Relu", ["f"], "y")], {}, ("a", "b"))
    model = nn.io.load(data, input_shapes={"x": (None, 3, 2)})
    x = random(2, 3, 2)
    np.testing.assert_allclose(model.predict_on_batch(x), np.maximum(x.reshape(2, 6), 0))


@pytest.mark.parametrize(
    ("nodes", "error", "message"),
    [
        ([node("Det", ["x"], "y")], errors.UnsupportedError, "Det.*expected one of the operators"),
        ([node("Gemm", ["x", "x"], "y")], errors.UnsupportedError, "'x' to be constant"),
        ([node("Gemm", ["x"], "y")], errors.MissingEntryError, "input 1"),
        ([node("Gemm", ["x", "w"], "y", transA=1)], errors.UnsupportedError, "transA=0"),
        ([node("Conv", ["x", "w"], "y")], errors.UnsupportedError, "expected an image"),
        ([node("Relu", ["gone"], "y")], errors.UnsupportedError, "to be computed"),
        ([node("Relu", ["x"], "z")], errors.MissingEntryError, "'y': no node computes it"),
        ([node("Gemm", ["x", "wide"], "y")], errors.CorruptError, "wide|shape|axis|inputs"),
        ([node("Softmax", ["x"], "y", axis=0)], errors.UnsupportedError, "axis after the batch's"),
        (
            [
                node("Shape", ["x"], "s"),
                node("Add", ["s", "s"], "d"),
                node("Reshape", ["x", "d"], "y"),
            ],
            errors.UnsupportedError,
            "expected 'd' to be the same for each sample",
        ),
        (
            [
                node("Shape", ["x"], "s"),
                node("Concat", ["one", "s"], "t", axis=0),
                node("Reshape", ["x", "t"], "y"),
            ],
            errors.UnsupportedError,
            "expected the batch in front",
        ),
        (
            [node("Reshape", ["x", "four"], "i"), node("ConvTranspose", ["i", "w"], "y")],
            errors.UnsupportedError,
            "expected 1 to 3 axes",
        ),
    ],
)
def test_names_what_cannot_be_imported(nodes, error, message):
    constants = {"w": random(4, 3), "wide": random(9, 3), "one": np.array([1]),
                 "four": np.array([-1, 2, 2, 1]), "k": random(2, 1, 1, 1)}  # fmt: skip
    data = graph(nodes, constants, (4,))
    with pytest.raises(error, match=message):
        nn.io.load(data)


def test_onnx_runtime_and_the_checker_are_quiet_about_our_graphs():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_both_ways(stack((4,), nn.Dense(2)), random(1, 4))


BATCHES = {
    "concat": ([node("Neg", ["x"], "a"), node("Concat", ["x", "a"], "y", axis=0)], (2, 3, 4)),
    "concat of vectors": ([node("Neg", ["x"], "a"), node("Concat", ["x", "a"], "y", axis=0)], (6,)),
    "concat of channels": ([node("Concat", ["x", "x"], "y", axis=1)], (2, 3, 4)),
    "flatten": ([node("Flatten", ["x"], "y", axis=-3)], (2, 3, 4)),
    "flatten all": ([node("Flatten", ["x"], "y", axis=-4)], (2, 3, 4)),
    "flatten vectors": ([node("Flatten", ["x"], "y", axis=-2)], (6,)),
    "one more axis": ([node("Add", ["x", "more"], "y")], (6,)),
    "a slope per feature": (
        [
            node("Conv", ["x", "kernel"], "c"),
            node("Flatten", ["c"], "f"),
            node("PRelu", ["f", "slopes"], "y"),
        ],
        (2, 4, 4),
    ),
    **{
        f"reshape to {first} and {second}": (
            [constant("to", [first, second]), node("Reshape", ["x", "to"], "y")],
            (2, 3, 4),
        )
        for first in (-1, 0, 1, 3, 6)
        for second in (-1, 24, 16)
        if (first, second) != (-1, -1)
    },
}


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("batch", [1, 4])
def test_what_moves_between_the_batch_and_other_axes_is_read_right_or_refused(name, batch):
    nodes, shape = BATCHES[name]
    constants = {"more": random(1, 1, 1), "kernel": random(3, 2, 2, 2), "slopes": random(27)}
    used = {name for each in nodes for name in each.input}
    data = graph(nodes, {n: c for n, c in constants.items() if n in used}, shape)
    x = random(batch, *shape)
    try:
        model = nn.io.load(data)
    except (errors.UnsupportedError, errors.CorruptError):
        return
    received = model.predict_on_batch(x.transpose(0, 2, 3, 1) if x.ndim == 4 else x)
    [expected] = run(data, x)
    expected = expected.transpose(0, 2, 3, 1) if expected.ndim == 4 else expected
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)


def doubled(count):
    """Sizes that are put together with themselves, each time eight times as many."""
    many = [node("Concat", [f"s{i}"] * 8, f"s{i + 1}", axis=0) for i in range(count)]
    shape = node("Shape", ["x"], "s0")
    return [shape, *many, node("Reshape", ["x", f"s{count}"], "y")]


GROWING = {
    "sizes": (doubled(9), {}),
    "indices": (
        [
            node("Cast", ["x"], "i", to=TensorProto.INT64),
            node("Add", ["i", "column"], "j"),
            node("Gather", ["table", "j"], "y"),
        ],
        {"table": np.zeros((5000, 1), "f4"), "column": np.zeros((5000, 1), np.int64)},
    ),
    "parts": (
        [node("Gather", ["x", "places"], "y", axis=1)],
        {"places": np.arange(200_000) ** 2 % 4},
    ),
    "pixels": (
        [
            node("Resize", ["image", "", "", "sizes"], "wide", mode="linear"),
            node("Add", ["x", "wide"], "y"),
        ],
        {
            "image": np.zeros((1, 1, 10_000, 1), "f4"),
            "sizes": np.array([1, 1, 1_000_000, 1]),
        },
    ),
    "strides": (
        [
            node("Shape", ["x"], "s"), node("Gather", ["s", "zero"], "n"),
            node("Range", ["zero", "n", "one"], "samples"),
            node("Unsqueeze", ["samples", "inner"], "apart"),
            node("Add", ["apart", "column"], "more"), node("Add", ["more", "row"], "y"),
        ],
        {
            "zero": np.array(0), "one": np.array(1), "inner": np.array([1, 2]),
            "column": np.zeros((1, 4000, 1), np.int64), "row": np.zeros((1, 1, 4000), np.int64),
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GROWING)
def test_what_a_small_graph_would_make_large_is_refused_before_it_is_made(name):
    nodes, constants = GROWING[name]
    data = graph(nodes, constants, ("h",) if name == "strides" else (4,))
    tracemalloc.start()
    try:
        with pytest.raises((errors.LimitError, errors.UnsupportedError)):
            nn.io.load(data)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
