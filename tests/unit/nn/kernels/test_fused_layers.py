"""Layers fused into one kernel train like separate layers."""

import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn import kernels
from nn.layers.fusion import NormedRelu, PooledConvolution

pytestmark = pytest.mark.usefixtures("native")


def network(relu, filters, frozen):
    nn.set_random_seed(3)
    norm = nn.BatchNormalization()
    norm.trainable = not frozen
    middle = [nn.Conv2D(filters, 3, use_bias=False), norm, relu()]
    pooled = [nn.Conv2D(4, 3, activation="relu"), nn.MaxPooling2D()]
    layers = [nn.Input((9, 8, 2)), *middle, *pooled, nn.Flatten(), nn.Dense(3)]
    model = nn.Sequential(layers)
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(nn.optimizers.SGD(0.1), loss)
    return model


def learned(model, steps=3):
    random = np.random.default_rng(1)
    for _ in range(steps):
        x = random.standard_normal((6, 9, 8, 2)).astype(np.float32)
        model.train_on_batch(x, random.integers(0, 3, 6))
    return [*model.get_weights(), model.predict_on_batch(x)]


def same(got, want):
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)


def kinds(model):
    return [type(step.layer) for step in model.program.steps]


@pytest.mark.parametrize(
    "relu", [lambda: nn.Activation("relu"), lambda: nn.ReLU(), lambda: nn.ReLU(6.0)]
)
@pytest.mark.parametrize("frozen", [False, True])
@settings(max_examples=6, deadline=None)
@given(filters=st.integers(1, 9))
def test_a_fused_pair_learns_what_its_layers_learn_apart(relu, frozen, filters):
    together = network(relu, filters, frozen)
    got = learned(together)
    assert {NormedRelu, PooledConvolution} <= set(kinds(together))
    with kernels.use("numpy"):
        apart = network(relu, filters, frozen)
        want = learned(apart)
        assert not {NormedRelu, PooledConvolution} & set(kinds(apart))
    same(got, want)


ACTIVATIONS = {
    **{name: nn.activations.get(name) for name in nn.activations.names()},
    "a steeper leaky_relu": nn.activations.leaky_relu_with(0.5),
    "a falling leaky_relu": nn.activations.leaky_relu_with(-0.2),
    "a falling elu": nn.activations.elu_with(-1.0),
}
POOLED = {
    "celu", "elu", "hard_sigmoid", "leaky_relu", "linear", "relu", "relu6", "selu", "sigmoid",
    "tanh", "a steeper leaky_relu",
}  # fmt: skip


@pytest.mark.parametrize("apart", [False, True], ids=["of its own", "in a layer after it"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_convolution_is_pooled_before_its_activation_if_that_never_decreases(name, apart):
    def model():
        nn.set_random_seed(3)
        function = ACTIVATIONS[name]
        convolution = nn.Conv2D(4, 3, activation=None if apart else function)
        after = [nn.Activation(function)] if apart else []
        pooled = [*after, nn.MaxPooling2D(), nn.Flatten(), nn.Dense(3)]
        layers = [nn.Input((9, 8, 2)), convolution, *pooled]
        made = nn.Sequential(layers)
        made.compile(nn.SGD(0.1), nn.losses.SparseCategoricalCrossentropy(from_logits=True))
        return made

    together = model()
    got = learned(together)
    expected = name in POOLED and not (apart and name == "linear")  # a layer that does nothing
    assert (PooledConvolution in kinds(together)) == expected
    with kernels.use("numpy"):
        same(got, learned(model()))


ENDS = [
    ("CategoricalCrossentropy", "softmax"),
    ("CategoricalCrossentropy", "sigmoid"),
    *(("BinaryCrossentropy", name) for name in ("sigmoid", "softmax", "hard_sigmoid")),
    *(("MeanSquaredError", name) for name in ("elu", "gelu", "linear", "relu", "sigmoid")),
]


LAST = {
    "Conv1D": lambda f: [nn.Reshape((20, 3)), nn.Conv1D(3, 2, activation=f)],
    "Conv2D": lambda f: [nn.Conv2D(3, 2, activation=f)],
    "Conv2D with groups": lambda f: [nn.Conv2D(6, 2, groups=3, activation=f)],
    "Conv3D": lambda f: [nn.Reshape((5, 2, 2, 3)), nn.Conv3D(3, 2, activation=f)],
    "DepthwiseConv2D": lambda f: [nn.DepthwiseConv2D(2, activation=f)],
    "Conv1DTranspose": lambda f: [nn.Reshape((20, 3)), nn.Conv1DTranspose(3, 2, activation=f)],
    "Conv2DTranspose": lambda f: [nn.Conv2DTranspose(3, 2, activation=f)],
    "Conv3DTranspose": lambda f: [
        nn.Reshape((5, 2, 2, 3)), nn.Conv3DTranspose(3, 2, activation=f)
    ],
    "a layer after": lambda f: [nn.Conv2D(3, 2), nn.Activation(f)],
    "a layer after dilation": lambda f: [nn.Conv2D(3, 2, dilation_rate=2), nn.Activation(f)],
    "channels first": lambda f: [
        nn.Conv2D(4, 2, data_format="channels_first", activation=f)
    ],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), ENDS)
@pytest.mark.parametrize("end", LAST)
def test_a_loss_is_fused_with_a_convolution_at_the_end_or_the_activation_after_it(name, kind, end):
    usual = getattr(nn.losses, kind)

    class Apart(usual):
        """A subclass may be another loss, and is not fused."""

    def model(loss):
        nn.set_random_seed(3)
        made = nn.Sequential([nn.Input((5, 4, 3)), *LAST[end](name)])
        made.compile(nn.SGD(0.1), loss)
        return made

    def steps(made):
        random = np.random.default_rng(1)
        shape = (6, *made.output_shape[1:])
        for _ in range(4):
            x = random.standard_normal((6, 5, 4, 3)).astype(np.float32)
            made.train_on_batch(x, np.eye(shape[-1])[random.integers(0, shape[-1], shape[:-1])])
        return [*made.get_weights(), made.predict_on_batch(x)]

    together, apart = model(usual()), model(Apart())
    same(steps(together), steps(apart))
    fuses = usual.fused_activation == name and end != "channels first"
    assert (together.trainer.outputs[0].fused is not None) == fuses
    assert apart.trainer.outputs[0].fused is None


def test_a_relu_with_another_ceiling_than_six_stays_a_layer_of_its_own():
    model = network(lambda: nn.ReLU(max_value=5.0), 4, False)
    learned(model, 1)
    assert NormedRelu not in kinds(model)


LOSSES = [
    (nn.losses.SparseCategoricalCrossentropy, "softmax"),
    (nn.losses.CategoricalCrossentropy, "softmax"),
    (nn.losses.BinaryCrossentropy, "sigmoid"),
    (nn.losses.MeanSquaredError, "linear"),
]


@pytest.mark.parametrize(("kind", "activation"), LOSSES)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_loss_fused_with_an_activation_teaches_what_both_teach_apart(kind, activation, data):
    class Apart(kind):
        """A subclass may be another loss, and is not fused."""

    options = {"reduction": data.draw(st.sampled_from(["sum_over_batch_size", "sum"]))}
    if kind is not nn.losses.MeanSquaredError:
        options["from_logits"] = data.draw(st.booleans())
    if "label_smoothing" in kind.fields:
        options["label_smoothing"] = data.draw(st.sampled_from([0.0, 0.1]))
    end = "linear" if options.get("from_logits") else activation
    shape = (3, 4)[data.draw(st.integers(0, 1)) :]
    classes = data.draw(st.integers(2, 9))
    weighted, metric = data.draw(st.booleans()), data.draw(st.booleans())
    trained = []
    for loss in (kind, Apart):
        nn.set_random_seed(3)
        model = nn.Sequential([nn.Input(shape), nn.Dense(5, "tanh"), nn.Dense(classes, end)])
        model.compile(nn.SGD(0.1), loss(**options), metrics=["mse"] if metric else [])
        random = np.random.default_rng(1)
        logs = []
        for _ in range(3):
            x = random.standard_normal((6, *shape)).astype(np.float32)
            y = random.integers(0, classes, (6, *shape[:-1]))
            if kind is not nn.losses.SparseCategoricalCrossentropy:
                y = np.eye(classes)[y]
            elif metric:
                y = y[..., None]
            weight = random.random((6, *shape[:-1])) if weighted else None
            logs.append(list(model.train_on_batch(x, y, weight, return_dict=True).values()))
        trained.append((logs, model.get_weights()))
        assert (model.trainer.outputs[0].fused is None) == (loss is Apart)
    (logs, weights), (other_logs, other_weights) = trained
    np.testing.assert_allclose(logs, other_logs, rtol=1e-4, atol=1e-5)
    for one, other in zip(weights, other_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
