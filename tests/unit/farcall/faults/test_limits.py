"""Every limit of a session: what is refused says which one it was, and the session lives."""

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import farcall
import pytest
from farcall import comlink
from farcall.comlink import ports
from farcall.connection.policy import PATH_LENGTH
from farcall.connection.session import LIMITS
from farcall.endpoints import memory_pair
from farcall.values import graphs

ROOT = Path(__file__).resolve().parents[4]
TABLE = ROOT / "docs" / "limits.md"
SCRIPT = ROOT / "py" / "farcall" / "comlink" / "comlink.js"


@farcall.exposed(concurrency=1, queue=1)
class Queued:
    async def wait(self) -> None:
        await asyncio.sleep(0.001)


class Far:
    def echo(self, value: Any) -> Any:
        return value

    async def wait(self) -> None:
        await asyncio.sleep(0.001)

    def objects(self, count: int) -> list[Any]:
        return [Far() for _ in range(count)]

    def text(self, size: int) -> str:
        return "x" * size

    def texts(self, *sizes: int) -> Iterator[str]:
        for size in sizes:
            yield "x" * size

    def data(self, size: int) -> bytes:
        return b"x" * size

    def queued(self) -> Queued:
        return Queued()


async def each(method: Any, count: int) -> None:
    """So many calls at once; raises the first error when all have ended."""
    calls, errors = [], []
    for _ in range(count):
        try:
            calls.append(method())
        except farcall.LimitError as exc:
            errors.append(exc)
    ended = await asyncio.gather(*calls, return_exceptions=True)
    errors += [end for end in ended if isinstance(end, Exception)]
    if errors:
        raise errors[0]


async def a_queue(far: Any) -> None:
    queued = await far.queued()
    await each(queued.wait, 3)


def a_long_path(far: Any) -> Any:
    for _ in range(PATH_LENGTH + 1):
        far = far.far
    return far()


# A limit, the small value it has here, what goes beyond it, the error's class and its text there.
BEYOND: list[tuple[str, int, Callable[[Any], Any], type[Exception], str]] = [
    (
        "pending",
        4,
        lambda far: each(far.wait, 5),
        farcall.LimitError,
        "{} calls are pending",
    ),
    (
        "serving",
        4,
        lambda far: each(far.wait, 5),
        farcall.LimitError,
        "{} calls are running",
    ),
    (
        "exports",
        4,
        lambda far: far.objects(5),
        farcall.LimitError,
        "the peer holds {} objects of this side",
    ),
    (
        "header",
        2000,
        lambda far: far.text(2100),
        farcall.LimitError,
        "a message holds at most {} (limits={{'header': ...}})",
    ),
    (
        "buffers",
        2000,
        lambda far: far.data(2100),
        farcall.LimitError,
        "a message holds at most {} (limits={{'buffers': ...}})",
    ),
    ("queue", 1, a_queue, farcall.LimitError, "{} calls wait for this object already"),
    ("path", PATH_LENGTH, a_long_path, farcall.ProtocolError, "expected a path of at most {}"),
]


async def connected(**limits: int) -> tuple[Any, farcall.Session, farcall.Session]:
    near_end, far_end = memory_pair()
    far = farcall.Session(far_end, {"far": Far()}, limits=limits)
    near = farcall.Session(near_end, limits=limits)
    return await near.ready, near, far


@pytest.mark.promise(
    "farcall: every await ends",
    "A value, or a turn's calls together, are larger than a message: LimitError of that call or "
    "stream; the turn is split",
)
@pytest.mark.asyncio
@pytest.mark.parametrize("beyond", BEYOND, ids=[row[0] for row in BEYOND])
async def test_what_goes_beyond_a_limit_is_refused_alone(beyond: Any) -> None:
    limit, most, act, kind, text = beyond
    engine, near, far = await connected(**({limit: most} if limit in LIMITS else {}))
    with pytest.raises(kind) as caught:
        await act(engine.far)
    assert text.format(most) in str(caught.value)
    assert await engine.far.echo(1) == 1
    assert (near.error, far.error) == (None, None)
    near.close()
    far.close()


@pytest.mark.parametrize("beyond", BEYOND, ids=[row[0] for row in BEYOND])
def test_the_documentation_has_the_error_s_text_with_the_default(beyond: Any) -> None:
    limit, _, _, kind, text = beyond
    default = {"queue": 1000, "path": PATH_LENGTH, **LIMITS}[limit]
    (row,) = [row for row in TABLE.read_text().splitlines() if row.startswith(f"| `{limit}`")]
    assert f"{default:,}" in row
    assert kind.__name__ in row
    assert text.format(default) in row


def rows(text: str) -> list[str]:
    return [row for row in TABLE.read_text().splitlines() if row.startswith("|") and text in row]


@pytest.mark.parametrize("limit", ["window", "window_bytes"])
def test_the_documentation_has_the_limits_at_which_a_producer_waits(limit: str) -> None:
    """tests/unit/farcall/security/test_native_attacks.py has the producers that wait."""
    (row,) = rows(f"| `{limit}`")
    assert f"{LIMITS[limit]:,}" in row
    assert "the producer waits" in row


@pytest.mark.asyncio
async def test_a_value_of_too_many_containers_is_refused_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    most, default = 40, graphs.NODES
    monkeypatch.setattr(graphs, "NODES", most)
    engine, near, far = await connected()
    nested: list[Any] = []
    for _ in range(most - 1):
        nested = [nested]
    assert await engine.far.echo(nested) == nested
    with pytest.raises(farcall.LimitError) as caught:
        await engine.far.echo([nested])
    (row,) = rows("containers in one value")
    assert f"{default:,}" in row
    assert str(caught.value).replace(str(most), str(default)) in row
    assert await engine.far.echo(1) == 1
    near.close()
    far.close()


def test_the_limits_that_both_protocols_have_are_the_same() -> None:
    shared = comlink.LIMITS.keys() & LIMITS.keys()
    assert shared == {"pending", "serving"}
    assert {name: comlink.LIMITS[name] for name in shared} == {
        name: LIMITS[name] for name in shared
    }


@pytest.mark.asyncio
@pytest.mark.parametrize("limit", sorted(comlink.LIMITS.keys() - LIMITS.keys()))
async def test_the_documentation_has_each_limit_of_comlinks_wire_and_its_error(limit: str) -> None:
    (row,) = rows(f"| `{limit}`")
    assert f"{comlink.LIMITS[limit]:,}" in row
    near, far = comlink.memory_pair()
    if limit == "exposed":
        with pytest.raises(farcall.LimitError) as caught:
            comlink.expose(Far(), near, limits={limit: 0})
        assert str(caught.value).replace("0", str(comlink.LIMITS[limit])) in row
    elif limit == "arguments":
        comlink.expose(Far(), near, limits={limit: 2})
        api = comlink.wrap(far)
        with pytest.raises(farcall.ProtocolError) as caught:
            await api.echo(1, 2, 3)
        assert str(caught.value) in row
        assert await api.echo(1) == 1
        comlink.close(api)


@pytest.mark.parametrize(
    ("most", "name"), [(ports.MESSAGE_BYTES, "large"), (ports.MESSAGE_VALUES, "more values")]
)
def test_the_documentation_has_what_a_message_of_comlinks_may_hold(most: int, name: str) -> None:
    """The errors are JavaScript's; tests/browser/test_comlink_faults.py has them raised."""
    (row,) = rows(f"in a browser | {most:,}")
    texts = re.findall(r'RangeError\("(.*?)"\)', SCRIPT.read_text())
    (text,) = [text for text in texts if name in text]
    assert text in row


@pytest.mark.asyncio
async def test_a_turn_that_does_not_fit_in_one_message_leaves_in_several() -> None:
    engine, near, far = await connected(header=2000, buffers=2000)
    sent = near.statistics()["messages_sent"]
    values = ["x" * 900, b"y" * 900, "z" * 900, b"w" * 1900, "v" * 100]
    calls = [engine.far.echo(value) for value in values]
    calls += [engine.far.echo(call) for call in calls]
    assert [await call for call in calls] == values * 2
    assert near.statistics()["messages_sent"] > sent + 2
    near.close()
    far.close()


@pytest.mark.asyncio
async def test_items_of_a_stream_come_before_the_one_that_is_too_large() -> None:
    engine, near, far = await connected(header=2000)
    stream = await engine.far.texts(500, 900, 800, 900, 3000, 7)
    assert [len(await anext(stream)) for _ in range(4)] == [500, 900, 800, 900]
    with pytest.raises(farcall.LimitError, match=r"an item of a stream takes 3\d{3} characters"):
        await anext(stream)
    assert await engine.far.echo(1) == 1
    near.close()
    far.close()


@pytest.mark.asyncio
async def test_the_smaller_limit_of_both_sides_counts() -> None:
    near_end, far_end = memory_pair()
    far = farcall.Session(far_end, {"far": Far()})
    near = farcall.Session(near_end, limits={"header": 2000})
    engine = await near.ready
    with pytest.raises(farcall.LimitError, match="a result takes"):
        await engine.far.text(3000)
    with pytest.raises(farcall.LimitError, match="an argument takes"):
        await engine.far.echo("x" * 3000).echo(1)
    assert await engine.far.echo(1) == 1
    near.close()
    far.close()
