"""Compare with Keras: a layer's output and gradients, the weights after an optimizer's steps."""

from __future__ import annotations

import inspect
import json
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import keras
import nn
import numpy as np
from nn.context import Context, Run
from nn.parameters import Parameters
from nn.variables import Variable

# Keras takes means, tanh and others through float32 whatever `floatx` says (1.5e-7 off in float64).
EXACT = 5e-6
FLOAT32 = 2e-5  # of the largest value: sums in another order
# Keras' own tanh gives float32 in its loop over float64 states, which JAX refuses there.
EXACT_TANH = {"tanh": jnp.tanh}


# Layers whose inputs are arguments, not a list.
APART = {"MultiHeadAttention"}
# Arguments that are layers: functions of `nn.layers` or `keras.layers`.
INNER = {"backward_layer", "cell", "layer"}


def ours(
    layer: nn.Layer, inputs: list[Any], training: bool, dtype: Any = np.float64
) -> tuple[Any, Any, Any, Any]:
    """Return (y, dy, gradients of inputs, gradients of weights) of one forward and backward."""
    ctx = Context(Run(np.random.default_rng(0), dtype))
    parameters = Parameters(layer.trainable_variables)
    ctx.run.start_backward(parameters)
    made = layer.forward(ctx, *inputs, training=training)
    several = isinstance(made, list)
    y = np.concatenate([np.array(m).reshape(-1) for m in made]) if several else np.array(made)
    dy = np.random.default_rng(5).normal(size=y.shape)
    dx = layer.backward(ctx, _like(dy.astype(dtype), made) if several else dy.astype(dtype))
    ctx.run.settle()
    ctx.run.finish_backward()
    dxs = [None if d is None else np.array(d) for d in (dx if isinstance(dx, tuple) else (dx,))]
    return y, dy, dxs, [parameters.views[v].copy() for v in parameters.variables]


def _like(flat: Any, parts: list[Any]) -> list[Any]:
    """Return a flat array cut into the shapes of `parts`."""
    ends = np.cumsum([p.size for p in parts])[:-1]
    return [d.reshape(p.shape) for d, p in zip(np.split(flat, ends), parts, strict=True)]


def theirs(
    name: str,
    config: dict[str, Any],
    inputs: list[Any],
    weights: list[Any],
    training: bool,
    call_options: dict[str, Any],
) -> tuple[Any, list[Any], list[Any], list[Any]]:
    """Return (y, gradients of inputs and of weights, variables that are not trained) of Keras.

    All of it is compiled as one program: JAX compiles a single operation for its shapes as well.
    An input of whole numbers has no gradient: None.
    """
    layer = built(name, config, [x.shape for x in inputs])
    layer.set_weights(weights)
    before = [v.value for v in layer.non_trainable_variables]
    options = dict(call_options)
    if layer._call_has_training_arg:
        options["training"] = training
    whole_numbers = inputs[0].dtype.kind == "i"

    def call(trainable: Any, *xs: Any) -> Any:
        given = xs if len(xs) == 1 or name in APART else [list(xs)]
        y, after = layer.stateless_call(trainable, before, *given, **options)
        if isinstance(y, list | tuple):
            y = jnp.concatenate([p.reshape(-1) for p in keras.tree.flatten(y)])
        return y, after

    def everything(trainable: Any, *xs: Any) -> Any:
        if whole_numbers:
            y, pull, after = jax.vjp(lambda t: call(t, *xs), trainable, has_aux=True)
        else:
            y, pull, after = jax.vjp(call, trainable, *xs, has_aux=True)
        dy = np.random.default_rng(5).normal(size=y.shape)
        return y, pull(jnp.asarray(dy, y.dtype)), after

    trainable = [v.value for v in layer.trainable_variables]
    y, (dws, *dxs), after = jax.jit(everything)(trainable, *inputs)
    return y, dxs or [None] * len(inputs), list(dws), after


def resolved(config: dict[str, Any], api: Any) -> dict[str, Any]:
    """Return the config with its functions called: they make layers of either library."""
    return {k: v(api.layers) if callable(v) and k in INNER else v for k, v in config.items()}


class Zeros(keras.initializers.Initializer):
    """Zeros of NumPy for weights that are replaced: Keras' own are computed by JAX."""

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        return np.zeros(shape, dtype)


def built(name: str, config: dict[str, Any], shapes: list[Any]) -> Any:
    """Return Keras' layer with weights of zero, which take no program of JAX's to make."""
    cls = getattr(keras.layers, name)
    known = inspect.signature(cls.__init__).parameters
    zeros: dict[str, Any] = {key: Zeros() for key in known if key.endswith("_initializer")}
    zeros |= resolved(config, keras)
    if name == "SimpleRNN":
        zeros = {"activation": "tanh"} | zeros
        named = zeros["activation"]
        zeros["activation"] = EXACT_TANH.get(named, named) if isinstance(named, str) else named
    layer = cls(**zeros)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer.build(*(shapes if len(shapes) == 1 or name in APART else [shapes]))
    return layer


def compare(
    name: str,
    config: dict[str, Any],
    *inputs: Any,
    training: bool = False,
    exact: float = EXACT,
    **call_options: Any,
) -> None:
    """Assert that nn.<name> equals keras.layers.<name> in output and gradients, weights being ours.

    The layer compared is made of its configuration, which went through JSON.
    `call_options` are attributes of ours and arguments of Keras' call. Keras computes in float64,
    ours in float64 and, where the kernels take part, in float32.
    """
    layer = getattr(nn, name)(**resolved(config, nn))
    layer.ensure_built(*[(None, *x.shape[1:]) for x in inputs])
    weights = _weights(layer)
    given = [x if x.dtype.kind == "i" else x.astype(np.float64) for x in inputs]
    y, dxs, dws, after = theirs(name, config, given, weights, training, call_options)
    expected_shape = layer.compute_output_shape(*[(None, *x.shape[1:]) for x in inputs])
    if not isinstance(expected_shape, list):
        assert y.shape[1:] == tuple(expected_shape[1:])
    for dtype in (np.float64, np.float32):
        nn.set_floatx(np.dtype(dtype).name)
        layer = again(getattr(nn, name)(**resolved(config, nn)))
        vars(layer).update(call_options)
        layer.ensure_built(*[(None, *x.shape[1:]) for x in inputs])
        layer.set_weights([w.astype(dtype) for w in weights])
        xs = [x if x.dtype.kind == "i" else x.astype(dtype) for x in inputs]
        out, _, own_dxs, own_dws = ours(layer, xs, training, dtype)
        own = [v.value for v in layer.non_trainable_variables]
        close = _close(exact) if dtype is np.float64 else _near
        close(f"{name}: output", out, y)
        for number, (received, expected) in enumerate(zip(own_dxs, dxs, strict=True)):
            if expected is not None:
                close(f"{name}: gradient of input {number}", received, expected)
        for variable, received, expected in zip(
            layer.trainable_variables, own_dws, dws, strict=True
        ):
            close(f"{name}: gradient of {variable.name}", received, expected)
        for received, expected in zip(own, after, strict=False):
            close(f"{name}: what is not trained", received, expected)
    nn.set_floatx("float64")


def again(layer: nn.Layer) -> nn.Layer:
    """Return a new layer from a layer's configuration as JSON."""
    settings = layer.get_config()
    made = type(layer).from_config(json.loads(json.dumps(settings)))
    assert json.dumps(made.get_config()) == json.dumps(settings)
    return made


def _weights(layer: nn.Layer) -> list[Any]:
    rng = np.random.default_rng(11)
    drawn = [rng.normal(0, 0.5, w.shape) for w in layer.get_weights()]
    names = [v.name for v in layer.variables]
    return [
        np.abs(w) + 0.1 if "variance" in name else w for w, name in zip(drawn, names, strict=True)
    ]


def _close(tolerance: float) -> Any:
    def check(what: str, received: Any, expected: Any) -> None:
        np.testing.assert_allclose(received, expected, tolerance, tolerance, err_msg=what)

    return check


def _near(what: str, received: Any, expected: Any) -> None:
    expected = np.asarray(expected)
    assert received.dtype == np.float32, what
    assert received.shape == expected.shape, what
    scale = 1 + np.abs(expected).max(initial=0)
    error = np.abs(received.astype(np.float64) - expected).max(initial=0) / scale
    assert error <= FLOAT32, f"{what}: off by {error:.2g} of {scale:.3g}"


def metric(name: str, config: dict[str, Any], shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """Return Keras' metric as (first state, update, result), one compiled function each.

    `update(state, true, pred, weights)` returns the next state, `result(state)` a value.  `shape`
    is that of a batch, by which some metrics make their state.
    """
    made = getattr(keras.metrics, name)(**config)
    if not getattr(made, "_built", True):
        made._build(*[shape] * len(inspect.signature(made._build).parameters))
    update, result = jax.jit(made.stateless_update_state), jax.jit(made.stateless_result)
    return [v.value for v in made.variables], update, result


def walk(ours: Any, theirs: Any, start: list[Any], steps: int, rtol: float, atol: float) -> None:
    """Take steps with both optimizers from the same weights, and compare these after each."""
    variables = [Variable(w.copy(), f"w{i}") for i, w in enumerate(start)]
    parameters = Parameters(variables)
    ours.build(parameters)
    mirrors = [keras.Variable(w) for w in start]
    theirs.build(mirrors)
    apply = jax.jit(theirs.stateless_apply)  # one program, where Keras' `apply` has many
    values, state = [v.value for v in mirrors], [v.value for v in theirs.variables]
    rng = np.random.default_rng(4)
    for _ in range(steps):
        gradients = [rng.normal(size=w.shape) for w in start]
        for variable, gradient in zip(variables, gradients, strict=True):
            parameters.views[variable][...] = gradient
        ours.step()
        values, state = apply(state, gradients, values)
        for variable, value in zip(variables, values, strict=True):
            # Keras holds its rate and betas' powers in float32.
            np.testing.assert_allclose(variable.value, value, rtol=rtol, atol=atol)


def expect_same_files(ours: Any, theirs: Any, x: Any, folder: Path, atol: float) -> None:
    """Check that what Keras predicts comes back from files of either, and that it opens ours."""
    expected = np.asarray(theirs(x))
    ours.save(folder / "ours.npz")
    ours.save(folder / "ours.keras")
    theirs.save(folder / "theirs.keras")
    for name in ("ours.npz", "ours.keras", "theirs.keras"):
        read = nn.models.load_model(folder / name)
        np.testing.assert_allclose(read.predict_on_batch(x), expected, atol=atol, err_msg=name)
    read = keras.models.load_model(folder / "ours.keras")
    np.testing.assert_allclose(read(x), expected, atol=atol)
