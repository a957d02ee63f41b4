"""Arithmetic between tensors and numbers in Keras' graphs: `x + 3.0`, `x * (1 / 6)`.

Keras 3 stores it as an operation of the module keras.src.ops.numpy, whose class may have the name
of a merging layer, Keras 2 as a TFOpLambda. With a number it is a `Rescaling`, with two tensors the
merging layer. A part of a tensor, `x[:, 0]`, is an operation of Keras 3 too.
"""

from __future__ import annotations

from typing import Any

from nn.io.errors import UnsupportedError

Json = dict[str, Any]

# Name of the operation in Keras 3 or 2 -> its kind.
_KINDS = {
    "Add": "Add",
    "Subtract": "Subtract",
    "Multiply": "Multiply",
    "Divide": "Divide",
    "Maximum": "Maximum",
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


def layer(item: Json) -> Json:
    """Return the layer of the engine that does what the operation does.

    Raises:
        UnsupportedError: another operation, or calls with several numbers.
    """
    name = item["config"].get("name")
    function = item["config"].get("function") or item["class_name"]
    if function == "GetItem":
        return {"class_name": function, "config": {"name": name, "masking": False, **_part(item)}}
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
