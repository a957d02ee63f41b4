"""Arithmetic between tensors and numbers in Keras' graphs: `x + 3.0`, `x * (1 / 6)`.

Keras 3 stores it as an operation of the module keras.src.ops.numpy, whose class may have the name
of a merging layer, Keras 2 as a TFOpLambda. With a number it is a `Rescaling`, with two tensors the
merging layer.
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
