"""Operations in Keras' graphs: `x + 3.0`, `x[:, 0]`, `ops.relu(x)`, `ops.reshape(x, (-1, 49, 64))`.

Keras 3 stores one under its class, which may have the name of a layer, Keras 2 as a TFOpLambda.
With a number, arithmetic is a `Rescaling`, with two tensors the merging layer. `OPERATIONS` has the
others that one layer here computes, `nn.io.keras.steps` those that several do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nn.io.errors import UnsupportedError
from nn.types import prod

Json = dict[str, Any]
NUMPY, NN = "keras.src.ops.numpy", "keras.src.ops.nn"

# Name of the operation in Keras 3 or 2 -> its kind.
_KINDS = {
    "Add": "Add",
    "Subtract": "Subtract",
    "Multiply": "Multiply",
    "Divide": "Divide",
    "Maximum": "Maximum",
    "Minimum": "Minimum",
    "Power": "Power",
    "TrueDivide": "Divide",
    "__operators__.add": "Add",
    "__operators__.sub": "Subtract",
    "__operators__.mul": "Multiply",
    "math.add": "Add",
    "math.subtract": "Subtract",
    "math.multiply": "Multiply",
    "math.truediv": "Divide",
    "math.divide": "Divide",
}


class Operation:
    """A call of an operation.

    Attributes:
        kind: its class in Keras.
        config: its settings.
        args: its arguments.
        tensors: those of them that are tensors, as Keras writes them.
        shape: the first one's, with the batch's axis first, None where the file does not say it.
    """

    def __init__(self, item: Json, call: Any) -> None:
        config = item.get("config")
        self.kind = str(item.get("class_name"))
        self.config: Json = config if isinstance(config, dict) else {}
        self.name = item.get("name") or self.config.get("name")
        args = call.get("args") if isinstance(call, dict) else None
        self.args: list[Any] = args if isinstance(args, list) else []
        self.tensors = list(_tensors(self.args))
        self.shape = self.shape_of(self.tensors[0]) if self.tensors else None

    @classmethod
    def calls(cls, item: Json) -> list[Operation]:
        """Return the calls of an operation."""
        calls = item.get("inbound_nodes")
        return [cls(item, call) for call in (calls if isinstance(calls, list) else [])]

    def refused(self, expected: str) -> UnsupportedError:
        """Return the error that says what was expected of the operation."""
        return UnsupportedError(
            f"topology, layer {self.name!r}, operation {self.kind}: expected {expected}"
        )

    @staticmethod
    def shape_of(tensor: Json) -> list[int | None] | None:
        """Return a tensor's shape where the file says it: ours does not."""
        config = tensor.get("config")
        shape = config.get("shape") if isinstance(config, dict) else None
        sizes = isinstance(shape, list) and all(s is None or type(s) is int for s in shape)
        return shape if sizes and len(shape) > 1 else None  # type: ignore[arg-type]

    def rank(self) -> int:
        """Return the number of axes.

        Raises:
            UnsupportedError: the file does not say it.
        """
        if self.shape is None:
            raise self.refused("a tensor whose shape the file says")
        return len(self.shape)

    def axes(self, key: str = "axis", more: int = 0) -> list[int]:
        """Return the axes that a setting names, counted from the first where the rank is known.

        Args:
            key: the setting.
            more: axes that the operation adds.

        Raises:
            UnsupportedError: they are none, or the batch's is among them.
        """
        given = self.config.get(key)
        axes = [a for a in (given if isinstance(given, list) else [given]) if type(a) is int]
        if self.shape is not None:
            rank = len(self.shape) + more
            axes = [a + rank if a < 0 else a for a in axes if -rank <= a < rank]
        if not axes or 0 in axes or len(axes) != (len(given) if isinstance(given, list) else 1):
            raise self.refused(f"{key} after the batch's, received {given!r:.80}")
        return axes

    def axis(self, key: str = "axis", more: int = 0) -> int:
        """Return the only axis that a setting names, as `axes`.

        Raises:
            UnsupportedError: there are several, or it is the batch's.
        """
        axes = self.axes(key, more)
        if len(axes) > 1:
            raise self.refused(f"one {key}, received {axes}")
        return axes[0]

    def sizes(self, axes: Sequence[int]) -> tuple[int, ...]:
        """Return the sizes of axes.

        Raises:
            UnsupportedError: one is not known.
        """
        self.rank()
        made = [self.shape[axis] for axis in axes] if self.shape else []
        if None in made:
            raise self.refused(f"known sizes of axes {[*axes]}, received shape {self.shape}")
        return tuple(size for size in made if size is not None)

    def number(self, key: str) -> float:
        """Return a setting that is a number.

        Raises:
            UnsupportedError: it is none.
        """
        given = self.config.get(key)
        if type(given) not in (int, float):
            raise self.refused(f"a number as {key}, received {given!r:.80}")
        return given  # type: ignore[return-value]


def _tensors(value: Any) -> Iterator[Json]:
    if isinstance(value, list):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        yield value


Read = Callable[[Operation], tuple[str, Json]]
Write = Callable[[str, Json], Json | None]


@dataclass(frozen=True)
class Row:
    """An operation that one layer computes.

    Attributes:
        read: returns the layer's class and settings for a call.
        write: returns the operation's settings for a layer's class and settings, None for another
            layer. Without it the layer is written as such: it hands no masks on either.
        module: of the operation in Keras.
        keys: the operation's settings.
    """

    read: Read
    write: Write | None = None
    module: str = NUMPY
    keys: tuple[str, ...] = ("axis",)


def _activation(name: str, module: str = NN, **fixed: Any) -> Row:
    """Return the row of an activation, with the only settings that it has here."""

    def read(call: Operation) -> tuple[str, Json]:
        given = {key: call.config.get(key, value) for key, value in fixed.items()}
        if given != fixed:
            raise call.refused(f"{fixed}, received {given}")
        return "Activation", {"activation": name}

    def write(kind: str, config: Json) -> Json | None:
        return fixed if kind == "Activation" and config["activation"] == name else None

    return Row(read, write, module, tuple(fixed))


def _same(layer: str, *keys: str, module: str = NN) -> Row:
    """Return the row of an operation whose settings are the layer's."""

    def read(call: Operation) -> tuple[str, Json]:
        return layer, {key: call.config[key] for key in keys if key in call.config}

    def write(kind: str, config: Json) -> Json | None:
        return {key: config[key] for key in keys} if kind == layer else None

    return Row(read, write, module, keys)


def _along(layer: str, module: str) -> Row:
    """Return the row of an operation along axes."""

    def read(call: Operation) -> tuple[str, Json]:
        given, axes = call.config.get("axis"), call.axes()
        last = given == -1 or (call.shape is not None and axes == [len(call.shape) - 1])
        return layer, {"axis": -1 if last else axes if isinstance(given, list) else axes[0]}

    def write(kind: str, config: Json) -> Json | None:
        return {"axis": config["axis"]} if kind == layer else None

    return Row(read, write, module)


def _pooled(what: str) -> Row:
    """Return the row of a reduction of all axes between the batch's and the last, or after the
    first of a sample."""

    def read(call: Operation) -> tuple[str, Json]:
        axes = call.axes()
        first, count = axes[0], len(axes)
        if first not in (1, 2) or count > 3 or axes != [*range(first, first + count)]:
            raise call.refused(f"axes beside the batch's, received {axes}")
        order = "channels_last" if first == 1 else "channels_first"
        kept = call.config.get("keepdims") is True
        return f"Global{what}Pooling{count}D", {"data_format": order, "keepdims": kept}

    def write(kind: str, config: Json) -> Json | None:
        if not kind.startswith(f"Global{what}Pooling"):
            return None
        first = 2 if config["data_format"] == "channels_first" else 1
        axes = [*range(first, first + int(kind[-2]))]
        return {"axis": axes, "keepdims": config["keepdims"]}

    return Row(read, write, keys=("axis", "keepdims"))


def _power(exponent: float) -> Row:
    return Row(lambda call: ("Power", {"exponent": exponent}), keys=())


def _reshaped(call: Operation, sizes: Sequence[int | None]) -> tuple[str, Json]:
    """Return the layer that gives samples these sizes, of which one may be unknown."""
    shape = [-1 if size is None else size for size in sizes]
    if not shape or shape.count(-1) > 1 or min(shape) < -1:
        raise call.refused(f"samples with known sizes but for one, received {[*sizes]}")
    return "Reshape", {"target_shape": shape}


def _reshape(call: Operation) -> tuple[str, Json]:
    given = call.config.get("newshape")
    first, *sizes = given if isinstance(given, list) and given else [0]
    if any(type(size) is not int for size in sizes):
        raise call.refused(f"a shape of numbers, received {given!r:.80}")
    if first is not None and (call.shape is None or first != call.shape[0]):
        own = call.sizes(range(1, call.rank()))
        if first != -1 or -1 in sizes or prod(tuple(sizes)) != prod(own):
            raise call.refused(
                f"a shape that leaves the batch's axis, received {given!r:.80} for {call.shape}"
            )
    return _reshaped(call, sizes)


def _expanded(call: Operation) -> tuple[str, Json]:
    given = call.config.get("axis")
    count = len(given) if isinstance(given, list) else 1
    rank, axes = call.rank() + count, call.axes(more=count)
    rest = iter((call.shape or [])[1:])
    return _reshaped(call, [1 if axis in axes else next(rest) for axis in range(1, rank)])


def _squeezed(call: Operation) -> tuple[str, Json]:
    call.rank()
    shape = call.shape or []
    given = call.config.get("axis")
    axes = [a for a, size in enumerate(shape) if size == 1] if given is None else call.axes()
    if 0 in axes or any(shape[axis] != 1 for axis in axes):
        raise call.refused(f"axes of size 1 after the batch's, received {given!r:.80} of {shape}")
    return _reshaped(call, [size for a, size in enumerate(shape) if a and a not in axes])


def _order(call: Operation, order: Any) -> tuple[str, Json]:
    axes = order if isinstance(order, list) else []
    axes = [axis + len(axes) if type(axis) is int and axis < 0 else axis for axis in axes]
    if axes[:1] != [0] or any(axis not in axes for axis in range(len(axes))):
        raise call.refused(f"an order that leaves the batch's axis first, received {order!r:.80}")
    return "Permute", {"dims": axes[1:]}


def _swapped(call: Operation) -> tuple[str, Json]:
    order = [*range(call.rank())]
    first, second = call.axis("axis1"), call.axis("axis2")
    order[first], order[second] = second, first
    return _order(call, order)


def _moved(call: Operation) -> tuple[str, Json]:
    sources, targets = call.axes("source"), call.axes("destination")
    order = [axis for axis in range(call.rank()) if axis not in sources]
    for target, source in sorted(zip(targets, sources, strict=False)):
        order.insert(target, source)
    return _order(call, order)


def _product(call: Operation) -> tuple[str, Json]:
    shapes = [call.shape_of(tensor) for tensor in call.tensors]
    ranks = [len(shape or ()) for shape in shapes]
    if ranks == [3, 3]:
        return "Dot", {"axes": [2, 1]}
    if call.shape and (len(ranks) != 2 or ranks[0] != ranks[1] or ranks[0] < 3):
        raise call.refused(f"tensors (n, ..., t, d) and (n, ..., d, s), received {shapes}")
    return "Matmul", {}


def _written_product(kind: str, config: Json) -> Json | None:
    matrices = kind == "Matmul" or (kind == "Dot" and config["axes"] == [2, 1])
    return {} if matrices and not config.get("normalize") else None


def _padded(call: Operation) -> tuple[str, Json]:
    given, rank = call.config.get("pad_width"), call.rank()
    pads = given if isinstance(given, list) else []
    places = pads[1:-1]
    plain = call.config.get("mode") == "constant" and rank in (3, 4, 5) and len(pads) == rank
    if not plain or [pads[0], pads[-1]] != [[0, 0]] * 2:
        raise call.refused(f"zeros around the axes between first and last, received {given!r:.80}")
    return f"ZeroPadding{rank - 2}D", {"padding": places if rank > 3 else places[0]}


def _resized(call: Operation) -> tuple[str, Json]:
    size = call.config.get("size")
    if not isinstance(size, list) or len(size) != 2:
        raise call.refused(f"size of height and width, received {size!r:.80}")
    more = {key: call.config[key] for key in _RESIZE[1:] if key in call.config}
    return "Resizing", {"height": size[0], "width": size[1], **more}


_RESIZE = (
    "size", "interpolation", "antialias", "crop_to_aspect_ratio", "pad_to_aspect_ratio",
    "fill_mode", "fill_value", "data_format",
)  # fmt: skip


def _cast(call: Operation) -> tuple[str, Json]:
    given = str(call.config.get("dtype"))
    if "float" not in given:
        raise call.refused(f"a float type, received {given!r:.80}")
    return "Rescaling", {"scale": 1.0, "offset": 0.0}  # as a product, what Keras makes a float too


_ACTIVATIONS = (
    "hard_sigmoid", "hard_silu", "hard_tanh", "log_sigmoid", "relu", "relu6", "selu", "sigmoid",
    "silu", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "tanh_shrink",
)  # fmt: skip

OPERATIONS = {
    **{name.title().replace("_", ""): _activation(name) for name in _ACTIVATIONS},
    "Cast": Row(_cast, module="keras.src.ops.core", keys=("dtype",)),
    "Celu": _activation("celu", alpha=1.0),
    "Concatenate": _along("Concatenate", NUMPY),
    "Elu": _same("ELU", "alpha"),
    "Exp": _activation("exponential", NUMPY),
    "ExpandDims": Row(_expanded),
    "Gelu": _activation("gelu", approximate=False),
    "HardShrink": _activation("hard_shrink", threshold=0.5),
    "LeakyRelu": _same("LeakyReLU", "negative_slope"),
    "Log": Row(
        lambda call: ("Log", {}), lambda kind, config: {} if kind == "Log" else None, keys=()
    ),
    "LogSoftmax": _activation("log_softmax", axis=-1),
    "Matmul": Row(_product, _written_product, keys=()),
    "Max": _pooled("Max"),
    "Mean": _pooled("Average"),
    "Moveaxis": Row(_moved, keys=("source", "destination")),
    "Negative": Row(lambda call: ("Rescaling", {"scale": -1.0, "offset": 0.0}), keys=()),
    "Pad": Row(_padded, keys=("pad_width", "mode")),
    "ReLU": _same(
        "ReLU", "negative_slope", "max_value", "threshold",
        module="keras.src.activations.activations",
    ),
    "Reciprocal": _power(-1.0),
    "Reshape": Row(_reshape, keys=("newshape",)),
    "Resize": Row(_resized, module="keras.src.ops.image", keys=_RESIZE),
    "Rsqrt": _power(-0.5),
    "SoftShrink": _activation("soft_shrink", threshold=0.5),
    "Softmax": _along("Softmax", NN),
    "Sqrt": _power(0.5),
    "Square": _power(2.0),
    "Squareplus": _activation("squareplus", b=4),
    "Squeeze": Row(_squeezed),
    "Swapaxes": Row(_swapped, keys=("axis1", "axis2")),
    "Tanh": _activation("tanh", NUMPY),
    "Transpose": Row(lambda call: _order(call, call.config.get("axes")), keys=("axes",)),
}  # fmt: skip
"""Operation of Keras 3 -> how one layer computes it."""


def layer(item: Json) -> Json:
    """Return the layer of the engine that does what the operation does.

    Raises:
        UnsupportedError: another operation, or calls with several numbers.
    """
    name = item["config"].get("name")
    function = item["config"].get("function") or item["class_name"]
    if function == "GetItem":
        return {"class_name": function, "config": {"name": name, "masking": False, **_part(item)}}
    row = OPERATIONS.get(function) if isinstance(function, str) else None
    if row is not None:
        return _of_row(item, row)
    kind = _KINDS.get(function.removeprefix("tf.")) if isinstance(function, str) else None
    calls = [_operands(call) for call in item.get("inbound_nodes") or []]
    if kind is None or not calls or any(call != calls[0] for call in calls):
        raise UnsupportedError(f"topology, layer {name!r}: no operation {function!r:.80} here")
    first, second = calls[0]
    made: Json = {"name": name, "masking": False}
    if first is None and second is None and kind != "Power":
        return {"class_name": kind, "config": made}
    if kind == "Power" and second is not None:
        return {"class_name": kind, "config": {**made, "exponent": second}}
    settings = _rescaling(kind, first, second)
    if settings is None:
        raise UnsupportedError(
            f"topology, layer {name!r}: no {function} of {first or 'x'} and {second or 'x'} here"
        )
    return {"class_name": "Rescaling", "config": {**made, **settings}}


def _of_row(item: Json, row: Row) -> Json:
    """Return the layer of an operation of the table.

    Raises:
        UnsupportedError: settings that the layer lacks, or calls that need several layers.
    """
    calls = Operation.calls(item)
    found = [row.read(call) for call in calls if call.tensors]
    if not found or len(found) < len(calls) or any(made != found[0] for made in found):
        raise Operation(item, None).refused("calls of tensors alike")
    for key, value in calls[0].config.items():
        if key not in ("name", *row.keys) and value not in (None, False):
            raise calls[0].refused(f"no {key}, received {value!r:.80}")
    kind, settings = found[0]
    masks: Json = {"masking": False} if row.write or kind in ("Power", "Rescaling") else {}
    return {
        "class_name": kind,
        "config": {"name": calls[0].config.get("name"), **masks, **settings},
    }


def written(kind: str, config: Json) -> tuple[str, str, Json] | None:
    """Return module, class and settings of the operation that a layer means, None for no such."""
    for name, row in OPERATIONS.items():
        settings = row.write(kind, config) if row.write else None
        if settings is not None:
            return row.module, name, settings
    return None


def _part(item: Json) -> Json:
    """Return the settings of a GetItem, the index of each axis after the batch, and leave the index
    out of the calls.

    Raises:
        UnsupportedError: calls with several indices, or one of another kind than ints and slices.
    """
    made = [_index(call) for call in item.get("inbound_nodes") or []]
    if not made or None in made or any(index != made[0] for index in made):
        where = f"topology, layer {item['config'].get('name')!r}"
        raise UnsupportedError(f"{where}: expected x[:, ...] of ints and slices, received another")
    for call in item["inbound_nodes"]:
        del call["args"][1]
    return {"index": made[0]}


def _index(call: Any) -> list[Any] | None:
    """Return a call's index as a GetItem has it, None if it has none like it."""
    args = call.get("args") if isinstance(call, dict) else None
    if not isinstance(args, list) or len(args) != 2 or not isinstance(args[0], dict):
        return None
    items = list(map(_axis, args[1] if isinstance(args[1], list) else [args[1]]))
    shape = (args[0].get("config") or {}).get("shape")
    if items.count(...) == 1 and isinstance(shape, list):
        place = items.index(...)
        items[place : place + 1] = [[None] * 3] * (len(shape) - len(items) + 1)
    if not items or items[0] != [None] * 3 or None in items or ... in items:
        return None
    return items[1:]


def _axis(value: Any) -> Any:
    """Return the index of one axis: an int, [start, stop, step], ..., or None for another kind."""
    if type(value) is int:
        return value
    config = value.get("config") if isinstance(value, dict) else None
    kind = value.get("class_name") if isinstance(config, dict) else None
    if kind == "__ellipsis__":
        return ...
    found = [config.get(key, "") for key in ("start", "stop", "step")] if config else []
    plain = all(end is None or type(end) is int for end in found)
    return found if kind == "__slice__" and plain and found[2] != 0 else None


def _operands(call: Any) -> tuple[Any, Any]:
    """Return the two operands of a call: a number, or None for a tensor."""
    if isinstance(call, dict):
        given = call.get("args")
        values = [*(given if isinstance(given, list) else []), *_options(call.get("kwargs"))]
    else:  # [layer, call, output, {"y": number or address, "name": null}]
        source = call[0] if isinstance(call, list) and call and isinstance(call[0], list) else call
        values = [None, *_options(source[3] if isinstance(source, list) and source[3:] else None)]
    numbers = [v if type(v) in (int, float) else None for v in values[:2]]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (None, None)


def _options(options: Any) -> list[Any]:
    return [v for k, v in options.items() if k != "name"] if isinstance(options, dict) else []


def _rescaling(kind: str, first: Any, second: Any) -> Json | None:
    if first is None and second is None:
        return None
    number = float(second if first is None else first)
    if kind == "Add":
        return {"scale": 1.0, "offset": number}
    if kind == "Multiply":
        return {"scale": number, "offset": 0.0}
    if kind == "Subtract":
        return (
            {"scale": 1.0, "offset": -number}
            if first is None
            else {"scale": -1.0, "offset": number}
        )
    if first is None and number:
        return {"scale": 1 / number, "offset": 0.0}
    return None
