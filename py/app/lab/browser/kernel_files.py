"""The files of the kernels: relaxed SIMD where the browser has it, else SIMD, else NumPy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import js
from nn import kernels
from pyodide.ffi import to_js

from app.lab.browser import downloads

# (func (result v128) f32x4.relaxed_madd of zeros)
RELAXED = bytes.fromhex("0061736d010000000105016000017b030201000a13011100"
                        "4100fd114100fd114100fd11fd85020b")  # fmt: skip
VARIANTS = ("relaxed", "simd")
FOLDER = Path("/tmp/kernels")


def relaxed() -> bool:
    """Return whether this browser has relaxed SIMD, without trying, which would log an error."""
    return bool(js.WebAssembly.validate(to_js(RELAXED)))


async def _try(base: str, variant: str) -> int:
    content = await downloads.download(downloads.address(base, f"kernels/{variant}.so"))
    kernels.load(_kept(variant, content))
    return len(content)


def _kept(variant: str, content: bytes) -> str:
    """Write a file with these bytes in the interpreter's memory; return its name."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{variant}.so"
    path.write_bytes(content)
    return str(path)


async def load(base: str) -> dict[str, Any]:
    """Load the fastest kernels that this browser takes.

    Returns:
        name of the backend in use, bytes of its file, and what went wrong on the way (texts).
    """
    problems: list[str] = []
    for variant in VARIANTS if relaxed() else VARIANTS[1:]:
        try:
            size = await _try(base, variant)
        except (downloads.DownloadError, OSError, AttributeError) as error:
            problems.append(f"{variant}.so: {_first_line(error)}")
            await asyncio.sleep(0)
        else:
            return {"name": kernels.backend().name, "size": size, "problems": problems}
    return {"name": kernels.backend().name, "size": 0, "problems": problems}


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]
