"""Operations of Keras' graphs that several layers compute here: `ops.sum`, `ops.clip`, `ops.stack`.

Each is replaced by operations that one layer each computes, before the graph is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from nn.io.keras.operations import NUMPY, Operation
from nn.io.keras.read_config import handles
from nn.types import prod

Json = dict[str, Any]
Steps = list[tuple[str, Json, list[Any]]]
"""Operations one after another: the kind, its settings, its arguments.

An argument is a number, an array, "x0" or "x1" for a tensor of the call, "s0" or "s1" for what a
step made, "s" for what the last one made, or a list of these."""


def spread(items: list[Any]) -> list[Any]:
    """Return the layers of a graph with steps in place of operations that need several.

    Raises:
        UnsupportedError: the layers here do not compute an operation.
    """
    taken = {item.get("name") for item in items if isinstance(item, dict)}
    return [made for item in items for made in _spread(item, taken)]


def _spread(item: Any, taken: set[Any]) -> list[Any]:
    find = STEPS.get(str(item.get("class_name"))) if isinstance(item, dict) else None
    if find is None or not handles(item):
        return [item]
    calls = Operation.calls(item)
    plans = [find(call) if call.tensors else None for call in calls]
    steps = plans[0] if plans else None
    if steps is None or any(plan != steps for plan in plans):
        return [item]  # reading it refuses what differs from call to call
    name = item.get("name")
    names = [*_free(f"{name}_step", len(steps) - 1, taken), name]
    return [
        {
            "module": NUMPY,
            "class_name": kind,
            "name": own,
            "config": {**config, "name": own},
            "inbound_nodes": [
                {"args": _filled(args, call, names[:place], number), "kwargs": {}}
                for number, call in enumerate(calls)
            ],
        }
        for place, (own, (kind, config, args)) in enumerate(zip(names, steps, strict=True))
    ]


def _free(name: str, count: int, taken: set[Any]) -> Iterable[str]:
    """Return names that no layer of the graph has, and take them."""
    made: list[str] = []
    number = 0
    while len(made) < count:
        number += 1
        if f"{name}_{number}" not in taken:
            made.append(f"{name}_{number}")
    taken.update(made)
    return made


def _filled(value: Any, call: Operation, before: list[Any], number: int) -> Any:
    """Return arguments with the tensors that they name.

    Args:
        value: as in `Steps`.
        call: the operation's.
        before: the names of the steps before.
        number: of the call.
    """
    if isinstance(value, list):
        return [_filled(item, call, before, number) for item in value]
    if not isinstance(value, str):
        return value
    if value[0] == "x" or not before:
        return call.tensors[int(value[1:] or 0)]
    history = [before[int(value[1:] or -1)], number, 0]
    return {"class_name": "__keras_tensor__", "config": {"keras_history": history}}


def _reduced(call: Operation) -> Steps | None:
    """Return steps of a reduction: the mean or the maximum of the axis after the batch's, which
    axes become that are not all but the first or last.

    A sum is a mean times the number of elements, a minimum the maximum of the negative values.
    """
    kind = {"Amax": "Max", "Amin": "Min"}.get(call.kind, call.kind)
    if call.shape is None and kind in ("Mean", "Max"):
        return None  # written here, which is one layer
    if call.config.get("initial") is not None:
        raise call.refused(f"no initial value, received {call.config['initial']!r:.80}")
    axes, kept, rank = sorted({*call.axes()}), call.config.get("keepdims") is True, call.rank()
    base = "Max" if kind in ("Max", "Min") else "Mean"
    steps: Steps = [("Negative", {}, ["x0"])] if kind == "Min" else []
    if axes in ([*range(1, rank - 1)], [*range(2, rank)]):
        more = {key: value for key, value in call.config.items() if key != "name"}
        steps.append((base, {**more, "axis": axes}, ["s"]))
    else:
        steps += _along_one(call, base, axes, kept)
    if kind == "Sum":
        steps.append(("Multiply", {}, ["s", float(prod(call.sizes(axes)))]))
    if kind == "Min":
        steps.append(("Negative", {}, ["s"]))
    return steps


def _along_one(call: Operation, base: str, axes: list[int], kept: bool) -> Steps:
    rank = call.rank()
    rest = [axis for axis in range(1, rank) if axis not in axes]
    if not rest and not kept:
        raise call.refused(f"an axis beside the batch's to stay, received axis {axes}")
    order = [*axes, *rest]
    turned: Steps = [("Transpose", {"axes": [0, *order]}, ["s"])] if order != sorted(order) else []
    sizes = [1 if axis in axes else call.sizes([axis])[0] for axis in range(1, rank)]
    left = [size for axis, size in enumerate(sizes, 1) if kept or axis not in axes]
    flat = [None, prod(call.sizes(axes)), prod(call.sizes(rest))]
    return [
        *turned,
        ("Reshape", {"newshape": flat}, ["s"]),
        (base, {"axis": [1], "keepdims": False}, ["s"]),
        ("Reshape", {"newshape": [None, *left]}, ["s"]),
    ]


def _clipped(call: Operation) -> Steps:
    low, high = (call.number(key) for key in ("x_min", "x_max"))
    return [
        ("Maximum", {}, ["x0", _array(low, call)]),
        ("Minimum", {}, ["s", _array(high, call)]),
    ]


def _array(number: float, call: Operation) -> Json:
    """Return a number as an array, with as many axes as the call's tensor."""
    value: Any = [number]
    for _ in call.shape[1:] if call.shape else ():
        value = [value]
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": "float32"}}


def _against(call: Operation) -> Steps | None:
    """Return steps of the larger or smaller of a tensor and a number."""
    numbers = [n for n in call.args if type(n) in (int, float)]
    return [(call.kind, {}, ["x0", _array(numbers[0], call)])] if numbers and call.tensors else None


def _by(call: Operation) -> Steps | None:
    """Return steps of a number divided by a tensor."""
    first = call.args[0] if call.args else None
    if type(first) not in (int, float) or not call.tensors:
        return None
    return [("Power", {}, ["x0", -1.0]), ("Multiply", {}, ["s", first])]


def _stacked(call: Operation) -> Steps:
    axis = call.axis(more=1)
    count = len(call.tensors)
    apart: Steps = [("ExpandDims", {"axis": axis}, [f"x{i}"]) for i in range(count)]
    return [*apart, ("Concatenate", {"axis": axis}, [[f"s{i}" for i in range(count)]])]


def _gelu(call: Operation) -> Steps | None:
    """Return steps of the gelu by tanh: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))."""
    if not call.config.get("approximate"):
        return None
    return [
        ("Power", {}, ["x0", 3]),
        ("Multiply", {}, ["s", 0.044715]),
        ("Add", {}, ["x0", "s"]),
        ("Multiply", {}, ["s", 0.7978845608028654]),
        ("Tanh", {}, ["s"]),
        ("Add", {}, ["s", 1.0]),
        ("Multiply", {}, ["x0", "s"]),
        ("Multiply", {}, ["s", 0.5]),
    ]


def _absolute(call: Operation) -> Steps:
    return [("Negative", {}, ["x0"]), ("Maximum", {}, ["x0", "s"])]


STEPS: dict[str, Callable[[Operation], Steps | None]] = {
    **dict.fromkeys(("Amax", "Amin", "Max", "Mean", "Min", "Sum"), _reduced),
    **dict.fromkeys(("Divide", "TrueDivide"), _by),
    **dict.fromkeys(("Maximum", "Minimum"), _against),
    "Absolute": _absolute,
    "Clip": _clipped,
    "Gelu": _gelu,
    "Stack": _stacked,
}
"""Operation of Keras -> the steps for a call, None where one layer computes it."""
