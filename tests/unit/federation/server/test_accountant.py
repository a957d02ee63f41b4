"""Epsilon against Google's dp-accounting 0.6.0, which asks for other packages than these tests."""

import math

import pytest
from federation.server.accountant import Accountant, epsilon

# (multiplier, replies, delta) ->
# dp_accounting.get_epsilon_gaussian(multiplier / (2 * sqrt(replies)), delta)
LIBRARY = {
    (0.05, 1, 1e-5): 969.6455919324137, (0.05, 100, 1e-9): 82398.13023115293,
    (0.3, 1, 1e-5): 49.88371241116723, (0.3, 5, 1e-9): 199.68130333048546,
    (1.0, 1, 1e-5): 9.997256146434315, (1.0, 5, 1e-5): 28.373473803257394,
    (1.0, 100, 1e-9): 319.08196637536446, (2.0, 5, 1e-5): 11.480022809172567,
    (8.0, 1, 1e-9): 1.395615713857616, (8.0, 100, 1e-5): 13.20671224045199,
    (50.0, 1, 1e-5): 0.12542183066878432, (50.0, 100, 1e-9): 2.293639649111535,
}  # fmt: skip


@pytest.mark.parametrize("given", LIBRARY)
def test_epsilon_is_the_librarys(given):
    assert epsilon(*given) == pytest.approx(LIBRARY[given], rel=1e-9)


def test_the_node_with_the_most_replies_counts():
    accountant = Accountant(2.0)
    for nodes in ([1, 2], [2, 3], [2], [2], [2]):
        accountant.count(nodes)
    assert accountant.epsilon() == pytest.approx(LIBRARY[2.0, 5, 1e-5], rel=1e-9)


def test_who_sent_nothing_lost_nothing_and_without_noise_all_is_lost():
    assert Accountant(0.0).epsilon() == epsilon(1.0, 0) == 0.0
    assert epsilon(0.0, 1) == math.inf


def test_noise_beyond_measure_costs_nothing():
    assert epsilon(1e9, 1) == 0.0


@pytest.mark.parametrize(
    "given", [(-1.0, 1), (1.0, -1), (1.0, 1, 0.0), (1.0, 1, 1.0), (math.nan, 1)]
)
def test_values_out_of_range_are_refused(given):
    with pytest.raises(ValueError, match="expected multiplier"):
        epsilon(*given)
