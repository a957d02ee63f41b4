"""What the compiled kernels keep in registers, and what makes browsers keep it in memory."""

from __future__ import annotations

import pytest

from tests.support.site import ROOT
from tests.support.wasm import functions

MOST = 4  # a tile has ten or twelve


@pytest.mark.parametrize("build", ["relaxed", "simd"])
def test_no_kernel_calls_a_function_while_a_tile_is_alive(build: str) -> None:
    # Firefox would keep the tile in memory from its first step on: 0.4 of the rate.
    module = (ROOT / f"static/vendor/kernels/{build}.so").read_bytes()
    kept = [function.vectors_over_calls() for function in functions(module)]
    assert len(kept) > 50
    assert max(kept) <= MOST, f"vectors over calls, by function: {sorted(kept)[-5:]}"
