"""Counts at thresholds."""

from __future__ import annotations

from typing import Any

import nn
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

KINDS = nn.metrics.TruePositives, nn.metrics.FalsePositives, nn.metrics.FalseNegatives
KINDS += (nn.metrics.TrueNegatives,)
SIXTEENTHS = st.integers(0, 16).map(lambda n: n / 16)
"""Few numbers, so that outputs equal thresholds."""


@settings(max_examples=60, deadline=None)
@given(
    thresholds=st.lists(SIXTEENTHS, min_size=1, max_size=6),
    rows=st.lists(
        st.tuples(st.booleans(), st.one_of(SIXTEENTHS, st.just(np.nan)), st.integers(0, 3)),
        min_size=1,
        max_size=12,
    ),
    weighted=st.booleans(),
)
def test_an_output_is_positive_above_a_threshold_in_any_order_of_thresholds(
    thresholds: list[float], rows: list[Any], weighted: bool
) -> None:
    true, pred, weight = (np.array(column) for column in zip(*rows, strict=True))
    factor = weight if weighted else np.ones(len(rows))
    positive = pred > np.array(thresholds)[:, None]
    wanted = [
        (factor * (positive if above else ~positive) * (true if hit else ~true)).sum(axis=1)
        for above, hit in ((True, True), (True, False), (False, True), (False, False))
    ]
    for kind, counts in zip(KINDS, wanted, strict=True):
        metric = kind(thresholds)
        for _ in range(2):
            metric.update_state(true, pred, weight if weighted else None)
        np.testing.assert_array_equal(np.ravel(metric.result()), 2 * counts)
