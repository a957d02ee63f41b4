"""`nn.ops` against `keras.ops`: of arrays, of a graph's tensors, and in losses."""

from __future__ import annotations

import asyncio
from inspect import signature
from typing import Any

import keras
import nn
import numpy as np
import pytest
from nn.errors import ConfigError

SHAPE = (3, 4)
X = np.random.default_rng(0).uniform(0.2, 1.5, (5, *SHAPE)).astype("float32")
ONES = ("abs", "absolute", "exp", "log", "negative", "reciprocal", "rsqrt", "sqrt", "square")
SOFT = ("relu", "leaky_relu", "elu", "celu", "hard_sigmoid")
OF_ONE: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    *((name, (), {}) for name in (*ONES, *SOFT)),
    ("gelu", (), {}), ("gelu", (False,), {}),
    ("softmax", (), {}), ("softmax", (), {"axis": 1}), ("log_softmax", (), {}),
    ("power", (2,), {}), ("add", (2.0,), {}), ("subtract", (2.0,), {}), ("multiply", (2.0,), {}),
    ("divide", (2.0,), {}), ("maximum", (0.7,), {}), ("minimum", (0.7,), {}),
    ("clip", (0.5, 0.9), {}), ("cast", ("float32",), {}),
    *((name, (), {"axis": axis, "keepdims": kept})
      for name in ("mean", "sum", "max", "min") for axis in (1, -1) for kept in (False, True)),
    ("amax", (2,), {}), ("amin", (2,), {}), ("mean", (), {"axis": (1,)}),
    ("reshape", ((-1, 12),), {}), ("reshape", ((-1, 2, 6),), {}),
    ("expand_dims", (), {"axis": 1}), ("expand_dims", (), {"axis": -1}),
    ("transpose", (), {"axes": (0, 2, 1)}), ("swapaxes", (1, 2), {}), ("moveaxis", (1, 2), {}),
]  # fmt: skip
OF_TWO: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in ("add", "subtract", "multiply", "divide", "true_divide")),
    ("maximum", {}), ("minimum", {}),
    ("concatenate", {"axis": 1}), ("concatenate", {"axis": -1}), ("stack", {"axis": 1}),
    ("stack", {"axis": -1}), ("matmul", {}),
]  # fmt: skip


BOTH = {
    "abs", "absolute", "add", "divide", "matmul", "multiply", "negative", "power", "subtract",
    "true_divide",
}  # fmt: skip
"""What NumPy's functions compute of arrays, and Python's operators of tensors."""


def near(ours: Any, theirs: Any) -> None:
    assert np.shape(ours) == np.shape(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("name", "arguments", "options"), OF_ONE, ids=str)
def test_an_operation_is_that_of_keras_on_an_array_and_in_a_graph(
    name: str, arguments: Any, options: Any
) -> None:
    expected = np.asarray(getattr(keras.ops, name)(X, *arguments, **options))
    near(getattr(nn.ops, name)(X, *arguments, **options), expected)
    inputs = nn.Input(SHAPE)
    outputs = getattr(nn.ops, name)(inputs, *arguments, **options)
    assert outputs.shape == (None, *expected.shape[1:])
    near(nn.Model(inputs, outputs).predict_on_batch(X), expected)


@pytest.mark.parametrize(("name", "options"), OF_TWO, ids=str)
def test_an_operation_of_two_is_that_of_keras_with_a_tensor_or_an_array_beside_it(
    name: str, options: Any
) -> None:
    product, several = name == "matmul", name in ("concatenate", "stack")
    other = np.swapaxes(X, 1, 2) if product else X[::-1].copy()
    given = [[X, other]] if several else [X, other]
    expected = np.asarray(getattr(keras.ops, name)(*given, **options))
    near(getattr(nn.ops, name)(*given, **options), expected)
    a, b = nn.Input(X.shape[1:]), nn.Input(other.shape[1:])
    given = [[a, b]] if several else [a, b]
    model = nn.Model([a, b], getattr(nn.ops, name)(*given, **options))
    near(model.predict_on_batch([X, other]), expected)
    if not product and not several:
        one = nn.Model(a, getattr(nn.ops, name)(a, other[0]))
        near(one.predict_on_batch(X), np.asarray(getattr(keras.ops, name)(X, other[:1])))


def test_numbers_for_each_sample_become_a_column() -> None:
    a, b = nn.Input(()), nn.Input(())
    model = nn.Model([a, b], nn.ops.concatenate([nn.ops.expand_dims(t, -1) for t in (a, b)], 1))
    x = np.arange(4.0)
    near(model.predict_on_batch([x, -x]), np.stack([x, -x], 1))


@pytest.mark.parametrize("name", sorted(nn.ops.ARRAYS))
def test_a_function_of_arrays_refuses_a_tensor_by_name(name: str) -> None:
    assert hasattr(keras.ops, name)
    with pytest.raises(ConfigError, match=rf"ops\.{name}: expected arrays"):
        getattr(nn.ops, name)(nn.Input(SHAPE))


def test_what_no_layer_computes_is_refused_by_what_was_expected() -> None:
    with pytest.raises(
        ConfigError, match="ops, Mean: expected axis after the batch's, received None"
    ):
        nn.ops.mean(nn.Input(SHAPE))
    with pytest.raises(AttributeError, match=r"nn\.ops has no 'fft2'; its functions are abs, "):
        nn.ops.fft2  # noqa: B018
    assert set(dir(nn.ops)) <= set(dir(keras.ops))


def test_activations_are_those_that_are_compared_with_keras_elsewhere() -> None:
    for name in nn.ops.ACTIVATIONS:
        assert getattr(nn.ops, name) is getattr(nn.activations, name)
        assert hasattr(keras.ops, name)


SOME = np.array([[0.3, -1.2, 2.0], [-0.4, 0.9, 0.7], [1.1, 0.2, -0.6]], "float32")
WHOLE = [[1, 2, 5], [3, 4, 1], [6, 2, 2]]
# All that a function may be given where Keras asks for one array, or for two.
GIVEN: dict[int, list[tuple[Any, ...]]] = {
    1: [(WHOLE,), (SOME > 0,)],
    2: [(WHOLE, [[3, 1, 1]]), (2, WHOLE)],
}
ARGUMENTS: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "arange": [((5,), {}), ((1, 7, 2), {}), ((5,), {"step": 2}), ((1,), {"stop": 4})],
    "array": [((WHOLE,), {"dtype": "float32"})],
    "broadcast_to": [((SOME[0], (2, 3)), {})], "convert_to_numpy": [((SOME,), {})],
    "convert_to_tensor": [((WHOLE, "float32"), {})], "diff": [((SOME, 1, 0), {})],
    "eye": [((3,), {"k": 1}), ((2, 3), {"dtype": "int32"})],
    "full": [((2, 0.5), {}), (((2, 2), 3, "int32"), {})],
    "full_like": [((SOME, 2), {})], "hstack": [(([SOME, SOME],), {})], "identity": [((3,), {})],
    "linspace": [((0.0, 1.0, 5), {}), ((0, 1), {"num": 4, "endpoint": False})],
    "nan_to_num": [((np.array([1, np.nan, np.inf, -np.inf]), 1.0, 2.0, 3.0), {})],
    "nonzero": [((SOME > 0,), {})],
    "ones": [((2,), {}), (((1, 2), "int32"), {})], "quantile": [((SOME, 0.3), {"axis": 1})],
    "repeat": [((SOME, 2), {}), ((SOME, 2, 1), {})], "roll": [((SOME, 1), {"axis": 0})],
    "round": [((SOME, 1), {})], "shape": [((SOME,), {})],
    "split": [((SOME, 3), {}), ((WHOLE, [1, 2], 1), {}), ((SOME, [2], -1), {})],
    "take": [((SOME, [0, 2]), {}), ((SOME, [[1, 2]], -1), {})],
    "take_along_axis": [((SOME, np.array([[0, 2, 1]]), 0), {})],
    "tensordot": [((SOME, SOME, 1), {}), ((SOME, SOME), {"axes": [[0], [1]]})],
    "tile": [((SOME, (1, 2)), {})], "trace": [((SOME,), {"axis1": 1, "axis2": 0, "offset": 1})],
    "vstack": [(([SOME, SOME],), {})], "where": [((SOME > 0, SOME, 0.0), {})],
    "zeros": [((2,), {}), (((1, 2), "int32"), {})],
}  # fmt: skip


def calls_of(name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Return arguments for a function: those above, or all kinds of arrays and each axis."""
    if name in ARGUMENTS:
        return ARGUMENTS[name]
    theirs = signature(getattr(keras.ops, name)).parameters
    needed = [p for p in theirs.values() if p.default is p.empty]
    calls: list[Any] = [(given, {}) for given in GIVEN[len(needed)]]
    calls.append(((), {p.name: a for p, a in zip(needed, (SOME, SOME), strict=False)}))
    if "keepdims" in theirs:
        return [*calls, ((SOME, 1, True), {})]
    return [*calls, ((SOME, 0), {})] if "axis" in theirs else calls


@pytest.mark.parametrize("name", sorted({*nn.ops.ARRAYS, *BOTH, "split", "exp", "sqrt", "rsqrt"}))
def test_a_function_of_arrays_takes_what_keras_takes_and_makes_the_same(name: str) -> None:
    ours, theirs = getattr(nn.ops, name), getattr(keras.ops, name)
    arguments = [n for n in signature(theirs).parameters if n not in ("sparse", "ragged")]
    assert [*signature(ours).parameters] == arguments[: len(signature(ours).parameters)]
    compared = 0
    for given, options in calls_of(name):
        try:
            expected = theirs(*given, **options)
        except (DeprecationWarning, TypeError, ValueError):  # JAX takes fewer kinds than NumPy
            continue
        compared += 1
        with np.errstate(all="ignore"):
            made = ours(*given, **options)
        several = isinstance(expected, list | tuple) and name != "shape"
        for mine, wanted in zip(
            *((made, expected) if several else ([made], [expected])), strict=True
        ):
            assert np.shape(mine) == np.shape(wanted), (given, options)
            exact = {"rtol": 2e-5, "atol": 1e-6}
            np.testing.assert_allclose(np.asarray(mine), np.asarray(wanted), **exact)
    assert compared


@pytest.mark.parametrize(("parts", "axis"), [(2, -1), (4, 2), ([1], 2), ([1, 2], 1), (3, 1)])
def test_a_tensor_is_split_as_an_array_is(parts: Any, axis: int) -> None:
    inputs = nn.Input(SHAPE)
    made = nn.Model(inputs, nn.ops.split(inputs, parts, axis)).predict_on_batch(X)
    for mine, wanted in zip(made, np.split(X, parts, axis), strict=True):
        near(mine, wanted)


def test_what_no_function_can_compute_is_refused_by_its_name() -> None:
    for name, given in (
        ("add", (SOME, [1, 2])), ("matmul", (SOME, 2)), ("argmax", (SOME, 5)),
        ("take", (SOME, 9)), ("split", (SOME, 2)), ("split", (nn.Input((None, 2)), 2, 1)),
        ("split", (nn.Input((4,)), 2)),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=rf"ops\.{name}: "):
            getattr(nn.ops, name)(*given)


def test_one_hot_is_that_of_keras() -> None:
    labels = np.array([[1, 0], [2, 5]])
    for options in ({}, {"axis": 1}):
        near(nn.ops.one_hot(labels, 3, **options), keras.ops.one_hot(labels, 3, **options))


def test_a_loss_of_operations_trains_as_in_keras() -> None:
    histories = []
    for library in (keras, nn):
        ops = library.ops

        def loss(y: Any, p: Any, ops: Any = ops) -> Any:
            far = ops.maximum(ops.absolute(y - p) - 0.1, 0.0)
            return ops.mean(ops.square(far) + ops.softplus(ops.sqrt(far + 0.1)), axis=-1)

        model = library.Sequential([library.Input((4,)), library.layers.Dense(3)])
        model.set_weights([np.linspace(-1, 1, 12).reshape(4, 3), np.zeros(3)])
        model.compile("sgd", loss)
        fit = model.fit(X[:, 0], X[:, 1, :3], epochs=3, batch_size=5, verbose=0)
        histories.append((asyncio.run(fit) if library is nn else fit).history["loss"])
    near(*histories)


PARTS = {
    "x[:, None]": lambda x: x[:, None], "x[..., None]": lambda x: x[..., None],
    "x[:, :, None]": lambda x: x[:, :, None], "x[:, None, 1]": lambda x: x[:, None, 1],
    "x[:, 1, None]": lambda x: x[:, 1, None], "x[:, 0, 1, None]": lambda x: x[:, 0, 1, None],
    "x[:, None, 1:, None]": lambda x: x[:, None, 1:, None],
    "x[:, None, ..., 2]": lambda x: x[:, None, ..., 2],
    "x[:, ..., None, :]": lambda x: x[:, ..., None, :],
    "x[:, None, None, -1, ::2]": lambda x: x[:, None, None, -1, ::2],
}  # fmt: skip


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("kind", PARTS)
def test_none_among_indices_is_a_new_axis_as_in_keras(kind: str, known: bool) -> None:
    shape = SHAPE if known else (None, SHAPE[1])
    entry = nn.Input(shape)
    y = PARTS[kind](entry)
    assert y.shape == PARTS[kind](keras.Input(shape)).shape
    model, expected = nn.Model(entry, y), PARTS[kind](X)
    assert np.array_equal(model.predict_on_batch(X), expected)
    if known:
        again = nn.io.load(nn.io.save(model, "npz"))
        assert np.array_equal(again.predict_on_batch(X), expected)


@pytest.mark.parametrize("index", [None, (None, 1), (slice(None), "a"), (slice(None), 1.5)])
def test_an_index_that_is_none_of_these_is_refused(index: Any) -> None:
    with pytest.raises(ConfigError, match="expected"):
        nn.Input(SHAPE)[index]
