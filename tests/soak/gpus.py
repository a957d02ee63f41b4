"""Training on a GPU for long: every test of it, drawn networks against the CPU, memory over runs.

The GPU is the SwiftShader of a Chromium, by PyPI's wgpu, or the Vulkan driver that
VK_ICD_FILENAMES names.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nn
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
RUNS = 20
GROWTH = 8.0
"""MB by which the process may grow from the fifth run on: the allocator's own rounding."""
NEAR = 20.0
"""Times the tests' tolerance: sums are longer in drawn networks."""
NUDGE = 2.0**-20
"""By how much of it an input or a weight is moved to see what rounding does to a network: eight
roundings."""
NUDGES = 16
"""Ways in which they are moved: half of them take an element that is almost 0 across a relu."""
EVEN = [
    "SGD with momentum",
    "SGD with Nesterov's momentum and weight decay",
    "accumulation and a moving average",
]
"""Optimizers whose step is as near as the gradient: a sign of a sum of almost 0 is not."""
MOST_UNEVEN = 0.1
"""Share of drawn networks that may be so sensitive to rounding that nothing can be said of them."""
Layers = list[Any]


def check(minutes: float, seed: int) -> bool:
    """Run all three parts, drawn networks until the minutes are over; whether all was right."""
    until = time.monotonic() + 60 * minutes
    say(f"seed {seed}")
    command = [sys.executable, "-m", "pytest", "-q", "tests/unit/nn/gpu"]
    tests = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    flat = memory_is_flat()
    return networks_agree(random.Random(seed), until) and tests and flat


def networks_agree(rng: random.Random, until: float) -> bool:
    """Train drawn networks on both, until the time is over.

    Some explode, or have a sum of almost 0 where a loss bends: there the CPU does not agree with
    itself either, and nothing is said of the GPU.
    """
    from tests.unit.nn.gpu import test_steps as oracle
    from tests.unit.nn.gpu.conftest import opened

    device, count, failures, uneven = opened(), 0, 0, 0
    while not count or time.monotonic() < until:
        shape, layers, described = drawn(rng)
        loss, activation, target = oracle.LOSSES[rng.choice(list(oracle.LOSSES))]
        optimizer = oracle.OPTIMIZERS[rng.choice(EVEN)]

        def build(layers: Callable[[], Layers] = layers, end: str = activation) -> Layers:
            return [*layers(), nn.Dense(5, activation=end)]

        count += 1
        made = oracle.sequential(shape, build, loss, optimizer)
        try:
            oracle.train(made, device, target, near=NEAR)
        except Exception as error:
            if isinstance(error, AssertionError) and not agrees_with_itself(made, target):
                uneven += 1
                continue
            failures += 1
            say(f"  {shape}: {described}: {traceback.format_exception_only(error)[-1].strip()}")
    say(
        f"drawn networks: {count}, not as on the CPU: {failures}, "
        f"nor as the CPU with inputs rounded: {uneven}"
    )
    return not failures and uneven < MOST_UNEVEN * count


def agrees_with_itself(build: Callable[[], Any], target: Any) -> bool:
    """Whether the CPU finds the same, as near as the GPU should, however it is nudged."""
    return all(agrees_when_nudged(build, target, seed) for seed in range(NUDGES))


def agrees_when_nudged(build: Callable[[], Any], target: Any, seed: int) -> bool:
    """Whether the CPU finds the same from inputs and weights nudged the way that the seed says.

    Inputs alone are not enough: a mean over places undoes what each of them is moved by.
    """
    from tests.unit.nn.gpu import test_steps as oracle

    models, rng = oracle.pair(build), np.random.default_rng(5)
    signs = np.random.default_rng(seed)

    def nudged(array: Any) -> Any:
        return array * (1 + NUDGE * signs.choice((-1, 1), array.shape)).astype(np.float32)

    models[1].set_weights([nudged(weight) for weight in models[1].get_weights()])
    with np.errstate(all="ignore"):
        for size in (oracle.BATCH, oracle.BATCH, oracle.LAST):
            x = oracle.drawn(rng, models[0], models[0].inputs[0], size)
            y = target(rng, size)
            # Each its own way: normalization undoes what all have in common.
            losses = [
                model.trainer.train_step([given], [y], [None], size)
                for model, given in zip(models, (x, nudged(x)), strict=True)
            ]
            if not np.allclose(*losses, NEAR * 2e-6, NEAR * 2e-6):
                return False
            for slopes in zip(*(m.parameters.views.values() for m in models), strict=True):
                if not np.allclose(*slopes, 0, NEAR * 1e-5 * max(0.2, np.abs(slopes[0]).max())):
                    return False
        kept = [[*m.get_weights(), *m.optimizer.state.values()] for m in models]
        return all(np.allclose(a, b, 0, NEAR * 2e-6) for a, b in zip(*kept, strict=True))


def drawn(rng: random.Random) -> tuple[tuple[int, ...], Callable[[], Layers], list[Any]]:
    """Return an input's shape and a few layers over it that fit, and what they are."""
    shape = (rng.randint(5, 11), rng.randint(5, 11), rng.choice((1, 2, 3, 4, 8)))
    chosen = [rng.choice(KINDS)(rng) for _ in range(rng.randint(1, 4))]
    chosen.append(rng.choice((("Flatten", {}), ("GlobalAveragePooling2D", {}))))
    if rng.random() < 0.5:
        chosen.append(("Dense", {"units": rng.randint(1, 40), "activation": _activation(rng)}))

    def layers() -> Layers:
        return [getattr(nn.layers, name)(**options) for name, options in chosen]

    return shape, layers, chosen


def _activation(rng: random.Random) -> str:
    return rng.choice(("linear", "relu", "tanh", "sigmoid", "gelu", "elu", "silu", "softplus"))


def _convolution(rng: random.Random) -> Any:
    strides = rng.choice((1, 1, 2))
    options = {
        "filters": rng.choice((1, 3, 4, 8, 17)),
        "kernel_size": (rng.randint(1, 3), rng.randint(1, 3)),
        "strides": strides,
        "dilation_rate": rng.choice((1, 2)) if strides == 1 else 1,
        "padding": "same",
        "use_bias": rng.random() < 0.7,
        "activation": _activation(rng),
    }
    return "Conv2D", options


def _depthwise(rng: random.Random) -> Any:
    options = {"kernel_size": rng.randint(1, 3), "padding": "same", "activation": _activation(rng)}
    return "DepthwiseConv2D", options | {"depth_multiplier": rng.randint(1, 3)}


def _transposed(rng: random.Random) -> Any:
    strides = rng.choice((1, 2, 3))
    options = {
        "filters": rng.choice((1, 3, 4, 8)),
        "kernel_size": (rng.randint(1, 3), rng.randint(1, 3)),
        "strides": strides,
        "dilation_rate": rng.choice((1, 2)) if strides == 1 else 1,
        "padding": rng.choice(("valid", "same")),
        "output_padding": rng.choice((None, rng.randrange(strides))),
        "use_bias": rng.random() < 0.7,
        "activation": _activation(rng),
    }
    return "Conv2DTranspose", options


KINDS: tuple[Callable[[random.Random], Any], ...] = (
    _convolution,
    _convolution,
    _depthwise,
    _transposed,
    lambda rng: ("BatchNormalization", {"momentum": rng.choice((0.9, 0.99))}),
    lambda rng: ("LayerNormalization", {}),
    lambda rng: ("Activation", {"activation": _activation(rng)}),
    lambda rng: ("ReLU", {"max_value": rng.choice((None, 1.0, 6.0))}),
    lambda rng: ("AveragePooling2D", {"pool_size": 2, "padding": rng.choice(("valid", "same"))}),
    lambda rng: ("MaxPooling2D", {"pool_size": 2, "padding": "same"}),
    lambda rng: ("ZeroPadding2D", {"padding": rng.randint(1, 2)}),
    lambda rng: ("UpSampling2D", {"size": 2}),
    lambda rng: ("Rescaling", {"scale": rng.uniform(0.5, 2), "offset": rng.uniform(-1, 1)}),
)


def memory_is_flat() -> bool:
    """Fit a model so many times, on one device; the process must not grow."""
    from nn.gpu import devices

    from tests.unit.nn.gpu.conftest import opened
    from tests.unit.nn.gpu.native import Adapter

    devices.use(Adapter(opened()))
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((256, 12, 12, 2), np.float32), rng.integers(0, 5, 256)
    layers = [nn.Conv2D(8, 3, activation="relu"), nn.MaxPooling2D(), nn.Flatten(), nn.Dense(5)]
    model = nn.Sequential([nn.Input((12, 12, 2)), *layers])
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, device="gpu")
    sizes = []
    for _ in range(RUNS):
        asyncio.run(model.fit(x, y, epochs=2, batch_size=32))
        gc.collect()
        sizes.append(resident())
    grown = sizes[-1] - sizes[4]
    say(f"{RUNS} runs: {sizes[0]:.1f}, {sizes[4]:.1f} and {sizes[-1]:.1f} MB after 1, 5 and {RUNS}")
    return grown <= GROWTH and not model.device.startswith("cpu")


def resident() -> float:
    """Return the MB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)  # noqa: T201
