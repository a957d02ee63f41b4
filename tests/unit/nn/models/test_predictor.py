"""Predicting combines and packs weights, shares workspaces, and gives what the layers give."""

import asyncio
import math

import nn
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nn import kernels
from nn.layers.folding import FoldedConvolution, FoldedNormalization

L = nn.layers
TOLERANCE = 1e-5
pytestmark = pytest.mark.usefixtures("native")


def shuffled(model, seed=0):
    """Give the normalizations statistics that matter."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, nn.BatchNormalization):
            low = [0.5 if v.name in ("gamma", "moving_variance") else -0.5 for v in layer.variables]
            layer.set_weights(
                [random.uniform(a, 1.5, v.shape) for a, v in zip(low, layer.variables, strict=True)]
            )
    return model


def close(got, want):
    # An output of less than 1e-2 may be a difference of larger values, and has their rounding.
    scale = np.abs(want).max(initial=1e-2)
    np.testing.assert_allclose(got / scale, want / scale, atol=TOLERANCE, rtol=0)


def by_layers(model, x):
    with kernels.use("numpy"):
        return model.predict_on_batch(x)


def steps(model):
    return [part.layer for part in model.program.predictor.parts]


ACTIVATIONS = [None, "relu", "relu6", "hard_silu", "hard_sigmoid", "tanh"]


def drawn_block(draw, x):
    """Return x after some layers of an image network, drawn."""
    pick = lambda *options: draw(st.sampled_from(options))  # noqa: E731
    kind = pick(
        "conv", "conv", "depthwise", "depthwise", "separable", "pool", "norm", "residual", "beside"
    )
    size, stride, channels = pick(1, 3, 4, 5), pick(1, 1, 2), x.shape[-1]
    if kind == "pool":
        pools = L.MaxPooling2D, L.AveragePooling2D
        return pick(*pools)(2, strides=pick(1, 2), padding="same")(x)
    if kind == "norm":
        return L.Activation(pick(*ACTIVATIONS[1:]))(L.BatchNormalization()(x))
    if kind == "beside":
        return L.Concatenate()([x, L.Conv2D(pick(3, 8), 1)(x)])
    if kind == "residual":
        return drawn_residual(pick, x)
    padding = "same"
    if size > 1 and pick(True, False):
        x, padding = L.ZeroPadding2D(((size - 1, 1), (1, size - 1)))(x), "valid"
    options = {"strides": stride, "padding": padding, "use_bias": pick(True, False)}
    if stride == 1 and padding == "same":
        options["dilation_rate"] = pick(1, 1, 2)
    if kind == "conv":
        filters = pick(5, 8, 16, channels)
        options["groups"] = pick(1, 1, math.gcd(filters, channels))
        x = L.Conv2D(filters, size, activation=pick(*ACTIVATIONS), **options)(x)
    elif kind == "separable":
        x = L.SeparableConv2D(pick(5, 8, 16), size, activation=pick(*ACTIVATIONS), **options)(x)
    else:
        x = L.DepthwiseConv2D(size, activation=pick(*ACTIVATIONS), **options)(x)
    if pick(True, True, False):
        x = L.BatchNormalization(scale=pick(True, False), center=pick(True, False))(x)
    return L.Activation(pick(*ACTIVATIONS[1:]))(x) if pick(True, False) else x


def drawn_residual(pick, x):
    """Return x and what a convolution of it gives."""
    channels, options = x.shape[-1], {"padding": "same", "use_bias": pick(True, False)}
    if pick(True, True, False):
        groups = pick(1, 1, channels)
        other = L.Conv2D(channels, pick(3, 5, 7), groups=groups, **options)(x)
    else:
        other = L.SeparableConv2D(channels, 3, **options)(x)
    if pick(True, False):
        other = L.BatchNormalization()(other)
    added = L.Add()([other, x] if pick(True, False) else [x, other])
    return L.ReLU(6.0)(added) if pick(True, False) else added


def drawn_network(draw):
    """Return an image network, drawn, of which any value may be an output too."""
    nn.set_random_seed(draw(st.integers(0, 99)))
    i = x = nn.Input((draw(st.integers(5, 17)), draw(st.integers(5, 17)), draw(st.integers(1, 6))))
    seen = []
    for _ in range(draw(st.integers(1, 5))):
        x = drawn_block(draw, x)
        seen.append(x)
    top = L.Dense(3)(L.GlobalAveragePooling2D()(x))
    further = draw(st.lists(st.sampled_from(seen), max_size=1))
    return shuffled(nn.Model(i, [top, *further]))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), sizes=st.lists(st.integers(1, 4), min_size=1, max_size=2))
def test_predicting_gives_what_the_layers_give_one_by_one(data, sizes):
    model = drawn_network(data.draw)
    random = np.random.default_rng(0)
    for n in [*sizes, *sizes, *sizes, *sizes]:  # settled, recorded, and repeated twice
        # Around 1: means of pixels around 0 are rounding errors as much as they are values.
        x = random.normal(1, 1, (n, *model.input_shape[1:])).astype(np.float32)
        for got, want in zip(model.predict_on_batch(x), by_layers(model, x), strict=True):
            close(got, want)


def mobile(side=24, trainable=True):
    """Return a small network with inverted residuals."""
    nn.set_random_seed(1)
    i = nn.Input((side, side, 3))
    x = L.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(i)
    x = L.ReLU(6.0)(L.BatchNormalization()(x))
    for _ in range(3):
        y = L.ReLU(6.0)(L.BatchNormalization()(L.Conv2D(32, 1, use_bias=False)(x)))
        y = L.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
        y = L.ReLU(6.0)(L.BatchNormalization()(y))
        x = L.Add()([x, L.BatchNormalization()(L.Conv2D(8, 1, use_bias=False)(y))])
    model = nn.Model(i, L.Dense(4)(L.GlobalAveragePooling2D()(x)))
    for layer in model.layers[:-1]:
        layer.trainable = trainable
    return shuffled(model)


def images(model, n=2, seed=3):
    random = np.random.default_rng(seed)
    return random.standard_normal((n, *model.input_shape[1:])).astype(np.float32)


def test_a_block_of_an_image_network_is_three_calls():
    model = mobile()
    model.predict_on_batch(images(model))
    kinds = [type(layer).__name__ for layer in steps(model)]
    assert kinds == ["FoldedConvolution"] * 10 + ["GlobalAveragePooling2D", "Dense"]


def test_a_separable_convolution_takes_along_what_is_around_it():
    i = nn.Input((9, 9, 8))
    x = L.ZeroPadding2D(1)(i)
    x = L.BatchNormalization()(L.SeparableConv2D(8, 3, use_bias=False)(x))
    model = shuffled(nn.Model(i, L.Activation("relu6")(L.Add()([i, x]))))
    x = images(model)
    for _ in range(3):
        close(model.predict_on_batch(x), by_layers(model, x))
    assert [type(layer).__name__ for layer in steps(model)] == ["FoldedSeparable"]


def test_a_normalization_before_a_convolution_is_one_call_with_its_activation():
    i = nn.Input((6, 6, 4))
    x = L.ReLU()(L.BatchNormalization()(L.MaxPooling2D()(i)))
    model = shuffled(nn.Model(i, L.Conv2D(3, 1)(x)))
    x = images(model)
    close(model.predict_on_batch(x), by_layers(model, x))
    kinds = [type(layer) for layer in steps(model)]
    assert kinds[1:] == [FoldedNormalization, FoldedConvolution]


def trained(model):
    model.compile(nn.optimizers.SGD(0.5), "mse")
    model.train_on_batch(images(model), np.ones((2, 4), np.float32))


def averaged(model):
    model.compile(nn.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.5), "mse")
    asyncio.run(model.fit(images(model), np.ones((2, 4), np.float32), epochs=2))


def read_from_a_file(model, folder):
    other = mobile()
    trained(other)
    other.save_weights(folder / "weights.npz")
    model.load_weights(folder / "weights.npz")


def replaced(model):
    kernel = model.layers[1].kernel
    kernel.value = kernel.value * 2


def written_into(model):
    model.layers[1].kernel.value[0] = 1
    model.layers[1].kernel.mark_written()


def statistics_moved(model):
    model.compile(nn.optimizers.SGD(0.0), "mse")
    model.train_on_batch(images(model) + 3, np.ones((2, 4), np.float32))


WRITES = [
    lambda model, _: model.layers[1].kernel.assign(model.layers[1].kernel.value * 2),
    lambda model, _: model.set_weights([w * 1.5 for w in model.get_weights()]),
    read_from_a_file,
    lambda model, _: trained(model),
    lambda model, _: averaged(model),
    lambda model, _: statistics_moved(model),
    lambda model, _: replaced(model),
    lambda model, _: written_into(model),
    lambda model, _: model.compile("sgd", "mse"),
]


@pytest.mark.parametrize("write", WRITES)
def test_predicting_sees_every_write_of_a_weight(write, tmp_path):
    model = mobile()
    x = images(model, seed=5)
    for _ in range(3):
        model.predict_on_batch(x)
    write(model, tmp_path)
    close(model.predict_on_batch(x), by_layers(model, x))


def test_the_number_of_a_variable_grows_with_every_write():
    model = mobile()
    kernel = model.layers[1].kernel
    seen = [kernel.version]
    for write in (
        lambda: kernel.assign(kernel.value + 1),
        lambda: model.compile(nn.optimizers.SGD(0.1), "mse"),
        lambda: model.train_on_batch(images(model), np.ones((2, 4), np.float32)),
        lambda: model.train_on_batch(images(model), np.ones((2, 4), np.float32)),
        lambda: setattr(kernel, "value", kernel.value.copy()),
    ):
        write()
        seen.append(kernel.version)
    assert seen == sorted(set(seen))


def test_weights_are_packed_once_while_none_is_written(monkeypatch):
    model, packed = mobile(), []
    pack = kernels.pack_conv2d
    monkeypatch.setattr(kernels, "pack_conv2d", lambda *a, **o: packed.append(1) or pack(*a, **o))
    for n in (1, 2, 1, 2, 1, 2):
        model.predict_on_batch(images(model, n))
    assert len(packed) == 10
    model.layers[1].kernel.assign(model.layers[1].kernel.value)
    model.predict_on_batch(images(model))
    assert len(packed) == 11


def test_workspaces_are_shared_and_do_not_grow():
    model = mobile(48)
    x = images(model, 4)
    for _ in range(3):
        model.predict_on_batch(x)
    held = model.program.predictor.pool.nbytes
    outputs = [part.outputs[0].shape[1:] for part in model.program.predictor.parts]
    assert held < sum(4 * 4 * np.prod(shape) for shape in outputs) / 2
    for n in (1, 2, 3, 4, 4, 4):
        model.predict_on_batch(images(model, n))
    assert model.program.predictor.pool.nbytes == held
    report = model.memory()
    assert report["workspace_bytes"] >= held
    assert report["workspace_bytes"] < held + 2 * report["weight_bytes"]


def test_gradients_after_predicting_are_those_of_the_layers():
    model = mobile()
    model.compile("sgd", "mse")
    x, program = images(model), model.program

    def gradients():
        (y,) = program.forward([x], False)
        run = program.ctx.run
        run.start_backward(model.parameters)
        program.backward([np.ones_like(y)])
        run.finish_backward()
        return model.parameters.gradients.copy()

    got = [gradients() for _ in range(3)]
    with kernels.use("numpy"):
        want = gradients()
    for one in got:
        np.testing.assert_allclose(one, want, atol=1e-4 * np.abs(want).max(), rtol=1e-3)


def learned(model, x, y):
    model.compile(nn.optimizers.SGD(0.05, momentum=0.9), "mse", metrics=["mse"])
    losses = [model.train_on_batch(x, y)[0] for _ in range(5)]
    tested = model.test_on_batch(x, y)[0]
    return [np.array([*losses, tested]), *model.get_weights(), model.predict_on_batch(x)]


@pytest.mark.parametrize("live", [1, 4, 9])
def test_a_frozen_part_trains_as_the_layers_do(live):
    """The last `live` layers are trained; the part before predicts."""

    def made():
        model = mobile(trainable=False)
        for layer in model.layers[-live:]:
            layer.trainable = True
        return model

    model = made()
    x, y = images(model, 6), np.random.default_rng(4).standard_normal((6, 4)).astype(np.float32)
    got = learned(model, x, y)
    training = model.trainer.program
    assert training._frozen is not None
    assert len(training.program.steps) < len(model.program.steps)
    with kernels.use("numpy"):
        want = learned(made(), x, y)
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-3)


def test_what_training_changes_is_in_no_frozen_part():
    model = mobile(trainable=False)
    model.layers[2].trainable = True  # a normalization: its statistics move
    model.compile("sgd", "mse")
    assert model.trainer.program._frozen is not None
    assert len(model.trainer.program._frozen.steps) == 1
    i = nn.Input((8, 8, 3))
    conv = L.Conv2D(4, 3, trainable=False)
    noise = L.Dropout(0.5)
    model = nn.Model(i, L.Dense(4)(L.Flatten()(noise(conv(noise(i))))))
    model.compile("sgd", "mse")
    assert model.trainer.program._frozen is None


def test_float64_and_machines_without_kernels_predict_by_layers():
    nn.set_random_seed(1)
    model = nn.Sequential([nn.Input((5, 5, 2), dtype="float64"), nn.Conv2D(3, 3, dtype="float64")])
    model.predict_on_batch(np.zeros((1, 5, 5, 2)))
    with kernels.use("numpy"):
        other = mobile()
        other.predict_on_batch(images(other))
        assert other.program._predictor is None


def headed():
    """Return a head on a frozen network, which is one layer of it, with preprocessing before."""
    base = mobile()
    base.trainable = False
    i = nn.Input(base.input_shape[1:])
    model = nn.Model(i, L.Dense(4)(base(L.Rescaling(0.5)(i))))
    model.compile(nn.optimizers.SGD(0.05), "mse")
    return model


def test_a_frozen_network_inside_another_predicts_too():
    model = headed()
    x, y = images(model, 3), np.ones((3, 4), np.float32)
    losses = [model.train_on_batch(x, y) for _ in range(4)]
    assert model.trainer.program._frozen is not None
    assert len(model.trainer.program.program.steps) == 1
    with kernels.use("numpy"):
        other = headed()
        want = [other.train_on_batch(x, y) for _ in range(4)]
    np.testing.assert_allclose(losses, want, rtol=1e-4)
    model.set_weights([w * 1.1 for w in model.get_weights()])
    close(model.predict_on_batch(x), by_layers(model, x))
