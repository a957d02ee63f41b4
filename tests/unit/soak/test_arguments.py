"""The command line of `make soak`: parts, each below two hours."""

import pytest

from tests.soak.__main__ import MOST, PARTS, arguments


def test_without_arguments_both_pairings_share_ten_minutes() -> None:
    options = arguments([])
    assert (options.only, options.minutes) == (None, 10)


@pytest.mark.parametrize("part", PARTS)
def test_each_part_is_run_alone_for_so_many_minutes(part: str) -> None:
    options = arguments(["--only", part, "--minutes", "90"])
    assert (options.only, options.minutes) == (part, 90)
    assert 0 < arguments(["--only", part]).minutes < MOST


@pytest.mark.parametrize("minutes", ["0", "120", "-5"])
def test_two_hours_are_too_long_and_nothing_is_too_short(
    minutes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        arguments(["--minutes", minutes])
    assert f"less than {MOST}" in capsys.readouterr().err
