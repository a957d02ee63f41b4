"""Metrics of a user's own, in the form that Keras' guides write them."""

from __future__ import annotations

import asyncio
from typing import Any

import keras
import nn
import numpy as np
import pytest

RNG = np.random.default_rng(0)
X = RNG.random((40, 6)).astype("float32")
Y = (X.sum(1) > 3).astype("float32")[:, None]


def true_positives(library: Any, own_reset: bool) -> Any:
    ops = library.ops

    class BinaryTruePositives(library.metrics.Metric):  # type: ignore[misc, name-defined]
        def __init__(self, name: str = "hits", **options: Any) -> None:
            super().__init__(name=name, **options)
            self.hits = self.add_variable(shape=(), name="hits", initializer="zeros")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            both = ops.multiply(y_true, ops.cast(ops.greater(y_pred, 0.5), "float32"))
            if sample_weight is not None:
                both = ops.multiply(both, ops.reshape(sample_weight, (-1, 1)))
            self.hits.assign_add(ops.sum(both))

        def result(self) -> Any:
            return self.hits.value

        if own_reset:

            def reset_state(self) -> None:
                self.hits.assign(0)

    return BinaryTruePositives()


def spread(library: Any) -> Any:
    ops = library.ops

    class Spread(library.metrics.Metric):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__(name="spread")
            self.total = self.add_weight(shape=(2,), initializer="zeros", name="total")
            self.count = self.add_weight(name="count", initializer="ones")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            sums = [ops.sum(y_pred), ops.sum(ops.square(y_pred))]
            self.total.assign_add(ops.stack(sums) if library is keras else np.array(sums))
            self.count.assign_add(float(y_pred.shape[0]))

        def result(self) -> Any:
            return self.total[1] / self.count - (self.total[0] / self.count) ** 2

    return Spread()


def logs(library: Any, metric: Any, weights: Any) -> dict[str, list[float]]:
    model = library.Sequential([library.Input((6,)), library.layers.Dense(1, "sigmoid")])
    for weight in model.weights:
        weight.assign(np.sin(np.arange(np.prod(weight.shape))).reshape(weight.shape))
    model.compile("sgd", "binary_crossentropy", metrics=[metric])
    fit = model.fit(
        X, Y, epochs=3, batch_size=10, shuffle=False, verbose=0, sample_weight=weights,
        validation_data=(X[:20], Y[:20]),
    )  # fmt: skip
    found = asyncio.run(fit) if library is nn else fit
    return {name: [float(v) for v in values] for name, values in found.history.items()}


@pytest.mark.parametrize("weights", [None, np.linspace(0, 1, 40)], ids=["plain", "weighted"])
@pytest.mark.parametrize("own_reset", [False, True])
def test_a_metric_with_variables_is_logged_as_in_keras(own_reset: bool, weights: Any) -> None:
    ours, theirs = (logs(k, true_positives(k, own_reset), weights) for k in (nn, keras))
    assert sorted(ours) == sorted(theirs)
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-4)


def test_a_result_of_several_variables_is_computed_as_in_keras() -> None:
    ours, theirs = (logs(k, spread(k), None) for k in (nn, keras))
    np.testing.assert_allclose(ours["spread"], theirs["spread"], rtol=1e-3)


def test_variables_are_zeros_after_a_reset_and_are_kept_by_a_checkpoint() -> None:
    metric = spread(nn)
    first = metric(Y, Y)
    kept = metric.get_state()
    assert metric(Y, 3 * Y) != first
    metric.set_state(kept)
    assert metric.result() == first
    metric.reset_state()
    assert [v.tolist() for v in metric.variables] == [[0.0, 0.0], 0.0]
    with pytest.raises(ValueError, match="zip"):
        metric.set_state({"variables": []})


def test_what_a_metric_said_does_not_change_with_its_variable() -> None:
    metric = true_positives(nn, own_reset=False)
    metric.result = lambda: metric.hits
    first = metric(Y, Y)
    assert metric(Y, Y) == 2 * first
    assert isinstance(first, float)
