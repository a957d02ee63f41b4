"""Layers under a mask, along each axis, against Keras: outputs, gradients, running statistics."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import nn
import numpy as np
import pytest
from nn.context import Context, Run
from nn.parameters import Parameters

from tests.unit.nn.against_keras.oracle import built

pytestmark = pytest.mark.usefixtures("float64")

STEPS = (3, 4, 5)
SQUARE = (3, 4, 4)  # steps and features are easily mistaken for each other
MASK = np.array([[1, 1, 0, 1], [0, 1, 0, 0], [1, 0, 1, 1]], bool)

NORMAL = [("BatchNormalization", {"axis": axis, "momentum": 0.0}) for axis in (1, 2, -2)]
OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("BatchNormalization", {"axis": 1, "scale": False, "center": False}),
    *(("LayerNormalization", {"axis": axis}) for axis in (1, [1, 2])),
    ("UnitNormalization", {"axis": 1}),
    ("GlobalAveragePooling1D", {"keepdims": True}),
]
CASES = [
    *((name, config, shape, True) for name, config in NORMAL for shape in (STEPS, SQUARE)),
    *((name, config, STEPS, True) for name, config in OTHERS),
    (*NORMAL[0], SQUARE, False),
]


@pytest.mark.parametrize(("name", "config", "shape", "training"), CASES, ids=str)
def test_a_mask_counts_along_every_axis_as_in_keras(
    name: str, config: Any, shape: Any, training: bool
) -> None:
    x = np.random.default_rng(2).normal(size=shape)
    layer = getattr(nn, name)(**config)
    layer.ensure_built((None, *shape[1:]))
    weights = [np.random.default_rng(3).uniform(0.5, 1.5, w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    received = here(layer, x, training)
    theirs = built(name, config, [shape])
    theirs.set_weights(weights)
    for ours, expected in zip(received, there(theirs, x, training), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=5e-6, atol=5e-6)


def here(layer: Any, x: Any, training: bool) -> list[Any]:
    """Return the output, gradients of input and weights, and what is not trained."""
    ctx = Context(Run(np.random.default_rng(0), np.float64))
    ctx.mask, ctx.masks = MASK, [MASK]
    parameters = Parameters(layer.trainable_variables)
    ctx.run.start_backward(parameters)
    y = np.array(layer.forward(ctx, x, training=training))
    dx = np.array(layer.backward(ctx, np.random.default_rng(5).normal(size=y.shape)))
    ctx.run.finish_backward()
    moved = [v.value.copy() for v in layer.non_trainable_variables]
    return [y, dx, *(parameters.views[v] for v in parameters.variables), *moved]


def there(layer: Any, x: Any, training: bool) -> list[Any]:
    options = {"training": training} if layer._call_has_training_arg else {}
    if layer._call_has_mask_arg:
        options["mask"] = jnp.asarray(MASK)
    before = [v.value for v in layer.non_trainable_variables]

    def call(trainable: Any, x: Any) -> Any:
        return layer.stateless_call(trainable, before, x, **options)

    def everything(trainable: Any, x: Any) -> Any:
        y, pull, after = jax.vjp(call, trainable, x, has_aux=True)
        dws, dx = pull(jnp.asarray(np.random.default_rng(5).normal(size=y.shape)))
        return [y, dx, *dws, *after]

    return list(jax.jit(everything)([v.value for v in layer.trainable_variables], x))


def test_a_mask_of_other_axes_is_refused() -> None:
    layer = nn.BatchNormalization()
    with pytest.raises(nn.errors.ShapeError, match=r"expected a mask of shape \(3, 4, 4\)"):
        layer(np.ones((3, 4, 4, 2)), training=True, mask=MASK)
