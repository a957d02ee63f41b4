"""Labels, probabilities and scores that losses and metrics are compared on."""

from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(4)
PROBABILITIES = RNG.dirichlet(np.ones(5), size=6)
LOGITS = RNG.normal(size=(6, 5)) * 3
ONE_HOT = np.eye(5)[RNG.integers(0, 5, 6)]
BITS = RNG.integers(0, 2, (6, 5)).astype(np.float64)
LABELS = RNG.integers(0, 5, 6)
WEIGHTS = RNG.uniform(0.2, 2, 6)
REGIONS, SCORES = RNG.integers(0, 2, (6, 3, 4)).astype(np.float64), RNG.random((6, 3, 4))
TWINS = np.array([0, 1, 0, 2, 2, 3])  # a label of its own: no loss
DIRECTIONS = LOGITS / np.linalg.norm(LOGITS, axis=1, keepdims=True)
# Repeated labels, none, and others.
SPELT = np.array([[1, 2, 3], [2, 2, 0], [0, 0, 0], [3, 3, 0], [4, 0, 0], [1, 1, 2]])
HEARD = np.random.default_rng(9).normal(size=(6, 4, 5)) * 2
WHOLE = RNG.integers(0, 4, 6)
GUESSES = np.array([0, 1, 4, 3, 9, -1])  # two of them are no class
