"""A federation on this machine whose rounds are written down, and its app's own parts."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nn
import numpy as np

from tools.federation import APP, Federation
from tools.serve import ROOT

MNIST = ROOT / "static" / "vendor" / "mnist"


class Recorded(Federation):
    """The federation of examples/08-federation, with the server app of tests/browser/federation.

    Args:
        folder: for everything that it writes; emptied first.
        environment: further variables of all processes.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.out = folder / "out"
        self.out.mkdir(parents=True)
        self.app = shutil.copytree(
            APP, folder / "app", ignore=shutil.ignore_patterns("__pycache__")
        )
        shutil.copy(ROOT / "tests/browser/federation/recording.py", self.app / "learn")
        settings = self.app / "pyproject.toml"
        text = settings.read_text()
        settings.write_text(text.replace("learn.server_app:app", "learn.recording:app"))
        super().__init__(folder / "run", environment={"LEARN_OUT": str(self.out)} | environment)

    def begin(self, **config: str | float) -> int:
        """Start the app's rounds and return the run's id."""
        return self.run(self.app, **config)

    def evaluated(self, number: int) -> float:
        """When a round's evaluation had ended, s since 1970; 0 before it has."""
        path = self.out / f"evaluated-{number}"
        return float(path.read_text() or 0) if path.exists() else 0.0

    def recorded(self, number: int) -> dict[str, Any] | None:
        """What a round received and made of it; None before it has ended."""
        path = self.out / f"round-{number}.npz"
        if not path.exists():
            assert not self.ended(), f"{self.ended()} ended:\n{self.log(self.ended())[-2000:]}"
            return None
        with np.load(path) as file:
            return dict(file)


def task() -> Any:
    """The module of the app with its network and its device."""
    if str(APP) not in sys.path:
        sys.path.insert(0, str(APP))
    from learn import task

    return task


def images(which: str) -> Any:
    """MNIST: "train" or "t10k"."""
    parts = (f"{which}-images-idx3-ubyte.gz", f"{which}-labels-idx1-ubyte.gz")
    return nn.Dataset.from_idx(*[(MNIST / part).read_bytes() for part in parts])


def answering(device: Any) -> Callable[[Any, Any], Any]:
    """What a device of the app answers, for `federation.Node`: what learn.client_app does."""
    from federation import ArrayRecord, Message, MetricRecord, RecordDict

    async def answer(message: Any, context: Any) -> Any:
        received = message.content.array_records["arrays"].to_numpy_ndarrays()
        records: dict[str, Any]
        if message.metadata.message_type == "train":
            asked = message.content.config_records["config"]
            arrays, metrics = await device.train(received, asked)
            records = {"arrays": ArrayRecord(arrays), "metrics": MetricRecord(metrics)}
        else:
            records = {"metrics": MetricRecord(await device.evaluate(received))}
        return Message(RecordDict(records), reply_to=message)

    return answer
