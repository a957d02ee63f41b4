"""A hostile peer of farcall's own protocol: every attack through every kind of message."""

import asyncio
import gc
import json
import math
from collections.abc import Callable, Coroutine
from typing import Any

import farcall
import pytest
from farcall import errors, messages
from farcall.connection import answers
from farcall.connection.operations import OPERATIONS
from farcall.connection.policy import PATH_LENGTH
from farcall.connection.producers import Producer
from farcall.endpoints import memory_pair
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.conformance.attacks import (
    FORGED_IDS,
    PATHS,
    REFUSALS,
    RESULTS,
    SHAPES,
    Guarded,
    Victim,
    secret,
)
from tests.unit.farcall.connection.test_session import connected

KINDS = ("get", "call", "set", "del", "op")
HELLO = [messages.HELLO, messages.VERSION, {}]


class Peer:
    """The other end of a session, saying whatever it wants."""

    boundary = False

    def __init__(self, served: Any = None, **options: Any) -> None:
        near, self.endpoint = memory_pair()
        near.boundary = self.boundary  # type: ignore[attr-defined]
        self.frames: list[Any] = []
        self.complaints: list[BaseException] = []
        options.setdefault("on_error", lambda exc, whence: self.complaints.append(exc))
        self.session = farcall.Session(near, served, **options)
        self.endpoint.start(self._receive, print)

    def _receive(self, header: str, buffers: Any) -> None:
        self.frames.extend(f for f in json.loads(header)[1:] if f[0] != messages.HELLO)

    async def send(self, *frames: Any, buffers: Any = ()) -> list[Any]:
        """Post frames in one message; what comes back."""
        return await self.send_text(json.dumps([0, *frames]), buffers)

    async def send_text(self, text: str, buffers: Any = ()) -> list[Any]:
        await asyncio.sleep(0)
        before = len(self.frames)
        self.endpoint.post(text, list(buffers))
        for _ in range(6):
            await asyncio.sleep(0)
        return self.frames[before:]


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test's coroutine; an exception in any callback fails it."""

    def run(**values: Any) -> None:
        async def watched() -> None:
            uncaught: list[Any] = []
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, found: uncaught.append(found))
            await test(**values)
            gc.collect(0)
            await asyncio.sleep(0)
            assert not uncaught, uncaught

        asyncio.run(watched())

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


def request(kind: str, path: Any, target: int = 0) -> list[Any]:
    tail: dict[str, list[Any]] = {
        "get": [],
        "call": [[], {}],
        "set": [["taken"]],
        "del": [],
        "op": [[], "str"],
    }
    return [kind, 1, target, path, *tail[kind]]


def refusal(replies: list[Any], number: int = 1) -> str:
    """Class name of the error that answers the call."""
    errors = [f for f in replies if f[0] == messages.ERR and f[1] == number]
    assert len(errors) == 1, replies
    assert secret() not in json.dumps(replies)
    name: str = errors[0][2][1][0]
    return name


@pytest.mark.promise(
    "farcall: what is refused",
    "Private and dunder names, frames, code, globals, tracebacks, `format`, dots in "
    "names, JavaScript's `__proto__` and `constructor`, at every step of a path",
)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", PATHS.values(), ids=PATHS)
def test_refuses_what_leads_into_the_interpreter(kind: str, steps: list[Any]) -> None:
    async def attack() -> None:
        victim = Victim()
        before = dict(vars(victim))
        for served, path in ((victim, steps), ({"victim": victim}, ["victim", *steps])):
            assert refusal(await Peer(served).send(request(kind, path))) in REFUSALS
        assert (
            refusal(await Peer({"kind": Victim}).send(request(kind, ["kind", *steps]))) in REFUSALS
        )
        assert vars(victim) == before

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: what is refused",
    "Private and dunder names, frames, code, globals, tracebacks, `format`, dots in "
    "names, JavaScript's `__proto__` and `constructor`, at every step of a path",
)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", PATHS.values(), ids=PATHS)
def test_refuses_it_on_objects_that_calls_gave(kind: str, steps: list[Any]) -> None:
    async def attack() -> None:
        peer = Peer({"make": Victim})
        (reply,) = await peer.send(["call", 7, 0, ["make"], [], {}])
        target = reply[2][1]
        assert reply[2][0] == messages.OBJECT
        assert refusal(await peer.send(request(kind, steps, target))) in REFUSALS
        assert refusal(await peer.send([kind, 2, -7, *request(kind, steps)[3:]]), 2) in REFUSALS

    in_a_loop(attack)()


@pytest.mark.promise("farcall: what is refused", "Paths and values of the wrong shape")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", SHAPES.values(), ids=SHAPES)
def test_refuses_paths_of_the_wrong_shape(kind: str, steps: Any) -> None:
    async def attack() -> None:
        peer = Peer(Victim())
        replies = await peer.send(request(kind, steps))
        if peer.session.error is None:
            assert refusal(replies) in REFUSALS
        else:
            assert isinstance(peer.session.error, farcall.ProtocolError)

    in_a_loop(attack)()


@pytest.mark.promise("farcall: what is refused", "The same inside arguments that are paths")
@pytest.mark.parametrize("steps", PATHS.values(), ids=PATHS)
def test_refuses_it_as_an_argument_that_is_a_path(steps: list[Any]) -> None:
    async def attack() -> None:
        victim = Victim()
        peer = Peer(victim)
        argument = [messages.HOME, 0, steps]
        replies = await peer.send(["call", 1, 0, ["remember"], [argument], {}, [0]])
        assert refusal(replies) in REFUSALS
        assert victim.touched == []

    in_a_loop(attack)()


@pytest.mark.promise("farcall: what is refused", "Modules, frames, code and tracebacks as results")
@pytest.mark.parametrize("method", RESULTS)
def test_hands_out_no_module_frame_or_code_as_result(method: str) -> None:
    async def attack() -> None:
        replies = await Peer(Victim()).send(request("call", [method]))
        assert refusal(replies) == "PolicyError"

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: what is refused",
    "Assignments and deletions that a class does not declare",
)
@pytest.mark.parametrize("kind", ["set", "del"])
@pytest.mark.parametrize("name", ["public", "touched", "greet", "new"])
def test_changes_only_what_a_class_declares_writable(kind: str, name: str) -> None:
    async def attack() -> None:
        victim = Victim()
        before = dict(vars(victim))
        assert refusal(await Peer(victim).send(request(kind, [name]))) in REFUSALS
        assert vars(victim) == before

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: what is refused",
    "Operations that are not listed, classes that are not registered",
)
@pytest.mark.parametrize("name", ["__class__", "eval", "system", "", None, 3, ["l"], {"a": 1}])
def test_runs_no_operation_but_the_listed_ones(name: Any) -> None:
    async def attack() -> None:
        peer = Peer(Victim())
        replies = await peer.send(["op", 1, 0, [], [], name])
        assert isinstance(peer.session.error, farcall.ProtocolError) or refusal(replies) in (
            *REFUSALS,
            "ValueError",
        )

    in_a_loop(attack)()


@pytest.mark.promise("farcall: what is refused", "Names that a class or module does not list")
@in_a_loop
async def test_serves_only_the_names_that_a_class_lists() -> None:
    peer = Peer(Guarded())
    assert refusal(await peer.send(request("get", ["public"]))) == "PolicyError"
    (reply,) = await peer.send(["get", 2, 0, ["name"]])
    assert reply == ["ret", 2, "guarded"]


@pytest.mark.promise(
    "farcall: every await ends",
    "A reply is forged or repeated: ProtocolError; the session ends",
)
@pytest.mark.parametrize("number", FORGED_IDS, ids=repr)
def test_ends_the_session_on_a_forged_reply(number: Any) -> None:
    async def attack() -> None:
        peer = Peer()
        pending = peer.session.root.anything()
        replies = await peer.send(HELLO, ["ret", number, 5])
        assert isinstance(peer.session.error, farcall.ProtocolError)
        assert replies[-1][0] == messages.BYE
        with pytest.raises(farcall.ProtocolError):
            await pending
        assert peer.session.statistics()["pending"] == 0

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: every await ends",
    "A reply is forged or repeated: ProtocolError; the session ends",
)
@in_a_loop
async def test_ends_the_session_on_a_repeated_reply() -> None:
    peer = Peer()
    call = peer.session.root.anything()
    await peer.send(HELLO, ["ret", 1, 5], ["ret", 1, 6])
    assert await call == 5
    assert isinstance(peer.session.error, farcall.ProtocolError)


@pytest.mark.promise(
    "farcall: order and delivery",
    "A call is delivered at most once: it is never repeated, not even when a worker is "
    "started again",
)
@pytest.mark.promise(
    "farcall: what is refused",
    "Forged ids and targets, releases of what the peer does not hold, references of other sessions",
)
@pytest.mark.parametrize("number", [n for n in FORGED_IDS if n != 10**6], ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_ends_the_session_on_a_forged_call_id(kind: str, number: Any) -> None:
    async def attack() -> None:
        if number == 2**70:
            return
        victim = Victim()
        peer = Peer(victim)
        await peer.send([kind, number, *request(kind, ["public"])[2:]])
        assert isinstance(peer.session.error, farcall.ProtocolError)

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: what is refused",
    "Forged ids and targets, releases of what the peer does not hold, references of other sessions",
)
@pytest.mark.parametrize("number", FORGED_IDS, ids=repr)
def test_refuses_a_forged_target(number: Any) -> None:
    async def attack() -> None:
        peer = Peer({"victim": Victim()})
        frame = request("get", ["public"])
        frame[2] = number
        replies = await peer.send(frame)
        if peer.session.error is None:
            assert refusal(replies) in REFUSALS
        else:
            assert isinstance(peer.session.error, farcall.ProtocolError)

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: what is refused",
    "Forged ids and targets, releases of what the peer does not hold, references of other sessions",
)
@pytest.mark.parametrize("count", [1, 2, -1, 0, 0.5, None, "1", 10**9])
def test_refuses_to_release_what_the_peer_does_not_hold(count: Any) -> None:
    async def attack() -> None:
        peer = Peer({"make": Guarded})
        (reply,) = await peer.send(["call", 1, 0, ["make"], [], {}])
        number = reply[2][1]
        await peer.send(["free", number, 1])
        assert peer.session.statistics()["exports"] == 0
        await peer.send(["free", number, count])
        assert isinstance(peer.session.error, farcall.ProtocolError)

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: what is refused",
    "Forged ids and targets, releases of what the peer does not hold, references of other sessions",
)
@in_a_loop
async def test_a_reference_of_one_session_is_nothing_in_another() -> None:
    holder, thief = Peer({"make": Guarded}), Peer({"make": Guarded})
    (reply,) = await holder.send(["call", 1, 0, ["make"], [], {}])
    number = reply[2][1]
    assert refusal(await thief.send(request("get", ["name"], number))) == "ReleasedError"
    (reply,) = await holder.send(["get", 2, number, ["name"]])
    assert reply == ["ret", 2, "guarded"]


@pytest.mark.promise(
    "farcall: limits",
    "objects that the peer may hold: `exports`; comlink: `exposed`, all peers together;"
    " beyond it: LimitError for the caller",
)
@in_a_loop
async def test_limits_the_objects_that_the_peer_holds() -> None:
    peer = Peer({"make": Guarded}, limits={"exports": 2})
    for number in (1, 2):
        (reply,) = await peer.send(["call", number, 0, ["make"], [], {}])
        assert reply[2][0] == messages.OBJECT
    assert refusal(await peer.send(["call", 3, 0, ["make"], [], {}]), 3) == "LimitError"


@pytest.mark.promise("farcall: limits", "steps of a path; beyond it: ProtocolError for the caller")
@in_a_loop
async def test_limits_the_steps_of_a_path() -> None:
    served: Any = {"end": 7}
    for _ in range(PATH_LENGTH - 1):
        served = {"on": served}
    peer = Peer({"on": served["on"]})
    steps = ["on", *([["on"]] * (PATH_LENGTH - 2)), ["end"]]
    (reply,) = await peer.send(["get", 1, 0, steps])
    assert reply[2] == 7
    assert refusal(await peer.send(["get", 2, 0, [*steps, ["on"]]]), 2) == "ProtocolError"


@pytest.mark.promise("farcall: limits", "A stream's credit is at most a million")
@in_a_loop
async def test_limits_the_credit_for_a_stream() -> None:
    for credit, ended in ((1_000_000, False), (1_000_001, True), (0, True), (-1, True)):
        peer = Peer({"numbers": lambda: (n for n in range(3))})
        (reply,) = await peer.send(["call", 1, 0, ["numbers"], [], {}])
        await peer.send(["pull", reply[2][1], credit])
        assert isinstance(peer.session.error, farcall.ProtocolError) == ended
        peer.session.close()


@pytest.mark.promise(
    "farcall: limits",
    "At most a thousand classes are made for a peer's unknown exceptions",
)
def test_limits_the_classes_that_a_peer_s_exceptions_make_us_keep() -> None:
    for n in range(2500):
        assert type(errors.rebuild([f"Made{n}", "ValueError"], (), "x")).__name__ == f"Made{n}"
        assert len(errors._unknown) <= 1001


@pytest.mark.promise(
    "farcall: limits",
    "items of a stream on their way: `window`; beyond it: the producer waits",
)
@in_a_loop
async def test_limits_the_items_of_a_stream_that_are_on_their_way() -> None:
    """The producer sends what was granted, and waits for more."""
    made = []

    def numbers() -> Any:
        for n in range(10_000):
            made.append(n)
            yield n

    near, far = memory_pair()
    session = farcall.Session(far, {"numbers": numbers})
    engine = await farcall.connect(near, timeout=5, limits={"window": 16})
    stream = await engine.numbers()
    assert await stream.__anext__() == 0
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(made) == 16
    heard = [await stream.__anext__() for _ in range(100)]
    assert heard == list(range(1, 101))
    assert len(made) <= 101 + 16
    farcall.session(engine).close()
    session.close()
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.promise(
    "farcall: limits",
    "bytes of buffers of a stream on their way: `window_bytes`; beyond it: the producer waits",
)
@pytest.mark.parametrize("item", [bytes(100_000), "é" * 50_000, [1.5] * 25_000])
@pytest.mark.parametrize(("most", "ahead"), [(250_000, 3), (1, 1)])
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.asyncio
async def test_limits_the_bytes_of_a_stream_that_are_on_their_way(
    item: Any, most: int, ahead: int, asynchronous: bool
) -> None:
    """One item passes however large it is, and a consumer that goes on gets all of them."""
    made = []

    def items() -> Any:
        for n in range(40):
            made.append(n)
            yield item

    async def items_later() -> Any:
        for each in items():
            yield each

    near, far = memory_pair()
    session = farcall.Session(far, {"items": items_later if asynchronous else items})
    engine = await farcall.connect(near, timeout=5, limits={"window_bytes": most})
    stream = await engine.items()
    first = asyncio.ensure_future(stream.__anext__())
    for _ in range(100):
        await asyncio.sleep(0)
    # Taking the last that has come lets the next be made.
    assert ahead <= len(made) <= ahead + 1
    assert await first == item
    assert [each async for each in stream] == [item] * 39
    farcall.session(engine).close()
    session.close()
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.promise(
    "farcall: limits",
    "calls of the peer that run here: `serving`; beyond it: LimitError for the caller",
)
@in_a_loop
async def test_limits_the_calls_that_run_at_once() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    peer = Peer({"forever": forever}, limits={"serving": 2})
    await peer.send(["call", 1, 0, ["forever"], [], {}], ["call", 2, 0, ["forever"], [], {}])
    assert refusal(await peer.send(["call", 3, 0, ["forever"], [], {}]), 3) == "LimitError"
    peer.session.close()


@pytest.mark.promise(
    "farcall: limits",
    "characters of JSON in a message: `header`; beyond it: LimitError for the call or stream; "
    "ProtocolError for a peer that does not keep to it",
)
@pytest.mark.promise(
    "farcall: limits",
    "bytes of buffers in a message: `buffers`; beyond it: LimitError for the call or stream; "
    "ProtocolError for a peer that does not keep to it",
)
@in_a_loop
async def test_limits_the_size_of_a_message() -> None:
    peer = Peer(Victim(), limits={"header": 1000, "buffers": 1000})
    await peer.send_text("[0," + " " * 1000 + "]")
    assert isinstance(peer.session.error, farcall.ProtocolError)
    peer = Peer(Victim(), limits={"header": 1000, "buffers": 1000})
    await peer.send(HELLO, buffers=[bytearray(1001)])
    assert isinstance(peer.session.error, farcall.ProtocolError)


@pytest.mark.promise(
    "farcall: every await ends",
    "A message is undecodable, unknown, or cannot be deserialised: ProtocolError for "
    "everything under way, on both sides",
)
@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        "[0,[" + "9" * 1_000_000 + "]]",
        "",
        "{}",
        "null",
        "7",
        '"text"',
        "[]",
        "[0,7]",
        "[0,[]]",
        '[0,["unknown",1]]',
        '[0,[["get"],1]]',
        '[0,{"0":"get"}]',
        '["x",["get",1,0,["public"]]]',
        "[null]",
    ],
    ids=lambda text: text[:20],
)
def test_ends_the_session_on_what_is_no_message(text: str) -> None:
    async def attack() -> None:
        peer = Peer(Victim())
        pending = peer.session.root.anything()
        await peer.send_text(text)
        assert isinstance(peer.session.error, farcall.ProtocolError)
        with pytest.raises(farcall.ProtocolError):
            await pending

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: what is refused",
    "Exceptions that would end the program, a loop or a coroutine",
)
@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "GeneratorExit"])
def test_an_error_of_the_peer_cannot_end_the_program(name: str) -> None:
    async def attack() -> None:
        peer = Peer()
        call = peer.session.root.anything()
        wire = [messages.EXCEPTION, [name, "BaseException"], [], "out", "", [], None]
        await peer.send(HELLO, ["err", 1, wire])
        with pytest.raises(farcall.RemoteError):
            await call

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: what is refused",
    "Exceptions that would end the program, a loop or a coroutine",
)
@pytest.mark.parametrize("name", ["StopIteration", "StopAsyncIteration"])
def test_an_error_that_ends_loops_is_still_an_error(name: str) -> None:
    """Raised as such inside a coroutine, MicroPython would take it for a result."""

    async def attack() -> None:
        peer = Peer()
        call = peer.session.root.anything()
        wire = [messages.EXCEPTION, [name, "Exception"], [3], "", "", [], None]
        await peer.send(HELLO, ["err", 1, wire])
        with pytest.raises((farcall.RemoteError, RuntimeError)):
            await call

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: what is refused",
    "Operations that are not listed, classes that are not registered",
)
@pytest.mark.parametrize("name", ["Unknown", "Victim", "os.system", "__class__"])
def test_rebuilds_only_registered_classes(name: str) -> None:
    async def attack() -> None:
        victim = Victim()
        peer = Peer(victim)
        wire = [messages.DATACLASS, name, {"a": 1}]
        replies = await peer.send(["call", 1, 0, ["remember"], [wire], {}])
        assert refusal(replies) == "ProtocolError"
        assert victim.touched == []

    in_a_loop(attack)()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depends", [[5], [0, 5], [4, 5]], ids=json.dumps)
def test_refuses_a_call_that_waits_for_its_own_end(kind: str, depends: list[int]) -> None:
    async def attack() -> None:
        peer = Peer({"ready": asyncio.Event().wait, "take": print})
        _, _, _, *rest = request(kind, ["take"])
        replies = await peer.send(
            ["call", 4, 0, ["ready"], [], {}],
            [kind, 5, -5, *rest, depends],
        )
        assert refusal(replies, 5) == "ProtocolError"
        assert peer.session.statistics()["serving"] == 1
        argument = [messages.PROMISE, 6]
        replies = await peer.send(["call", 6, 0, ["take"], [argument], {}, [6]])
        assert refusal(replies, 6) == "ProtocolError"
        one_way = await peer.send(["call", 0, 0, ["take"], [], {}, [0]])
        assert not one_way
        assert peer.session.error is None
        peer.session.close()

    in_a_loop(attack)()


@pytest.mark.promise("farcall: what is refused", "Paths and values of the wrong shape")
@pytest.mark.parametrize(
    "wire",
    [
        ["a", 0, "|O", [1], "C"],
        ["a", 0, "O", [1], "C"],
        ["a", 0, "<f4", [-1], "C"],
        ["a", 0, "<f4", [2**40], "C"],
        ["a", 0, "<f4", [1e9], "C"],
        ["a", 0, "no dtype", [1], "C"],
        ["a", 0, "<f4", "shape", "C"],
        ["a", 1, "<f4", [1], "C"],
        ["a", -1, "<f4", [1], "C"],
        ["a", None, "<f4", [1], "C"],
        ["b", 5],
        ["b", "0"],
        ["b"],
        ["i", "no number"],
        ["i", None],
        ["f", "1e999"],
        ["s", ["l"]],
        ["d", ["l"], 1],
        ["g", ["@", 5], []],
        ["g", ["@", 0], [["t", ["@", 0]]]],
        ["g", ["@", -1], [["l"]]],
        ["r", 1, 2, 0],
        ["r", "a", 2, 1],
        ["c", 1],
        ["o", 1],
        ["o", -1, "o", "x"],
        ["o", "1", "o", "x"],
        ["h", 99],
        ["h", "__proto__"],
        ["p", 99],
        ["?"],
        [],
        [["l"]],
        [1, 2],
        [None],
    ],
    ids=json.dumps,
)
def test_refuses_values_that_are_malformed(wire: Any) -> None:
    async def attack() -> None:
        victim = Victim()
        peer = Peer(victim)
        frame = ["call", 1, 0, ["remember"], [wire], {}]
        replies = await peer.send(frame, buffers=[bytearray(4)])
        assert refusal(replies) in REFUSALS
        assert victim.touched == []
        assert peer.session.error is None

    in_a_loop(attack)()


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
tagged = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 5) | st.text(max_size=4),
    lambda inner: (
        st.lists(st.sampled_from("ltdszifbBaecDohpg@jSErn") | inner, max_size=6)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=16,
)


class Awaited:
    """Of a class with an async `decode`: sessions look for such in every message."""


async def _awaited(wire: Any) -> Awaited:
    return Awaited()


farcall.register(Awaited, encode=lambda value: None, decode=_awaited)
paths = st.lists(
    st.sampled_from(["greet", "public", "remember", "numbers", "__class__"])
    | st.lists(tagged, min_size=1, max_size=1)
    | tagged,
    max_size=3,
)
# One well-formed frame of every kind, as an answer to call 1 where it is one.
FRAMES: dict[str, list[Any]] = {
    "hello": ["hello", messages.VERSION, {}],
    "call": ["call", 1, 0, ["echo"], [1], {}],
    "get": ["get", 1, 0, ["echo"]],
    "set": ["set", 1, 0, ["echo"], [1]],
    "del": ["del", 1, 0, ["echo"]],
    "op": ["op", 1, 0, [], [], "str"],
    "ret": ["ret", 1, [messages.TUPLE, 1]],
    "err": ["err", 1, [messages.EXCEPTION, ["ValueError"], ["x"], "x", "", [], None]],
    "cancel": ["cancel", 1],
    "free": ["free", 1, 1],
    "pull": ["pull", 1, 1],
    "items": ["items", 1, [[messages.TUPLE, 1]]],
    "end": ["end", 1, [messages.EXCEPTION, ["ValueError"], ["x"], "x", "", [], None]],
    "back": ["back", 0, 1],
    "alive": ["alive", "farcall-1"],
    "bye": ["bye", "text"],
    "large": ["large", "ret", 1, 9, [[messages.OBJECT, 1, messages.KIND_STREAM, "items"]]],
}
# What stands where something else should: no kind of value is a number, a text, a list of wire
# forms and the wire form of an exception or object all at once.
WRONG: tuple[Any, ...] = (
    None,
    -1,
    1.5,
    "x",
    [],
    {},
    ["?"],
    [messages.EXCEPTION],
    [messages.EXCEPTION, 1, 2, 3, 4, 5, 6],
    [messages.EXCEPTION, ["ValueError"], [["?"]], "", "", [], None],
    [messages.EXCEPTION, ["ValueError"], [], "", "", [], [messages.BYTES, 9]],
    [messages.OBJECT, "x", "o", "name"],
    [messages.PROMISE, 77],
    [messages.DATACLASS, "Unknown", {}],
    [messages.FAILED, 1],
    [messages.GRAPH, 1, [["t", ["@", 0]]]],
)


def malformed(frame: list[Any]) -> list[list[Any]]:
    """The frame cut short at every field, and with every field replaced by every wrong value."""
    short = [frame[:length] for length in range(1, len(frame))]
    wrong = [
        [*frame[:index], value, *frame[index + 1 :]]
        for index in range(1, len(frame))
        for value in WRONG
    ]
    return [*short, *wrong, [*frame, None]]


@pytest.mark.asyncio
async def test_there_is_a_frame_of_every_kind_to_malform() -> None:
    peer = Peer()
    assert set(FRAMES) == set(peer.session.handlers)
    peer.session.close()


@pytest.mark.parametrize("kind", FRAMES)
def test_no_malformed_frame_leaves_a_call_or_stream_waiting_for_ever(kind: str) -> None:
    async def attack(frame: list[Any]) -> None:
        peer = Peer(Victim())
        calls = [peer.session.root.anything(), peer.session.root.more()]
        waiting = [asyncio.ensure_future(outcome(call)) for call in calls]
        await peer.send(["ret", 2, [messages.OBJECT, 1, messages.KIND_STREAM, "items"]])
        waiting.append(asyncio.ensure_future(outcome(calls[1], "items")))
        await asyncio.sleep(0)
        await peer.send(frame)
        peer.session.close()
        done, late = await asyncio.wait(waiting, timeout=2)
        assert not late, frame
        assert all(task.exception() is None for task in done), frame

    for frame in malformed(FRAMES[kind]):
        in_a_loop(attack)(frame=frame)


async def outcome(call: Any, what: str = "result") -> Any:
    """What awaiting gave: the value, the items, or the error that a peer may cause."""
    try:
        value = await call
        return [item async for item in value] if what == "items" else value
    except (Exception, asyncio.CancelledError) as exc:
        return exc


kinds = [
    "hello",
    "call",
    "get",
    "set",
    "del",
    "op",
    "ret",
    "err",
    "cancel",
    "free",
    "pull",
    "items",
    "end",
    "bye",
]
frames = st.tuples(
    st.sampled_from(kinds),
    st.integers(-1, 3) | tagged,
    st.integers(-2, 3) | tagged,
    paths | tagged,
    st.lists(tagged, max_size=3) | tagged,
    st.sampled_from([*sorted(OPERATIONS), {}]) | tagged,
).flatmap(lambda fields: st.integers(1, 6).map(lambda n: list(fields[:n])))


@pytest.mark.promise(
    "farcall: what is refused",
    "Arbitrary messages get a reply, or end the session with ProtocolError; never an "
    "exception elsewhere",
)
@settings(max_examples=500, deadline=None)
@given(batch=st.lists(frames | values, max_size=4), count=st.integers(0, 3) | values)
def test_any_frames_get_replies_or_end_the_session(batch: list[Any], count: Any) -> None:
    async def attack() -> None:
        peer = Peer(Victim())
        pending = peer.session.root.anything()
        text = json.dumps([count, *batch])
        replies = await peer.send_text(text, [bytearray(8)])
        assert secret() not in json.dumps(replies)
        error = peer.session.error
        if error is not None:
            assert isinstance(error, (farcall.ProtocolError, farcall.SessionClosedError)), error
        peer.session.close()
        await asyncio.sleep(0)
        assert pending._farcall.waiter.done
        pending._farcall.waiter.retrieved = True

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: what is refused",
    "Arbitrary messages get a reply, or end the session with ProtocolError; never an "
    "exception elsewhere",
)
@pytest.mark.promise(
    "farcall: limits",
    "Nesting that is too deep for JSON's parser ends the session",
)
@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=60) | values.map(json.dumps))
def test_any_text_ends_the_session_or_is_a_message(text: str) -> None:
    async def attack() -> None:
        peer = Peer(Victim())
        await peer.send_text(text)
        error = peer.session.error
        assert error is None or isinstance(error, farcall.ProtocolError), error
        peer.session.close()

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: what is refused",
    "Arbitrary messages get a reply, or end the session with ProtocolError; never an "
    "exception elsewhere",
)
@settings(max_examples=300, deadline=None)
@given(wire=tagged)
@example(wire={"a": ["D"], "b": ["g", "l", [True, ["D"]]]})
def test_any_argument_decodes_or_is_refused(wire: Any) -> None:
    async def attack() -> None:
        peer = Peer({"echo": lambda value: None})
        frame = ["call", 1, 0, ["echo"], [wire], {}]
        replies = await peer.send(frame, buffers=[bytearray(8)])
        assert peer.session.error is None
        answered = [f for f in replies if f[0] in ("ret", "err") and f[1] == 1]
        assert len(answered) == 1, replies
        peer.session.close()

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: nothing leaks",
    "Results are not kept for ever for a peer that never says what it has seen",
)
@in_a_loop
async def test_results_are_not_kept_for_a_peer_that_never_says_what_it_has_seen() -> None:
    peer = Peer({"page": lambda: bytes(2**24), "one": lambda: 1})
    for number in range(1, 31):
        await peer.send(["call", number, 0, ["page"], [], {}])
    assert peer.session.statistics()["answers"] <= 2**28 // 2**24
    (reply,) = await peer.send(["op", 99, -30, [], [], "len"])
    assert reply == ["ret", 99, 2**24]
    assert refusal(await peer.send(["op", 98, -1, [], [], "len"]), 98) == "ProtocolError"
    most, answers.MOST = answers.MOST, 50
    try:
        for number in range(100, 200):
            await peer.send(["call", number, 0, ["one"], [], {}])
    finally:
        answers.MOST = most
    assert peer.session.statistics()["answers"] <= 50
    assert peer.session.error is None


def test_the_corpus_has_what_json_cannot_say() -> None:
    assert any(isinstance(n, float) and math.isnan(n) for n in FORGED_IDS)


class Kitchen:
    """Fails in every way in which an exception can cross."""

    def fail(self) -> None:
        try:
            raise KeyError("the cause")
        except KeyError as exc:
            raise ValueError("what happened") from exc

    def group(self) -> None:
        try:
            self.fail()
        except ValueError as exc:
            raise ExceptionGroup("several", [exc]) from exc

    def value(self) -> list[Exception]:
        try:
            self.fail()
        except ValueError as exc:
            return [exc]
        return []

    def stream(self) -> Any:
        yield 1
        self.fail()

    async def tell(self, callback: Any) -> None:
        await callback()


async def replies_of_a_kitchen(**options: Any) -> str:
    """All that a peer gets to see of its failures."""
    peer = Peer({"kitchen": Kitchen()}, **options)
    calls = [["call", n, 0, ["kitchen", name], [], {}] for n, name in enumerate(WAYS, 1)]
    frames = await peer.send(*calls)
    stream = next(f[2][1] for f in frames if f[0] == "ret" and f[2][0] == messages.OBJECT)
    frames += await peer.send(["pull", stream, 5])
    assert [f[0] for f in frames].count("err") == 2
    assert json.dumps(frames).count("what happened") >= len(WAYS)
    return json.dumps(frames)


WAYS = ("fail", "group", "value", "stream")


@pytest.mark.promise(
    "farcall: tracebacks and boundaries",
    "Tracebacks and causes of exceptions go to a worker or over a MessagePort, and stay"
    " here at a boundary",
)
@in_a_loop
async def test_tracebacks_and_causes_are_kept_from_a_boundary() -> None:
    for options in ({"traceback": False}, {}):
        Peer.boundary = not options
        try:
            seen = await replies_of_a_kitchen(**options)
        finally:
            Peer.boundary = False
        assert "Traceback" not in seen
        assert "test_native_attacks" not in seen
        assert "the cause" not in seen


@pytest.mark.promise(
    "farcall: tracebacks and boundaries",
    "Tracebacks and causes of exceptions go to a worker or over a MessagePort, and stay"
    " here at a boundary",
)
@in_a_loop
async def test_tracebacks_and_causes_reach_a_worker_or_who_was_trusted() -> None:
    for boundary, options in ((False, {}), (True, {"traceback": True})):
        Peer.boundary = boundary
        try:
            seen = await replies_of_a_kitchen(**options)
        finally:
            Peer.boundary = False
        assert seen.count("Traceback (most recent call last)") >= len(WAYS)
        assert "the cause" in seen


def test_windows_frames_and_other_tabs_are_boundaries() -> None:
    assert farcall.endpoints.Window.boundary
    assert farcall.endpoints.Broadcast.boundary
    assert not hasattr(farcall.endpoints.Port, "boundary")


class Source(list[int]):
    """What a program has behind a stream: a file, a cursor."""

    def __init__(self) -> None:
        super().__init__([1, 2])
        self.secret = secret()


class Streaming:
    def generator(self) -> Any:
        yield 1

    def marked(self) -> Any:
        return farcall.stream(Source())

    def inside(self) -> Any:
        return [farcall.stream(Source())]


STEPS = ["aclose", "asend", "athrow"]


def of_a_stream() -> list[str]:
    """Every public name of what stands behind a peer's stream, but those of its steps."""
    mark = farcall.stream([1])
    near, _ = memory_pair()
    session = farcall.Session(near)
    producer = Producer(session, session.tables.encoding, 1, mark)
    session.close()
    names = {*dir(mark), *dir(producer), *vars(mark), *vars(producer), "secret", "append"}
    return sorted(name for name in names if name[0] != "_" and name not in STEPS)


@pytest.mark.promise(
    "farcall: what is refused",
    "Private and dunder names, frames, code, globals, tracebacks, `format`, dots in names, "
    "JavaScript's `__proto__` and `constructor`, at every step of a path",
)
@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["generator", "marked", "inside"])
@pytest.mark.parametrize("awaited", [True, False])
async def test_a_stream_hands_out_nothing_but_its_items(kind: str, awaited: bool) -> None:
    async with connected({"far": Streaming()}) as (engine, _):

        def made() -> Any:
            found = getattr(engine.far, kind)()
            return found[0] if kind == "inside" else found

        for name in of_a_stream():
            for called in (False, True):
                found = await made() if awaited else made()
                path = farcall.Remote(found._farcall.step(found, name))
                with pytest.raises(farcall.PolicyError):
                    await (path() if called else path)
        if awaited:
            found = await made()
            assert await farcall.names(found) == STEPS
            assert await anext(found) == 1
