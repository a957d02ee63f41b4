"""Windows, borders and sizes of images, sequences and volumes, as ONNX Runtime computes them."""

from itertools import product

import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.io import errors

from tests.support.graphs import REFUSALS, expect_same, graph, node, runtime

RNG = np.random.default_rng(0)
SIZES = {1: (11,), 2: (7, 9), 3: (4, 5, 6)}


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


HOW = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
ROUNDED = ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]


@settings(deadline=None, max_examples=80)
@given(st.integers(1, 3), st.sampled_from(HOW), st.sampled_from([*ROUNDED, "linear"]), st.data())
def test_sequences_images_and_volumes_get_other_sizes(rank, how, rule, data):
    old = [data.draw(st.integers(2, 7)) for _ in range(rank)]
    new = [data.draw(st.integers(1, 15)) for _ in range(rank)]
    mode = {"mode": "linear"} if rule == "linear" else {"mode": "nearest", "nearest_mode": rule}
    options = {"coordinate_transformation_mode": how, **mode}
    nodes = [node("Resize", ["x", "", "", "s"], "y", **options)]
    graphs = graph(nodes, {"s": np.array([2, 3, *new])}, (1, 3, *old))
    x = random(2, 3, *old)
    try:
        runtime(graphs, x)
    except REFUSALS:  # linear by other rules than its own in three axes
        return
    expect_same(graphs, x)


def test_a_place_between_two_elements_goes_to_the_one_of_onnx_runtime():
    for rule, number in product(ROUNDED, (2, 4, 8, 14, 0.6, 1.4)):
        options = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": rule}
        size = isinstance(number, int)
        names = ["x", "", "", "s"] if size else ["x", "", "s"]
        nodes = [node("Resize", names, "y", mode="nearest", **options)]
        wanted = np.array([2, 3, number]) if size else np.float32([1, 1, number])
        expect_same(graph(nodes, {"s": wanted}, (1, 3, 7)), random(2, 3, 7))


@pytest.mark.parametrize("rank", SIZES)
def test_a_factor_that_is_not_whole_takes_the_nearest_elements(rank):
    for factor in (0.5, 1.5, 2.3):
        options = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        nodes = [node("Resize", ["x", "", "s"], "y", mode="nearest", **options)]
        scales = np.array([1, 1, *[factor] * rank], np.float32)
        expect_same(graph(nodes, {"s": scales}, (1, 3, *SIZES[rank])), random(2, 3, *SIZES[rank]))


def test_what_cubic_pixels_fall_below_zero_is_seen_by_a_pool():
    nodes = [
        node("Relu", ["x"], "r"),
        node("Resize", ["r", "", "s"], "c", mode="cubic"),
        node("MaxPool", ["c"], "y", kernel_shape=[1, 2], pads=[0, 1, 0, 0]),
    ]
    x = np.zeros((1, 1, 4, 6), np.float32)
    x[..., 1] = 1
    data = graph(nodes, {"s": np.float32([1, 1, 1, 3])}, x.shape)
    assert runtime(data, x)[0].min() < 0
    expect_same(data, x)


@pytest.mark.parametrize("rank", SIZES)
@pytest.mark.parametrize("groups", [2, 4])
def test_a_transposed_convolution_has_groups(rank, groups):
    for stride, more in ((1, 0), (2, 1)):
        constants = {"w": random(4, 3, *[3] * rank), "b": random(3 * groups)}
        made = node(
            "ConvTranspose", ["x", "w", "b"], "y", group=groups, strides=[stride] * rank,
            pads=[1] * (2 * rank), output_padding=[more] * rank,
        )  # fmt: skip
        data = graph([made], constants, (1, 4, *SIZES[rank]))
        expect_same(data, random(2, 4, *SIZES[rank]))


def test_groups_take_no_more_memory_than_there_is():
    made = node("ConvTranspose", ["x", "w"], "y", group=3000)
    with pytest.raises(errors.LimitError, match="ConvTranspose"):
        nn.io.load(graph([made], {"w": random(3000, 1, 2, 2)}, (1, 3000, 2, 2)))


@pytest.mark.parametrize("groups", [0, -2, 3])
def test_groups_that_do_not_divide_the_channels_are_refused(groups):
    made = node("ConvTranspose", ["x", "w"], "y", group=groups)
    with pytest.raises(errors.UnsupportedError, match="expected groups of the 4 channels"):
        nn.io.load(graph([made], {"w": random(4, 1, 2, 2)}, (1, 4, 2, 2)))


@pytest.mark.parametrize("rank", SIZES)
@pytest.mark.parametrize("positive", [False, True])
def test_the_largest_of_elements_that_lie_apart(rank, positive):
    for dilation, stride, pad, ceil in product((2, 3), (1, 2), (0, 1), (0, 1)):
        dilation = 2 if rank == 3 else dilation
        names = {
            "kernel_shape": [2] * rank, "dilations": [dilation] * (rank - 1) + [2],
            "strides": [stride] * rank, "pads": [pad] * (2 * rank), "ceil_mode": ceil,
        }  # fmt: skip
        nodes = [
            node("Relu" if positive else "Identity", ["x"], "r"),
            node("MaxPool", ["r"], "y", **names),
        ]
        expect_same(graph(nodes, {}, (1, 2, *SIZES[rank])), random(2, 2, *SIZES[rank]))


def test_a_window_of_very_many_elements_that_lie_apart_is_refused():
    made = node("MaxPool", ["x"], "y", kernel_shape=[9, 9], dilations=[2, 2])
    with pytest.raises(errors.UnsupportedError, match="at most 64 elements"):
        nn.io.load(graph([made], {}, (1, 2, 30, 30)))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 3), st.data())
def test_negative_pads_take_elements_away(rank, data):
    sizes = (5, *SIZES.get(rank, ()))
    counts = [data.draw(st.integers(-1, 2)) for _ in range(2 * len(sizes))]
    pads = [0, *counts[: len(sizes)], 0, *counts[len(sizes) :]]
    value = data.draw(st.sampled_from([0.0, -2.0]))
    nodes = [node("Pad", ["x", "p", "v"], "y")]
    made = graph(nodes, {"p": np.array(pads), "v": np.float32(value)}, (1, *sizes))
    expect_same(made, random(2, *sizes))


def test_a_sign_that_gives_back_what_an_absolute_value_took():
    nodes = [
        node("Sign", ["x"], "s"), node("Abs", ["x"], "a"), node("Relu", ["a"], "r"),
        node("Mul", ["s", "r"], "m"), node("Tanh", ["m"], "y"),
    ]  # fmt: skip
    expect_same(graph(nodes, {}, (1, 2, 7, 9)), random(2, 2, 7, 9))
    for wrong in (node("Mul", ["s", "x"], "m"), node("Add", ["s", "r"], "m")):
        with pytest.raises(errors.UnsupportedError, match=r"Sign .*: no sign here"):
            nn.io.load(graph([*nodes[:3], wrong, nodes[4]], {}, (1, 2, 7, 9)))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_cyclic_pads_go_round_as_often_as_there_are_sizes_in_them(size):
    for before, after in product(range(2 * size + 2), repeat=2):
        pads = np.array([0, 0, before, 0, 0, after], np.int64)
        data = graph([node("Pad", ["x", "p"], "y", mode="wrap")], {"p": pads}, (1, 2, size), 19)
        expect_same(data, random(2, 2, size))


def test_mirrored_pads_are_refused_of_an_axis_that_is_no_longer_than_they_are():
    pads = np.array([0, 0, 3, 0, 0, 0], np.int64)
    made = node("Pad", ["x", "p"], "y", mode="reflect")
    with pytest.raises(errors.UnsupportedError, match=r"no pads \[3, 0\] of 3"):
        nn.io.load(graph([made], {"p": pads}, (1, 2, 3)))


@pytest.mark.parametrize("shape", [(1, 200), (1, 2, "t")], ids=str)
def test_mirrored_pads_may_have_as_many_elements_as_the_axis_less_one(shape):
    """As of a spectrogram: half a window before a second of sound, and half of one after it."""
    around = np.zeros(2 * len(shape), np.int64)
    around[[len(shape) - 1, -1]] = 199, 128
    data = graph([node("Pad", ["x", "p"], "y", mode="reflect")], {"p": around}, shape)
    expect_same(data, random(2, *shape[1:-1], 200))


def test_a_part_of_an_axis_of_one_element_is_taken_where_another_axis_has_the_batch():
    """The engine's shape has no place for that axis."""
    numbers = {"ones": [-1, 2, 1, 1, 1], "first": [0], "end": [9], "axis": [1], "apart": [-1, 2]}
    constants = {name: np.array(given, np.int64) for name, given in numbers.items()}
    nodes = [
        node("Reshape", ["x", "ones"], "a"),
        node("Flatten", ["a"], "b", axis=2),
        node("Slice", ["b", "first", "end", "axis"], "c"),
        node("Reshape", ["c", "apart"], "y"),
    ]
    expect_same(graph(nodes, constants, (1, 2)), random(3, 2))
