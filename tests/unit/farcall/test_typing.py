"""What mypy knows about the other side."""

import datetime
import re
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import farcall
import pytest
from farcall import stubs
from mypy import api

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ("01-callback", "02-stream", "03-cancel", "04-pool")


class Report:
    """What an engine makes; a context manager."""

    title: str

    def __init__(self, title: str, *, pages: int = 1) -> None:
        self.title = title

    def summary(self) -> str:
        return self.title

    def __enter__(self) -> "Report":
        return self

    def __exit__(self, *exc: object) -> None: ...


class Model:
    """A class whose instances live in a worker."""

    name: str

    def fit(self, x: list[float], *, epochs: int = 1) -> float:
        return epochs * sum(x)

    async def save(self) -> bytes:
        return b""

    def batches(self, count: int) -> Iterator[int]:
        yield from range(count)

    def since(
        self, day: datetime.date, paths: list | None = None
    ) -> dict[uuid.UUID, Fraction] | tuple:
        return ()

    def mode(self, mode: Literal["train", "test"] = "train") -> dict[str, list[int]] | None:
        return None


class Trained(Model):
    """Its base's methods are its own too."""

    def score(self, on_batch: Callable[[int, str], None]) -> float:
        return 0.5


class Engine:
    """What a worker serves."""

    model: Model
    Report: type[Report]

    def make(self, units: int) -> Model:
        return Model()

    def trained(self) -> Trained:
        return Trained()

    def open(self, data: bytes) -> Report:
        return Report("x")

    def each(self, items: Iterator[int], function: Callable[[int], Awaitable[str]]) -> list[str]:
        return []


USE = """
import datetime
from fractions import Fraction
from remote_types import RemoteEngine

def show(batch: int, text: str) -> None: ...
async def show_later(batch: int, text: str) -> None: ...
def text(item: int) -> str: return ""
async def text_later(item: int) -> str: return ""

async def use(engine: RemoteEngine) -> float:
    model = await engine.make(3)
    async for batch in model.batches(2):
        print(batch + 1)
    stream = await model.batches(2)
    await stream.aclose()
    name: str = await engine.model.name
    data: bytes = await model.save()
    mode: dict[str, list[int]] | None = await model.mode("test")
    report = await engine.Report("x", pages=2)
    title: str = await report.title
    first: str = await engine.open(data).summary()
    async with engine.open(data) as opened, engine.make(2) as made:
        second: str = await opened.summary()
        await made.save()
    trained = engine.trained()
    await trained.fit([await trained.score(show)])
    await trained.score(show_later)
    since = await trained.since(datetime.date(2026, 1, 2), [1])
    shares: list[Fraction] = list(since.values()) if isinstance(since, dict) else []
    texts: list[str] = await engine.each(iter([1]), text)
    texts = await engine.each(iter([1]), text_later)
    return await engine.model.fit([1.0], epochs=len(data))
"""
# What is written in place of something above -> what mypy says of it.
MISTAKES = {
    ("engine.make(3)", "engine.make('three')"): 'to "make" of "RemoteEngine" has incompatible type',
    ("name: str", "name: int"): 'expression has type "str", variable has type "int"',
    ("pages=2", "page=2"): 'Unexpected keyword argument "page" for "Report" of "RemoteEngine"',
    ("open(data).summary", "open(data).summery"): '"RemoteReport" has no attribute "summery"',
    ("opened.summary", "opened.batches"): '"RemoteReport" has no attribute "batches"',
    ("score(show)", "score(text)"): 'to "score" of "RemoteTrained" has incompatible type',
    ("iter([1]), text)", "iter([1]), show)"): 'to "each" of "RemoteEngine" has incompatible type',
    (
        "datetime.date(2026, 1, 2)",
        "str(2026)",
    ): 'to "since" of "RemoteTrained" has incompatible type "str"',
    ('"test"', '"rest"'): 'to "mode" of "RemoteModel" has incompatible type',
    ("stream.aclose", "stream.close"): '"Stream[int]" has no attribute "close"',
}


def run_stubs(*arguments: str, folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """What `python -m farcall.stubs` prints."""
    return subprocess.run(
        [sys.executable, "-m", "farcall.stubs", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT / "py")},
        capture_output=True,
        text=True,
        check=False,
    )


def example(name: str, folder: Path) -> str:
    """An example's page that annotates its engine, and the stubs of its worker; both to mypy."""
    made = run_stubs("worker.py", folder=ROOT / "examples" / name)
    module = "remote_" + name.partition("-")[2]
    (folder / f"{module}.py").write_text(made.stdout)
    text = (ROOT / "examples" / name / "main.py").read_text()
    text = re.sub(r"(\w+) = await farcall.connect", r'\1: "Served" = await farcall.connect', text)
    text = text.replace("lambda worker, number: worker.square(number)", "work")
    head = "# mypy: allow-untyped-defs, allow-untyped-calls, check-untyped-defs\n"
    head += f"from {module} import Served\n"
    if name == "04-pool":  # a lambda has no annotations
        head += "async def work(worker: Served, number: int) -> object:\n"
        head += "    return await worker.square(number)\n"
    return head + text


@pytest.fixture(scope="module")
def report(tmp_path_factory: Any) -> str:
    """mypy --strict's report on all modules that import stubs, by file; it runs once."""
    folder: Path = tmp_path_factory.mktemp("typed")
    classes = [Engine, Model, Report, Trained]
    (folder / "remote_types.py").write_text(stubs.protocols(classes))
    (folder / "use.py").write_text(USE)
    for number, (right, wrong) in enumerate(MISTAKES):
        assert right in USE
        (folder / f"wrong_{number}.py").write_text(USE.replace(right, wrong, 1))
    for name in EXAMPLES:
        text = example(name, folder)
        (folder / f"main_{name[:2]}.py").write_text(text)
        wrong = re.sub(r"\.(Library|primes|count|square)\(", r".\1_(", text)
        (folder / f"misspelt_{name[:2]}.py").write_text(wrong)
    options = ["--strict", "--ignore-missing-imports", "--cache-dir", str(folder / "cache")]
    found, errors, _ = api.run([*options, *map(str, sorted(folder.glob("*.py")))])
    assert not errors
    return found


def said(report: str, file: str) -> list[str]:
    """What mypy says of one file."""
    return [line for line in report.splitlines() if f"{file}.py:" in line]


@pytest.mark.promise("farcall: features", "Typing: `Remote[T]`, Protocols from classes")
def test_stubs_type_calls_attributes_streams_classes_and_callbacks(report: str) -> None:
    assert said(report, "use") == []
    assert said(report, "remote_types") == []


@pytest.mark.promise("farcall: features", "Typing: `Remote[T]`, Protocols from classes")
@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_a_mistake_is_found(report: str, number: int) -> None:
    expected = list(MISTAKES.values())[number]
    assert any(expected in line for line in said(report, f"wrong_{number}")), report


@pytest.mark.parametrize("name", EXAMPLES)
def test_stubs_of_an_examples_worker_type_its_page(report: str, name: str) -> None:
    assert said(report, "main_" + name[:2]) == []
    misspelt = said(report, "misspelt_" + name[:2])
    assert misspelt
    assert all('"Served" has no attribute' in line for line in misspelt), misspelt


def test_the_command_explains_itself_and_its_mistakes() -> None:
    shown = run_stubs("--help")
    assert shown.returncode == 0
    assert "usage: python -m farcall.stubs" in shown.stdout
    assert "module:Class" in shown.stdout
    assert "usage" in run_stubs().stderr
    assert "expected module:Class" in run_stubs("json:Nothing").stderr
    assert "neither calls farcall.serve nor has an __all__" in run_stubs("this").stderr
    in_browser = run_stubs("examples/05-javascript-comlink/worker.py").stderr
    assert "No module named 'js'" in in_browser
    assert "imports nothing of a browser" in in_browser


def test_a_class_of_a_workers_script_and_a_module_are_found_too() -> None:
    of_class = run_stubs("worker:Library", folder=ROOT / "examples" / "01-callback")
    assert "class RemoteLibrary(Protocol)" in of_class.stdout
    of_module = run_stubs("json")
    assert "class Served(Protocol)" in of_module.stdout
    assert "def dumps(self, obj: Any" in of_module.stdout


@pytest.mark.promise("farcall: features", "Typing: `Remote[T]`, Protocols from classes")
def test_remote_takes_a_type_in_annotations() -> None:
    assert farcall.Remote[Model] is farcall.Remote
