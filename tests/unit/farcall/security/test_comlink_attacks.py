"""A hostile peer of `farcall.comlink`: every attack through every kind of message."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import farcall
import pytest
from farcall import comlink
from farcall.comlink.frames import REQUESTS
from farcall.connection.policy import PATH_LENGTH
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.conformance.attacks import PATHS, REFUSALS, RESULTS, SHAPES, Guarded, Victim, secret

KINDS = ("GET", "SET", "APPLY", "CONSTRUCT")


def wire(value: Any) -> Any:
    """Plain data in the codec's form."""
    if isinstance(value, (list, tuple)):
        return ["l", *(wire(v) for v in value)]
    if isinstance(value, dict):
        return {key: wire(v) for key, v in value.items()}
    return value


class Peer:
    """The other end of an exposed object, saying whatever it wants."""

    def __init__(self, value: Any, **options: Any) -> None:
        near, self.port = comlink.memory_pair()
        self.complaints: list[BaseException] = []
        self.exposed = comlink.expose(value, near, on_error=self.complaints.append, **options)
        self.texts: list[str] = []
        self.port.listen((), lambda text, *rest: self.texts.append(text), print, lambda why: None)

    async def send(self, frame: Any, refs: Any = ()) -> list[Any]:
        """Post a frame; the replies to it."""
        return await self.send_text(json.dumps(wire(frame)), refs)

    async def send_text(self, text: str, refs: Any = ()) -> list[Any]:
        before = len(self.texts)
        self.port.post(text, (), refs, ())
        for _ in range(5):
            await asyncio.sleep(0)
        return [json.loads(t) for t in self.texts[before:]]


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test's coroutine; an exception in any callback fails it, and nothing may be left."""

    def run(**values: Any) -> None:
        async def watched() -> None:
            uncaught: list[Any] = []
            asyncio.get_running_loop().set_exception_handler(
                lambda _, found: uncaught.append(found)
            )
            await test(**values)
            for exposed in list(farcall.comlink.serve.alive.values()):
                exposed.close()
            for wrapped in list(farcall.comlink.wrapped.alive.values()):
                wrapped.close()
            await asyncio.sleep(0)
            assert not uncaught, uncaught

        asyncio.run(watched())
        assert not any(comlink.statistics().values())

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


def request(kind: str, steps: Any) -> dict[str, Any]:
    frame = {"id": "a-1", "type": kind, "path": steps}
    if kind == "SET":
        frame["value"] = {"type": "RAW", "value": "taken"}
    elif kind != "GET":
        frame["argumentList"] = []
    return frame


def refusal(replies: list[Any]) -> str:
    assert len(replies) == 1, replies
    (reply,) = replies
    assert (reply["id"], reply["type"], reply["name"]) == ("a-1", "HANDLER", "throw"), reply
    assert reply["value"]["isError"] is True
    assert secret() not in json.dumps(reply)
    name: str = reply["value"]["value"]["name"]
    return name


@pytest.mark.promise(
    "farcall: where Comlink 4.4.2 misbehaves",
    "Prototype pollution, code through `constructor`",
)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", PATHS.values(), ids=PATHS)
def test_refuses_what_leads_into_the_interpreter(kind: str, steps: list[object]) -> None:
    async def attack() -> None:
        victim = Victim()
        before = dict(vars(victim))
        peer = Peer(victim)
        assert refusal(await peer.send(request(kind, steps))) in REFUSALS
        assert vars(victim) == before

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: what is refused",
    "Private and dunder names, frames, code, globals, tracebacks, `format`, dots in "
    "names, JavaScript's `__proto__` and `constructor`, at every step of a path",
)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", PATHS.values(), ids=PATHS)
def test_refuses_it_through_a_served_name_too(kind: str, steps: list[object]) -> None:
    async def attack() -> None:
        peer = Peer({"victim": Victim(), "kind": Victim})
        for name in ("victim", "kind"):
            assert refusal(await peer.send(request(kind, [name, *steps]))) in REFUSALS

    in_a_loop(attack)()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", SHAPES.values(), ids=SHAPES)
def test_refuses_paths_of_the_wrong_shape(kind: str, steps: Any) -> None:
    async def attack() -> None:
        assert refusal(await Peer(Victim()).send(request(kind, steps))) in REFUSALS

    in_a_loop(attack)()


@pytest.mark.parametrize("method", RESULTS)
def test_hands_out_no_module_frame_or_code_as_result(method: str) -> None:
    async def attack() -> None:
        replies = await Peer(Victim()).send(request("APPLY", [method]))
        assert refusal(replies) == "PolicyError"

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: what is refused",
    "Comlink: Assignments and deletions that a class does not declare",
)
@pytest.mark.parametrize("name", ["public", "touched", "greet", "new"])
def test_sets_only_what_a_class_declares_writable(name: str) -> None:
    async def attack() -> None:
        victim = Victim()
        before = dict(vars(victim))
        assert refusal(await Peer(victim).send(request("SET", [name]))) == "PolicyError"
        assert refusal(await Peer(victim).send(request("SET", ["touched", "0"]))) == "PolicyError"
        assert vars(victim) == before

    in_a_loop(attack)()


@in_a_loop
async def test_serves_only_the_names_that_a_class_lists() -> None:
    peer = Peer(Guarded())
    assert refusal(await peer.send(request("GET", ["public"]))) == "PolicyError"
    (reply,) = await peer.send(request("SET", ["name"]))
    assert reply == {"id": "a-1", "type": "RAW", "value": True}


@in_a_loop
async def test_does_not_replace_the_exposed_object() -> None:
    assert refusal(await Peer(Victim()).send(request("SET", []))) == "PolicyError"


@pytest.mark.promise(
    "farcall: what is refused",
    "Comlink: Handlers that are not known: an error, never silence",
)
@pytest.mark.promise(
    "farcall: where Comlink 4.4.2 misbehaves",
    "An unknown handler: no reply, the caller waits for ever",
)
@in_a_loop
async def test_answers_an_unknown_handler_with_an_error() -> None:
    frame = request("APPLY", ["greet"])
    frame["argumentList"] = [{"type": "HANDLER", "name": "nobody's", "value": 1}]
    assert refusal(await Peer(Victim()).send(frame)) == "ProtocolError"


@pytest.mark.parametrize(
    "argument",
    [
        {"type": "HANDLER", "name": "proxy", "value": "no port"},
        {"type": "HANDLER", "name": "proxy", "value": None},
        {"type": "HANDLER", "name": ["l"], "value": 1},
        {"type": "HANDLER"},
        {"type": "SOMETHING", "value": 1},
        {"type": "HANDLER", "name": "throw", "value": 3},
        {"type": "HANDLER", "name": "throw", "value": {"isError": 1}},
        {"type": "HANDLER", "name": "throw", "value": {"isError": True, "value": 2}},
        {},
        None,
        7,
        "RAW",
    ],
)
def test_answers_a_malformed_argument_with_an_error(argument: Any) -> None:
    async def attack() -> None:
        frame = request("APPLY", ["greet"])
        frame["argumentList"] = [argument]
        assert refusal(await Peer(Victim()).send(frame)) == "ProtocolError"

    in_a_loop(attack)()


@in_a_loop
async def test_an_argument_that_throws_cannot_end_the_program() -> None:
    frame = request("APPLY", ["greet"])
    value = {"message": "out", "name": "SystemExit", "stack": ""}
    thrown = {"isError": True, "value": value}
    frame["argumentList"] = [{"type": "HANDLER", "name": "throw", "value": thrown}]
    assert refusal(await Peer(Victim()).send(frame)) == "SystemExit"


@pytest.mark.promise(
    "farcall: limits",
    "arguments of a call: `arguments`; beyond it: ProtocolError for the caller",
)
@in_a_loop
async def test_limits_the_arguments_of_a_call() -> None:
    frame = request("APPLY", ["greet"])
    frame["argumentList"] = [{"type": "RAW", "value": 1}] * 11
    peer = Peer(Victim(), limits={"arguments": 10})
    assert refusal(await peer.send(frame)) == "ProtocolError"


@in_a_loop
async def test_limits_the_steps_of_a_path() -> None:
    served: Any = {"end": 7}
    for _ in range(PATH_LENGTH - 1):
        served = {"on": served}
    steps = ["on"] * (PATH_LENGTH - 1)
    (reply,) = await Peer(served).send(request("GET", [*steps, "end"]))
    assert reply["value"] == 7
    assert (
        refusal(await Peer(served).send(request("GET", [*steps, "end", "on"]))) == "ProtocolError"
    )


@pytest.mark.promise(
    "farcall: limits",
    "characters of a request's id: `id`; beyond it: the request is ignored",
)
@in_a_loop
async def test_limits_the_length_of_a_request_s_id() -> None:
    peer = Peer({"public": 1})
    (reply,) = await peer.send(request("GET", ["public"]) | {"id": "x" * 200})
    assert reply["value"] == 1
    assert await peer.send(request("GET", ["public"]) | {"id": "x" * 201}) == []


@pytest.mark.promise(
    "farcall: limits",
    "Comlink: calls of ours without a reply: `pending`; beyond it: LimitError at the call",
)
@in_a_loop
async def test_limits_the_calls_of_ours_that_are_pending() -> None:
    near, _ = comlink.memory_pair()
    api = comlink.wrap(near, limits={"pending": 3})
    calls = [api.forever() for _ in range(3)]
    with pytest.raises(farcall.LimitError, match="3"):
        api.forever()
    comlink.close(api)
    for call in calls:
        with pytest.raises(farcall.SessionClosedError):
            await call


@in_a_loop
async def test_limits_the_calls_that_run_at_once() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    peer = Peer({"forever": forever}, limits={"serving": 3})
    for _ in range(3):
        assert await peer.send(request("APPLY", ["forever"])) == []
    assert refusal(await peer.send(request("APPLY", ["forever"]))) == "LimitError"


@pytest.mark.promise(
    "farcall: limits",
    "Comlink: objects that the peer may hold: `exports`; comlink: `exposed`, all peers "
    "together; beyond it: LimitError for the caller",
)
@in_a_loop
async def test_limits_the_objects_that_peers_hold() -> None:
    peer = Peer({"make": lambda: Guarded()}, limits={"exposed": 3})
    for _ in range(2):
        (reply,) = await peer.send(request("APPLY", ["make"]))
        assert reply["name"] == "proxy"
    assert refusal(await peer.send(request("APPLY", ["make"]))) == "TypeError"


@pytest.mark.parametrize("number", ["", None, 0, False, True, [], {}, "x" * 201])
def test_ignores_requests_without_an_id_to_reply_to(number: Any) -> None:
    async def attack() -> None:
        victim = Victim()
        peer = Peer(victim)
        frame = request("APPLY", ["remember"]) | {"id": number}
        frame["argumentList"] = [{"type": "RAW", "value": "forged"}]
        assert await peer.send(frame) == []
        assert victim.touched == []

    in_a_loop(attack)()


@in_a_loop
async def test_answers_each_of_two_requests_with_one_id() -> None:
    peer = Peer(Victim())
    first = await peer.send(request("GET", ["public"]))
    again = await peer.send(request("GET", ["public"]))
    assert first == again == [{"id": "a-1", "type": "RAW", "value": 1}]


@in_a_loop
async def test_release_ends_one_port_and_no_other() -> None:
    victim = Victim()
    one, two = Peer(victim), Peer(victim)
    await one.send({"id": "a-1", "type": "RELEASE"})
    assert await one.send(request("GET", ["public"])) == []
    assert await two.send(request("GET", ["public"]))


@pytest.mark.promise(
    "farcall: what is refused",
    "Comlink: Origins that are not allowed, windows other than the one meant",
)
@in_a_loop
async def test_an_origin_that_is_not_allowed_gets_nothing() -> None:
    peer = Peer(Victim(), origins=["https://friend.example"])
    assert await peer.send(request("GET", ["public"])) == []
    assert peer.exposed.refused == 1


@pytest.mark.promise(
    "farcall: tracebacks and boundaries",
    "Comlink: `comlink.expose(..., traceback=False)` keeps them from peers",
)
@in_a_loop
async def test_tracebacks_can_be_kept_from_peers() -> None:
    def fail() -> None:
        raise ValueError("what happened")

    (reply,) = await Peer({"fail": fail}, traceback=False).send(request("APPLY", ["fail"]))
    assert reply["value"]["value"]["stack"] == "ValueError: what happened"
    assert "Traceback" not in json.dumps(reply)


@in_a_loop
async def test_deep_and_cyclic_arguments_arrive_or_are_refused() -> None:
    peer = Peer({"echo": lambda value: type(value).__name__})
    deep: Any = 1
    for _ in range(20):
        deep = [deep]
    frame = request("APPLY", ["echo"])
    frame["argumentList"] = [{"type": "RAW", "value": deep}]
    (reply,) = await peer.send(frame)
    assert reply["value"] == "list"
    text = '{"id":"a-1","type":"APPLY","path":["l","echo"],"argumentList":' + "[" * 100_000
    await peer.send_text(text + "]" * 100_000 + "}")
    assert [type(e) for e in peer.complaints] == [farcall.ProtocolError]
    cycle = ["g", ["@", 0], [["l", ["@", 0]]]]
    raw = {"id": "a-1", "type": "APPLY", "path": ["l", "echo"]}
    raw["argumentList"] = ["l", {"type": "RAW", "value": cycle}]
    (reply,) = await peer.send_text(json.dumps(raw))
    assert reply["value"] == "list"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
wires = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["RAW", "HANDLER"]) | values,
        "name": st.sampled_from(["proxy", "throw", "temperature"]) | values,
        "value": values,
    },
)
requests = st.fixed_dictionaries(
    {"type": st.sampled_from(REQUESTS)},
    optional={
        "id": st.text(min_size=1, max_size=8) | values,
        "path": st.lists(st.sampled_from(["greet", "public", "__class__"]) | values, max_size=4)
        | values,
        "argumentList": st.lists(wires, max_size=3) | values,
        "value": wires | values,
        "py": st.just("kwargs") | values,
    },
)


@pytest.mark.promise(
    "farcall: what is refused",
    "Comlink: Arbitrary messages get a reply, or end the session with ProtocolError; "
    "never an exception elsewhere",
)
@settings(max_examples=300, deadline=None)
@given(frame=requests | values)
@example(frame={"type": "GET", "id": float("inf")})
@example(frame={"type": "GET", "id": float("nan")})
def test_any_frame_gets_a_reply_or_a_typed_error(frame: Any) -> None:
    async def attack() -> None:
        peer = Peer(Victim())
        replies = await peer.send(frame)
        assert len(replies) <= 1
        assert all(isinstance(e, farcall.ProtocolError) for e in peer.complaints)
        known = isinstance(frame, dict) and isinstance(frame.get("id"), str) and frame["id"]
        if known and len(frame["id"]) <= 200 and frame["type"] != "CANCEL":
            assert len(replies) + len(peer.complaints) == 1
        assert secret() not in json.dumps(replies)

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: what is refused",
    "Comlink: Arbitrary messages get a reply, or end the session with ProtocolError; "
    "never an exception elsewhere",
)
@settings(max_examples=300, deadline=None)
@given(
    wire_form=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(st.sampled_from("ltdszifbaecDohpg@jSErn") | inner, max_size=5)
            | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        ),
        max_leaves=20,
    )
)
def test_any_wire_form_of_an_argument_gets_a_reply_or_a_typed_error(wire_form: Any) -> None:
    async def attack() -> None:
        peer = Peer({"echo": lambda value: None})
        argument = {"type": "RAW", "value": wire_form}
        frame = {"id": "a-1", "type": "APPLY", "path": ["l", "echo"]}
        text = json.dumps(frame | {"argumentList": ["l", argument]})
        replies = await peer.send_text(text)
        assert all(isinstance(e, farcall.ProtocolError) for e in peer.complaints)
        assert len(replies) + len(peer.complaints) == 1

    in_a_loop(attack)()


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=60) | values.map(json.dumps))
def test_any_text_gets_a_reply_or_a_typed_error(text: str) -> None:
    async def attack() -> None:
        peer = Peer(Victim())
        await peer.send_text(text)
        assert all(isinstance(e, farcall.ProtocolError) for e in peer.complaints)

    in_a_loop(attack)()


@pytest.mark.promise(
    "farcall: what is refused",
    "Comlink: Arbitrary messages get a reply, or end the session with ProtocolError; "
    "never an exception elsewhere",
)
@settings(max_examples=300, deadline=None)
@given(reply=wires | values, own=st.booleans())
def test_any_reply_ends_the_call_or_is_ignored(reply: Any, own: bool) -> None:
    async def attack() -> None:
        near, far = comlink.memory_pair()
        asked: list[Any] = []
        far.listen((), lambda text, *rest: asked.append(json.loads(text)), print, lambda why: None)
        call = comlink.wrap(near, on_error=lambda exc: None).anything()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        frame = dict(reply) if isinstance(reply, dict) else {"type": "RAW", "value": reply}
        frame["id"] = asked[0]["id"] if own else "forged"
        far.post(json.dumps(wire(frame)), (), (), ())
        for _ in range(4):
            await asyncio.sleep(0)
        waiter = call._farcall.waiter
        if not own or frame.get("type") not in ("RAW", "HANDLER"):
            assert not waiter.done or isinstance(waiter.error, farcall.ProtocolError)
            return
        assert waiter.done
        if waiter.error is not None:
            assert isinstance(waiter.error, Exception)

    in_a_loop(attack)()


class Streaming:
    """Gives marked values, which Comlink's wire has no form of."""

    def stream(self) -> Any:
        return farcall.stream(Victim())

    def generator(self) -> Any:
        yield 1


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["stream", "generator"])
@pytest.mark.parametrize("name", ["source", "sent", "pull", "gi_frame"])
async def test_hands_out_nothing_of_what_is_behind_a_stream(kind: str, name: str) -> None:
    near, far = comlink.memory_pair()
    exposed = comlink.expose(Streaming(), far)
    api = comlink.wrap(near)
    found = await getattr(api, kind)()
    with pytest.raises(farcall.PolicyError):
        await getattr(found, name)
    await comlink.release(found)
    exposed.close()
    comlink.close(api)
