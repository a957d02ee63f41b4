"""Operations of `keras.ops` in graphs: opened, trained and written again as Keras computes them."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import keras
import nn
import numpy as np
import onnxruntime
import pytest
from keras import ops
from nn.io import errors, formats

pytestmark = [
    # Keras' variables predate NumPy 2's `copy` argument.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Layer .* does not support mask:UserWarning"),
]

L = keras.layers
BATCH = 3
RNG = np.random.default_rng(5)
X = RNG.normal(size=(BATCH, 4, 4, 3)).astype(np.float32)

ONE = {
    "abs": ops.abs,
    "celu": ops.celu,
    "clip": lambda x: ops.clip(x, -0.5, 0.5),
    "cast": lambda x: ops.cast(x, "float32"),
    "concatenate": lambda x: ops.concatenate([x, ops.tanh(x)], axis=-2),
    "divided": lambda x: 2 / (ops.square(x) + 1),
    "elu": lambda x: ops.elu(x, 0.5),
    "exp": ops.exp,
    "expand_dims": lambda x: ops.expand_dims(x, -1),
    "gelu": ops.gelu,
    "gelu by erf": lambda x: ops.gelu(x, approximate=False),
    "hard_shrink": ops.hard_shrink,
    "hard_sigmoid": ops.hard_sigmoid,
    "hard_silu": ops.hard_silu,
    "hard_tanh": ops.hard_tanh,
    "leaky_relu": lambda x: ops.leaky_relu(x, 0.1),
    "log_sigmoid": ops.log_sigmoid,
    "log_softmax": ops.log_softmax,
    "matmul": lambda x: ops.matmul(x[:, 0], ops.transpose(x[:, 1], (0, 2, 1))),
    "log": lambda x: ops.log(ops.exp(x) + 1.0),
    "matmul of heads": lambda x: ops.matmul(x, ops.transpose(x, (0, 1, 3, 2))),
    "max": lambda x: ops.max(x, axis=(1, 2)),
    "max of the last": lambda x: ops.amax(x, axis=-1, keepdims=True),
    "maximum": lambda x: ops.maximum(ops.maximum(x, 0.25), ops.minimum(ops.tanh(x), 0.5)),
    "mean": lambda x: ops.mean(x, axis=(1, 2)),
    "mean of channels": lambda x: ops.mean(x, axis=[-1], keepdims=True),
    "mean of columns": lambda x: ops.mean(x, axis=2),
    "mean of all": lambda x: ops.mean(x, axis=(1, 2, 3), keepdims=True),
    "min": lambda x: ops.min(x, axis=1),
    "minimum": lambda x: ops.minimum(x, ops.sigmoid(x)),
    "moveaxis": lambda x: ops.moveaxis(x, -1, 1),
    "negative": lambda x: -x,
    "pad": lambda x: ops.pad(x, [[0, 0], [1, 0], [2, 1], [0, 0]]),
    "reciprocal": lambda x: ops.reciprocal(ops.square(x) + 1.0),
    "relu": ops.relu,
    "relu of activations": lambda x: keras.activations.relu(x, max_value=1.0),
    "relu6": ops.relu6,
    "reshape": lambda x: ops.reshape(x, (-1, 16, 3)),
    "resize": lambda x: ops.image.resize(x, (6, 7)),
    "rsqrt": lambda x: ops.rsqrt(ops.square(x) + 1.0),
    "selu": ops.selu,
    "sigmoid": ops.sigmoid,
    "silu": ops.silu,
    "softmax": ops.softmax,
    "softmax over rows": lambda x: ops.softmax(x, axis=1),
    "soft_shrink": ops.soft_shrink,
    "softplus": ops.softplus,
    "softsign": ops.softsign,
    "sparse_plus": ops.sparse_plus,
    "sparse_sigmoid": ops.sparse_sigmoid,
    "sqrt": lambda x: ops.sqrt(ops.square(x) + 1.0),
    "square": lambda x: x**2 + ops.power(x, 3),
    "squareplus": ops.squareplus,
    "squeeze": lambda x: ops.squeeze(ops.mean(x, axis=1, keepdims=True), axis=1),
    "squeeze of all": lambda x: ops.squeeze(ops.max(x, axis=(1, 2), keepdims=True)),
    "stack": lambda x: ops.stack([x, ops.exp(x)], axis=-1),
    "sum": lambda x: ops.sum(x, axis=(1, 3)),
    "sum of steps": lambda x: ops.sum(x[:, 0], axis=1),
    "swapaxes": lambda x: ops.swapaxes(x, 1, -1),
    "tanh": ops.tanh,
    "tanh_shrink": ops.tanh_shrink,
    "transpose": lambda x: ops.transpose(x, (0, 3, 1, -2)),
}


def file_of(model: Any, path: Path) -> bytes:
    model.save(path)
    return path.read_bytes()


def assert_close(received: Any, expected: Any, **options: Any) -> None:
    np.testing.assert_allclose(
        received, np.asarray(expected), **{"rtol": 1e-4, "atol": 1e-5, **options}
    )


def reference_of(*names: str) -> Any:
    """Return Keras' model of these operations side by side, two columns of its output each.

    Each has a layer of its own before it, for whose weights gradients pass.
    """
    first, ends = keras.Input(X.shape[1:]), []
    for name in names:
        before = L.Dense(3, name=f"before_{name.replace(' ', '_')}")
        ends.append(L.Dense(2)(L.Flatten()(ONE[name](before(first)))))
    return keras.Model(first, L.Concatenate()(ends) if len(ends) > 1 else ends[0])


def pass_both_ways(reference: Any, folder: Path, x: Any = X) -> nn.Model:
    """Check that our model of Keras' file, and Keras' of ours, compute the same; return ours."""
    expected = reference.predict_on_batch(x)
    model = formats.load(file_of(reference, folder / "theirs.keras"))
    assert_close(model.predict_on_batch(x), expected)
    (folder / "ours.keras").write_bytes(formats.save(model, "keras"))
    assert_close(keras.models.load_model(folder / "ours.keras").predict_on_batch(x), expected)
    again = formats.load((folder / "ours.keras").read_bytes())
    np.testing.assert_array_equal(again.predict_on_batch(x), model.predict_on_batch(x))
    return model


def train_alike(model: nn.Model, reference: Any, x: Any = X, rate: float = 0.01) -> None:
    target = np.ones_like(reference.predict_on_batch(x))
    for each in (reference, model):
        each.compile(keras.optimizers.SGD(rate) if each is reference else nn.SGD(rate), "mse")
        for _ in range(2):
            each.train_on_batch(x, target)
    for layer in reference.layers:  # by name: an operation may be several layers here
        own = model.get_layer(layer.name).get_weights()
        for received, expected in zip(own, layer.get_weights(), strict=True):
            assert_close(received, expected, rtol=1e-3, atol=1e-4, err_msg=layer.name)


# JAX compiles three programs for a model, of which the operations are the smaller part.
SOME = [list(ONE)[n : n + 9] for n in range(0, len(ONE), 9)]


@pytest.mark.parametrize("names", SOME, ids=lambda names: f"{names[0]} to {names[-1]}")
def test_operations_pass_in_keras_files_both_ways_and_train(
    names: list[str], tmp_path: Path
) -> None:
    reference = reference_of(*names)
    rate = 0.01 * len(names)  # the error is the mean over the columns of all
    train_alike(pass_both_ways(reference, tmp_path), reference, rate=rate)


@pytest.mark.parametrize("which", ["clip", "mean of columns", "relu", "stack", "sum", "transpose"])
def test_copies_json_and_our_files_hold_the_operations(which: str) -> None:
    reference = reference_of(which)
    model = nn.models.model_from_json(reference.to_json())
    model.set_weights(reference.get_weights())
    expected = model.predict_on_batch(X)
    assert_close(expected, reference.predict_on_batch(X))
    copies = [nn.models.clone_model(model), nn.models.model_from_json(model.to_json())]
    for copy in copies:
        copy.set_weights(model.get_weights())
    for copy in (*copies, formats.load(formats.save(model, "npz"))):
        np.testing.assert_array_equal(copy.predict_on_batch(X), expected)
    session = onnxruntime.InferenceSession(formats.save(model, "onnx"))
    (received,) = session.run(None, {session.get_inputs()[0].name: X})
    assert_close(received, expected)


@pytest.mark.parametrize(
    "between",
    [
        ops.relu,
        ops.softmax,
        lambda x: keras.activations.relu(x, negative_slope=0.1),
        lambda x: ops.concatenate([x, x], axis=-1),
    ],
)
def test_an_operation_hands_no_mask_on(between: Any, tmp_path: Path) -> None:
    words = np.array([[1, 2, 3, 0, 0], [4, 0, 0, 0, 0]], np.float32)
    entry = keras.Input((5,))
    y = L.Embedding(6, 4, mask_zero=True)(entry)
    outputs = [L.LSTM(3)(between(y)), ops.mean(y, axis=1), ops.max(y, axis=1)]
    reference = keras.Model(entry, L.Concatenate()(outputs))
    pass_both_ways(reference, tmp_path, words)


def test_operations_on_whole_numbers_compute_as_in_keras(tmp_path: Path) -> None:
    words = np.array([[1, 2, 3], [4, 0, 5]], np.int32)
    entry = keras.Input((3,), dtype="int32")
    apart = L.Embedding(6, 4)(ops.expand_dims(entry, -1))
    y = [L.Flatten()(apart), L.Dense(2)(ops.cast(entry, "float32"))]
    pass_both_ways(keras.Model(entry, L.Concatenate()(y)), tmp_path, words)


def test_operations_pass_in_models_inside(tmp_path: Path) -> None:
    entry, steps = keras.Input((4, 3)), keras.Input(X.shape[1:])
    inner = keras.Model(entry, ops.sum(ops.clip(entry, -1.0, 1.0), axis=1), name="inner")
    y = [inner(steps[:, 0]), ops.max(L.TimeDistributed(inner)(steps), axis=1)]
    pass_both_ways(keras.Model(steps, L.Add()(y)), tmp_path)


def test_steps_take_names_that_no_layer_has(tmp_path: Path) -> None:
    entry = keras.Input((4,))
    y = ops.clip(L.Dense(4, name="clip_step_1")(entry), -0.5, 0.5)
    model = pass_both_ways(keras.Model(entry, y), tmp_path, X[:, 0, :, 0])
    assert [layer.name for layer in model.layers].count("clip_step_1") == 1


def of_unknown_sizes(x: Any) -> Any:
    y = ops.mean(ops.relu(x), axis=(1, 2)) + ops.max(x, axis=(1, 2))
    wide = ops.squeeze(ops.expand_dims(ops.transpose(x, (0, 1, 3, 2)), 1), 1)
    return y * ops.max(ops.max(ops.swapaxes(wide, -1, -2), axis=(1, 2), keepdims=True)[:, 0], 1)


def test_sizes_that_a_graph_does_not_know_stay_open(tmp_path: Path) -> None:
    entry = keras.Input((4, None, 3))
    model = pass_both_ways(keras.Model(entry, of_unknown_sizes(entry)), tmp_path)
    assert model.predict_on_batch(X[:, :, :2]).shape == (BATCH, 3)


REFUSED: dict[str, tuple[Any, str]] = {
    "the mean of all": (lambda x: ops.mean(x), r"'mean\w*', operation Mean: expected axis after"),
    "the batch": (lambda x: ops.sum(x, axis=(0, 1)), r"operation Sum: .*received \[0, 1\]"),
    "the batch from behind": (lambda x: ops.max(x, axis=-4), r"operation Max: .*received -4"),
    "a turned batch": (lambda x: ops.transpose(x), r"Transpose: .*batch's axis first.*None"),
    "a batch that moves": (lambda x: ops.moveaxis(x, 0, 1), r"Moveaxis: .*source after the batch"),
    "a sparsemax of other sums": (ops.sparsemax, "no operation 'Sparsemax' here"),
    "joined batches": (lambda x: ops.concatenate([x, x], axis=0), r"Concatenate: .*received 0"),
    "a reshaped batch": (
        lambda x: ops.reshape(x, (-1, 3)), r"Reshape: .*\[-1, 3\] for \[None, 4, 4, 3\]",
    ),
    "numbers alone": (lambda x: ops.sum(x, axis=(1, 2, 3)), r"Sum: expected an axis beside the"),
    "a new batch": (lambda x: ops.expand_dims(x, 0), r"ExpandDims: .*received 0"),
    "batches' probabilities": (lambda x: ops.softmax(x, axis=0), r"Softmax: .*received 0"),
    "edges": (lambda x: ops.pad(x, [[0, 0], [1, 1], [0, 0], [0, 0]], "edge"), r"Pad: .*zeros"),
    "bounds by channel": (lambda x: ops.clip(x, 0, [1, 2, 3]), r"Clip: expected a number as x_max"),
    "a matrix for all": (lambda x: ops.matmul(x, x[:, 0, :3]), r"Matmul: .*\(n, ..., t, d\)"),
    "whole numbers": (lambda x: ops.cast(x, "int32"), r"Cast: expected a float type.*'int32'"),
    "sines": (lambda x: ops.sin(x), r"layer 'sin\w*': no operation 'Sin' here"),
    "sums as einsum": (lambda x: ops.einsum("bijk->bk", x), "no operation 'Einsum' here"),
}  # fmt: skip


@pytest.mark.parametrize("which", REFUSED)
def test_what_the_layers_here_do_not_compute_is_refused_by_operation_and_name(which: str) -> None:
    make, message = REFUSED[which]
    entry = keras.Input((4, 4, 3))
    document = keras.Model(entry, make(entry)).to_json()
    with pytest.raises(errors.UnsupportedError, match=message):
        nn.models.model_from_json(document)


SETTINGS = (None, -1, 0, 7, [], [1, 1], [1, "a"], {}, "axis", [[1]], 2**70, 1.5)


@pytest.mark.parametrize("value", SETTINGS, ids=repr)
@pytest.mark.parametrize("which", ["clip", "moveaxis", "pad", "reshape", "resize", "sum", "stack"])
def test_a_damaged_operation_of_a_file_ends_in_an_error_of_the_file(which: str, value: Any) -> None:
    document = json.loads(reference_of(which).to_json())
    for item in document["config"]["layers"]:
        if item["module"].startswith("keras.src.ops."):
            for key in set(item["config"]) - {"name"}:
                item["config"][key] = value
    with suppress(errors.FormatError, nn.errors.NNError):  # no other
        nn.models.model_from_json(json.dumps(document))


# Graphs drawn at random.


@dataclass
class Graph:
    """A graph of Keras that grows by operations and layers.

    Attributes:
        rng: draws.
        tensors: what was made so far.
    """

    rng: np.random.Generator
    tensors: list[Any] = field(default_factory=list)

    def one(self, *choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def axes(self, x: Any, most: int) -> Any:
        """Draw axes after the batch's, counted from the first or the last."""
        count = int(self.rng.integers(1, most + 1))
        drawn = self.rng.choice(np.arange(1, x.ndim), count, replace=False)
        axes = [int(axis) - self.one(0, x.ndim) for axis in drawn]
        return axes if len(axes) > 1 else axes[0]

    def grow(self) -> None:
        """Add what one operation or layer makes of a tensor."""
        x = self.one(*self.tensors)
        grown = self.one(*GROWTH)(self, x)
        if grown is not None and np.prod(grown.shape[1:]) < 500 and 1 < grown.ndim < 6:
            self.tensors.append(grown)

    def by_element(self, x: Any) -> Any:
        kinds = (
            ops.relu, ops.tanh, ops.sigmoid, ops.silu, ops.softplus, ops.gelu, ops.abs, ops.square,
            ops.hard_sigmoid, ops.leaky_relu, lambda x: ops.exp(-ops.square(x)),
            lambda x: ops.sqrt(ops.square(x) + 0.5), lambda x: ops.clip(x, -0.3, 0.7),
            lambda x: 1 / (ops.abs(x) + 1), lambda x: ops.maximum(x, 0.1), keras.activations.relu,
        )  # fmt: skip
        return self.one(*kinds)(x)

    def reduced(self, x: Any) -> Any:
        kept = x.ndim < 4 or self.one(True, False)
        axes = self.axes(x, x.ndim - 1 if kept else x.ndim - 2)
        return self.one(ops.mean, ops.sum, ops.max, ops.min)(x, axis=axes, keepdims=kept)

    def reshaped(self, x: Any) -> Any:
        sizes = list(self.rng.permutation(x.shape[1:]))
        if len(sizes) > 1 and self.one(True, False):
            sizes = [sizes[0] * sizes[1], *sizes[2:]]
        return ops.reshape(x, (-1, *map(int, sizes)))

    def turned(self, x: Any) -> Any:
        order = [int(axis) for axis in self.rng.permutation(np.arange(1, x.ndim))]
        if self.one(True, False):
            return ops.transpose(x, (0, *order))
        first, second = self.axes(x, 1), self.axes(x, 1)
        return self.one(ops.swapaxes, ops.moveaxis)(x, first, second)

    def raised(self, x: Any) -> Any:
        return ops.expand_dims(x, int(self.rng.integers(1, x.ndim + 1)))

    def squeezed(self, x: Any) -> Any:
        ones = [axis for axis, size in enumerate(x.shape) if size == 1]
        return ops.squeeze(x, self.one(*ones)) if ones and x.ndim > 2 else None

    def joined(self, x: Any) -> Any:
        other = self.one(*(t for t in self.tensors if t.shape == x.shape))
        kind = self.one(ops.concatenate, ops.stack, None)
        if kind is None:
            return self.one(ops.add, ops.multiply, ops.maximum, ops.minimum)(x, other)
        return kind([x, other], axis=self.axes(x, 1))

    def soft(self, x: Any) -> Any:
        axis = self.axes(x, 1)
        return ops.softmax(x, axis=axis) if x.shape[axis] > 1 else None  # Keras warns of one

    def product(self, x: Any) -> Any:
        order = (0, 2, 1) if x.ndim == 3 else (0, 1, 3, 2)
        return ops.matmul(ops.transpose(x, order), x) if x.ndim in (3, 4) else None

    def by_layer(self, x: Any) -> Any:
        return self.one(L.Dense(3, activation="tanh"), L.LayerNormalization())(x)


GROWTH = [
    Graph.by_element, Graph.by_element, Graph.reduced, Graph.reshaped, Graph.turned, Graph.raised,
    Graph.squeezed, Graph.joined, Graph.soft, Graph.product, Graph.by_layer,
]  # fmt: skip


SEEDS = [pytest.param(seed, marks=pytest.mark.soak if seed >= 8 else ()) for seed in range(40)]


@pytest.mark.parametrize("seed", SEEDS)
def test_graphs_of_operations_and_layers_drawn_at_random_compute_and_train_alike(
    seed: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    shape = [int(size) for size in rng.integers(2, 5, rng.integers(1, 4))]
    keras.utils.set_random_seed(seed)
    entry = keras.Input(shape)
    graph = Graph(rng, [entry, L.Dense(3)(entry)])
    for _ in range(12):
        graph.grow()
    ends = [L.Dense(2)(L.Flatten()(x)) for x in graph.tensors[-3:]]
    reference = keras.Model(entry, ops.tanh(L.Add()(ends)))
    x = rng.normal(size=(BATCH, *shape)).astype(np.float32)
    train_alike(pass_both_ways(reference, tmp_path, x), reference, x)
