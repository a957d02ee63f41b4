"""Compare with Keras: a layer's output and gradients, the weights after an optimizer's steps."""

from __future__ import annotations

from typing import Any

import jax
import keras
import nn
import numpy as np
from nn.context import Context, Run
from nn.variables import Parameters, Variable


def ours(layer: nn.Layer, inputs: list[Any], training: bool) -> tuple[Any, Any, Any, Any]:
    """Return (y, dy, gradients of inputs, gradients of weights) of one forward and backward."""
    ctx = Context(Run(np.random.default_rng(0), np.float64))
    parameters = Parameters(layer.trainable_variables)
    ctx.run.start_backward(parameters)
    y = np.array(layer.forward(ctx, *inputs, training=training))
    dy = np.random.default_rng(5).normal(size=y.shape)
    dx = layer.backward(ctx, dy)
    ctx.run.settle()
    ctx.run.finish_backward()
    dxs = [np.array(d) for d in (dx if isinstance(dx, tuple) else (dx,))]
    return y, dy, dxs, [parameters.views[v].copy() for v in parameters.variables]


def compare(
    name: str,
    config: dict[str, Any],
    *inputs: Any,
    training: bool = False,
    tolerance: float = 5e-6,
    differentiable: bool = True,
) -> None:
    """Assert that nn.<name> equals keras.layers.<name> on these inputs, the weights being ours.

    The tolerance is float32's, since Keras takes means, tanh and others through float32 whatever
    `floatx` says (1.5e-7 off in float64).
    """
    layer = getattr(nn, name)(**config)
    layer.ensure_built(*[(None, *x.shape[1:]) for x in inputs])
    theirs = getattr(keras.layers, name)(**config)
    several = len(inputs) > 1
    shapes = [x.shape for x in inputs]
    theirs.build(shapes if several else shapes[0])
    rng = np.random.default_rng(11)
    weights = [rng.uniform(0.1, 0.9, size=w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    theirs.set_weights(weights)
    before = [v.value for v in theirs.non_trainable_variables]
    y, dy, dxs, dws = ours(layer, list(inputs), training)
    expected_shape = layer.compute_output_shape(*[(None, *s[1:]) for s in shapes])
    assert y.shape[1:] == tuple(expected_shape[1:])

    def call(trainable: Any, *xs: Any) -> Any:
        options = {"training": training} if theirs._call_has_training_arg else {}
        return theirs.stateless_call(trainable, before, list(xs) if several else xs[0], **options)

    def close(received: Any, expected: Any) -> None:
        np.testing.assert_allclose(received, expected, rtol=tolerance, atol=tolerance)

    trainable = [v.value for v in theirs.trainable_variables]
    if not differentiable:
        close(y, call(trainable, *inputs)[0])
        return
    out, pull, after = jax.vjp(call, trainable, *inputs, has_aux=True)
    close(y, out)
    expected_dws, *expected_dxs = pull(np.asarray(dy, out.dtype))
    for received, expected in zip(dxs + dws, expected_dxs + list(expected_dws), strict=True):
        close(received, expected)
    for received, expected in zip(layer.non_trainable_variables, after, strict=False):
        close(received.value, expected)


def walk(ours: Any, theirs: Any, start: list[Any], steps: int, rtol: float, atol: float) -> None:
    """Take steps with both optimizers from the same weights, and compare these after each."""
    variables = [Variable(w.copy(), f"w{i}") for i, w in enumerate(start)]
    parameters = Parameters(variables)
    ours.build(parameters)
    mirrors = [keras.Variable(w) for w in start]
    theirs.build(mirrors)
    rng = np.random.default_rng(4)
    for _ in range(steps):
        gradients = [rng.normal(size=w.shape) for w in start]
        for variable, gradient in zip(variables, gradients, strict=True):
            parameters.views[variable][...] = gradient
        ours.step()
        theirs.apply(gradients)
        for variable, mirror in zip(variables, mirrors, strict=True):
            # Keras holds its rate and betas' powers in float32.
            np.testing.assert_allclose(variable.value, mirror.numpy(), rtol=rtol, atol=atol)
