"""The same layer here and in Keras: outputs and gradients, on the same weights and inputs."""

import warnings

import numpy as np
from hypothesis import settings
from nn.context import Context, Run
from nn.variables import Parameters

# JAX compiles every new shape, so few draws, and the same ones on every machine.
DRAWS = settings(derandomize=True, deadline=None, max_examples=15)


def ours(layer, inputs, weights, training=False):
    """Output and gradients of `sum(y * weights)`: (y, [d/dx ...], [d/dvariable ...])."""
    ctx = Context(Run(np.random.default_rng(0)))
    parameters = Parameters(layer.trainable_variables)
    ctx.run.start_backward(parameters)
    y = np.array(layer.forward(ctx, *inputs, training=training))
    dx = layer.backward(ctx, np.ascontiguousarray(weights[: y.size].reshape(y.shape)))
    ctx.run.settle()
    ctx.run.finish_backward()
    dxs = [None if d is None else np.array(d) for d in (dx if isinstance(dx, tuple) else (dx,))]
    return y, dxs, [np.array(parameters.views[v]) for v in layer.trainable_variables]


def theirs(layer, inputs, weights, training=False):
    """As `ours`, of a Keras layer."""
    import jax
    import jax.numpy as jnp

    trainable = [v.value for v in layer.trainable_variables]
    others = [v.value for v in layer.non_trainable_variables]

    def value(trainable, inputs):
        argument = inputs[0] if len(inputs) == 1 else list(inputs)
        options = {"training": training} if layer._call_has_training_arg else {}
        y, _ = layer.stateless_call(trainable, others, argument, **options)
        return jnp.sum(y * weights[: y.size].reshape(y.shape)), y

    floats = [jnp.asarray(x) for x in inputs]
    if all(x.dtype == jnp.float32 for x in floats):
        (_, y), (dv, dx) = jax.value_and_grad(value, (0, 1), has_aux=True)(trainable, floats)
    else:  # indices have no gradient
        (_, y), dv = jax.value_and_grad(value, 0, has_aux=True)(trainable, floats)
        dx = [None] * len(floats)
    return np.asarray(y), dx, dv


def agree(name, ours_layer, keras_layer, inputs, training=False, tolerance=2e-5):
    """Assert that both give the same, after copying our weights to Keras."""
    ours_layer.ensure_built(*[(None, *x.shape[1:]) for x in inputs])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = [(None, *x.shape[1:]) for x in inputs]
        keras_layer.build(shapes[0] if len(shapes) == 1 else shapes)
        rng = np.random.default_rng(7)
        values = [rng.normal(0, 0.5, w.shape).astype(np.float32) for w in ours_layer.get_weights()]
        values = [np.abs(v) + 0.1 if "variance" in w.name else v
                  for v, w in zip(values, ours_layer.variables, strict=True)]  # fmt: skip
        assert [w.shape for w in keras_layer.get_weights()] == [v.shape for v in values], name
        ours_layer.set_weights(values)
        keras_layer.set_weights(values)
        weights = rng.normal(size=2_000_000 // 8).astype(np.float32)
        y, dx, dv = ours(ours_layer, inputs, weights, training)
        y_, dx_, dv_ = theirs(keras_layer, inputs, weights, training)
    assert y.shape == y_.shape, name
    close(f"{name}: output", y, y_, tolerance)
    for i, (a, b) in enumerate(zip(dx, dx_, strict=True)):
        if b is not None:
            close(f"{name}: d/d(input {i})", a, b, tolerance)
    for v, a, b in zip(ours_layer.trainable_variables, dv, dv_, strict=True):
        close(f"{name}: d/d({v.name})", a, b, tolerance)


def close(what, a, b, tolerance):
    b = np.asarray(b)
    scale = 1 + np.abs(b).max(initial=0)
    error = np.abs(np.asarray(a, np.float64) - b).max(initial=0) / scale
    assert error <= tolerance, f"{what}: off by {error:.2g} of {scale:.3g}"


def images(rng, n, h, w, c):
    return rng.normal(size=(n, h, w, c)).astype(np.float32)
