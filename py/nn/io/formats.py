"""Supported model formats: saving, loading and detection."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nn.data.numeric import contents
from nn.io import archive, package
from nn.io.errors import FormatError, UnknownFormatError
from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.keras_arguments import checked, expects
from nn.lazy import load as part

if TYPE_CHECKING:
    from nn.models.model import Model

FORMATS = {
    "npz": "nn.io.npz",
    "safetensors": "nn.io.safetensors",
    "tfjs": "nn.io.tfjs",
    "keras": "nn.io.keras.keras3",
    "onnx": "nn.io.onnx",
}
"""Format -> module with `save(model, **options)` and `load(data, **options)`."""

READ = FORMATS | {"h5": "nn.io.keras.legacy_h5"}
"""Formats that can be read, older ones included."""

ENDINGS = {
    ".npz": "npz",
    ".keras": "keras",
    ".safetensors": "safetensors",
    ".onnx": "onnx",
}
"""End of a file's name -> format of a whole model."""

WEIGHT_ENDINGS = {".weights.h5": "weights.h5", ".npz": "npz", ".safetensors": "safetensors"}
"""End of a file's name -> format of weights alone."""

TRAINED = ("npz", "keras", "h5", "tfjs")
"""Formats whose files may hold the training state and the arguments of `compile`."""

HDF5 = b"\x89HDF\r\n\x1a\n"
BOM = b"\xef\xbb\xbf"


@expects
def save(model: Model, format: str = "npz", **options: Any) -> bytes:
    """Return the model as the bytes of one file.

    Args:
        model: a built model.
        format: one of `FORMATS`.
        options: options of the format's `save`.

    Raises:
        UnsupportedError: the format cannot store a part of the model.
        UnknownFormatError: there is no such format.
        MissingPartError: the part of the engine with this format is not loaded.
    """
    if not isinstance(format, str) or format not in FORMATS:
        known = ", ".join(FORMATS)
        raise UnknownFormatError(f"format: expected one of {known}, received {format!r}")
    data: bytes = _module(format).save(model, **options)
    return data


@expects
def load(
    data: bytes | Mapping[str, bytes],
    format: str | None = None,
    *,
    compile: bool = True,
    **options: Any,
) -> Model:
    """Return the model stored in a file.

    The names of the classes that stand beside the model, in `labels.txt` or Teachable Machine's
    `metadata.json`, become `model.labels`.

    Args:
        data: the file's bytes, or those of a zip archive that it is in; for "tfjs" also a mapping
            of file names to bytes.
        format: one of `READ`; detected from the bytes by default.
        compile: False skips the training state, as in Keras. A page without the training part
            of the engine must pass False.
        options: options of the format's `load`.

    Raises:
        FormatError: see `nn.io.errors` for its subclasses.
        DataError: `data` is the path of a file, or no file at all.
        MissingPartError: the part of the engine with this format is not loaded, or the file is of
            a compiled model, and the training part is not loaded.
    """
    limits = options.get("limits", DEFAULT_LIMITS)
    if isinstance(data, Mapping):
        format = "tfjs"
        labels = package.labels(data, data.__getitem__, limits)
    else:
        data, labels = package.unpack(contents(data, "load"), limits)
        if isinstance(format, str | None):
            format = format or _detected(data, limits)
    module = _module(format)
    if format in TRAINED:
        options["compile"] = compile
    model: Model = module.load(data, **options)
    if labels:
        model.labels = labels
    return model


def format_of(path: Any, *, weights_only: bool = False) -> str:
    """Return the format that a file's name says.

    Raises:
        UnknownFormatError: a model is not saved under such a name.
    """
    known = WEIGHT_ENDINGS if weights_only else ENDINGS
    name = str(path).lower()
    if weights_only or not name.endswith(".weights.h5"):
        for ending, format in known.items():
            if name.endswith(ending):
                return format
    what = "weights" if weights_only else "a model"
    hint = "; older .h5 files are only read" if name.endswith(".h5") else ""
    raise UnknownFormatError(
        f"file name of {what}: expected one that ends in {', '.join(known)}, "
        f"received {str(path)!r}{hint}"
    )


def _module(format: str) -> Any:
    if not isinstance(format, str) or format not in READ:
        raise UnknownFormatError(f"format: expected one of {', '.join(READ)}, received {format!r}")
    # Imported lazily, so that a page imports only the formats it uses.
    return part(READ[format])


@checked
def sniff(data: bytes, limits: Limits = DEFAULT_LIMITS) -> str:
    """Return the format of a file, detected from its bytes.

    Raises:
        UnknownFormatError: none of `READ`.
        FormatError: a zip archive with an unreadable directory.
    """
    return _detected(package.unpack(contents(data, "sniff"), limits)[0], limits)


def _detected(data: bytes, limits: Limits) -> str:
    if data.startswith(archive.SIGNATURE):
        return _detected_archive(archive.Archive(data, limits).names)
    if data.startswith(HDF5):
        return "h5"
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data):
        return "safetensors"
    start = data[:64].removeprefix(BOM).lstrip()[:1]
    if start == b"{":
        return "tfjs"
    if start == b"<":
        raise UnknownFormatError(
            f"expected a model file, received a page: {data[:60]!r}; is the address right?"
        )
    # ModelProto's first field is its version: a key byte and a number below 128.
    if data[:1] == b"\x08" and 0 < int.from_bytes(data[1:2], "little") < 128:
        return "onnx"
    raise UnknownFormatError(
        f"expected one of {', '.join(READ)}, received {len(data)} bytes beginning with {data[:8]!r}"
    )


def _detected_archive(names: list[str]) -> str:
    found = package.format_of(names)
    if found is None:  # an archive in an archive in an archive
        raise UnknownFormatError(
            f"expected an archive with one of {', '.join(package.MEMBERS)}, "
            f"received {', '.join(names[:10]) or 'an empty one'}"
        )
    return found


def load_with_fallback(small: bytes, full: bytes, **options: Any) -> Model:
    """Load the quantized file, or the full one if the quantized one is damaged.

    Args:
        small: the preferred file.
        full: the fallback; using it raises a RuntimeWarning that describes the damage.
        options: options of `load`.

    Raises:
        FormatError: both are damaged; the error of the first, with that of the second as cause.
    """
    try:
        return load(small, **options)
    except FormatError as error:
        return _fall_back(error, full, options)


def _fall_back(error: FormatError, full: bytes, options: Mapping[str, Any]) -> Model:
    try:
        model = load(full, **options)
    except FormatError as second:
        error.add_note(f"the full-precision file cannot be loaded either: {second}")
        raise error from second
    warnings.warn(f"loaded the full-precision file instead: {error}", RuntimeWarning, stacklevel=3)
    return model
