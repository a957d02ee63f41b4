"""What the noise of a federation is worth: epsilon, exactly, of Gaussian noise on clipped updates.

A reply is an update that was clipped to a norm C, with noise of deviation z C on each number. With
other data of its sender the clipped update could differ by 2 C, so that replies r of one sender are
together one Gaussian mechanism of multiplier z / (2 sqrt(r)) (Dong, Roth and Su 2019,
arXiv:1905.02383, Corollary 3.3), whose epsilon is known exactly (Balle and Wang 2018,
arXiv:1805.06530, Theorem 8). It holds against whoever sees every reply, the server included:
nothing is gained from who is drawn for a round. Tests compare with Google's dp-accounting 0.6.0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

__all__ = ["DELTA", "Accountant", "epsilon"]

DELTA = 1e-5
FAR = -30.0  # below it the normal distribution is taken from its asymptotic series


class Accountant:
    """Counts the replies of each node.

    Args:
        multiplier: deviation of the noise, in clipping norms; 0 is no noise.
        delta: probability of a larger loss.
    """

    def __init__(self, multiplier: float, delta: float = DELTA) -> None:
        self.multiplier, self.delta = multiplier, delta
        self._replies: Counter[int] = Counter()

    def count(self, nodes: Iterable[int]) -> None:
        """Count a reply of each of these nodes."""
        self._replies.update(nodes)

    def epsilon(self) -> float:
        """Return the epsilon of the node with the most replies."""
        return epsilon(self.multiplier, max(self._replies.values(), default=0), self.delta)


def epsilon(multiplier: float, replies: int, delta: float = DELTA) -> float:
    """Return the privacy loss of someone who sent so many replies; infinite without noise.

    Raises:
        ValueError: a value is out of range.
    """
    if not (multiplier >= 0 and replies >= 0 and 0 < delta < 1):
        raise ValueError(
            "expected multiplier and replies >= 0 and 0 < delta < 1, "
            f"received {multiplier}, {replies}, {delta}"
        )
    if replies == 0:
        return 0.0
    if multiplier == 0:
        return math.inf
    sigma = multiplier / (2 * math.sqrt(replies))
    low, high = 0.0, 1.0
    if _log_delta(sigma, low) <= math.log(delta):
        return 0.0
    while _log_delta(sigma, high) > math.log(delta):
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if _log_delta(sigma, middle) > math.log(delta) else (low, middle)
    return high


def _log_delta(sigma: float, loss: float) -> float:
    """Return the logarithm of the delta that belongs to an epsilon."""
    near = _log_normal(0.5 / sigma - loss * sigma)
    rest = loss + _log_normal(-0.5 / sigma - loss * sigma)
    return near + math.log1p(-math.exp(rest - near)) if rest < near else -math.inf


def _log_normal(x: float) -> float:
    """Return the logarithm of the normal distribution function."""
    if x > FAR:
        return math.log(math.erfc(-x / math.sqrt(2)) / 2)
    inverse = 1 / (x * x)
    series = math.log1p(-inverse * (1 - 3 * inverse * (1 - 5 * inverse)))
    return -x * x / 2 - math.log(-x * math.sqrt(2 * math.pi)) + series
