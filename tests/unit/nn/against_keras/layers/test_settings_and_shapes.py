"""Settings that are wrong only together with an input's shape: what Keras refuses when a graph is
built is refused then, and what it takes has the same output shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import nn
import numpy as np
import pytest

from tests.unit.nn.against_keras.test_arguments import KERAS, arguments, needed_by, pairs

Shape = tuple[int | None, ...]
ROWS = np.ones((2, 2), np.float32)
SHAPES: list[Shape] = [(4,), (3, 4), (6, 6, 4), (None, None, 4), (5, 6, 6, 4)]
TWO: list[tuple[Shape, ...]] = [((4,), (4,)), ((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 4), (3, 5))]

WINDOWS = [1, 5, 7, (1, 7), (1, 2, 7)]
STEPS = [0, 2, 9, (1, 2)]
AXES = [0, 2, 5, -5, (), (1, 2), (1, 1), (1, -1), "x", (1, "x"), 1.5, None]
SETTINGS: dict[str, list[Any]] = {
    "axis": AXES,
    "axes": [*AXES, (1,), (1, 2, 3), (1, 5), (-1, -2)],
    "dims": [(2, 1), (1, 3), (0, 1), (1, 1), (), (3, 2, 1), (1.5, 2), (-1, 1), "ab", None],
    "target_shape": [
        (2, 2), (-1,), (-1, -1), (-1, 7), (0,), (-2,), (-2, -2), (), 4, (3, 4), (1.5,), ("x",),
        (-1, 0), "ab", None,
    ],
    "noise_shape": [
        (None, 1, 4, 7), (None, 2), (None,), (), (None, 1), (None, 1, 4), (1, 1), (None, 0),
        (None, -1), (None, 1.5), "x", 1,
    ],
    "cropping": [0, 2, 3, (1, 2), ((1, 2), (3, 4)), ((6, 0), (0, 0)), ((3, 3), (1, 1), (1, 1))],
    "padding": [1, (1, 2), ((1, 2), (3, 4)), "valid", "same", "causal", "x"],
    "kernel_size": WINDOWS, "pool_size": WINDOWS, "strides": STEPS, "dilation_rate": STEPS,
    "groups": [-1, 0, 2, 3, 8], "units": [0, -1, 3], "filters": [0, -1, 3], "n": [0, 3],
    "size": [0, 3, (1, 2), (1, 2, 3)], "height": [1, 7], "width": [1, 7],
    "shared_axes": [[1], [1, 2], [5], [-5], [1, 1], "x"], "depth_multiplier": [0, 2],
    "output_padding": [0, 5], "output_shape": [3, (3,), (None,), 0],
    "data_format": ["channels_first", "channels_last", "x"],
    "mean": [0.0, [1.0] * 3, [1.0] * 4], "scale": [1.0, [1.0] * 3, [1.0] * 4],
}  # fmt: skip

# Taken here, refused by Keras: class -> reason.
WIDER = {
    "InputLayer": "it may be called, and returns its input",
}
# Refused here, taken by Keras: (class, argument) -> reason; "" is any of them.
NARROWER = {
    ("Attention", ""): "its inputs have three axes",
    ("AdditiveAttention", ""): "its inputs have three axes",
    ("MultiHeadAttention", ""): "its inputs have three axes",
    ("RNN", ""): "Keras looks at neither the input's axes nor its steps",
    ("TimeDistributed", ""): "Keras calls the layer inside on what it does not take",
    **{
        (f"Random{kind}", ""): "images have a batch axis here"
        for kind in ("Brightness", "Contrast", "Crop", "Flip", "Rotation", "Translation", "Zoom")
    },
    ("CenterCrop", ""): "images have a batch axis here",
    ("Resizing", ""): "images have a batch axis here",
    ("ConvLSTM1D", "filters"): "no filters give no output",
    ("ConvLSTM2D", "filters"): "no filters give no output",
    ("ConvLSTM3D", "filters"): "no filters give no output",
    ("Conv2DTranspose", "padding"): "Keras does not look at it where sizes are unknown",
    ("Dot", "axes"): "the batch axis is none to sum over",
    ("Dropout", "noise_shape"): "Keras refuses it in training",
    ("AlphaDropout", "noise_shape"): "Keras refuses it in training",
    ("LayerNormalization", "axis"): "no axis, or a fraction of one, is none",
    ("UnitNormalization", "axis"): "no axis is none",
    ("BatchNormalization", "axis"): "a fraction is no axis",
    ("RMSNormalization", "axis"): "no axis is none",
    ("PReLU", "shared_axes"): "the batch axis is none, and Keras counts others from the end",
    ("Rescaling", "scale"): "Keras does not look at the shape of the numbers",
    ("Reshape", "target_shape"): "Keras takes sizes that are no whole numbers",
    ("Softmax", "axis"): "Keras looks at neither kind nor range",
    ("ZeroPadding2D", "padding"): "to cut is not to pad",
}
# Another shape than Keras': of two axes and more, Keras' layer puts together those of the first of
# them, where its documentation and CategoryEncoding's own output shape say the last.
OTHERS = {"Discretization"}
TENSORFLOW = {"Hashing", "HashedCrossing", "IntegerLookup", "StringLookup", "TextVectorization"}

LAYERS = [
    p
    for p in pairs()
    if issubclass(p.values[1], keras.layers.Layer)
    and p.id not in {*TENSORFLOW, *WIDER, *OTHERS}
    and not str(p.id).endswith(("Cell", "Cells"))  # which are called with states
]


def outcome(make: Callable[[], Any], inputs: Any, shapes: Sequence[Shape], errors: Any) -> Any:
    """Return the output's shape, or "refused"."""
    try:
        layer = make()
        given = [inputs(shape) for shape in shapes]
        apart = "MultiHead" in type(layer).__name__
        y = layer(*given) if apart else layer(given if len(given) > 1 else given[0])
    except errors:
        return "refused"
    return [tuple(t.shape) for t in (y if isinstance(y, list | tuple) else [y])]


def own_settings(ours: Any, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a layer needs here, and in Keras."""
    own = needed_by(ours, name)
    other = {k: KERAS[k]() if k in KERAS else v for k, v in own.items()}
    return own, other | ({"pool_size": 2} if name.startswith("AveragePooling") else {})


def given_shapes(ours: Any) -> list[tuple[Shape, ...]]:
    merges = ours.several_inputs and not (
        "units" in arguments(ours) or {"layer", "cell"} & arguments(ours).keys()
    )
    return TWO if merges else [(shape,) for shape in SHAPES]


@pytest.mark.parametrize(("ours", "theirs"), LAYERS)
def test_a_setting_that_does_not_fit_the_inputs_shape_ends_where_the_graph_is_built(
    ours: Any, theirs: Any
) -> None:
    name = ours.__name__
    own, other = own_settings(ours, name)
    different = {}
    for argument in sorted(arguments(ours).keys() & arguments(theirs).keys() & SETTINGS.keys()):
        narrower = (name, "") in NARROWER or (name, argument) in NARROWER
        for value in SETTINGS[argument]:
            changed = {argument: value}
            for shapes in given_shapes(ours):
                mine = outcome(
                    lambda c=changed: ours(**own | c), nn.Input, shapes, nn.errors.NNError
                )
                if mine == "refused" and narrower:
                    continue
                wanted = outcome(
                    lambda c=changed: theirs(**other | c), keras.Input, shapes, Exception
                )
                if mine != wanted:
                    different[argument, str(value), shapes] = mine, wanted
    assert different == {}


MERGED = ("nn.layers.dot_product", "nn.layers.merging")
MERGES = [p.values[0] for p in LAYERS if p.values[0].__module__ in MERGED]
PLACES = [*TWO, ((3, 4),), ((3, 4), (3, 4), (3, 4)), ((3, 4), (2, 4)), ((2, 5), (2, 5))]


@pytest.mark.parametrize("ours", MERGES)
def test_a_layer_that_merges_looks_at_its_inputs_in_each_call(ours: Any) -> None:
    settings = needed_by(ours, ours.__name__)
    for shapes in PLACES:
        layer = ours(**settings)
        layer([nn.Input((3, 4)), nn.Input((3, 4))])
        again = outcome(lambda made=layer: made, nn.Input, shapes, nn.errors.NNError)
        first = outcome(lambda: ours(**settings), nn.Input, shapes, nn.errors.NNError)
        assert again == first, shapes


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: nn.Dot(5)([nn.Input((3, 4))] * 2), "dot: expected axis from -3 to 2"),
        (lambda: nn.Dot("x"), "expected axes to be a int | Sequence"),
        (lambda: nn.Softmax("x"), "Softmax: expected axis to be a int"),
        (lambda: nn.Dropout(0.1, (None, 2))(nn.Input((4,))), r"dropout: .* received \(None, 2\)"),
        (lambda: nn.Reshape((-1, -1)), "reshape: expected sizes, -1 at most once"),
        (lambda: nn.Softmax((1, -1))(ROWS), r"softmax: .*received \[1, -1\] \(each once\)"),
        (lambda: nn.LayerNormalization(())(ROWS), r"normalization: .*received \[\]"),
        (
            lambda: nn.SpatialDropout1D(0.1)(nn.Input((4,))),
            "dropout1d: expected an input of 3 axes",
        ),
    ],
)
def test_says_which_layer_expected_what(make: Any, said: str) -> None:
    with pytest.raises(nn.errors.NNError, match=said):
        make()
