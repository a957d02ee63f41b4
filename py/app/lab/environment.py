"""Facts about the worker for the environment panel: versions, kernels, storage, memory."""

from __future__ import annotations

import platform
import sys
from importlib import import_module
from typing import Any

import js
import numpy as np
from nn import kernels

from app.lab.browser import indexed_db, kernel_files
from app.language import tr


class Environment:
    """Served as `lab.environment`."""

    async def facts(self) -> dict[str, str]:
        """Return what the worker runs on and what the browser lacks: words by name."""
        wasm = sys.modules.get("_pyodide_core")
        memory = getattr(getattr(js, "performance", None), "memory", None)
        facts = {
            tr("Worker"): tr("CPython {version} in Pyodide", version=platform.python_version()),
            "NumPy": np.__version__,
            tr("Kernels"): kernels.backend().name,
            tr("Relaxed SIMD"): tr("yes")
            if kernel_files.relaxed()
            else tr("no: the kernels do with plain SIMD"),
            tr("Storage"): await indexed_db.state(),
            tr("Isolated"): tr("yes") if js.crossOriginIsolated else tr("no (not needed)"),
            tr("Processors"): str(js.navigator.hardwareConcurrency),
        }
        if wasm is not None and memory is not None:
            facts[tr("Memory")] = f"{memory.usedJSHeapSize / 1e6:.0f} MB"
        return facts

    def memory(self, model: Any) -> dict[str, int]:
        """Return bytes of the model's weights and workspaces, and of the interpreter's memory."""
        held = model.memory()
        found = {tr("weights"): held["weight_bytes"], tr("workspaces"): held["workspace_bytes"]}
        heap = _heap()
        return found | ({"WebAssembly": heap} if heap else {})


def _heap() -> int:
    """Return the bytes of WebAssembly's memory; 0 outside a browser."""
    try:
        module = import_module("pyodide_js")._module
    except ImportError:
        return 0
    return int(module.HEAPU8.length)
