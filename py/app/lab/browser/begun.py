"""What a worker says of its start, and the loading of its kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from app import language
from app.lab.browser import downloads, kernel_files


class Begun:
    """A worker that has imported NumPy and the engine.

    Args:
        started: the worker's clock when its first line ran, in milliseconds.
        imported: the same when NumPy and the engine were imported.
    """

    def __init__(self, started: float, imported: float) -> None:
        self._clock = (started, imported)

    def origins(self) -> dict[str, Any]:
        """Return what was loaded before this object could be reached: bytes and seconds."""
        loaded = downloads.downloaded()
        numpy = sum(size for name, size in loaded.items() if name.startswith("numpy"))
        runtime = sum(
            size for name, size in loaded.items() if name.startswith(("pyodide", "python_stdlib"))
        )
        return {
            "runtime_bytes": runtime,
            "runtime_s": self._clock[0] / 1000,
            "numpy_bytes": numpy,
            "numpy_s": (self._clock[1] - self._clock[0]) / 1000,
            "numpy_version": np.__version__,
        }

    def speak(self, texts: dict[str, str]) -> None:
        """Write in the page's language from now on."""
        language.use(texts)

    async def load_kernels(self, base: str) -> dict[str, Any]:
        """Load the fastest kernels that this browser supports: {name, size, problems}."""
        return await kernel_files.load(base)
