"""Graphs of a few nodes drawn at random, which ONNX Runtime computes, are read right or refused.

`make soak ONLY=io` draws 20,000 of each kind; here are a few hundred.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import drawn_graphs, drawn_turns


@settings(deadline=None, max_examples=250)
@given(st.integers(0, 2**32))
def test_a_graph_drawn_at_random_is_computed_as_by_onnx_runtime_or_refused(seed):
    drawn_graphs.examine(seed)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32))
def test_a_graph_of_unknown_sizes_is_computed_as_by_onnx_runtime_or_refused(seed):
    drawn_graphs.examine_unknown_sizes(seed)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32))
def test_a_graph_whose_batch_moves_among_the_axes_is_computed_as_by_onnx_runtime(seed):
    drawn_turns.examine_turns(seed)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32))
def test_a_graph_that_states_one_sample_is_computed_for_any_number_or_refused(seed):
    drawn_turns.examine_turns_of_one(seed)
