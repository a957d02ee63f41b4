"""What dropout keeps is random: in its share, and from one seed and one place to the next."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn import kernels

COUNT = 100_000
SEEDS = st.integers(0, 2**31 - 1)
pytestmark = pytest.mark.usefixtures("native")


def kept(seed, rate=0.5, first=0):
    return kernels.drop(np.ones(COUNT, np.float32), kernels.Draw(seed, first), rate) > 0


def near_a_coin(found, share):
    """Check a share of COUNT throws, within six standard deviations."""
    assert abs(found.mean() - share) < 6 * (share * (1 - share) / COUNT) ** 0.5


@given(seed=SEEDS, rate=st.sampled_from([0.01, 0.1, 0.3, 0.5, 0.9]), first=st.integers(0, 2**28))
def test_the_share_that_is_asked_for_is_dropped(seed, rate, first):
    near_a_coin(kept(seed, rate, first), 1 - rate)


@given(seed=SEEDS, bit=st.integers(0, 30))
def test_seeds_that_differ_in_a_bit_keep_what_has_nothing_in_common(seed, bit):
    near_a_coin(kept(seed) == kept(seed ^ 1 << bit), 0.5)


@given(seed=SEEDS, apart=st.sampled_from([1, 2, 3, 4, 7, 8, 10, 28, 32, 64, 784, 1024]))
def test_places_beside_and_below_each_other_have_nothing_in_common(seed, apart):
    near_a_coin(kept(seed) == kept(seed, first=apart), 0.5)


def test_shares_are_drawn_evenly():
    shares = [kept(7, rate).mean() for rate in np.arange(1, 16) / 16]
    np.testing.assert_allclose(shares, 1 - np.arange(1, 16) / 16, atol=0.008)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_nothing_or_all_is_dropped(rate):
    assert kept(3, rate).all() == (rate == 0)
    assert kept(3, rate).any() == (rate == 0)
