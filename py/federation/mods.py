"""Modifiers of a client app that protect privacy, with the names of `flwr.clientapp.mod`.

>>> app = ClientApp(mods=[fixedclipping_mod])
>>> @app.train(mods=[LocalDpMod(clipping_norm=1.0, sensitivity=1.0, epsilon=10.0, delta=1e-5)])

They are for functions, async ones too, whose replies have the arrays of the message, by the same
names. What they expect is said in an error of Flower's code for it, and nothing else leaves.
"""

from __future__ import annotations

from collections.abc import Awaitable
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
R = TypeVar("R", ArrayRecord, ConfigRecord, MetricRecord)


class _NotMetError(Exception):
    """A message or its reply is not what a mod expects."""


class _Clipping:
    """Clips the update to the L2 norm that the server's strategy sends."""

    def __call__(self, message: Message, context: Context, call_next: Handler) -> Reply:
        def finished(reply: Message) -> Message:
            if reply.has_error():
                return reply
            try:
                place, trained = _only(reply, ArrayRecord)
                if list(trained) != names:
                    raise _NotMetError(f"arrays {names[:8]}, received {list(trained)[:8]}")
                left = self._change(trained.to_numpy_ndarrays(), received, norm, reply)
            except _NotMetError as error:
                return _failed(error, message)
            arrays = ArrayRecord(dict(zip(names, map(Array, left), strict=True)))
            reply.content[place] = arrays  # and not into a record that the app may keep
            return reply

        async def later(reply: Awaitable[Message]) -> Message:
            return finished(await reply)

        try:
            sent = _only(message, ArrayRecord)[1]
            names, received = list(sent), sent.to_numpy_ndarrays()
            norm = self._norm(message)
        except _NotMetError as error:
            return _failed(error, message)
        reply = call_next(message, context)
        return finished(reply) if isinstance(reply, Message) else later(reply)

    def _norm(self, message: Message) -> float:
        norm = _only(message, ConfigRecord)[1].get(NORM)
        if not isinstance(norm, int | float) or isinstance(norm, bool):
            raise _NotMetError(f"the setting {NORM!r} of the server's strategy, received {norm!r}")
        return norm

    def _change(self, trained: Arrays, received: Arrays, norm: float, reply: Message) -> Arrays:
        return federated.clip_update(trained, received, norm)


class _AdaptiveClipping(_Clipping):
    """Says by a metric, too, whether the update was longer."""

    def _change(self, trained: Arrays, received: Arrays, norm: float, reply: Message) -> Arrays:
        pairs = zip(trained, received, strict=True)
        length = federated.update_norm([np.subtract(a, b, dtype=np.float64) for a, b in pairs])
        _only(reply, MetricRecord)[1][BIT] = int(length > norm)
        return super()._change(trained, received, norm, reply)


fixedclipping_mod = _Clipping()
"""For DifferentialPrivacyClientSideFixedClipping, which sends the norm."""
adaptiveclipping_mod = _AdaptiveClipping()
"""For DifferentialPrivacyClientSideAdaptiveClipping, which adapts the norm to how many say that
their update was longer.
"""


class LocalDpMod(_Clipping):
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

    def _norm(self, message: Message) -> float:
        return self.clipping_norm

    def _change(self, trained: Arrays, received: Arrays, norm: float, reply: Message) -> Arrays:
        clipped = super()._change(trained, received, norm, reply)
        return federated.add_gaussian_noise(clipped, self.deviation, np.random.default_rng())


def _only(message: Message, kind: type[R]) -> tuple[str, R]:
    found = [(name, one) for name, one in message.content.items() if isinstance(one, kind)]
    if len(found) != 1:
        raise _NotMetError(f"one {kind.__name__}, received {len(found)}")
    return found[0]


def _failed(error: _NotMetError, message: Message) -> Message:
    return Message(Error(NOT_MET, f"mod: expected {error}"), reply_to=message)
