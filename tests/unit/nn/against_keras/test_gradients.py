"""Every backward pass is the derivative of its forward pass: central differences in float64."""

import nn
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.nn.against_keras.layers.test_layers import CASES, FLAT, IMAGE, ROWS, drawn


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Gradients of every layer and of the whole network; Adam",
)
@pytest.mark.parametrize(
    ("kind", "arguments", "x"), CASES, ids=lambda v: v if type(v) is str else ""
)
def test_backward_is_the_derivative_of_forward(kind, arguments, x):
    nn.set_random_seed(3)
    nn.check_gradients(getattr(nn, kind)(**arguments), x, samples=15)


WRAPPED = [
    ("Bidirectional", {"layer": nn.LSTM(3)}, ROWS),
    ("Bidirectional", {"layer": nn.GRU(3, return_sequences=True), "merge_mode": "sum"}, ROWS),
    ("TimeDistributed", {"layer": nn.Dense(3)}, ROWS),
    ("RNN", {"cell": [nn.LSTMCell(3), nn.GRUCell(2)]}, ROWS),
]


@pytest.mark.parametrize(
    ("kind", "arguments", "x"), [*CASES, *WRAPPED], ids=lambda v: v if type(v) is str else ""
)
def test_a_layer_trains_where_nobody_needs_the_gradient_of_its_input(kind, arguments, x):
    def weights(first):
        nn.set_random_seed(3)
        entry = nn.Input(x.shape[1:])
        layer = getattr(nn, kind)(**arguments)
        y = layer(entry if first else nn.PReLU(alpha_initializer="ones")(entry))
        model = nn.Model(entry, nn.Dense(2, kernel_initializer="ones")(nn.Flatten()(y)))
        values = np.random.default_rng(5)
        for weight in layer.variables:
            weight.assign(values.uniform(0.1, 0.5, weight.shape))
        model.compile("sgd", "mse")
        model.train_on_batch(x, np.zeros((len(x), 2)))
        return layer.get_weights()

    # The same where a layer that is the identity before its first step comes before it.
    for alone, second in zip(weights(True), weights(False), strict=True):
        np.testing.assert_allclose(alone, second, rtol=1e-4, atol=1e-4)


@pytest.mark.promise(
    "Earlier work: models in production",
    '"same" convolutions, dropout, poolings',
)
@pytest.mark.parametrize(
    "layer",
    [
        nn.Dropout(0.4), nn.SpatialDropout2D(0.3), nn.SpatialDropout3D(0.3), nn.GaussianNoise(0.5),
        nn.GaussianDropout(0.3), nn.AlphaDropout(0.3), nn.BatchNormalization(),
    ],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
def test_layers_that_behave_differently_while_training(layer):
    x = IMAGE[:, None] if isinstance(layer, nn.SpatialDropout3D) else IMAGE
    nn.check_gradients(layer, x, training=True, samples=15)


@pytest.mark.parametrize(
    "kind",
    ["Add", "Average", "Concatenate", "Divide", "Maximum", "Minimum", "Multiply", "Subtract"],
)
def test_layers_of_several_inputs(kind):
    nn.check_gradients(getattr(nn, kind)(), FLAT, FLAT[::-1].copy())


@pytest.mark.parametrize(
    ("first", "second"), [((), ()), ((2,), (2,)), ((2, 3), (2, 3)), ((1,), (2,)), ((2, 1), (1, 3))]
)
def test_products_of_matrices(first, second):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, *first, 3, 4)), rng.normal(size=(2, *second, 4, 5))
    nn.check_gradients(nn.layers.Matmul(), a, b)
    np.testing.assert_allclose(nn.layers.Matmul()([a, b]), a @ b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "shapes", [[(2, 3, 4)], [(2, 3, 4), (2, 5, 6)], [(4,), (4,)], [(3, 2, 4), (2, 4, 5)],
               [(2, 1, 4), (2, 3, 5)],
               [(2, 3, 4), (4, 5)], [(2, 3, 4)] * 3],
)  # fmt: skip
def test_matrices_that_have_no_product_are_refused_by_their_shapes(shapes):
    inputs = [nn.Input(shape) for shape in shapes]
    with pytest.raises(nn.errors.ShapeError, match=r"matmul\w*: expected \(n, ..., t, d\) and"):
        nn.layers.Matmul()(inputs)


def test_a_layer_of_ones_own_is_checked_too():
    class Square(nn.Layer):
        def forward(self, ctx, x, training=False):
            ctx.saved = x
            return x * x

        def backward(self, ctx, dy):
            return 2 * ctx.saved * dy

    class Wrong(Square):
        def backward(self, ctx, dy):
            return ctx.saved * dy

    nn.check_gradients(Square(), ROWS)
    with pytest.raises(nn.GradientError, match="expected"):
        nn.check_gradients(Wrong(), ROWS)


@drawn
@given(
    h=st.integers(1, 7), w=st.integers(1, 7), c=st.integers(1, 4), filters=st.integers(1, 6),
    k=st.integers(1, 3), stride=st.integers(1, 2), dilation=st.integers(1, 2),
    padding=st.sampled_from(["valid", "same"]),
)  # fmt: skip
def test_any_convolution(h, w, c, filters, k, stride, dilation, padding):
    assume(stride == 1 or dilation == 1)
    reach = dilation * (k - 1) + 1
    assume(padding == "same" or (reach <= h and reach <= w))
    layer = nn.Conv2D(filters, k, strides=stride, dilation_rate=dilation, padding=padding)
    x = np.random.default_rng(4).normal(size=(2, h, w, c))
    nn.check_gradients(layer, x, samples=8)
