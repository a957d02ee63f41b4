"""A plan: everything that a training step does on a GPU, as data.

Its buffers are named; its kernels are text; its steps are (kernel, buffers, workgroups) in the
order in which they run. A device makes it once and replays it, up to `SLOTS` steps of training in
one go, each with its own numbers (`wgsl.text.STEP`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from nn.errors import ConfigError
from nn.gpu.wgsl.text import STEP_BYTES, STEP_SIZE, WIDEST, Groups, Kernel

SLOTS = 64
"""Steps that one call runs at most."""


class Refused(ConfigError):
    """A part of the model has no kernels for the GPU; the message names it and says why."""


@dataclass
class Plan:
    """What a device makes: see the module."""

    batch: int
    buffers: dict[str, int] = field(default_factory=dict)
    """Bytes of each buffer."""
    kernels: list[Kernel] = field(default_factory=list)
    steps: list[tuple[int, list[str], Groups]] = field(default_factory=list)
    initial: dict[str, Any] = field(default_factory=dict)
    """Arrays that go up once."""
    results: int = 2
    """Floats that a step leaves in `results`."""

    def __post_init__(self) -> None:
        self._numbers: dict[Kernel, int] = {}

    def buffer(self, name: str, count: int) -> str:
        """Reserve room for so many 4-byte elements; the largest wish for a name counts."""
        size = 16 * -(-max(count, 4) // 4)
        self.buffers[name] = max(self.buffers.get(name, 0), size)
        return name

    def add(self, kernel: Kernel, buffers: list[str], groups: Groups) -> None:
        """Run a kernel at this place of the step."""
        if max(groups) > WIDEST:
            raise Refused(f"{kernel.name}: expected at most {WIDEST} workgroups, received {groups}")
        number = self._numbers.get(kernel)
        if number is None:
            number = self._numbers[kernel] = len(self.kernels)
            self.kernels.append(kernel)
        self.steps.append((number, buffers, groups))

    @property
    def bytes(self) -> int:
        """Bytes of all buffers."""
        return sum(self.buffers.values())

    def to_json(self) -> str:
        """Return the plan without its data, for the driver."""
        return json.dumps(
            {
                "batch": self.batch,
                "slots": SLOTS,
                "stepBytes": STEP_BYTES,
                "stepSize": STEP_SIZE,
                "results": self.results,
                "buffers": self.buffers,
                "kernels": [
                    {"name": k.name, "code": k.code, "writes": k.writes} for k in self.kernels
                ],
                "steps": self.steps,
            }
        )
