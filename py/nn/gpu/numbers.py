"""The numbers of a step: what differs from one step to the next (`wgsl.text.STEP`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nn import optimizers
from nn.gpu.wgsl.text import STEP_BYTES, STEP_SIZE
from nn.optimizers.base import ElementOptimizer
from nn.types import Array

NUMBERS = np.dtype(
    [
        ("first", "u4"),
        ("rows", "u4"),
        ("slot", "u4"),
        ("seed", "u4"),
        ("rate", "f4"),
        ("step_size", "f4"),
        ("keep", "f4"),
        ("scale", "f4"),
        ("extra", "f4", 4),
        ("more", "f4", 4),
    ]
)
assert NUMBERS.itemsize == STEP_SIZE


def block(steps: int) -> tuple[Array, Array]:
    """Return room for the numbers of so many steps, as bytes for the device and as records."""
    made = np.zeros((steps, STEP_BYTES), np.uint8)
    return made, made[:, :STEP_SIZE].view(NUMBERS)[:, 0]


def seed_of(run: int, iterations: int) -> int:
    """Return the seed of a step's draws, never 0: a resumed run draws the same."""
    return (run * 0x9E3779B1 + iterations * 0x85EBCA77) & 0xFFFFFFFF | 1


def place(record: Any, first: int, rows: int, slot: int) -> None:
    """Write where a step finds its samples, and where its results go."""
    record["first"], record["rows"], record["slot"] = first, rows, slot
    record["scale"] = 1 / rows


def fill(record: Any, optimizer: Any, seed: int) -> None:
    """Write what the optimizer's own step would use, and count the step."""
    rate = optimizer.current_learning_rate()
    steps = optimizer.gradient_accumulation_steps or 1
    iterations = optimizer.iterations
    t = optimizer.local_step = iterations // steps + 1
    record["seed"], record["rate"] = seed, rate
    scalars = [rate]
    if isinstance(optimizer, ElementOptimizer):
        scalars = list(optimizer.scalars(rate))
    elif isinstance(optimizer, optimizers.Adam):
        scalars = [rate * math.sqrt(1 - optimizer.beta_2**t) / (1 - optimizer.beta_1**t)]
    elif isinstance(optimizer, optimizers.Lamb):
        scalars = [1 / (1 - beta**t) for beta in (optimizer.beta_1, optimizer.beta_2)]
    elif isinstance(optimizer, optimizers.Muon):
        first, second = optimizer.adam_beta_1, optimizer.adam_beta_2
        scalars = [rate * optimizer.adam_lr_ratio * math.sqrt(1 - second**t) / (1 - first**t)]
    elif isinstance(optimizer, optimizers.Adafactor):
        scalars = [min(rate, t**-0.5), t**optimizer.beta_2_decay]
    record["step_size"], *further = scalars
    record["keep"] = 1 - (optimizer.weight_decay or 0.0) * rate
    record["extra"] = [float((iterations + 1) % steps == 0), *further, *[0.0] * (3 - len(further))]
    record["more"] = _averaging(optimizer, iterations // steps)
    optimizer.iterations += 1


def _averaging(optimizer: Any, updates: int) -> list[float]:
    """Return the momentum of the moving average, 1 less it, and whether it overwrites."""
    if not optimizer.use_ema:
        return [0.0, 0.0, 0.0, 0.0]
    momentum = optimizer.ema_momentum if updates else 0.0
    every = optimizer.ema_overwrite_frequency
    overwrites = bool(every) and (updates + 1) % every == 0
    return [momentum, 1 - momentum, float(overwrites), 0.0]
