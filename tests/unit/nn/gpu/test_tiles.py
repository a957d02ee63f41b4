"""Tiles of matrix products: each within WebGPU's default limits, and each gives the product."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nn.gpu.plan import Plan
from nn.gpu.wgsl.products import MEMORY, Load, Tile, division_for, product, tile_for
from nn.gpu.wgsl.text import STEP_BYTES

SIZES = st.integers(1, 5000)
THREADS = 256


def fits(tile: Tile) -> bool:
    whole = tile.m % tile.tm == tile.n % tile.tn == tile.k % 4 == 0
    return whole and tile.memory <= MEMORY and tile.threads <= THREADS


@given(SIZES, SIZES, SIZES, st.booleans(), st.booleans())
@example(1501, 17, 1, False, False)
def test_every_tile_is_within_the_limits_that_webgpu_grants_by_default(
    rows: int, columns: int, depth: int, plain: bool, alone: bool
) -> None:
    assert fits(tile_for(rows, columns, depth, plain=plain, alone=alone))
    tile, parts = division_for(rows, columns, depth, alone=alone)
    assert fits(tile)
    assert 1 <= parts <= depth


TILES = {
    "sixteen by eight sums": (Tile(128, 64, 8, 16, 8), 1),
    "threads that share a sum": (Tile(12, 8, 32, 4, 4, 8), 2),
    "a tile that its C fills": (Tile(36, 12, 16, 4, 4, 2), 3),
    "eight by four sums": (Tile(128, 16, 16, 8, 4), 2),
    "a thread alone": (Tile(8, 8, 4, 8, 8, alone=True), 3),
}


@pytest.mark.parametrize("turned", [False, True], ids=["rows", "columns"])
@pytest.mark.parametrize("name", TILES)
def test_a_product_and_the_sums_of_its_columns_are_numpy_s(
    name: str, turned: bool, gpu: Any
) -> None:
    from nn.gpu import devices

    tile, splits = TILES[name]
    rows, columns, depth = 132, 68, 92
    rng = np.random.default_rng(5)
    a, b = (rng.standard_normal(s, np.float32) for s in ((rows, depth), (depth, columns)))
    a_load = (
        Load.matrix("a_", "m", f"k * {rows}u", "m", True)
        if turned
        else Load.matrix("a_", f"m * {depth}u", "k", "k", True)
    )
    size = rows * columns
    made, groups = product(
        "product",
        [("a_", "vec4<f32>"), ("b_", "vec4<f32>"), ("y*", "vec4<f32>"), ("sums*", "vec4<f32>")],
        (rows, columns, depth),
        a_load,
        Load.matrix("b_", "n", f"k * {columns}u", "n", True),
        f"y[(part * {size}u + m * {columns}u + n) / 4u] = sum;",
        tile,
        splits=splits,
        four=True,
        total=f"sums[(part * {columns}u + n) / 4u] = sum;",
    )
    parts = splits
    plan = Plan(1)
    for buffer, count in (("a", a.size), ("b", b.size), ("y", size * parts)):
        plan.buffer(buffer, count)
    plan.buffer("sums", columns * parts)
    plan.buffer("results", 2 * 64)
    plan.add(made, ["a", "b", "y", "sums"], groups)

    async def run() -> tuple[Any, Any]:
        recorded: Any = await devices.opened().record(plan)
        recorded.write("a", a.T if turned else a)
        recorded.write("b", b)
        await recorded.run(np.zeros((1, STEP_BYTES), np.uint8))
        found = await recorded.read("y"), await recorded.read("sums")
        recorded.destroy()
        return found

    y, sums = asyncio.run(run())
    exact = a.astype(np.float64) @ b.astype(np.float64)
    np.testing.assert_allclose(y.reshape(parts, rows, columns).sum(0), exact, atol=2e-5)
    total = b.astype(np.float64).sum(0)
    np.testing.assert_allclose(sums.reshape(parts, columns).sum(0), total, atol=2e-5)
