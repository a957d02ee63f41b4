"""Matrix product with bias and activation."""

from __future__ import annotations

import numpy as np

from nn.kernels import library, reference
from nn.kernels.elementwise import FUSED, activate
from nn.kernels.geometry import expect_shape
from nn.kernels.library import F4, address, optional
from nn.kernels.reference import Array


def matmul(
    a: Array,
    b: Array,
    out: Array | None = None,
    *,
    bias: Array | None = None,
    activation: str | None = None,
    accumulate: bool = False,
) -> Array:
    """Multiply (m, k) by (k, n) into (m, n), add `bias` (n,), apply `activation`.

    Operands may be strided; a transpose costs nothing. `accumulate` adds to the content of `out`.

    Raises:
        ValueError: the shapes do not match.
    """
    shape = _shape(a, b, out, bias)
    lib = library.compiled((a, b, out, bias), able=_rows_in_order(out))
    if lib is None:
        return reference.matmul(a, b, out, bias=bias, activation=activation, accumulate=accumulate)
    if out is None:
        out, accumulate = np.empty(shape, F4), False
    a, b = _strided(a), _strided(b)
    bias = None if bias is None else library.contiguous(bias)
    fused = FUSED.get(activation)
    m, n = shape
    lib.gemm(
        m, n, a.shape[1],
        _start(a), a.strides[0] >> 2, a.strides[1] >> 2,
        _start(b), b.strides[0] >> 2, b.strides[1] >> 2,
        _start(out), out.strides[0] >> 2,
        optional(bias), fused or 0, accumulate, lib.scratch(lib.gemm_scratch()),
    )  # fmt: skip
    return out if fused is not None else activate(out, str(activation), out)


def batch_matmul(a: Array, b: Array, out: Array | None = None) -> Array:
    """Multiply (n, g, m, k) by (n, g, k, l) into (n, g, m, l): a product for each n and g; or
    (n, m, k) by (n, k, l) into (n, m, l).

    Operands may be strided; a transpose and an axis that is broadcast cost nothing.

    Raises:
        ValueError: the shapes do not match.
    """
    if a.ndim == b.ndim == 3:
        made = batch_matmul(a[:, None], b[:, None], None if out is None else out[:, None])
        return made[:, 0] if out is None else out
    if a.ndim != 4 or b.ndim != 4 or a.shape[:2] != b.shape[:2] or a.shape[3] != b.shape[2]:
        raise ValueError(f"expected (n, g, m, k) and (n, g, k, l), received {a.shape}, {b.shape}")
    shape = (*a.shape[:3], b.shape[3])
    expect_shape(out, shape, "out")
    able = all(stride % 4 == 0 for x in (a, b) for stride in x.strides)
    if out is not None:
        whole = all(stride % 4 == 0 for stride in out.strides)
        able = able and whole and out.flags.writeable and out.strides[3] == 4
    lib = library.compiled((a, b, out), able=able)
    if lib is None:
        return reference.batch_matmul(a, b, out)
    out = np.empty(shape, F4) if out is None else out
    lib.gemm_batch(
        *shape, a.shape[3],
        address(a), *(stride >> 2 for stride in a.strides),
        address(b), *(stride >> 2 for stride in b.strides),
        address(out), *(stride >> 2 for stride in out.strides[:3]),
        lib.scratch(lib.gemm_scratch()),
    )  # fmt: skip
    return out


def _shape(a: Array, b: Array, out: Array | None, bias: Array | None) -> tuple[int, int]:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ValueError(f"expected (m, k) and (k, n), received {a.shape} and {b.shape}")
    shape = a.shape[0], b.shape[1]
    expect_shape(out, shape, "out")
    expect_shape(bias, shape[1:], "bias")
    return shape


def _rows_in_order(out: Array | None) -> bool:
    """Return whether the kernel can write `out`: contiguous rows at a stride of whole floats."""
    if out is None:
        return True
    row, column = out.strides
    return out.flags.writeable and (column == 4 or out.shape[1] == 1) and row % 4 == 0


def _strided(a: Array) -> Array:
    return a if a.strides[0] % 4 == 0 and a.strides[1] % 4 == 0 else library.copied(a)


def _start(a: Array) -> int:
    return address(a.T if a.flags.f_contiguous else a)
