"""Windows of a time series: those that Keras documents, whatever the numbers."""

from __future__ import annotations

import asyncio
from typing import Any

import nn
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.errors import ConfigError, DataError

windows = nn.utils.timeseries_dataset_from_array
SERIES = np.arange(40.0).reshape(20, 2)


@given(
    steps=st.integers(2, 30),
    length=st.integers(1, 8),
    stride=st.integers(1, 5),
    rate=st.integers(1, 4),
    size=st.sampled_from([None, 1, 3, 128]),
    ends=st.tuples(st.none() | st.integers(0, 20), st.none() | st.integers(1, 30)),
    targets=st.none() | st.integers(0, 40),
    shuffle=st.booleans(),
)
def test_windows_begin_and_step_as_documented(
    steps: int, length: int, stride: int, rate: int, size: Any, ends: Any, targets: Any,
    shuffle: bool,
) -> None:  # fmt: skip
    series, (start, end) = np.arange(steps) * 10, ends
    first, last = start or 0, steps if end is None else end
    wanted = None if targets is None else np.arange(targets) + 1000
    options = {"start_index": start, "end_index": end, "shuffle": shuffle, "seed": 3}
    outside = first >= last or last > steps or first > max(steps - 1, 1) or length > steps
    if outside or max(stride, rate) > max(steps - 1, 1):
        with pytest.raises(ConfigError, match="timeseries_dataset_from_array: "):
            windows(series, wanted, length, stride, rate, size, **options)
        return
    expected = []
    for begin in range(first, last, stride):
        moments = range(begin, begin + (length - 1) * rate + 1, rate)
        if moments[-1] < last and (wanted is None or begin < len(wanted)):
            expected.append(([m * 10 for m in moments], begin + 1000))
    made = windows(series, wanted, length, stride, rate, size, **options)
    batches = [made[i] for i in range(len(made))]
    assert len(made) == -(-len(expected) // (size or 1)) == len(list(made))
    received = []
    for batch in batches:
        x, y = batch if wanted is not None else (batch, None)
        rows = [x] if size is None else x
        received += [
            ([*map(int, row)], None if y is None else int(np.ravel(y)[i]))
            for i, row in enumerate(rows)
        ]
    plain = [(row, None if wanted is None else target) for row, target in expected]
    assert (sorted(received) if shuffle else received) == plain


def test_a_model_trains_on_windows_and_predicts_them() -> None:
    made = windows(SERIES, SERIES[4:, 0], 4, batch_size=5, shuffle=True, seed=1)
    model = nn.Sequential([nn.Input((4, 2)), nn.Flatten(), nn.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    model.optimizer.learning_rate = 1e-5
    history = asyncio.run(model.fit(made, epochs=20, validation_data=made)).history
    assert history["loss"][-1] < history["loss"][0]
    assert asyncio.run(model.predict(windows(SERIES, None, 4))).shape == (17, 1)


def test_an_order_repeats_by_its_seed_and_windows_of_rows_keep_their_axes() -> None:
    orders = [windows(SERIES, None, 3, shuffle=True, seed=seed)[0] for seed in (1, 1, 2)]
    assert orders[0].shape == (18, 3, 2)
    assert np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])


@pytest.mark.parametrize(
    ("name", "value"),
    [("sequence_length", 0), ("sequence_length", 21), ("sequence_stride", 0), ("sampling_rate", 20),
     ("sampling_rate", 1.5), ("start_index", -1), ("start_index", 20), ("end_index", 21),
     ("end_index", 0), ("batch_size", 0), ("batch_size", "x")],
)  # fmt: skip
def test_a_number_outside_the_series_is_refused_by_its_name(name: str, value: Any) -> None:
    options = {"sequence_length": 3, name: value}
    with pytest.raises(ConfigError, match=name):
        windows(SERIES, None, **options)
    for data in (["a", "b"], 3.0):
        with pytest.raises((ConfigError, DataError), match="timeseries_dataset_from_array: "):
            windows(data, None, 1)
