"""Inspection of a model: the memory that it holds, and the time that each layer takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from nn.keras_arguments import expects
from nn.kernels import heap_bytes
from nn.models.trainer import Trainer


def zeros(model: Trainer) -> list[Any]:
    """Return one sample of zeros for each input; sizes that are not known are 1."""
    return [np.zeros((1, *(n or 1 for n in t.shape[1:])), t.dtype) for t in model.inputs]


def release(model: Trainer) -> None:
    """Release every workspace of a model; the next run allocates them again."""
    model.program.ctx.clear()
    model._program = None


def memory(model: Trainer) -> dict[str, int]:
    """Return arrays and bytes that a model holds; `Model.memory` lists them."""
    arrays, size = model.program.ctx.memory()
    weights = sum(v.value.nbytes for v in model.variables)
    gradients = model._parameters.gradients.nbytes if model._parameters is not None else 0
    slots = sum(a.nbytes for a in model.optimizer.state.values()) if model.compiled else 0
    return {
        "num_arrays": arrays,
        "num_bytes": size + weights + gradients + slots,
        "workspace_bytes": size,
        "weight_bytes": weights,
        "gradient_bytes": gradients,
        "optimizer_bytes": slots,
        "wasm_bytes": heap_bytes(),
        "gpu_bytes": model.trainer.gpu_bytes if model.compiled else 0,
    }


@expects
def profile(model: Trainer, x: Any, *, repeats: int = 5) -> list[dict[str, Any]]:
    """Return the times of each layer; see `Model.profile`."""
    arrays, _ = model.signature.arrays(x)
    program = model.program
    program.expose_logits(False)
    run = program.ctx.run
    run.start_backward(model.parameters)
    times: dict[str, tuple[list[float], list[float]]] = {}
    for _ in range(repeats + 1):
        ys = program.forward(arrays, True, _timer(times, 0))
        run.start_backward(model.parameters)
        program.backward([np.ones_like(y) for y in ys], _timer(times, 1))
    rows = [(name, _median(f[1:]), _median(b[1:])) for name, (f, b) in times.items()]
    total = sum(f + b for _, f, b in rows) or 1.0
    return [
        {"layer": n, "forward_ms": f * 1e3, "backward_ms": b * 1e3, "share": (f + b) / total}
        for n, f, b in rows
    ]


def _timer(times: dict[str, tuple[list[float], list[float]]], side: int) -> Callable[..., Any]:
    def timed(name: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        result = function(*arguments, **options)
        times.setdefault(name, ([], []))[side].append(time.perf_counter() - start)
        return result

    return timed


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0
