"""A driver of a GPU that computes something else than its kernels say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nn.gpu.plan import Plan


def miscompile(adapter: Any, code: str, wrong: str) -> None:
    """Let the driver of an adapter take some code of kernels for other code, from now on.

    Raises:
        AssertionError: at a plan of which no kernel has the code.
    """
    record = adapter.record

    async def faulty(plan: Plan) -> Any:
        kernels = [replace(k, code=k.code.replace(code, wrong)) for k in plan.kernels]
        assert kernels != plan.kernels, f"no kernel has {code!r}"
        return await record(replace(plan, kernels=kernels))

    adapter.record = faulty
