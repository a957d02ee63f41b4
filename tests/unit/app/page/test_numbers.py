"""Numbers as people read them."""

from collections.abc import Iterator

import pytest
from app import language
from app.page import numbers
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(-(10**12), 10**12))
def test_groups_thousands_as_pythons_own_format_does(number: int) -> None:
    assert numbers.count(number) == f"{number:,}"


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9719438, "9.7 MB"),
        (999_600, "1.0 MB"),
        (123_456_789, "123 MB"),
    ],
)
def test_states_bytes_in_decimal_units(octets: int, text: str) -> None:
    assert numbers.size(octets) == text


@pytest.mark.parametrize(
    ("duration", "text"),
    [(0.034, "34 ms"), (2.06, "2.1 s"), (59.96, "1:00"), (65, "1:05"), (7384, "2:03:04")],
)
def test_states_a_time_in_the_unit_that_reads_best(duration: float, text: str) -> None:
    assert numbers.seconds(duration) == text


def test_leaves_a_dash_while_the_rate_is_unknown() -> None:
    assert numbers.remaining(0, 60000, 0) == numbers.DASH
    assert numbers.remaining(30000, 60000, 10000) == "0:03"
    assert numbers.remaining(70000, 60000, 10000) == "0:00"


@given(st.floats(0, 1, exclude_max=True))
def test_never_calls_less_than_all_of_it_100_percent(share: float) -> None:
    assert numbers.percent(share) != "100.0 %"


def test_states_percent_with_one_digit() -> None:
    assert numbers.percent(0.97654) == "97.7 %"
    assert numbers.percent(1.0) == "100.0 %"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.1235"),
        (2.3026, "2.303"),
        (1234.5, "1234"),
        (float("nan"), "NaN"),
        (float("inf"), "∞"),
    ],
)
def test_states_a_loss_in_a_few_digits(value: float, text: str) -> None:
    assert numbers.loss(value) == text


def test_leaves_the_batch_axis_out_of_a_shape() -> None:
    assert numbers.shape((None, 26, 26, 8)) == "26 × 26 × 8"


@pytest.fixture(params=[(".", ","), (",", ".")], ids=["en", "de"])
def signs(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The decimal sign of the page's language, and the one between its thousands."""
    sign, between = request.param
    language.use({".": sign, ",": between})
    yield request.param
    language.use({})


def typed(text: str) -> float | None:
    try:
        return float(numbers.plain(text))
    except ValueError:
        return None


def test_a_number_is_read_as_the_language_writes_it(signs: tuple[str, str]) -> None:
    @given(st.floats(-1e9, 1e9).map(lambda value: float(f"{value:.6g}")))
    def back(value: float) -> None:
        assert typed(numbers.local(f"{value:.6g}")) == value

    back()


def test_what_another_language_writes_so_is_no_number(signs: tuple[str, str]) -> None:
    sign, between = signs
    for text in ("5?1", "1?000", "1?000?000", f"1?000{sign}5", "?5", "5?"):
        assert typed(text.replace("?", between)) is None
    for text in ("", "one", f"1{sign}{sign}5", "1 000"):
        assert typed(text) is None
