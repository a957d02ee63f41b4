"""Requirements are judged by measured figures; a missing figure never passes."""

import pytest

from tests.bench import report
from tests.bench.requirements import REQUIREMENTS, Requirement
from tests.bench.runs import Run


def test_a_ratio_is_judged_by_its_bound():
    faster = Requirement("a", ">=", 1.5, "b")
    assert faster.holds({"a": 3.0, "b": 2.0})
    assert not faster.holds({"a": 2.9, "b": 2.0})


def test_a_time_must_stay_below_its_bound():
    assert Requirement("ms", "<=", 0.3).holds({"ms": 0.3})
    assert not Requirement("ms", "<=", 0.3).holds({"ms": 0.31})


def test_a_missing_figure_keeps_no_bound():
    assert not Requirement("a", "<=", 1.0).holds({})
    assert not Requirement("a", ">=", 0.0, "b").holds({"a": 1.0})


def test_a_complete_run_names_what_was_not_measured():
    lines, all_hold = report.verdicts({}, complete=True)
    assert not all_hold
    assert lines.count("not measured") == len(REQUIREMENTS)


def test_a_partial_run_judges_only_what_it_measured():
    lines, all_hold = report.verdicts({"predict1_ms.nn": 0.1}, complete=False)
    assert all_hold
    assert lines.splitlines() == [lines]


PLACE = dict.fromkeys(("processor", "cores", "memory_gib", "chromium"), "x") | {"date": "2026"}


def test_the_table_has_a_dash_where_a_peer_cannot():
    text = report.markdown([Run(PLACE, {"train128.nn": 45_000.0, "train128.torch_1t": 20_000.0})])
    row = next(line for line in text.splitlines() if line.startswith("| Train the seed"))
    assert "**45,000** | 20,000 | – |" in row


def test_photographs_have_a_table_of_their_own_in_milliseconds():
    assert report.photographs_markdown([]) == ""
    figures = {"mobilenet_v2.predict1_ms.nn": 12.34, "mobilenet_v2.predict1_ms.tfjs_wasm_1t": 17.0}
    lines = report.photographs_markdown([Run(PLACE, figures)]).split("\n\n")[0].splitlines()
    assert len(lines) == 3
    assert lines[2] == "| MobileNetV2, one image | **12.3** | 17.0 | – | – |"


def test_the_plot_is_well_formed_and_scales_to_the_fastest():
    from xml.etree import ElementTree

    root = ElementTree.fromstring(report.plot({"mlp.nn": 100.0, "mlp.torch_1t": 50.0}))
    bars = [r for r in root.iter("{http://www.w3.org/2000/svg}rect") if r.get("height") == "13"]
    nn, torch = (int(bar.attrib["width"]) for bar in bars)
    assert nn == 2 * torch


def test_the_tables_go_between_the_marks_and_nowhere_else():
    text = "a\n<!-- figures -->\nold\n<!-- /figures -->\nb\n"
    once = report.between_marks(text, "new\n")
    assert once == "a\n<!-- figures -->\nnew\n<!-- /figures -->\nb\n"
    assert report.between_marks(once, "new") == once


def test_a_text_without_marks_is_refused():
    with pytest.raises(ValueError, match="found neither"):
        report.between_marks("no marks", "new")


def test_the_lstm_s_ceiling_follows_from_the_measured_peak():
    ceiling = report.ceilings({"gemm512.fma_peak": 67.0})["lstm.ceiling"]
    assert 128 / ceiling == pytest.approx(352.3e6 / 67e9, rel=1e-3)
    assert report.ceilings({}) == {}
    runs = [Run(PLACE, {"lstm.ceiling": 24_345.0})]
    assert "could not exceed 24,345 images/s" in report.markdown(runs)
