"""What mypy knows about the other side."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import farcall
import pytest
from farcall import stubs
from mypy import api

SOURCE = Path(__file__).resolve().parents[3] / "py"


class Model:
    """A class whose instances live in a worker."""

    name: str

    def fit(self, x: list[float], *, epochs: int = 1) -> float:
        return epochs * sum(x)

    async def save(self) -> bytes:
        return b""

    def batches(self, count: int) -> Iterator[int]:
        yield from range(count)


class Engine:
    """What a worker serves."""

    model: Model

    def make(self, units: int) -> Model:
        return Model()


USE = """
from remote_types import RemoteEngine

async def use(engine: RemoteEngine) -> float:
    model = await engine.make(3)
    async for batch in model.batches(2):
        print(batch + 1)
    name: str = await engine.model.name
    data: bytes = await model.save()
    return await engine.model.fit([1.0], epochs=len(data))
"""


def checked(folder: Path, text: str) -> tuple[str, int]:
    """mypy --strict's report on a module that imports the stubs, and its exit status."""
    (folder / "remote_types.py").write_text(stubs.protocols([Engine, Model]))
    (folder / "use.py").write_text(text)
    options = ["--strict", "--cache-dir", str(folder / "cache"), str(folder / "use.py")]
    report, errors, status = api.run(options)
    return report + errors, status


@pytest.mark.promise("farcall: features", "Typing: `Remote[T]`, Protocols from classes")
def test_made_protocols_type_calls_attributes_and_streams(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("MYPYPATH", str(tmp_path))
    report, status = checked(tmp_path, USE)
    assert status == 0, report
    wrong = USE.replace("engine.make(3)", "engine.make('three')").replace("name: str", "name: int")
    report, status = checked(tmp_path, wrong)
    assert status == 1
    assert '"make" of "RemoteEngine" has incompatible type "str"' in report
    assert 'expression has type "str", variable has type "int"' in report


@pytest.mark.promise("farcall: features", "Typing: `Remote[T]`, Protocols from classes")
def test_remote_takes_a_type_in_annotations() -> None:
    assert farcall.Remote[Model] is farcall.Remote
