"""The kernels: fetched, tried, and reported. Relaxed SIMD, then SIMD, then NumPy's own loops."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from nn import kernels

from app.lab import downloads

VARIANTS = ("relaxed", "simd")
FOLDER = Path("/tmp/kernels")


async def _try(base: str, variant: str) -> int:
    octets = await downloads.download(downloads.address(base, f"kernels/{variant}.so"))
    kernels.load(_kept(variant, octets))
    return len(octets)


def _kept(variant: str, octets: bytes) -> str:
    """The name of a file with these bytes, in the interpreter's memory."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{variant}.so"
    path.write_bytes(octets)
    return str(path)


async def load(base: str) -> dict[str, Any]:
    """Load the fastest kernels that this browser takes.

    Returns:
        name of the backend in use, bytes of its file, and what went wrong on the way (texts).
    """
    problems: list[str] = []
    for variant in VARIANTS:
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
