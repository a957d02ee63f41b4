"""Over Comlink's wire too: what one call raises is its own error, and the others are answered."""

import asyncio
import gc
import json
from collections.abc import Callable, Iterator
from typing import Any

import farcall
import pytest
from farcall import comlink
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fake_page import until
from tests.support.raised import EXCEPTIONS

TURNS = 2000  # of the event loop, within which everything ends


class Far:
    """What is exposed: one method for each place in which something is raised."""

    def __init__(self) -> None:
        self.noted: list[int] = []

    def note(self, n: int) -> int:
        self.noted.append(n)
        return n

    def function(self, k: int) -> None:
        raise ERRORS[k]

    async def coroutine(self, k: int) -> None:
        await asyncio.sleep(0)
        raise ERRORS[k]

    async def callback(self, function: Any, k: int) -> None:
        await function(k)

    @property
    def attribute(self) -> None:
        raise ERRORS[0]

    def value(self, k: int) -> BaseException:
        return ERRORS[k]

    def task(self) -> Any:
        return [asyncio.ensure_future(asyncio.sleep(0))]


ERRORS: list[BaseException] = []


def local(k: int) -> None:
    raise ERRORS[k]


async def local_later(k: int) -> None:
    await asyncio.sleep(0)
    raise ERRORS[k]


STEPS: list[Callable[[Any, int], Any]] = [
    lambda api, k: api.function(k),
    lambda api, k: api.coroutine(k),
    lambda api, k: api.callback(local, k),
    lambda api, k: api.callback(local_later, k),
    lambda api, k: api.attribute,
    lambda api, k: api.value(k),
    lambda api, k: api.note(ERRORS[k]),
    lambda api, k: api.task(),
]


async def ended(awaitable: Any) -> Any:
    try:
        return await awaitable
    except BaseException as exc:
        return exc


async def run(steps: list[Callable[[Any, int], Any]]) -> None:
    near, far = comlink.memory_pair()
    served = Far()
    exposed = comlink.expose(served, far, on_error=lambda exc: None)
    api = comlink.wrap(near, on_error=lambda exc: None)
    calls: list[Any] = []
    for k, step in enumerate(steps):
        calls += [ended(step(api, k)), ended(api.note(k))]
    everything = asyncio.gather(*calls)
    for _ in range(TURNS):
        if everything.done():
            break
        await asyncio.sleep(0)
    assert everything.done(), comlink.statistics()
    expected = list(range(len(steps)))
    assert everything.result()[1::2] == expected
    assert [n for n in served.noted if isinstance(n, int)] == expected
    del calls, everything
    exposed.close()
    comlink.close(api)
    for error in ERRORS:
        error.__traceback__ = error.__context__ = None
    for _ in range(20):
        if not any(comlink.statistics().values()):
            break
        gc.collect()
        await asyncio.sleep(0)
    assert comlink.statistics() == {"exposed": 0, "wrapped": 0, "pending": 0, "serving": 0}


@pytest.fixture
def _little_garbage() -> Iterator[None]:
    """Collecting looks at what the examples made only."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.promise(
    "farcall: every await ends",
    "Comlink: A function, callback or property raises a BaseException: an error of its call; the "
    "calls beside it are answered",
)
@pytest.mark.usefixtures("_little_garbage")
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), EXCEPTIONS), min_size=1, max_size=5))
def test_one_call_s_exception_leaves_the_others_alone(
    drawn: list[tuple[Callable[[Any, int], Any], BaseException]],
) -> None:
    ERRORS[:] = [error for _, error in drawn]
    asyncio.run(run([step for step, _ in drawn]))


NO_VALUES = [["s", {"a": 1}], ["d", ["l", 1], 2], ["s", ["l"]], ["zz"], ["i", "x"], ["b", 7]]


@pytest.mark.asyncio
@pytest.mark.parametrize("wire", NO_VALUES, ids=str)
@pytest.mark.parametrize("graph", [False, True], ids=["plain", "in a graph"])
async def test_a_result_that_python_cannot_have_is_the_error_of_its_call_alone(
    wire: Any, graph: bool
) -> None:
    """A Set of objects, a Map whose keys are arrays, and what is no value at all."""
    near, far = comlink.memory_pair()
    api = comlink.wrap(near)
    asked: list[str] = []
    far.listen((), lambda text, *_: asked.append(json.loads(text)["id"]), print, print)
    other = asyncio.ensure_future(awaited(api.slow()))
    call = asyncio.ensure_future(awaited(api.get()))
    await until(lambda: len(asked) == 2)
    value = ["g", ["@", 0], [["l", wire]]] if graph else wire
    far.post(json.dumps({"value": value, "type": "RAW", "id": asked[1]}), [], [], [])
    far.post(json.dumps({"value": "slow", "type": "RAW", "id": asked[0]}), [], [], [])
    with pytest.raises(farcall.ProtocolError, match="value: undecodable value"):
        await call
    assert await other == "slow"
    comlink.close(api)


async def awaited(call: Any) -> Any:
    return await call


@pytest.mark.asyncio
@pytest.mark.parametrize("wire", NO_VALUES, ids=str)
async def test_an_argument_that_python_cannot_have_is_the_error_of_its_call(wire: Any) -> None:
    near, far = comlink.memory_pair()
    served = comlink.expose(Far(), far)
    replies: list[Any] = []
    near.listen((), lambda text, *_: replies.append(json.loads(text)), print, print)
    arguments = ["l", {"type": "RAW", "value": wire}]
    frame = {"argumentList": arguments, "path": ["l", "note"], "type": "APPLY", "id": "7"}
    near.post(json.dumps(frame), [], [], [])
    near.post(json.dumps({**frame, "argumentList": ["l"], "path": ["l", "attribute"]}), [], [], [])
    await until(lambda: replies)
    assert replies[0]["id"] == "7"
    error = replies[0]["value"]["value"]
    assert error["name"] == "ProtocolError"
    assert "argumentList: undecodable value" in error["message"]
    assert ("send an Array" in error["message"]) == (wire in NO_VALUES[:3])
    served.close()
