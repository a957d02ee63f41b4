"""Conversion of nested plain data and arrays to JSON and a dict of arrays.

>>> document, arrays = flatten({"step": 3, "slots": [np.zeros(2, "f4")]})
>>> document
{'step': 3, 'slots': [{'$array': 'slots/0'}]}

The JSON is Python's: `NaN` and `Infinity` are allowed (losses may diverge), floats are exact
(`repr` is shortest-exact), and integers have any length (PCG64's state has 128 bits).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import CorruptError, MissingEntryError, UnsupportedError, utf8
from nn.io.limits import DEFAULT_LIMITS, Limits

Array = NDArray[np.generic]


def flatten(value: Any, prefix: str = "") -> tuple[Any, dict[str, Array]]:
    """Split ``value`` into JSON-ready data and the arrays, referred to by path.

    Raises:
        UnsupportedError: a value is neither plain data nor bytes nor a numeric array.
    """
    arrays: dict[str, Array] = {}
    return _flatten(value, prefix, arrays), arrays


def _flatten(value: Any, path: str, arrays: dict[str, Array]) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {"$array": path}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {_key(k, path): _flatten(v, _join(path, k), arrays) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_flatten(v, _join(path, i), arrays) for i, v in enumerate(value)]
    raise UnsupportedError(f"{path or 'value'}: expected plain data, received {type(value)}")


def _join(path: str, key: object) -> str:
    return f"{path}/{key}" if path else str(key)


def _key(key: object, path: str) -> str:
    if not isinstance(key, str) or key.startswith("$"):
        raise UnsupportedError(
            f"{path or 'value'}: expected keys to be text without a leading '$', received {key!r}"
        )
    return key


def unflatten(document: Any, arrays: Mapping[str, Array], where: str = "document") -> Any:
    """Undo `flatten` (tuples come back as lists).

    Raises:
        MissingEntryError: the document refers to a missing array.
        CorruptError: a reference or encoded bytes are malformed.
    """
    if isinstance(document, list):
        return [unflatten(item, arrays, where) for item in document]
    if not isinstance(document, dict):
        return document
    if "$array" in document:
        return _array(document["$array"], arrays, where)
    if "$bytes" in document:
        return _bytes(document["$bytes"], where)
    return {key: unflatten(item, arrays, where) for key, item in document.items()}


def _array(name: object, arrays: Mapping[str, Array], where: str) -> Array:
    if not isinstance(name, str) or name not in arrays:
        raise MissingEntryError(f"{where}: refers to an array {name!r} that is not in the file")
    return arrays[name]


def _bytes(text: object, where: str) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error as error:
        raise CorruptError(f"{where}: expected base64, received {text!r}") from error


def to_json(document: Any) -> bytes:
    """Return the document as UTF-8 JSON.

    Raises:
        UnsupportedError: a text holds half of a character of two parts.
    """
    return utf8(json.dumps(document, ensure_ascii=False, separators=(",", ":")))


def from_json(data: bytes, where: str, limits: Limits = DEFAULT_LIMITS) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        LimitError: the text is longer than ``limits.document``.
        CorruptError: not UTF-8, not JSON, nested too deeply, or not an object.
    """
    limits.check_document(len(data), where)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CorruptError(
            f"{where}: expected JSON, received {bytes(data[:40])!r}: {error}"
        ) from error
    if not isinstance(document, dict):
        raise CorruptError(f"{where}: expected a JSON object, received {type(document).__name__}")
    return document
