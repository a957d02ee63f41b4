"""Contents of an archive or folder: which file is the model's, and the labels beside it.

Exports come as zip archives in which the files lie in a folder, or in which the model is a file of
its own: Teachable Machine's `converted_keras.zip` holds `keras_model.h5` and `labels.txt`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath

from nn.io.archive import SIGNATURE, Archive, plain_name
from nn.io.errors import UnknownFormatError
from nn.io.limits import DEFAULT_LIMITS, Limits

MEMBERS = {"nn.json": "npz", "config.json": "keras", "model.json": "tfjs"}
"""Members that identify the formats of archives."""

_MODELS = (".h5", ".hdf5", ".keras", ".npz", ".onnx", ".safetensors")
_LABELS = ("labels.txt", "metadata.json")


def format_of(names: Iterable[str]) -> str | None:
    """Return the format of the files of one model, or None if their names do not tell."""
    names = list(names)
    for member, format in MEMBERS.items():
        if member in names:
            return format
    return "tfjs" if document(names) else None


def document(names: Iterable[str]) -> str | None:
    """Return the name of the JSON document of a layers-model, or None.

    TensorFlow.js calls it model.json, or, when a browser saves it, by the name of the model.
    """
    found = [name for name in names if name.endswith(".json") and _base(name) not in _LABELS]
    named = [name for name in found if _base(name) == "model.json"]
    choice = named or found
    return choice[0] if len(choice) == 1 else None


def unpack(data: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[bytes, list[str] | None]:
    """Return the bytes of the model's file, which may be a member of an archive, and its labels.

    Raises:
        UnknownFormatError: an archive without a model, or with several.
        FormatError: a damaged archive.
    """
    if not data.startswith(SIGNATURE):
        return data, None
    archive = Archive(data, limits)
    found = labels(archive.names, archive.read, limits)
    if format_of(archive.names):
        return data, found
    models = [name for name in archive.names if name.lower().endswith(_MODELS)]
    if len(models) != 1:
        raise UnknownFormatError(
            f"expected an archive with one of {', '.join(MEMBERS)}, or with one file *"
            f"{', *'.join(_MODELS)}, received {', '.join(archive.names[:10]) or 'an empty one'}"
        )
    return archive.read(models[0]), found


def plain(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return files by names with `/` between their parts."""
    return {plain_name(name): data for name, data in files.items()}


def labels(
    names: Iterable[str], read: Callable[[str], bytes], limits: Limits = DEFAULT_LIMITS
) -> list[str] | None:
    """Return the names of the classes in labels.txt or Teachable Machine's metadata.json."""
    for name in names:
        if _base(name) not in _LABELS:
            continue
        data = read(name)
        limits.check_document(len(data), name)
        text = data.decode("utf-8-sig", errors="replace")
        found = _listed(text) if name.endswith(".txt") else _metadata(text)
        if found:
            return found
    return None


def _listed(text: str) -> list[str]:
    """Return the lines, without the numbers of the classes in front: "0 cat", "1 dog"."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if all(line.split()[0] == str(index) for index, line in enumerate(lines)):
        return [line.partition(" ")[2].strip() for line in lines]
    return lines


def _metadata(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    items = found.get("labels") if isinstance(found, dict) else None
    return [str(item) for item in items] if isinstance(items, list) else []


def _base(name: str) -> str:
    return PurePosixPath(name).name
