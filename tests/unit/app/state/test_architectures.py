"""The networks that the page offers, and the errors of those that cannot be."""

import pytest
from app.state import architectures
from app.state.architectures import LayerError, decode, encode, layers_of, plan, read_field
from hypothesis import given
from hypothesis import strategies as st


def test_plans_the_seed_network_as_the_golden_table_says() -> None:
    rows = plan(layers_of("seed"))
    assert [row[2] for row in rows] == [80, 0, 1168, 0, 0, 51328, 1290]
    assert sum(row[2] for row in rows) == 53866
    assert [row[1] for row in rows[:5]] == [
        (26, 26, 8),
        (13, 13, 8),
        (11, 11, 16),
        (5, 5, 16),
        (400,),
    ]


@pytest.mark.parametrize("preset", architectures.PRESETS)
def test_every_preset_ends_in_ten_probabilities(preset: str) -> None:
    assert plan(layers_of(preset))[-1][1] == (10,)


@pytest.mark.parametrize("preset", architectures.PRESETS)
def test_every_preset_survives_the_url(preset: str) -> None:
    assert decode(encode(layers_of(preset))) == layers_of(preset)


def test_names_the_layer_that_gets_the_wrong_input() -> None:
    with pytest.raises(LayerError, match="put Flatten before it") as caught:
        plan([("Dense", {"units": 10, "activation": "softmax"})])
    assert caught.value.index == 0
    with pytest.raises(LayerError, match="move it before Flatten") as caught:
        plan([("Flatten", {}), ("MaxPooling2D", {"pool_size": 2})])
    assert caught.value.index == 1


def test_says_when_a_window_no_longer_fits() -> None:
    pools = [("MaxPooling2D", {"pool_size": 5})] * 3
    with pytest.raises(LayerError, match="window of 5 does not fit into 1 × 1") as caught:
        plan(pools)
    assert caught.value.index == 2


def test_wants_one_probability_a_class_at_the_end() -> None:
    for layers in (
        [],
        [("Flatten", {})],
        [("Flatten", {}), ("Dense", {"units": 9, "activation": "softmax"})],
    ):
        with pytest.raises(LayerError, match="last layer must be Dense with 10 units and softmax"):
            plan(layers)


@pytest.mark.parametrize(
    ("kind", "name", "text", "message"),
    [
        ("Conv2D", "filters", "many", "whole number"),
        ("Conv2D", "filters", "0", "1 to 256"),
        ("Conv2D", "padding", "wrap", "valid, same"),
        ("Dropout", "rate", "x", "a number"),
    ],
)
def test_says_what_a_field_expects(kind: str, name: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_field(kind, name, text)


@pytest.mark.parametrize(
    "text", ["", "Lambda", "Dense,units:0", "Dense,size:4", "Conv2D,filters:8", "Dense;"]
)
def test_refuses_layers_that_it_does_not_offer(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|no field|needs"):
        decode(text)


@given(st.text(max_size=60))
def test_any_text_is_layers_or_a_value_error(text: str) -> None:
    try:
        layers = decode(text)
    except ValueError:
        return
    assert decode(encode(layers)) == layers


def test_editing_a_copy_leaves_the_preset_alone() -> None:
    layers_of("seed")[0][1]["filters"] = 99
    assert layers_of("seed")[0][1]["filters"] == 8
