"""Toy data: points of a plane, each with a class or a value to learn, made from a seed.

The plane reaches from -REACH to REACH on both axes. A class is 1 (blue) or 0 (rust); what a
regression learns lies between -1 (rust) and 1 (blue).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
Maker = Callable[[int, float, np.random.Generator], tuple[Array, Array]]

REACH = 6.0
COUNT = 240
"""Points of a toy."""
REGRESSIONS = ("slope",)


class Points(NamedTuple):
    """Points: their places (n, 2), what is to be learned of each (n,), which are for test (n,)."""

    places: Array
    targets: Array
    test: Array


def circle(count: int, noise: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """A disc inside a ring."""
    inside = np.arange(count) % 2
    radius = np.where(inside, 2.4 * np.sqrt(rng.random(count)), rng.uniform(3.4, 5.0, count))
    places = _polar(radius, rng.uniform(0, 2 * np.pi, count))
    return places + _jitter(count, 2.5 * noise, rng), inside


def moons(count: int, noise: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Two half circles, each of which reaches into the other."""
    upper = np.arange(count) % 2
    angle = np.pi * (rng.random(count) + 0.5 - upper)
    places = _polar(np.full(count, 3.0), angle)
    places += np.where(upper[:, None], (-1.5, -0.8), (1.5, 0.8))
    return places + _jitter(count, 0.3 + 2 * noise, rng), upper


def xor(count: int, noise: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Four squares: blue where x and y have the same sign."""
    places = rng.uniform(0.3, 5.0, (count, 2)) * rng.choice((-1, 1), (count, 2))
    seen = places + _jitter(count, 3 * noise, rng)
    return places, (seen[:, 0] * seen[:, 1] > 0).astype(int)


def spiral(count: int, noise: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Two arms that turn round each other."""
    arm = np.arange(count) % 2
    along = np.sqrt(rng.uniform(0.01, 1.0, count))
    places = _polar(0.4 + 4.6 * along, 3.25 * np.pi * along + np.pi * arm)
    return places + _jitter(count, 2 * noise, rng), arm


def slope(count: int, noise: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """A regression: the value rises from the lower left to the upper right."""
    places = rng.uniform(-5.5, 5.5, (count, 2))
    values = places.sum(axis=1) / 11 + 1.5 * noise * rng.standard_normal(count)
    return places, values.clip(-1, 1)


TOYS: dict[str, Maker] = {
    "circle": circle,
    "moons": moons,
    "xor": xor,
    "spiral": spiral,
    "slope": slope,
}


def make(toy: str, noise: float, test: float, seed: int, own: Sequence[Any] = ()) -> Points:
    """Return the points of a toy, or one's own.

    Args:
        toy: one of TOYS, or "own".
        noise: 0 to 0.5; one's own have none but what they are put with.
        test: share of the points that is kept as test; one point at least is learned from.
        seed: the same points for the same seed.
        own: (x, y, class) of each custom point.

    Raises:
        KeyError: there is no such toy.
    """
    rng = np.random.default_rng(seed)
    if toy == "own":
        rows = np.asarray(own, np.float32).reshape(-1, 3)
        places, targets = rows[:, :2], rows[:, 2]
    else:
        places, targets = TOYS[toy](COUNT, noise, rng)
    count = len(places)
    kept = np.zeros(count, bool)
    kept[rng.permutation(count)[: min(round(test * count), count - 1)]] = True
    inside = places.clip(-REACH, REACH).astype(np.float32)
    return Points(inside, targets.astype(np.float32), kept)


def _polar(radius: Array, angle: Array) -> Array:
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)


def _jitter(count: int, size: float, rng: np.random.Generator) -> Array:
    return size * rng.uniform(-1, 1, (count, 2))
