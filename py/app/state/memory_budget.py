"""Estimate of the memory that a training step needs, before it is tried. Pure Python."""

try:
    from typing import Any
except ImportError:  # MicroPython has no typing, and never evaluates an annotation.
    pass

# A 32-bit WebAssembly memory has at most 4 GiB (webassembly.github.io/spec, limits), of which
# Python, NumPy, the images and the allocator need a part.
LIMIT = 3 * 10**9
FLOAT = 4
# For each element of an output: value and gradient. For each parameter: value, gradient and the two
# moments of Adam.
HELD_OF_OUTPUT = 2
HELD_OF_PARAMETER = 4


def step_bytes(rows: "list[Any]", batch: int) -> int:
    """Return the bytes that a step needs at least.

    Args:
        rows: (name, class, output shape with None for the batch, parameters) of each layer.
        batch: images.
    """
    outputs = parameters = 0
    for _, _, shape, count in rows:
        size = 1
        for side in shape:
            size *= 1 if side is None else side
        outputs += size
        parameters += count
    return FLOAT * (HELD_OF_OUTPUT * outputs * batch + HELD_OF_PARAMETER * parameters)
