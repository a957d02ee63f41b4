"""The networks that the page offers and edits: lists of layers as plain data.

A layer is `(class name, {argument: value})`. The same tuples go into the URL, the editor's fields,
the worker and the generated program.
"""

from collections import OrderedDict

from app.language import tr
from app.page import numbers

try:
    from typing import Any
except ImportError:  # MicroPython has no typing, and never evaluates an annotation.
    pass

INPUT_SHAPE = (28, 28, 1)
CLASSES = 10
ACTIVATIONS = ("linear", "relu", "elu", "gelu", "sigmoid", "tanh", "softmax")

# Argument -> (kind, lowest, highest, default). Kinds: "int", "float", or a tuple of choices.
# A dict of MicroPython has no order, so what the page lists in order is made of pairs.
FIELDS: "OrderedDict[str, OrderedDict[str, Any]]" = OrderedDict(
    [
        (
            "Conv2D",
            OrderedDict(
                [
                    ("filters", ("int", 1, 256, 16)),
                    ("kernel_size", ("int", 1, 11, 3)),
                    ("strides", ("int", 1, 4, 1)),
                    ("padding", (("valid", "same"), None, None, "valid")),
                    ("activation", (ACTIVATIONS, None, None, "relu")),
                ]
            ),
        ),
        ("MaxPooling2D", OrderedDict([("pool_size", ("int", 1, 8, 2))])),
        ("AveragePooling2D", OrderedDict([("pool_size", ("int", 1, 8, 2))])),
        ("Flatten", OrderedDict()),
        (
            "Dense",
            OrderedDict(
                [
                    ("units", ("int", 1, 2048, 64)),
                    ("activation", (ACTIVATIONS, None, None, "relu")),
                ]
            ),
        ),
        ("Dropout", OrderedDict([("rate", ("float", 0.0, 0.9, 0.25))])),
        ("BatchNormalization", OrderedDict()),
        (
            "Rescaling",
            OrderedDict(
                [
                    ("scale", ("float", -100.0, 100.0, 1.0)),
                    ("offset", ("float", -100.0, 100.0, 0.0)),
                ]
            ),
        ),
    ]
)


def _conv(filters: int, kernel_size: int = 3, **more: Any) -> Any:
    layer = {"filters": filters, "kernel_size": kernel_size, "activation": "relu"}
    return ("Conv2D", dict(layer, **more))


def _dense(units: int, activation: str = "relu") -> Any:
    return ("Dense", {"units": units, "activation": activation})


# The arguments that Keras takes by position; no layer can be made without them.
POSITIONAL: "dict[str, tuple[str, ...]]" = {
    "Conv2D": ("filters", "kernel_size"),
    "MaxPooling2D": ("pool_size",),
    "AveragePooling2D": ("pool_size",),
    "Dense": ("units",),
    "Dropout": ("rate",),
    "Rescaling": ("scale",),
}
_POOL = ("MaxPooling2D", {"pool_size": 2})
# (x - mean) / deviation of MNIST's training pixels, 0.1307 and 0.3081.
_STANDARD = ("Rescaling", {"scale": 3.2457, "offset": -0.4242})
_FLAT: "tuple[str, dict[str, Any]]" = ("Flatten", {})

PRESETS: "OrderedDict[str, tuple[str, list[Any]]]" = OrderedDict(
    [
        (
            "seed",
            (
                tr("Two convolutions (54 k)"),
                [_conv(8), _POOL, _conv(16), _POOL, _FLAT, _dense(128), _dense(10, "softmax")],
            ),
        ),
        (
            "small",
            (
                tr("One convolution, fast"),
                [_conv(8, 5, strides=2), _POOL, _FLAT, _dense(10, "softmax")],
            ),
        ),
        (
            "lenet",
            (
                "LeNet-5 (1998)",
                [
                    _conv(6, 5, padding="same", activation="tanh"),
                    ("AveragePooling2D", {"pool_size": 2}),
                    _conv(16, 5, activation="tanh"),
                    ("AveragePooling2D", {"pool_size": 2}),
                    _FLAT,
                    _dense(120, "tanh"),
                    _dense(84, "tanh"),
                    _dense(10, "softmax"),
                ],
            ),
        ),
        ("mlp", (tr("Perceptron 784-500-10"), [_FLAT, _dense(500), _dense(10, "softmax")])),
        (
            "ort",
            (
                tr("As ONNX Runtime's demo"),
                [_STANDARD, _FLAT, _dense(500), _dense(10, "softmax")],
            ),
        ),
        (
            "deep",
            (
                tr("Deep, with dropout"),
                [
                    _conv(16, padding="same"),
                    _conv(16, padding="same"),
                    _POOL,
                    _conv(32, padding="same"),
                    _conv(32, padding="same"),
                    _POOL,
                    _FLAT,
                    ("Dropout", {"rate": 0.25}),
                    _dense(128),
                    ("Dropout", {"rate": 0.5}),
                    _dense(10, "softmax"),
                ],
            ),
        ),
    ]
)
DEFAULT = "seed"
HEAD: "list[Any]" = [_dense(10, "softmax")]  # what learns from features
# The options that a preset was published with; choosing the preset sets them.
# "ort": from its train.ts, which drops incomplete batches; 6,400 images make 100 complete ones.
TRAINED_WITH: "dict[str, dict[str, Any]]" = {
    "ort": {"subset": 6400, "optimizer": "AdamW", "lr": 1e-3, "batch": 64, "epochs": 5},
}


class LayerError(ValueError):
    """A layer that is not possible; `index` is its place in the list."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


def layers_of(preset: str) -> "list[Any]":
    """Return a copy of a preset's layers, which the editor may change."""
    return [(kind, dict(arguments)) for kind, arguments in PRESETS[preset][1]]


def fitted(layers: "list[Any]", classes: int) -> "list[Any]":
    """Return layers of which the last, if it is dense, has a unit for each class."""
    if not layers or layers[-1][0] != "Dense":
        return layers
    kind, arguments = layers[-1]
    return layers[:-1] + [(kind, dict(arguments, units=classes))]


def new_layer(kind: str) -> "tuple[Any, ...]":
    """Return a layer with the default value of every field."""
    return (kind, {name: field[3] for name, field in FIELDS[kind].items()})


def read_field(kind: str, name: str, text: str, plain: "Any" = str) -> Any:
    """Return the value of an editor's field. Raises ValueError: expected, received.

    Args:
        kind: of the layer.
        name: of its argument.
        text: as a link has it, or as it was typed.
        plain: makes of a number that was typed one that Python reads.
    """
    expected, low, high, _ = FIELDS[kind][name]
    if isinstance(expected, tuple):
        if text in expected:
            return text
        raise ValueError(
            tr(
                "{name}: expected one of {expected}, got {text!r}",
                name=name,
                expected=", ".join(expected),
                text=text,
            )
        )
    try:
        value = int(plain(text)) if expected == "int" else float(plain(text))
    except ValueError:
        noun = tr("a whole number") if expected == "int" else tr("a number")
        raise ValueError(
            tr("{name}: expected {noun}, got {text!r}", name=name, noun=noun, text=text)
        ) from None
    if not low <= value <= high:
        raise ValueError(
            tr(
                "{name}: expected {low} to {high}, got {text}",
                name=name,
                low=numbers.local(str(low)),
                high=numbers.local(str(high)),
                text=text,
            )
        )
    return value


def _window(side: int, window: int, stride: int, padding: str) -> int:
    if padding == "same":
        return -(-side // stride)
    return (side - window) // stride + 1


def _spatial(
    index: int, kind: str, arguments: "dict[str, Any]", shape: "tuple[int, ...]"
) -> "tuple[Any, ...]":
    if len(shape) != 3:
        raise LayerError(index, tr("{kind} expects an image: move it before Flatten", kind=kind))
    window = arguments.get("kernel_size", arguments.get("pool_size", 2))
    stride = arguments.get("strides", 1) if kind == "Conv2D" else window
    padding = arguments.get("padding", "valid")
    sides = [_window(side, window, stride, padding) for side in shape[:2]]
    if min(sides) < 1:
        raise LayerError(
            index,
            tr(
                "a window of {window} does not fit into {rows} × {columns}",
                window=window,
                rows=shape[0],
                columns=shape[1],
            ),
        )
    return (sides[0], sides[1], arguments["filters"] if kind == "Conv2D" else shape[2])


def _next_shape(
    index: int, kind: str, arguments: "dict[str, Any]", shape: "tuple[int, ...]"
) -> "tuple[Any, ...]":
    if kind in ("Conv2D", "MaxPooling2D", "AveragePooling2D"):
        return _spatial(index, kind, arguments, shape)
    if kind == "Flatten":
        product = 1
        for side in shape:
            product *= side
        return (product,)
    if kind == "Dense":
        if len(shape) != 1:
            sides = " × ".join(str(side) for side in shape)
            raise LayerError(
                index,
                tr("Dense expects a flat input, got {sides}: put Flatten before it", sides=sides),
            )
        return (arguments["units"],)
    return shape


def _parameters(kind: str, arguments: "dict[str, Any]", shape: "tuple[int, ...]") -> int:
    if kind == "Conv2D":
        return int((arguments["kernel_size"] ** 2 * shape[2] + 1) * arguments["filters"])
    if kind == "Dense":
        return int((shape[0] + 1) * arguments["units"])
    if kind == "BatchNormalization":
        return 4 * shape[-1]
    return 0


def plan(
    layers: "list[Any]", classes: int = CLASSES, shape: "tuple[int, ...]" = INPUT_SHAPE
) -> "list[Any]":
    """Return (class name, output shape, parameters) of each layer, without building anything.

    Args:
        layers: the layers.
        classes: that the network answers with.
        shape: of an image.

    Raises:
        LayerError: at the first layer that cannot take its input, or at the last one when it is
            not `Dense(classes, softmax)`.
    """
    rows = []
    for index, (kind, arguments) in enumerate(layers):
        following = _next_shape(index, kind, arguments, shape)
        rows.append((kind, following, _parameters(kind, arguments, shape)))
        shape = following
    last = len(layers) - 1
    if shape != (classes,) or layers[last][1].get("activation") != "softmax":
        raise LayerError(
            max(last, 0),
            tr(
                "the last layer must be Dense with {classes} units and softmax: one probability "
                "a class",
                classes=classes,
            ),
        )
    return rows


def encode(layers: "list[Any]") -> str:
    """Write layers for the URL: 'Conv2D,filters:8,kernel_size:3;Flatten;...'."""
    parts = []
    for kind, arguments in layers:
        words = [kind]
        words += [f"{name}:{value}" for name, value in sorted(arguments.items())]
        parts.append(",".join(words))
    return ";".join(parts)


def decode(text: str) -> "list[Any]":
    """Read what `encode` wrote. Raises ValueError naming the part that is no layer."""
    layers = []
    for part in text.split(";"):
        words = part.split(",")
        kind = words[0]
        if kind not in FIELDS:
            raise ValueError(f"expected a layer ({', '.join(FIELDS)}), got {kind!r}")
        layer = {}
        for word in words[1:]:
            name, _, value = word.partition(":")
            if name not in FIELDS[kind]:
                raise ValueError(f"{kind} has no field {name!r}")
            layer[name] = read_field(kind, name, value)
        missing = [name for name in POSITIONAL.get(kind, ()) if name not in layer]
        if missing:
            raise ValueError(f"{kind} needs {missing[0]}")
        layers.append((kind, layer))
    return layers
