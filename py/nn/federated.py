"""Federated learning's arithmetic: what clients send, and what the server makes of it.

A client sends its parameters (a list of arrays, Flower's currency) and how many examples they were
trained on; never the examples. The server combines them:

>>> update = fedavg([(alice, 600), (bob, 200)])      # McMahan et al. 2017, arXiv:1602.05629
>>> update = median([alice, bob, carol])             # Yin et al. 2018, arXiv:1803.01498
>>> update = trimmed_mean([alice, bob, carol], 0.34) # same
>>> sent = clip_update(trained, received, norm=1.0)  # McMahan et al. 2018, arXiv:1710.06963
>>> sent = add_gaussian_noise(sent, gaussian_deviation(1.0, epsilon=2, delta=1e-5), rng)

Nothing here modifies its arguments. Sums are taken in float64 and results are returned in the
arrays' own dtype, so the order of the clients does not show.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "add_gaussian_noise",
    "clip_update",
    "fedavg",
    "from_buffer",
    "gaussian_deviation",
    "median",
    "to_buffer",
    "trimmed_mean",
    "update_norm",
]

Array = NDArray[np.floating]
Parameters = Sequence[Array]


def fedavg(results: Sequence[tuple[Parameters, float]]) -> list[Array]:
    """Return the mean of clients' parameters, weighted by their numbers of examples.

    Args:
        results: (parameters, number of examples) of each client.

    Raises:
        ValueError: no clients, shapes that differ, a negative number, or none above zero.
    """
    clients = [parameters for parameters, _ in results]
    counts = np.array([count for _, count in results], np.float64)
    _check_clients(clients)
    if not (np.isfinite(counts).all() and (counts >= 0).all() and counts.sum() > 0):
        raise ValueError(f"expected numbers of examples above zero, received {counts.tolist()}")
    weights = counts / counts.sum()
    return _combine(clients, lambda stack: np.tensordot(weights, stack, axes=1))


def median(clients: Sequence[Parameters]) -> list[Array]:
    """Return the element-wise median of clients' parameters; half of them may be hostile.

    Raises:
        ValueError: no clients, or shapes that differ.
    """
    _check_clients(clients)
    return _combine(clients, lambda stack: np.median(stack, axis=0))


def trimmed_mean(clients: Sequence[Parameters], proportion: float) -> list[Array]:
    """Return the element-wise mean without the lowest and highest ``proportion`` of clients.

    Args:
        clients: parameters of each client.
        proportion: part cut at each end, rounded down to whole clients; in [0, 0.5).

    Raises:
        ValueError: no clients, shapes that differ, or a proportion out of range.
    """
    _check_clients(clients)
    if not 0 <= proportion < 0.5:
        raise ValueError(f"expected a proportion in [0, 0.5), received {proportion}")
    cut = int(proportion * len(clients))
    kept = slice(cut, len(clients) - cut)
    return _combine(clients, lambda stack: np.sort(stack, axis=0)[kept].mean(axis=0))


def update_norm(parameters: Parameters) -> float:
    """Return the L2 norm of all the arrays taken as one vector."""
    return math.sqrt(math.fsum(float(np.square(a, dtype=np.float64).sum()) for a in parameters))


def clip_update(trained: Parameters, received: Parameters, norm: float) -> list[Array]:
    """Return parameters whose distance from those ``received`` is at most ``norm``.

    Args:
        trained: the client's parameters after training.
        received: the parameters it began with.
        norm: bound on the L2 norm of their difference, above zero.

    Raises:
        ValueError: shapes that differ, or a bound that is not above zero.
    """
    _check_clients([trained, received])
    if not norm > 0:
        raise ValueError(f"expected a norm above zero, received {norm}")
    pairs = zip(trained, received, strict=True)
    update = [np.subtract(new, old, dtype=np.float64) for new, old in pairs]
    length = update_norm(update)
    scale = min(1.0, norm / length) if length else 1.0
    moved = zip(received, update, strict=True)
    return [(old + scale * step).astype(old.dtype) for old, step in moved]


def gaussian_deviation(sensitivity: float, *, epsilon: float, delta: float) -> float:
    """Return the deviation of noise that makes one release (epsilon, delta)-private.

    The Gaussian mechanism of Dwork & Roth 2014 (Theorem A.1), valid for epsilon below 1 and used
    beyond it by Flower's ``LocalDpMod`` as it is here.

    Args:
        sensitivity: largest L2 change that one client can cause: the norm given to `clip_update`.
        epsilon: privacy loss, above zero.
        delta: probability of exceeding it, in (0, 1).

    Raises:
        ValueError: a value out of its range.
    """
    if not (sensitivity >= 0 and epsilon > 0 and 0 < delta < 1):
        raise ValueError(
            "expected sensitivity >= 0, epsilon > 0 and 0 < delta < 1, "
            f"received {sensitivity}, {epsilon}, {delta}"
        )
    return sensitivity * math.sqrt(2 * math.log(1.25 / delta)) / epsilon


def add_gaussian_noise(
    parameters: Parameters, deviation: float, rng: np.random.Generator
) -> list[Array]:
    """Return the parameters with independent normal noise added to every element.

    Args:
        parameters: arrays of any shapes.
        deviation: standard deviation, zero or above.
        rng: source of the noise; seed it from the operating system where privacy counts.

    Raises:
        ValueError: a negative deviation.
    """
    if not deviation >= 0:
        raise ValueError(f"expected a deviation of at least zero, received {deviation}")
    return [(a + rng.normal(0, deviation, a.shape)).astype(a.dtype) for a in parameters]


def to_buffer(parameters: Parameters) -> bytes:
    """Return the arrays one after another as little-endian float32 bytes, C order."""
    return b"".join(np.ascontiguousarray(array, "<f4").tobytes() for array in parameters)


def from_buffer(buffer: bytes, shapes: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
    """Undo `to_buffer`.

    Args:
        buffer: little-endian float32 bytes.
        shapes: the arrays' shapes in their order.

    Raises:
        ValueError: the buffer's length is not that of the shapes.
    """
    sizes = [math.prod(shape) for shape in shapes]
    if len(buffer) != 4 * sum(sizes):
        raise ValueError(
            f"parameter buffer: expected {4 * sum(sizes)} bytes for {sum(sizes)} float32, "
            f"received {len(buffer)}"
        )
    flat = np.frombuffer(buffer, "<f4").astype(np.float32)
    parts = np.split(flat, np.cumsum(sizes)[:-1]) if sizes else []
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _combine(
    clients: Sequence[Parameters], reduce: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> list[Array]:
    """Reduce the stack (clients, ...) of each array in float64, and return to its dtype."""
    return [
        np.asarray(reduce(np.stack(layer).astype(np.float64))).astype(layer[0].dtype)
        for layer in zip(*clients, strict=True)
    ]


def _check_clients(clients: Sequence[Parameters]) -> None:
    if not clients:
        raise ValueError("expected the parameters of at least one client, received none")
    expected = [np.shape(array) for array in clients[0]]
    for number, parameters in enumerate(clients):
        received = [np.shape(array) for array in parameters]
        if received != expected:
            raise ValueError(f"client {number}: expected shapes {expected}, received {received}")
