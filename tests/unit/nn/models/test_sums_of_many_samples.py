"""Sums over many samples have the digits of those over few, with kernels and without."""

from __future__ import annotations

from random import Random
from typing import Any

import nn
import numpy as np
import pytest
from nn import kernels
from nn.context import Context, Run
from nn.differentiate import _fitted
from nn.parameters import Parameters

from tests.support import every_layer

pytestmark = pytest.mark.usefixtures("native")
MANY = 4_000
DIGITS = 3e-6  # of the largest; added one after another, they differed by 1e-5 and more
DRAWING = ("Dropout", "Noise", "Random")  # parts of the names of layers that draw numbers


def layers() -> list[tuple[str, Any, tuple[int, ...]]]:
    """Return each layer with its options and the shape that it is called on."""
    found = []
    for shape, kinds in every_layer.OPTIONS.items():
        for kind, options in kinds.items():
            if not any(word in kind for word in DRAWING):
                chosen = {name: Random(kind).choice(those) for name, those in options.items()}
                found.append((kind, chosen, every_layer.SHAPES[shape]))
    found.append(("PReLU", {"shared_axes": [1, 2]}, (7, 6, 3)))
    found.append(("BatchNormalization", {}, (7, 6, 3)))
    found.append(("BatchNormalization", {"axis": 1}, (7, 6, 3)))
    found.append(("Conv2D", {"filters": 16, "kernel_size": 3}, (8, 8, 16)))  # by Winograd
    return [case for case in found if built(*case).variables]


def built(kind: str, options: dict[str, Any], shape: tuple[int, ...]) -> Any:
    layer = getattr(nn.layers, kind)(**options)
    layer.ensure_built((MANY, *shape))
    return layer


def sums(layer: Any, x: Any, mask: Any, dy: Any = None) -> tuple[Any, list[Any]]:
    """Return the gradient of a layer's outputs, and the sums over all samples: the gradients of
    its weights, and statistics."""
    ctx = Context(Run(np.random.default_rng(0), x.dtype))
    ctx.mask = mask if layer.supports_masking else None
    parameters = Parameters(layer.trainable_variables)
    ctx.run.start_backward(parameters)
    y = np.array(layer.forward(ctx, x, training=True))
    if dy is None:  # as their own outputs, so that what normalizing layers add up is positive
        dy = y + np.random.default_rng(5).random(y.shape, np.float32)
    layer.backward(ctx, dy.astype(x.dtype))
    ctx.run.settle()
    ctx.run.finish_backward()
    fixed = [v for v in layer.variables if v not in layer.trainable_variables]
    found = [*(parameters.views[v] for v in parameters.variables), *(v.value for v in fixed)]
    return dy, [np.array(array, np.float64) for array in found]


CASES = {f"{case[0]}-{i}": case for i, case in enumerate(layers())}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_sums_over_many_samples_have_the_digits_of_doubles(case: Any) -> None:
    kind, _, shape = case
    nn.set_random_seed(2)  # of some weights a recurrent layer loses digits that no sum has lost
    x = np.random.default_rng(1).random((MANY, *shape), np.float32) + 3
    x *= -1 if kind == "PReLU" else 1
    masked = shape[:1] if "LSTM" in kind else shape[:-1]  # steps alone, or all places
    mask = np.random.default_rng(2).random((MANY, *masked)) < 0.7
    layer, made, dy = built(*case), {}, None
    weights = layer.get_weights()
    for backend in ("native", "numpy"):
        layer.set_weights(weights)
        with kernels.use(backend):
            dy, made[backend] = sums(layer, x, mask, dy)
    nn.set_floatx("float64")
    try:
        wide = built(*case)
        wide.set_weights([w.astype(np.float64) for w in weights])
        with kernels.use("numpy"):
            _, expected = sums(wide, x.astype(np.float64), mask, dy)
    finally:
        nn.set_floatx("float32")
    for backend, found in made.items():
        for one, other in zip(found, expected, strict=True):
            most = DIGITS * np.abs(other).max()
            np.testing.assert_allclose(one, other, rtol=0, atol=most, err_msg=backend)


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_the_gradient_of_a_pooled_convolution_has_them_too(backend: str) -> None:
    random = np.random.default_rng(1)
    x, w = random.random((MANY, 14, 14, 2), np.float32) + 3, random.random((3, 3, 2, 8), np.float32)
    with kernels.use(backend):
        y, argmax = kernels.conv2d_max_pool2d(x, w, activation="relu")
        dy, bias = random.random(y.shape, np.float32), np.empty(8, np.float32)
        found = kernels.conv2d_max_pool2d_gradient(
            x, w, dy, y, argmax, activation="relu", bias_out=bias
        )
    wide = [array.astype(np.float64) for array in (x, w, dy, y)]
    with kernels.use("numpy"):
        expected = kernels.conv2d_max_pool2d_gradient(*wide, argmax, activation="relu")
    np.testing.assert_allclose(found, expected, rtol=DIGITS)
    np.testing.assert_allclose(bias, wide[2].sum(axis=(0, 1, 2)), rtol=DIGITS)


def test_means_and_broadcast_gradients_over_many_places_have_them_too() -> None:
    x = np.random.default_rng(1).random((2, 40_000, 3), np.float32) + 3
    mean = x.mean(axis=1, dtype=np.float64)
    run = Run(np.random.default_rng(0), np.float32)
    ctx = Context(run)
    ctx.mask = np.ones(x.shape[:2], bool)
    np.testing.assert_allclose(nn.GlobalAveragePooling1D().forward(ctx, x), mean, rtol=DIGITS)
    add, ctx = nn.Add(), Context(run)
    add.forward(ctx, x, np.zeros((2, 1, 3), np.float32))
    np.testing.assert_allclose(
        add.backward(ctx, x)[1][:, 0], x.sum(axis=1, dtype=np.float64), rtol=DIGITS
    )
    np.testing.assert_allclose(_fitted(x, (3,)), x.sum(axis=(0, 1), dtype=np.float64), rtol=DIGITS)
    contrast = nn.RandomContrast(0.5, value_range=(-100, 100))
    changed, _ = contrast.change(x[:, None], np.zeros((2, 1, 1, 1), np.float32))
    np.testing.assert_allclose(changed[:, 0, 0], mean, rtol=DIGITS)
