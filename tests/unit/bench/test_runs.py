"""A run that measures a part keeps the other figures, each with the run that it is of."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.bench import __main__ as bench
from tests.bench import report, runs
from tests.bench.runs import Run

PLACE = {"processor": "x", "cores": 2, "memory_gib": 4, "chromium": "Chromium 1", "commit": "abc"}
MEASURED = st.lists(st.dictionaries(st.sampled_from("abcd"), st.floats(0, 9)), max_size=6)


@given(MEASURED)
def test_each_figure_is_of_the_last_run_that_measured_it(measured):
    kept, last = [], {}
    for number, figures in enumerate(measured):
        kept = runs.merged([Run({"date": number}, figures)], kept)
        last |= {name: (value, number) for name, value in figures.items()}
    found = {n: (v, run.place["date"]) for run in kept for n, v in run.figures.items()}
    assert found == last
    assert runs.figures(kept) == {name: value for name, (value, _) in last.items()}
    assert all(run.figures for run in kept)


def test_runs_are_read_as_they_were_written(tmp_path):
    assert runs.read(tmp_path / "none.json") == []
    written = [Run(PLACE, {"lenet.nn": 1.5}), Run(PLACE, {"mlp.nn": 2.0})]
    runs.write(tmp_path / "runs.json", written)
    assert runs.read(tmp_path / "runs.json") == written


def test_rows_of_several_runs_say_which_run_they_are_of():
    older = Run(PLACE | {"date": "2026-11-21T00:00"}, {"lenet.nn": 1.0, "mlp.nn": 2.0})
    newer = Run(PLACE | {"date": "2026-11-27T00:00", "commit": "def"}, {"lenet.nn": 3.0})
    one, both = report.markdown([older]), report.markdown(runs.merged([newer], [older]))
    assert "\nx, 2 cores, 4 GiB, Chromium 1, " in one
    assert "**3** " in both
    assert "**2** " in both
    lines = [line for line in both.splitlines() if line.startswith("- ")]
    assert ["Train LeNet-5: " in lines[0], "2026-11-27, commit def" in lines[0]] == [True, True]
    assert ["MLP: " in lines[1], "2026-11-21, commit abc" in lines[1]] == [True, True]


def test_the_documents_show_what_is_published():
    """Change none of it by hand: `python -m tests.bench --publish` writes all."""
    published = runs.read(bench.PUBLISHED)
    assert {path.name: text for path, text in bench.documents(published).items()} == {
        name: Path(bench.ROOT / folder / name).read_text()
        for folder, name in (
            (".", "README.md"),
            ("docs", "limits.md"),
            ("docs/images", "speed.svg"),
        )
    }


def test_only_what_the_documents_show_is_published():
    measured = [Run(PLACE, {"mlp.nn": 1.0, "gpu.other": 2.0}), Run(PLACE, {"gpu.other": 3.0})]
    assert runs.only(measured, report.shown_figures()) == [Run(PLACE, {"mlp.nn": 1.0})]
    assert set(runs.figures(runs.read(bench.PUBLISHED))) <= report.shown_figures()
