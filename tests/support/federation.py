"""A client of federated learning and a server: the same text on CPython and in workers."""

from __future__ import annotations

from typing import Any

import nn
import numpy as np
from nn import federated
from nn.ort.session import TrainingSession

CLIENTS, ROUNDS, BATCH = 3, 4, 50
PARTS = (
    ("checkpoint_state", "checkpoint.npz"),
    ("train_model", "training_model.json"),
    ("optimizer_model", "optimizer_model.json"),
    ("eval_model", "eval_model.json"),
)
EXAMPLES = (600, 400, 200)  # of each client: its own images, which never leave it
HELD_OUT = slice(2000, 2500)


def network() -> Any:
    """Return the network that the artifacts are made of."""
    nn.set_random_seed(11)
    layers = [
        nn.Conv2D(8, 3, activation="relu"), nn.MaxPooling2D(), nn.Flatten(),
        nn.Dense(10, activation="softmax"),
    ]  # fmt: skip
    return nn.Sequential([nn.Input((28, 28, 1)), *layers])


class Client:
    """One device: some digits and a TrainingSession.

    Args:
        number: 0 to CLIENTS - 1: whose digits.
        session: made of the shipped artifacts.
        data: all digits, of which this client has its own.
    """

    def __init__(self, number: int, session: TrainingSession, data: nn.Dataset) -> None:
        first = sum(EXAMPLES[:number])
        own = slice(first, first + EXAMPLES[number])
        assert data.y is not None
        self.examples = EXAMPLES[number]
        self._session = session
        self._x, self._y = _floats(data, own), data.y[own]
        self._held_out = {"input": _floats(data, HELD_OUT), "labels": data.y[HELD_OUT]}

    def train(self, parameters: Any) -> Any:
        """Take the server's parameters, run an epoch, return ours: float32, in the same order."""
        session = self._session
        if parameters is not None:
            session.load_parameters_buffer(parameters)
        for start in range(0, self.examples, BATCH):
            part = slice(start, start + BATCH)
            session.run_train_step({"input": self._x[part], "labels": self._y[part]})
            session.run_optimizer_step()
            session.lazy_reset_grad()
        return session.get_contiguous_parameters()

    def evaluate(self, parameters: Any) -> float:
        """Return the loss of the server's parameters on digits that no client has."""
        self._session.load_parameters_buffer(parameters)
        return float(self._session.run_eval_step(self._held_out)["loss"])


def _floats(data: nn.Dataset, part: slice) -> Any:
    return data.x[part].astype(np.float32) / np.float32(255)


def combine(results: list[Any]) -> Any:
    """Return the parameters of the next round from [(parameters, examples), ...]."""
    [mean] = federated.fedavg([([parameters], count) for parameters, count in results])
    return mean
