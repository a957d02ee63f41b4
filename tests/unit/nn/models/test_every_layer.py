"""Networks drawn from every layer predict, train, and are written to files or refused by name."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import nn
import numpy as np
import onnxruntime
import pytest
from nn import kernels
from nn.io import snapshot
from nn.models import replay

from tests.support import every_layer

GROUPS = [pytest.param(kinds, id="-".join(kinds)) for kinds in every_layer.groups()]
pytestmark = pytest.mark.usefixtures("native")


def test_every_layer_of_the_registry_is_drawn() -> None:
    drawn = set().union(*(every_layer.held(every_layer.network(k)) for k in every_layer.groups()))
    assert drawn == set(nn.layers.CLASSES) - every_layer.OUTSIDE


@pytest.mark.parametrize("kinds", GROUPS)
def test_kernels_predict_what_numpy_predicts(kinds: list[str]) -> None:
    model = every_layer.network(kinds)
    settings = json.loads(json.dumps(model.get_config()))
    again = nn.Model.from_config(settings)
    again.set_weights(model.get_weights())
    for size in (1, 3, 3, 3):  # settled, recorded and repeated
        x = every_layer.batch(model, size)
        with kernels.use("numpy"):
            expected = again.predict_on_batch(x)
        made = model.predict_on_batch(x)
        assert np.isfinite(expected).all()
        every_layer.expect_close(made, expected)


@pytest.mark.parametrize("kinds", GROUPS)
def test_repeated_calls_learn_exactly_what_the_layers_learn(kinds: list[str]) -> None:
    def learned() -> list[Any]:
        model = every_layer.network(kinds)
        model.compile(nn.Adam(0.01), "mse")
        x, y = every_layer.batch(model, 4), np.ones((4, 3), np.float32)
        losses = [model.train_on_batch(x, y) for _ in range(4)]
        return [losses, *model.get_weights(), model.predict_on_batch(x)]

    made = learned()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "ATTEMPTS", 0)
        expected = learned()
    assert np.isfinite(made[0]).all()
    for one, other in zip(made, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kinds", GROUPS)
@pytest.mark.parametrize("format", every_layer.FORMATS)
def test_a_file_has_the_network_or_names_the_layer_that_it_cannot_have(
    kinds: list[str], format: str
) -> None:
    model, data = every_layer.written(kinds, format)
    x = every_layer.batch(model)
    expected = model.predict_on_batch(x)
    every_layer.expect_close(nn.io.load(data).predict_on_batch(x), expected)
    if format == "onnx":
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        [made] = session.run(None, {session.get_inputs()[0].name: x})
        every_layer.expect_close(made, expected)


@pytest.mark.parametrize("kinds", GROUPS)
@pytest.mark.parametrize("globs", ["*/kernel", "*kernel", "inner/*", True], ids=repr)
def test_globs_choose_the_same_weights_in_every_format_that_quantizes(
    kinds: list[str], globs: Any
) -> None:
    drawn, _ = every_layer.written(kinds, "tfjs")
    entry = nn.Input(drawn.inputs[0].shape[1:])
    model = nn.Model(entry, nn.Model(drawn.inputs, drawn.outputs, name="inner")(entry))
    stored = {"quantization": {"uint8": globs}}
    here, there = (nn.io.load(nn.io.save(model, kind, **stored)) for kind in ("npz", "tfjs"))
    made = snapshot.get_weights(there)
    for path, expected in snapshot.get_weights(here).items():
        np.testing.assert_array_equal(made[path], expected, err_msg=path)


IMAGES_OF_ONE_SIZE = {"ConvLSTM1D", "ConvLSTM2D", "ConvLSTM2DCell"}
"""Layers whose states are images: their weights fit images of any size, they themselves do not."""


def placed(kind: str) -> list[tuple[nn.Layer, list[tuple[int, ...]]]]:
    """Return the layers with weights of a network of this kind, and what each was called on."""
    nodes = every_layer.network([kind]).graph.nodes
    return [(n.layer, [t.shape[1:] for t in n.inputs]) for n in nodes if n.layer.variables]


def fits(layer: nn.Layer, shapes: list[tuple[int, ...]]) -> nn.Layer | None:
    """Return another layer with the weights of this one, made for other inputs, if there can be
    one."""
    twin = type(layer).from_config(layer.get_config())
    try:
        twin([nn.Input(shape) for shape in shapes])
        twin.set_weights(layer.get_weights())
    except nn.errors.ShapeError:
        return None
    return twin


def wider(shapes: list[tuple[int, ...]], axis: int, size: int | None) -> list[tuple[Any, ...]]:
    """Return the shapes with an axis of all of them of another size, or of one more."""
    return [(*s[:axis], size and s[axis] + size, *s[axis + 1 :]) for s in shapes]


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("kind", every_layer.KINDS)
def test_a_layer_that_is_called_again_refuses_sizes_that_its_weights_do_not_fit(
    kind: str, known: bool
) -> None:
    """Wherever other inputs would make other weights: in a graph, and at run where it is not known
    there; wherever they would not, it computes what a layer made for them computes."""
    for layer, shapes in placed(kind):
        for axis in range(len(shapes[0])):
            larger = wider(shapes, axis, 1)
            twin = fits(layer, larger)
            x = [np.random.default_rng(axis).random((2, *s), dtype=np.float32) for s in larger]
            entries = [nn.Input(s) for s in (larger if known else wider(shapes, axis, None))]
            try:
                made = nn.Model(entries, layer(entries)).predict_on_batch(x)
            except nn.errors.ShapeError as refusal:
                said = str(refusal)
            else:
                said = ""
            if said:
                assert all(word in said for word in (layer.name, "expected", "received"))
                assert twin is None or not known or kind in IMAGES_OF_ONE_SIZE
                if twin is None:
                    with pytest.raises(nn.errors.ShapeError, match=r"expected.*received"):
                        layer(*x)
                continue
            assert twin is not None, f"{layer} computed {larger} with weights made for {shapes}"
            every_layer.expect_close(made, nn.Model(entries, twin(entries)).predict_on_batch(x))
            layer(*x)


@pytest.mark.parametrize("kind", every_layer.KINDS)
def test_numbers_of_64_bits_are_computed_in_the_type_of_the_layer_in_lists_too(kind: str) -> None:
    for node in every_layer.network([kind]).graph.nodes:
        shapes = [t.shape[1:] for t in node.inputs]
        if len(shapes) > 1 or None in shapes[0]:
            continue
        x = np.ones((2, *shapes[0]), np.float32)
        nn.set_random_seed(1)
        expected = node.layer(x)
        for given in (x.astype(np.float64), x.tolist()):
            nn.set_random_seed(1)
            np.testing.assert_array_equal(node.layer(given), expected, strict=True)


AXES = (2, 3, 4, 5, 2, 3)
ODD = [
    *(np.ones(AXES[:rank], np.float32) for rank in range(7)),
    *(np.zeros((2, *shape)) for shape in ((0,), (0, 4), (3, 0), (0, 6, 4), (7, 6, 0))),
    *(np.zeros((0, *AXES[1:rank])) for rank in range(1, 6)),
    np.full((2, 12), np.nan), np.full((2, 12), 1e30), np.ones((2, 6, 4), np.float16),
    np.ones((2, 12), int), np.ones((2, 7, 6, 4), bool), None, "x", [], [[]], {}, object(), 1j,
    np.array(["2020-01-01"], "M8[D]"),
]  # fmt: skip
"""What a caller may put into a layer by mistake, or because there are no samples."""


@pytest.mark.parametrize("kind", every_layer.KINDS)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_layer_called_on_arrays_computes_or_says_what_does_not_fit(
    kind: str, training: bool
) -> None:
    """What a graph refuses by its axes is refused here too, not only where NumPy stumbles."""
    node = next(
        n for n in every_layer.network([kind]).graph.nodes if type(n.layer).__name__ == kind
    )
    settings = {"class_name": kind, "config": node.layer.get_config()}
    count = len(node.inputs)
    for x in ODD:
        layer = nn.layers.deserialize(settings)
        if not kind.startswith("Random") and refused(nn.layers.deserialize(settings), x, count):
            with pytest.raises(nn.errors.NNError):
                layer(*[x] * count, training=training)
        with contextlib.suppress(nn.errors.NNError):
            layer(*[x] * count, training=training)


def refused(layer: nn.Layer, x: Any, count: int) -> bool:
    """Return whether a graph refuses inputs of the shape of this array, if it is one."""
    try:
        layer(*[nn.Input(np.shape(x)[1:]) for _ in range(count)])
    except nn.errors.NNError:
        return isinstance(x, np.ndarray) and x.ndim > 0
    return False


def test_half_numbers_are_computed_in_the_type_of_the_layer() -> None:
    x = np.linspace(900, 1000, 12, dtype=np.float16).reshape(3, 4)
    for layer in (nn.LayerNormalization(), nn.Activation("tanh"), nn.Flatten()):
        made = layer(x)
        assert made.dtype == np.float32
        np.testing.assert_array_equal(made, layer(x.astype(np.float32)))


def test_a_list_of_arrays_is_several_inputs_and_one_of_numbers_is_one() -> None:
    np.testing.assert_array_equal(nn.Add()([np.ones(2), [1.0, 2.0]]), [2, 3])
    for given in ([[1.0, 2.0], [3.0, 1.0]], [1.0, 2.0], 3.0):
        with pytest.raises(nn.errors.ShapeError, match="expected 2 or more inputs"):
            nn.Add()(given)


@pytest.mark.parametrize("numbers", [3, [0, 1], [[0, 1], [2, 3]], [[0], [1]], [[[0, 1]]]])
@pytest.mark.parametrize("mode", ["multi_hot", "one_hot", "count"])
def test_numbers_in_lists_are_encoded_as_those_in_arrays(mode: str, numbers: Any) -> None:
    def encoded(given: Any) -> Any:
        return nn.CategoryEncoding(4, mode)(given)

    expected = encoded(np.atleast_1d(numbers))
    np.testing.assert_array_equal(
        encoded(numbers), np.reshape(expected, np.shape(encoded(numbers)))
    )
    assert np.sum(encoded(numbers)) == np.size(numbers)


EMPTY = [[], [[]], np.zeros((0, 3)), [np.zeros((0, 3))] * 2, [(np.zeros((0, 3)), 1)]]
ADAPTED = [
    lambda: nn.Normalization(),
    lambda: nn.Discretization(num_bins=3),
    lambda: nn.StringLookup(),
    lambda: nn.IntegerLookup(),
    lambda: nn.TextVectorization(),
]


@pytest.mark.parametrize("data", EMPTY)
@pytest.mark.parametrize("make", ADAPTED)
def test_no_samples_are_nothing_to_adapt_to(make: Any, data: Any) -> None:
    with pytest.raises(nn.errors.EmptyError, match="at least 1 sample, received none"):
        make().adapt(iter(data) if isinstance(data, list) and data and data != [[]] else data)
