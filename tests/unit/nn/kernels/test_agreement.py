"""Every kernel equals its NumPy reference, on shapes and layouts drawn by Hypothesis."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nn import kernels
from nn.kernels import reference
from nn.kernels.elementwise import CODES, OF_INPUT
from nn.kernels.geometry import geometry

from tests.unit.nn.kernels import agreement

pytestmark = pytest.mark.usefixtures("native")


class HypothesisDraw(agreement.Draw):
    """Draws that Hypothesis can shrink."""

    def __init__(self, data):
        super().__init__(data.draw(st.integers(0, 2**16)))
        self.data = data

    def integer(self, low, high):
        return self.data.draw(st.integers(low, high))


@pytest.mark.parametrize("name", sorted(agreement.CHECKS))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_kernel_equals_its_twin(name, data):
    assert kernels.backend().name == "native"
    agreement.CHECKS[name](HypothesisDraw(data))


@pytest.mark.parametrize("name", sorted(agreement.CHECKS))
def test_the_twins_agree_with_themselves_in_both_precisions(name):
    with kernels.use("numpy"):
        for seed in range(20):
            agreement.CHECKS[name](agreement.Draw(seed))


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_sums_and_moments_of_many_rows_have_the_digits_of_those_of_few(backend):
    """NumPy adds float32 rows one after another: these sums were wrong by 7e-6 of their size."""
    x = np.random.default_rng(0).random((86_528, 27), np.float32) + 3
    wide = x.astype(np.float64)
    mean, variance = wide.mean(axis=0), wide.var(axis=0)
    with kernels.use(backend):
        sums, places = kernels.column_sums(x), kernels.mean_places(x[None])
        found = kernels.column_moments(x)
    np.testing.assert_allclose(sums, wide.sum(axis=0), rtol=2e-7)
    np.testing.assert_allclose(places[0], mean, rtol=2e-7)
    np.testing.assert_allclose(found[0], mean, rtol=2e-7)
    np.testing.assert_allclose(found[1], variance, rtol=1e-6)


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize("name", sorted(CODES))
def test_an_activation_and_its_slope_are_exact_wherever_they_are_asked(name, backend):
    x = np.linspace(-25, 25, 200_001).astype(np.float32)
    wide, numbers = x.astype(np.float64), (1.7581, 1.0507)
    with kernels.use(backend):
        y = kernels.activate(x, name, None, *numbers)
        of = x if name in OF_INPUT else y
        slope = kernels.activation_gradient(np.ones_like(x), of, name, None, *numbers)
    agreement.near(y, reference.activate(wide, name, None, *numbers))
    of = of.astype(np.float64)
    want = reference.activation_gradient(np.ones_like(wide), of, name, None, *numbers)
    agreement.near(slope, want, 4)


@pytest.mark.parametrize(
    ("x", "w", "pays"),
    [
        ((1, 28, 28, 32), (3, 3, 32, 64), True),
        ((4, 7, 7, 64), (3, 3, 64, 128), True),
        ((1, 7, 7, 64), (3, 3, 64, 128), False),  # the weights cost more than the pixels
        ((1, 28, 28, 8), (3, 3, 8, 8), False),
        ((1, 28, 28, 32), (5, 5, 32, 64), False),
        ((1, 2, 2, 32), (3, 3, 32, 64), False),
    ],
)
def test_tiles_are_taken_where_they_pay(x, w, pays):
    assert geometry(x, w, (1, 1), ((1, 1), (1, 1))).winograd is pays
    assert not geometry(x, w, (2, 2), ((1, 1), (1, 1))).winograd


def test_float64_runs_on_the_twins_and_stays_float64():
    x, w = np.ones((1, 4, 4, 2)), np.ones((3, 3, 2, 5))
    assert kernels.conv2d(x, w).dtype == np.float64
    assert kernels.matmul(x[0, 0], w[0, 0]).dtype == np.float64


def test_nan_shows_through_relu_pooling_and_softmax():
    x = np.array([[1, np.nan, -1, 2, np.nan]], np.float32)
    assert np.isnan(kernels.activate(x, "relu")[0, [1, 4]]).all()
    assert np.isnan(kernels.softmax(x)).all()
    image = x.reshape(1, 1, 5, 1)
    y, _ = kernels.max_pool2d(image, (1, 2), strides=(1, 2))
    assert np.isnan(y[0, 0, 0, 0])
    assert y[0, 0, 1, 0] == 2


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_activations_hold_at_the_ends_of_the_range(name):
    x = np.array([-np.inf, -1e30, -200, -88.5, -1e-20, 0, 1e-20, 88.5, 200, 1e30, np.inf], "f4")
    agreement.near(kernels.activate(x, name), reference.activate(x.astype(np.float64), name))


def test_a_label_that_is_no_class_is_refused():
    logits = np.zeros((3, 4), np.float32)
    for labels in ([0, 4, 1], [0, -1, 1]):
        with pytest.raises(ValueError, match="expected labels from 0 to 3, received values from"):
            kernels.softmax_cross_entropy(logits, np.array(labels))


def test_an_index_outside_the_data_set_is_refused():
    images = np.zeros((5, 2), np.uint8)
    for indices in ([0, 5], [-1, 2]):
        with pytest.raises(IndexError, match="expected indices from 0 to 4, received values from"):
            kernels.gather_scale(images, np.array(indices), 1.0)


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_rows_are_added_to_no_row_outside_the_table(backend):
    table = np.zeros((5, 3), np.float32)
    with kernels.use(backend):
        for indices in ([0, 5], [-1, 2]):
            message = "expected indices from 0 to 4, received values from"
            with pytest.raises(IndexError, match=message):
                kernels.add_rows(np.ones((2, 3), np.float32), np.array(indices), table)
    assert not table.any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: kernels.matmul(a(2, 3), a(4, 5)), r"\(m, k\) and \(k, n\), received \(2, 3\)"),
        (lambda a: kernels.matmul(a(2, 3), a(3, 5), a(2, 4)), r"out of shape \(2, 5\)"),
        (lambda a: kernels.conv2d(a(1, 5, 5, 3), a(3, 3, 2, 4)), "received 3 channels"),
        (lambda a: kernels.conv2d(a(1, 2, 5, 3), a(3, 3, 3, 4)), "hold a window of"),
        (lambda a: kernels.conv2d(a(5, 5, 3), a(3, 3, 3, 4)), r"received \(5, 5, 3\)"),
        (lambda a: kernels.conv2d(a(1, 5, 5, 3), a(3, 3, 3, 4), a(3)), r"bias of shape \(4,\)"),
        (
            lambda a: kernels.conv2d_input_gradient(a(1, 3, 3, 3), a(3, 3, 3, 4), (1, 5, 5, 3)),
            r"dy of shape \(1, 3, 3, 4\)",
        ),
        (
            lambda a: kernels.max_pool2d(a(1, 40, 40, 1), (17, 16), strides=(1, 1)),
            "window of 1 to 256 elements",
        ),
        (
            lambda a: kernels.conv2d_max_pool2d(a(1, 5, 5, 3), a(3, 3, 3, 4), activation="tanh"),
            "expected activation relu, linear or None, received 'tanh'",
        ),
        (
            lambda a: kernels.adam_update(
                a(3), a(3), a(3), a(4), step_size=1, beta_1=0, beta_2=0, epsilon=1
            ),
            r"g of shape \(3,\), received \(4,\)",
        ),
    ],
)
@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_shapes_that_do_not_fit_are_refused_before_memory_is_touched(call, message, backend):
    with kernels.use(backend), pytest.raises(ValueError, match=message):
        call(lambda *shape: np.zeros(shape, np.float32))


def test_a_backend_is_named_and_can_be_chosen():
    assert kernels.backend().name == "native"
    assert Path(kernels.backend().path).name == "libnn.so"
    with kernels.use("numpy") as chosen:
        assert kernels.backend() is chosen
        assert (chosen.name, chosen.path) == ("numpy", None)
    assert kernels.backend().name == "native"
    with (
        pytest.raises(ValueError, match=r"expected one of .* received 'cuda'"),
        kernels.use("cuda"),
    ):
        pass


def test_a_library_that_is_not_there_is_an_error_and_changes_nothing():
    with pytest.raises(OSError, match="nowhere"):
        kernels.load("/nowhere.so")
    assert kernels.backend().name == "native"
