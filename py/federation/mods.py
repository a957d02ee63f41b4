"""Modifiers of a client app that protect privacy, with the names of `flwr.clientapp.mod`.

>>> app = ClientApp(mods=[fixedclipping_mod])
>>> @app.train(mods=[LocalDpMod(clipping_norm=1.0, sensitivity=1.0, epsilon=10.0, delta=1e-5)])

They are for functions, async ones too, whose replies have the arrays of the message, by the same
names. What they expect is said in an error of Flower's code for it, and nothing else leaves.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from nn import federated
from nn.errors import ConfigError
from numpy.typing import NDArray

from federation.client_app import Handler, Reply
from federation.message import Context, Error, Message
from federation.records import Array, ArrayRecord, ConfigRecord, MetricRecord

__all__ = ["LocalDpMod", "adaptiveclipping_mod", "fixedclipping_mod"]

NOT_MET = 6  # flwr.common.constant.ErrorCode.MOD_FAILED_PRECONDITION
NORM, BIT = "clipping_norm", "norm_bit"  # flwr.supercore.differential_privacy

Arrays = list[NDArray[Any]]
Change = Callable[[Arrays, Arrays, Message], Arrays]
"""What was trained, what was received, and the reply -> what leaves."""
R = TypeVar("R", ArrayRecord, ConfigRecord, MetricRecord)


def fixedclipping_mod(message: Message, context: Context, call_next: Handler) -> Reply:
    """Clip the update to the L2 norm that DifferentialPrivacyClientSideFixedClipping sends."""

    def change(trained: Arrays, received: Arrays, reply: Message) -> Arrays:
        return federated.clip_update(trained, received, _norm(message))

    return _private(message, context, call_next, change, _norm)


def adaptiveclipping_mod(message: Message, context: Context, call_next: Handler) -> Reply:
    """Clip likewise for DifferentialPrivacyClientSideAdaptiveClipping, which adapts the norm to
    how many say by the metric `norm_bit` that theirs was longer.
    """

    def change(trained: Arrays, received: Arrays, reply: Message) -> Arrays:
        pairs = zip(trained, received, strict=True)
        length = federated.update_norm([np.subtract(a, b, dtype=np.float64) for a, b in pairs])
        _only(reply, MetricRecord)[BIT] = int(length > _norm(message))
        return federated.clip_update(trained, received, _norm(message))

    return _private(message, context, call_next, change, _norm)


class LocalDpMod:
    """Clip the update and add normal noise to each number, whatever the server sends.

    Args:
        clipping_norm: L2 norm, above zero.
        sensitivity: of the model to one person's data, in the same unit.
        epsilon: above zero.
        delta: above zero; with `epsilon`, the noise's deviation by Dwork and Roth 2014, A.1.

    Raises:
        ConfigError: one is not.
    """

    def __init__(
        self, clipping_norm: float, sensitivity: float, epsilon: float, delta: float
    ) -> None:
        if not clipping_norm > 0:
            raise ConfigError(f"clipping_norm: expected above zero, received {clipping_norm}")
        self.clipping_norm = clipping_norm
        self.deviation = federated.gaussian_deviation(sensitivity, epsilon=epsilon, delta=delta)

    def __call__(self, message: Message, context: Context, call_next: Handler) -> Reply:
        def change(trained: Arrays, received: Arrays, reply: Message) -> Arrays:
            clipped = federated.clip_update(trained, received, self.clipping_norm)
            return federated.add_gaussian_noise(clipped, self.deviation, np.random.default_rng())

        return _private(message, context, call_next, change)


class _NotMetError(Exception):
    """A message or its reply is not what a mod expects."""


def _private(
    message: Message,
    context: Context,
    call_next: Handler,
    change: Change,
    needs: Callable[[Message], Any] = lambda message: None,
) -> Reply:
    def finished(reply: Message) -> Message:
        if reply.has_error():
            return reply
        try:
            trained = _only(reply, ArrayRecord)
            if list(trained) != list(received):
                raise _NotMetError(f"arrays {list(received)[:8]}, received {list(trained)[:8]}")
            left = change(trained.to_numpy_ndarrays(), [*received.values()], reply)
        except _NotMetError as error:
            return _failed(error, message)
        arrays = {name: Array(one) for name, one in zip(received, left, strict=True)}
        [place] = reply.content.array_records
        reply.content[place] = ArrayRecord(arrays)  # and not into one that the app may keep
        return reply

    try:
        received = {name: array.numpy() for name, array in _only(message, ArrayRecord).items()}
        needs(message)
    except _NotMetError as error:
        return _failed(error, message)
    reply = call_next(message, context)
    if not inspect.isawaitable(reply):
        return finished(reply)

    async def later() -> Message:
        return finished(await reply)

    return later()


def _only(message: Message, kind: type[R]) -> R:
    found = [record for record in message.content.values() if isinstance(record, kind)]
    if len(found) != 1:
        raise _NotMetError(f"one {kind.__name__}, received {len(found)}")
    return found[0]


def _norm(message: Message) -> float:
    config = _only(message, ConfigRecord)
    norm = config.get(NORM)
    if not isinstance(norm, int | float) or isinstance(norm, bool):
        raise _NotMetError(f"the setting {NORM!r} of the server's strategy, received {norm!r}")
    return float(norm)


def _failed(error: _NotMetError, message: Message) -> Message:
    return Message(Error(NOT_MET, f"mod: expected {error}"), reply_to=message)
