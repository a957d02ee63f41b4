"""Aggregation against Flower's own functions, on lists drawn by Hypothesis."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nn import federated

with warnings.catch_warnings():
    # Flower's dependencies warn about each other when imported; that is not ours to mend.
    warnings.simplefilter("ignore")
    from flwr.server.strategy import aggregate as flower
    from flwr.supercore import differential_privacy as flower_privacy


@st.composite
def clients(draw, smallest=1, min_dims=0):
    shape = hnp.array_shapes(min_dims=min_dims, max_dims=3, max_side=3)
    shapes = draw(st.lists(shape, min_size=1, max_size=3))
    number = draw(st.integers(smallest, 6))
    elements = st.floats(-100, 100, width=32)
    return [[draw(hnp.arrays("f4", s, elements=elements)) for s in shapes] for _ in range(number)]


def assert_close(received, expected):
    assert len(received) == len(expected)
    for ours, theirs in zip(received, expected, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-4)


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "A server that combines clients: means, medians, trimmed means, clipping, noise",
)
@given(clients(), st.data())
def test_fedavg_is_flowers_weighted_mean(parameters, data):
    counts = [data.draw(st.integers(1, 5000)) for _ in parameters]
    results = list(zip(parameters, counts, strict=True))
    assert_close(federated.fedavg(results), flower.aggregate(results))


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "A server that combines clients: means, medians, trimmed means, clipping, noise",
)
@given(clients())
def test_median_is_flowers(parameters):
    expected = flower.aggregate_median([(arrays, 1) for arrays in parameters])
    assert_close(federated.median(parameters), expected)


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "A server that combines clients: means, medians, trimmed means, clipping, noise",
)
@given(clients(), st.floats(0, 0.49))
def test_trimmed_mean_is_flowers(parameters, proportion):
    expected = flower.aggregate_trimmed_avg([(a, 1) for a in parameters], proportion)
    assert_close(federated.trimmed_mean(parameters, proportion), expected)


# Flower's in-place scaling leaves arrays without dimensions unclipped, hence min_dims.
@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "A server that combines clients: means, medians, trimmed means, clipping, noise",
)
@given(clients(smallest=2, min_dims=1), st.floats(0.01, 1000))
def test_clipping_is_flowers_and_bounds_the_update(parameters, norm):
    trained, received = parameters[:2]
    clipped = federated.clip_update(trained, received, norm)
    distance = federated.update_norm([a - b for a, b in zip(clipped, received, strict=True)])
    assert distance <= norm * (1 + 1e-4) + 1e-3
    # Flower divides by the norm, which in float32 vanishes for the smallest updates.
    if flower_privacy.get_norm([a - b for a, b in zip(trained, received, strict=True)]):
        expected = [array.copy() for array in trained]
        flower_privacy.compute_clip_model_update(expected, received, norm)
        assert_close(clipped, expected)


@given(
    st.floats(1e-6, 1e3), st.floats(-1e6, 1e6), st.integers(0, 99), st.sampled_from(["f4", "f8"])
)
def test_what_is_sent_keeps_the_bound_however_large_the_parameters_are(norm, middle, seed, dtype):
    random = np.random.default_rng(seed)
    received = [(middle + random.normal(size=shape)).astype(dtype) for shape in ((50, 3), (7,))]
    trained = [(a + random.normal(size=a.shape) * norm).astype(dtype) for a in received]
    clipped = federated.clip_update(trained, received, norm)
    moved = [a.astype(np.float64) - b for a, b in zip(clipped, received, strict=True)]
    assert federated.update_norm(moved) <= norm * (1 + 1e-12)
    assert [a.dtype for a in clipped] == [np.dtype(dtype)] * 2


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_clipping_refuses_what_has_no_length(wrong):
    with pytest.raises(ValueError, match="expected finite parameters"):
        federated.clip_update([np.array([wrong, 1], "f4")], [np.zeros(2, "f4")], 1.0)


def test_clipping_leaves_an_update_of_zero_alone():
    same = [np.ones(3, "f4"), np.float32(2)]
    for ours, theirs in zip(federated.clip_update(same, same, 0.5), same, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(clients())
def test_the_norm_is_flowers(parameters):
    expected = flower_privacy.get_norm(parameters[0])
    assert federated.update_norm(parameters[0]) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@given(clients(smallest=3))
def test_the_order_of_clients_does_not_show(parameters):
    for combine in (federated.median, lambda c: federated.fedavg([(p, 3) for p in c])):
        forth, back = combine(parameters), combine(parameters[::-1])
        for a, b in zip(forth, back, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_a_client_without_examples_has_no_say():
    mine, other = [np.ones(2, "f4")], [np.full(2, 9, "f4")]
    np.testing.assert_array_equal(federated.fedavg([(mine, 5), (other, 0)])[0], mine[0])


def test_the_median_ignores_a_hostile_minority():
    honest = [[np.full(3, v, "f4")] for v in (0.9, 1.0, 1.1)]
    hostile = [[np.full(3, v, "f4")] for v in (1e30, -1e30)]
    np.testing.assert_array_equal(federated.median(honest + hostile)[0], np.float32(1.0))


def test_arguments_are_left_as_they_were():
    a, b = [np.ones(2, "f4")], [np.zeros(2, "f4")]
    federated.clip_update(a, b, 0.1)
    federated.add_gaussian_noise(a, 1.0, np.random.default_rng(0))
    federated.fedavg([(a, 1), (b, 1)])
    assert a[0].tolist() == [1, 1]
    assert b[0].tolist() == [0, 0]


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "A server that combines clients: means, medians, trimmed means, clipping, noise",
)
def test_noise_has_the_deviation_asked_for():
    noisy = federated.add_gaussian_noise([np.zeros(200_000, "f4")], 0.3, np.random.default_rng(7))
    assert noisy[0].dtype == np.float32
    assert noisy[0].std() == pytest.approx(0.3, rel=0.01)
    assert abs(noisy[0].mean()) < 0.003


def test_the_deviation_is_the_gaussian_mechanisms():
    # sqrt(2 ln(1.25 / 1e-5)) = 4.8448, half of it at epsilon 2, for a sensitivity of 3.
    deviation = federated.gaussian_deviation(3, epsilon=2, delta=1e-5)
    assert deviation == pytest.approx(3 * 4.844805262605389 / 2)


@given(clients())
def test_a_buffer_brings_back_the_parameters(parameters):
    buffer = federated.to_buffer(parameters[0])
    shapes = [array.shape for array in parameters[0]]
    assert len(buffer) == 4 * sum(array.size for array in parameters[0])
    for ours, theirs in zip(federated.from_buffer(buffer, shapes), parameters[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: federated.fedavg([]), "at least one client"),
        (lambda: federated.fedavg([([np.ones(2)], 0)]), "above zero"),
        (lambda: federated.fedavg([([np.ones(2)], -1), ([np.ones(2)], 2)]), "above zero"),
        (lambda: federated.median([[np.ones(2)], [np.ones(3)]]), r"client 1.*\(2,\).*\(3,\)"),
        (lambda: federated.median([[np.ones(2)], []]), "client 1"),
        (lambda: federated.trimmed_mean([[np.ones(2)]], 0.5), r"\[0, 0.5\), received 0.5"),
        (lambda: federated.clip_update([np.ones(2)], [np.ones(2)], 0), "norm above zero"),
        (lambda: federated.add_gaussian_noise([], -1, np.random.default_rng()), "at least zero"),
        (lambda: federated.gaussian_deviation(1, epsilon=0, delta=0.1), "epsilon > 0"),
        (lambda: federated.from_buffer(b"1234", [(2,)]), "expected 8 bytes.*received 4"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
