"""Every setting of every layer, of any kind: the layer is made and placed, or refused by type."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import nn
import pytest
from nn.errors import NNError

from tests.support import every_layer

VALUES: list[Any] = [
    None, True, -1, 0, 3, 300, 0.5, -2.5, math.nan, math.inf, "x", "Dense", [], [0], [-1], [0.5],
    [[[]]], [1, 2, 3], {}, [None], (1, -1), ((1, -1), (1, 1)), ((1, math.nan), (1, 1)),
]  # fmt: skip
FILES = {("IntegerLookup", "vocabulary")}
"""A text is the name of a file."""


def placed() -> dict[str, Any]:
    """Return a call of each layer, by the name of its class."""
    nodes = (n for kinds in every_layer.groups() for n in every_layer.network(kinds).graph.nodes)
    return {type(node.layer).__name__: node for node in nodes if node.layer.fields}


NODES = placed()


def place(layer: nn.Layer, shapes: list[Any]) -> None:
    entries = [nn.Input(shape) for shape in shapes]
    layer(entries if len(entries) > 1 else entries[0])


@pytest.mark.parametrize("kind", NODES)
@pytest.mark.parametrize("way", ["constructor", "from_config"])
def test_a_setting_of_any_kind_is_taken_or_refused_by_type(kind: str, way: str) -> None:
    layer = NODES[kind].layer
    shapes = [tensor.shape[1:] for tensor in NODES[kind].inputs]
    # Zeros, because a kernel of 300 x 300 x 300 takes seconds to draw.
    drawn = [name for name in layer.fields if name.endswith("initializer")]
    whole = layer.get_config() | dict.fromkeys(drawn, "zeros")
    inner = {name: getattr(layer, name) for name in layer.inner_fields}
    for field in layer.fields:
        for value in VALUES:
            if (kind, field) in FILES and isinstance(value, str):
                continue
            with contextlib.suppress(NNError):
                if way == "from_config":
                    made = type(layer).from_config({**whole, field: value})
                else:
                    given = {name: whole[name] for name in layer.fields}
                    made = type(layer)(**{**given, **inner, field: value})
                place(made, shapes)


AXES: list[tuple[Any, int]] = [
    (nn.Softmax, 4), (nn.Softmax, -3), (nn.Softmax, [0, 3]), (nn.layers.UnitNormalization, 2),
    (nn.BatchNormalization, 5), (nn.LayerNormalization, [1, 7]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "axis"), AXES, ids=str)
def test_an_axis_that_the_input_has_not_is_refused(kind: Any, axis: Any) -> None:
    with pytest.raises(NNError, match="expected axis from -2 to 1, received"):
        kind(axis=axis)(nn.Input((3,)))


SHAPES: list[Any] = [
    -1,
    3,
    0.5,
    "Dense",
    (-1,),
    (0.5, 2),
    ("x",),
    (math.nan,),
    ((1,),),
    {},
    (2**40,),
]


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_an_input_of_an_impossible_shape_is_refused(shape: Any) -> None:
    for make in (
        lambda: nn.Input(shape),
        lambda: nn.Input(batch_shape=shape),
        lambda: nn.Dense(2, input_shape=shape),
        lambda: nn.layers.InputLayer.from_config({"shape": shape, "name": "a"}),
    ):
        with pytest.raises(NNError, match=r"expected a shape of whole numbers or None, received"):
            make()


def test_arguments_that_no_layer_has_stay_an_error_of_the_call() -> None:
    with pytest.raises(TypeError, match="unexpected argument 'unit'"):
        nn.Dense(2, unit=3)
    with pytest.raises(TypeError, match="missing 1 required"):
        nn.Dense()
