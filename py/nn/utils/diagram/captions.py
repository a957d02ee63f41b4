"""Captions of layers: a short title, a note of sizes, a sentence for readers, and their widths."""

from __future__ import annotations

from typing import Any

SHORT = {
    "AveragePooling1D": "Mean",
    "AveragePooling2D": "Mean",
    "BatchNormalization": "Norm",
    "Concatenate": "Concat",
    "Conv1D": "Conv",
    "Conv2D": "Conv",
    "Conv2DTranspose": "Deconv",
    "DepthwiseConv2D": "Depthwise",
    "GlobalAveragePooling2D": "Mean of all",
    "GlobalMaxPooling2D": "Max of all",
    "LayerNormalization": "Norm",
    "MaxPooling1D": "Pool",
    "MaxPooling2D": "Pool",
    "SeparableConv2D": "Separable",
    "ZeroPadding2D": "Pad",
}
WORDS = {
    "AveragePooling2D": "Average pooling",
    "BatchNormalization": "Batch normalization",
    "Concatenate": "Concatenation",
    "Conv2D": "Convolution",
    "Dense": "Dense layer",
    "GlobalAveragePooling2D": "Mean of each map",
    "InputLayer": "Input",
    "MaxPooling2D": "Max pooling",
}
TIMES = "\u00d7"
WIDTHS = (("fijlrtI .,:;|!'()[]-/", 0.48), ("mw", 1.06), ("MW@%\u2026", 1.13), ("\u00d7", 0.9))
"""The widths of characters in ems, of DejaVu Serif's bold italic; capitals and others are below."""


def title(layer: Any) -> str:
    """Return the name of a layer as it stands above it: "Conv 3×3"."""
    kind = type(layer).__name__
    if kind == "InputLayer":
        return "Input"
    if kind in ("Dense", "Activation", "Softmax") and layer.last_activation == "softmax":
        return "Softmax"
    window = _window(layer)
    return f"{SHORT.get(kind, kind)} {window}".strip()


def _window(layer: Any) -> str:
    """Return the size of a layer's window, "" where it has none."""
    sizes = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if not sizes:
        return ""
    sides = [sizes] if isinstance(sizes, int) else list(sizes)
    pools = not hasattr(layer, "kernel_size") and len(set(sides)) == 1
    return str(sides[0]) if pools else TIMES.join(map(str, sides))


def note(maps: int, rows: int, columns: int, units: int) -> str:
    """Return the size of a layer's output: "8 @ 26×26", or the number of units."""
    if units:
        return f"{units:,}"
    return f"{maps} @ " * (maps > 1) + f"{rows}{TIMES}{columns}"


def words(layer: Any, maps: int, rows: int, columns: int, units: int) -> str:
    """Return the layer in a sentence: "Convolution, 8 filters of 3 × 3: 8 maps of 26 × 26"."""
    kind = type(layer).__name__
    window = _window(layer).replace(TIMES, f" {TIMES} ")
    made = f"{maps} map{'s' * (maps > 1)} of {rows} {TIMES} {columns}"
    made = f"{units:,} unit{'s' * (units > 1)}" if units else made
    about = f", windows of {window}" if window else ""
    if window and hasattr(layer, "filters"):
        about = f", {layer.filters} filter{'s' * (layer.filters > 1)} of {window}"
    return f"{WORDS.get(kind, kind)}{about}: {made}"


def width(text: str, size: float, bold: bool = False) -> float:
    """Return the width of a text in pixels: at least what common serif and sans fonts take.

    Args:
        text: in one line.
        size: of the font, in pixels.
        bold: whether it is bold.
    """
    return size * sum(map(_ems, text)) * (1.03 if bold else 0.92)


def _ems(character: str) -> float:
    for characters, ems in WIDTHS:
        if character in characters:
            return ems
    return 0.9 if character.isupper() else 0.7


def shortened(text: str, room: float, size: float, bold: bool = False) -> str:
    """Return the text, or its beginning and "…", that fits into `room` pixels; "" where none."""
    if width(text, size, bold) <= room:
        return text
    for end in range(len(text) - 1, 1, -1):
        short = text[:end].rstrip(" _-") + "\u2026"
        if width(short, size, bold) <= room:
            return short
    return ""
