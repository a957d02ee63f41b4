"""Federated learning: aggregation, clipping and noise for parameters sent by clients.

A client sends its parameters (a list of arrays, as in Flower) and the number of examples they were
trained on, never the examples. The server combines them:

>>> update = fedavg([(alice, 600), (bob, 200)])      # McMahan et al. 2017, arXiv:1602.05629
>>> update = median([alice, bob, carol])             # Yin et al. 2018, arXiv:1803.01498
>>> update = trimmed_mean([alice, bob, carol], 0.34) # same
>>> sent = clip_update(trained, received, norm=1.0)  # McMahan et al. 2018, arXiv:1710.06963
>>> sent = add_gaussian_noise(sent, gaussian_deviation(1.0, epsilon=2, delta=1e-5), rng)

No function modifies its arguments. Sums are computed in float64 and results have the dtype of the
arrays, so the order of the clients does not affect them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nn.errors import ConfigError
from nn.keras_arguments import checked

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


@checked
def fedavg(results: Sequence[tuple[Parameters, float]]) -> list[Array]:
    """Return the mean of the clients' parameters, weighted by their numbers of examples.

    Args:
        results: (parameters, number of examples) of each client.

    Raises:
        ConfigError: there are no clients, shapes differ, a number is negative, or all are zero.
    """
    clients = [parameters for parameters, _ in results]
    counts = np.array([count for _, count in results], np.float64)
    _check_clients(clients)
    if not (np.isfinite(counts).all() and (counts >= 0).all() and counts.sum() > 0):
        raise ConfigError(f"expected numbers of examples above zero, received {counts.tolist()}")
    weights = counts / counts.sum()
    return _combine(clients, lambda stack: np.tensordot(weights, stack, axes=1))


@checked
def median(clients: Sequence[Parameters]) -> list[Array]:
    """Return the element-wise median of the clients' parameters (fewer than half may be hostile).

    Raises:
        ConfigError: there are no clients, or shapes differ.
    """
    _check_clients(clients)
    return _combine(clients, lambda stack: np.median(stack, axis=0))


@checked
def trimmed_mean(clients: Sequence[Parameters], proportion: float) -> list[Array]:
    """Return the element-wise mean without the lowest and highest ``proportion`` of clients.

    Args:
        clients: parameters of each client.
        proportion: fraction removed at each end, in [0, 0.5); rounded down to whole clients.

    Raises:
        ConfigError: there are no clients, shapes differ, or the proportion is out of range.
    """
    _check_clients(clients)
    if not 0 <= proportion < 0.5:
        raise ConfigError(f"expected a proportion in [0, 0.5), received {proportion}")
    cut = int(proportion * len(clients))
    kept = slice(cut, len(clients) - cut)
    return _combine(clients, lambda stack: np.sort(stack, axis=0)[kept].mean(axis=0))


@checked
def update_norm(parameters: Parameters) -> float:
    """Return the L2 norm of all arrays as one vector."""
    return math.sqrt(math.fsum(float(np.square(a, dtype=np.float64).sum()) for a in parameters))


@checked
def clip_update(trained: Parameters, received: Parameters, norm: float) -> list[Array]:
    """Return the trained parameters, moved to at most ``norm`` from the ``received`` ones.

    Where they are clipped, each element is rounded towards the received one, so that the bound
    holds for the arrays that are sent, whatever their type and size.

    Args:
        trained: the client's parameters after training.
        received: the parameters it started with.
        norm: bound on the L2 norm of the difference, above zero.

    Raises:
        ConfigError: shapes differ, the bound is not above zero, or the difference is not finite.
    """
    _check_clients([trained, received])
    if not norm > 0:
        raise ConfigError(f"expected a norm above zero, received {norm}")
    pairs = zip(trained, received, strict=True)
    update = [np.subtract(new, old, dtype=np.float64) for new, old in pairs]
    length = update_norm(update)
    if not math.isfinite(length):
        raise ConfigError("expected finite parameters, received NaN or infinity among them")
    scale = min(1.0, norm / length) if length else 1.0
    if scale == 1.0:
        return [np.array(new, old.dtype) for new, old in zip(trained, received, strict=True)]
    return [_moved(old, scale * step) for old, step in zip(received, update, strict=True)]


def _moved(old: Array, step: NDArray[np.float64]) -> Array:
    """Return ``old + step`` in the type of ``old``, no further from it than the step."""
    new = (old + step).astype(old.dtype)
    further = np.abs(np.subtract(new, old, dtype=np.float64)) > np.abs(step)
    return np.where(further, np.nextafter(new, old), new)


@checked
def gaussian_deviation(sensitivity: float, *, epsilon: float, delta: float) -> float:
    """Return the standard deviation of noise that makes one release (epsilon, delta)-private.

    This is the Gaussian mechanism of Dwork & Roth 2014 (Theorem A.1). It is valid for epsilon below
    1; Flower's ``LocalDpMod`` also uses it above.

    Args:
        sensitivity: largest L2 change that one client can cause: the norm given to `clip_update`.
        epsilon: privacy loss, above zero.
        delta: probability of exceeding it, in (0, 1).

    Raises:
        ConfigError: a value is out of range.
    """
    if not (sensitivity >= 0 and epsilon > 0 and 0 < delta < 1):
        raise ConfigError(
            "expected sensitivity >= 0, epsilon > 0 and 0 < delta < 1, "
            f"received {sensitivity}, {epsilon}, {delta}"
        )
    return sensitivity * math.sqrt(2 * math.log(1.25 / delta)) / epsilon


@checked
def add_gaussian_noise(
    parameters: Parameters, deviation: float, rng: np.random.Generator
) -> list[Array]:
    """Return the parameters with independent normal noise added to each element.

    Args:
        parameters: arrays of any shapes.
        deviation: standard deviation, zero or above.
        rng: source of the noise; for privacy, seed it from the operating system.

    Raises:
        ConfigError: the deviation is negative.
    """
    if not deviation >= 0:
        raise ConfigError(f"expected a deviation of at least zero, received {deviation}")
    return [(a + rng.normal(0, deviation, a.shape)).astype(a.dtype) for a in parameters]


@checked
def to_buffer(parameters: Parameters) -> bytes:
    """Return the arrays concatenated as little-endian float32 bytes in C order."""
    return b"".join(np.ascontiguousarray(array, "<f4").tobytes() for array in parameters)


@checked
def from_buffer(buffer: bytes, shapes: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
    """Return the arrays that `to_buffer` converted to bytes.

    Args:
        buffer: little-endian float32 bytes.
        shapes: the arrays' shapes, in order.

    Raises:
        ConfigError: the length of the buffer does not match the shapes.
    """
    sizes = [math.prod(shape) for shape in shapes]
    if len(buffer) != 4 * sum(sizes):
        raise ConfigError(
            f"parameter buffer: expected {4 * sum(sizes)} bytes for {sum(sizes)} float32, "
            f"received {len(buffer)}"
        )
    flat = np.frombuffer(buffer, "<f4").astype(np.float32)
    parts = np.split(flat, np.cumsum(sizes)[:-1]) if sizes else []
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _combine(
    clients: Sequence[Parameters], reduce: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> list[Array]:
    """Reduce each array over the clients in float64 and return it in its dtype."""
    return [
        np.asarray(reduce(np.stack(layer).astype(np.float64))).astype(layer[0].dtype)
        for layer in zip(*clients, strict=True)
    ]


def _check_clients(clients: Sequence[Parameters]) -> None:
    if not clients:
        raise ConfigError("expected the parameters of at least one client, received none")
    expected = [np.shape(array) for array in clients[0]]
    for number, parameters in enumerate(clients):
        received = [np.shape(array) for array in parameters]
        if received != expected:
            raise ConfigError(f"client {number}: expected shapes {expected}, received {received}")
