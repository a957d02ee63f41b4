"""A node against Flower's own SuperLink, in this process: joins, answers, and outlives faults."""

import asyncio
import dataclasses
import datetime
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress
from email.utils import formatdate
from types import SimpleNamespace

import flwr.app as flower
import flwr.clientapp
import numpy as np
import pytest
from federation import (
    Array,
    ArrayRecord,
    ClientApp,
    ConfigRecord,
    Fleet,
    FleetError,
    Message,
    MetricRecord,
    Node,
    RecordDict,
    UnknownNodeError,
    UnreachableError,
    awaited,
    expect_network,
    mailbox,
    wire,
)
from federation.platform.cpython import CPythonKey, HttpTransport
from federation.runs import KEPT, Runs
from flwr.common.config import flatten_dict, fuse_dicts
from flwr.common.constant import NOOP_FLWR_AID, ErrorCode
from flwr.supercore.date import now
from flwr.superlink.routers.fleet import node_auth
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.io.errors import FormatError

from tests.support.limit import granted
from tests.support.superlink import SuperLink, until

SENT = np.arange(20, dtype=np.float32)


@pytest.fixture(scope="module")
def superlink():
    made = SuperLink()
    yield made
    made.close()


def content(array=SENT, **config):
    records = {"arrays": flower.ArrayRecord([array]), "config": flower.ConfigRecord(config)}
    return flower.RecordDict(records)


def app_of(change=lambda array: array + 1):
    """A client app whose training is `change`."""
    app = ClientApp()

    @app.train()
    @awaited
    async def train(message, context):
        [array] = message.content["arrays"].to_numpy_ndarrays()
        changed = change(array)
        if asyncio.iscoroutine(changed):
            changed = await changed
        metrics = {"num-examples": 10, "round": message.content["config"]["round"]}
        records = {"arrays": ArrayRecord([changed]), "metrics": MetricRecord(metrics)}
        return Message(RecordDict(records), reply_to=message)

    @app.query("count")
    def count(message, context):
        seen = context.state.setdefault("seen", MetricRecord({"n": 0}))
        seen["n"] += 1
        return Message(RecordDict({"seen": seen}), reply_to=message)

    @app.evaluate()
    def evaluate(message, context):
        return None

    return app


def node_of(superlink, *, app=None, transport=None, key=None, **options):
    transport = transport or HttpTransport(superlink.url)
    fleet = Fleet(transport, key or CPythonKey())
    return Node(app or app_of(), fleet, **{"poll": 0.02, "idle": 0.02, **options})


@asynccontextmanager
async def running(node):
    """The node, joined; it has left afterwards."""
    task = asyncio.create_task(node.run())
    try:
        await until(lambda: node.node_id or task.done())
        if task.done():
            task.result()
        yield node
        node.stop()
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Changed(HttpTransport):
    """A transport that changes answers on their way: `change(paths, answer)`, with all paths up to
    that of the answer."""

    def __init__(self, superlink, change):
        super().__init__(superlink.url)
        self.change, self.paths = change, []

    async def post(self, path, body, headers):
        self.paths.append(path.rpartition("/")[2])
        until_now = list(self.paths)  # others may be under way
        return self.change(until_now, await super().post(path, body, headers))


@pytest.mark.asyncio
async def test_a_node_joins_answers_and_leaves(superlink):
    async with running(node_of(superlink)) as node:
        assert node.node_id in superlink.online()
        reply = await superlink.answer(node.node_id, content(round=3))
        [array] = reply.content["arrays"].to_numpy_ndarrays()
        np.testing.assert_array_equal(array, SENT + 1, strict=True)
        assert dict(reply.content["metrics"]) == {"num-examples": 10, "round": 3}
        await until(lambda: node.state == "waiting")
        assert (node.answered, node.problem) == (1, "")
        node_id = node.node_id
    assert node_id not in superlink.online()
    assert node.state == "left"


@pytest.mark.asyncio
async def test_what_the_last_message_had_is_not_fetched_again(superlink):
    """Flower has the same parameters evaluated, and then trained: each is 64 kB here."""
    arrays = [np.full(16_000, number, np.float32) for number in range(4)]
    large = [False]

    def seen(paths, answer):
        large[-1:] = [large[-1] or (paths[-1] == "pull-object" and len(answer.body) > 64_000)]
        return answer

    async with running(node_of(superlink, transport=Changed(superlink, seen))) as node:
        for number, sent in enumerate((0, 0, 1, 2, 2, 3)):
            large.append(False)
            reply = await superlink.answer(node.node_id, content(arrays[sent], round=number))
            [array] = reply.content["arrays"].to_numpy_ndarrays()
            np.testing.assert_array_equal(array, arrays[sent] + 1)
    assert large[1:] == [True, False, True, True, False, True]


@pytest.mark.asyncio
async def test_an_app_keeps_its_state_from_message_to_message(superlink):
    async with running(node_of(superlink)) as node:
        for expected in (1, 2):
            reply = await superlink.answer(node.node_id, flower.RecordDict(), "query.count")
            assert reply.content["seen"]["n"] == expected


def mismatch(array):
    expect_network([array], [np.zeros(21, np.float32)])


def surrogates(array):
    raise ValueError("half of a character: \ud800")


async def cancelled(array):
    task = asyncio.create_task(asyncio.Event().wait())
    task.cancel()
    await task


RUNS = 3


@given(st.lists(st.integers(0, RUNS - 1), min_size=5, max_size=8))
@settings(max_examples=4, deadline=None)
def test_runs_that_ask_in_any_order_have_each_their_own_state(superlink, order):
    """As many as there are, the first two of one series, which has one state."""
    first = superlink.begin()
    series = superlink.state.get_run_info(run_ids=[first])[0].series_id
    runs = [first, superlink.begin(series), *(superlink.begin() for _ in range(RUNS - 2))]

    async def counted():
        async with running(node_of(superlink)) as node:
            for number in order:
                found = await superlink.answer(node.node_id, content(), "query.count", runs[number])
                yield found.content["seen"]["n"]

    async def all_of_them():
        return [n async for n in counted()]

    seen, expected = Counter(), []
    for number in order:
        seen[max(number, 1)] += 1
        expected.append(seen[max(number, 1)])
    assert asyncio.run(all_of_them()) == expected


@pytest.mark.asyncio
async def test_the_state_of_runs_long_ago_is_given_up(superlink):
    async def call(name, **fields):
        return {"run": {"override_config": [], "series_id": fields["run_id"]}}

    runs = Runs(call, {}, {})
    contexts = [await runs.context(7, number) for number in range(1, KEPT + 2)]
    assert await runs.context(7, KEPT + 1) is contexts[-1]
    assert await runs.context(7, 2) is contexts[1]
    assert await runs.context(7, 1) is not contexts[0]


CONFIGS = {
    "a run that changes nothing": ({"epochs": 1, "name": "a"}, {}),
    "one of each type": (
        {"epochs": 1, "rate": 0.5, "off": False, "name": "a"},
        {"epochs": -(2**40), "rate": 2.0, "off": True, "name": "é"},
    ),
    "a table": ({"optimizer": {"name": "sgd", "more": {"of": 1}}}, {"optimizer.name": "adam"}),
    "an app without settings": ({}, {"epochs": 3}),
}  # fmt: skip


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.asyncio
async def test_an_app_finds_the_settings_of_node_and_run_as_in_a_supernode(superlink, kind):
    """`flwr run --run-config` over those of the app; flwr's own function says what is found."""
    own, override = CONFIGS[kind]
    found = []
    app = ClientApp()

    @app.query()
    def query(message, context):
        found.append((context.node_config, context.run_config, context.run_id))
        return Message(RecordDict(), reply_to=message)

    run_id = superlink.begin(**override)
    config = {"partition-id": 3}
    async with running(node_of(superlink, app=app, config=config, run_config=own)) as node:
        for _ in range(2):
            assert (await superlink.answer(node.node_id, content(), "query", run_id)).has_content()
    flat = flatten_dict(own)
    assert found == [(config, flat | override, run_id)] * 2
    assert {name: type(one) for name, one in found[0][1].items()} == {
        name: type(one) for name, one in (flat | override).items()
    }
    if own:
        assert fuse_dicts(flat, override) == found[0][1]


@pytest.mark.parametrize("kind", ["node_config", "run_config"])
@pytest.mark.asyncio
async def test_a_setting_that_is_missing_is_named_with_where_it_is_given(superlink, kind):
    app = ClientApp()

    @app.train()
    def train(message, context):
        return getattr(context, kind)["partition-id"]

    option = kind.removeprefix("node_")
    node = node_of(superlink, app=app, **{option: {"epochs": 1}})
    async with running(node):
        reply = await superlink.answer(node.node_id, content())
    assert reply.error.code == ErrorCode.CLIENT_APP_RAISED_EXCEPTION
    assert reply.error.reason == (
        f"MissingRecordError: {kind}, Node({option}=...): "
        "expected 'partition-id', received 'epochs'"
    )


def test_an_app_of_flwr_itself_is_refused_with_what_runs_it(superlink):
    """Where flwr is installed, a text that imports its names makes one."""
    with pytest.raises(TypeError, match=r"received one of flwr, which a flower-supernode runs"):
        node_of(superlink, app=flwr.clientapp.ClientApp())


@pytest.mark.parametrize("value", [None, [1], b"a", {"in": (1, 2)}])
@pytest.mark.parametrize("option", ["config", "run_config"])
def test_a_value_that_is_no_setting_is_refused(superlink, option, value):
    with pytest.raises(TypeError, match=r"epochs.*: expected bool, int, float or str, rec"):
        node_of(superlink, **{option: {"epochs": value}})


@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [
        ("train", lambda array: 1 / 0, "ZeroDivisionError: "),
        ("train", surrogates, "ValueError: half of a character: ?"),
        ("train", cancelled, "CancelledError: "),
        ("train", mismatch, r"shapes (21,); the federation trains another, shapes (20,)"),
        ("evaluate", None, "expected a Message, received NoneType"),
        ("query", None, "expected a message of "),
    ],
)
@pytest.mark.asyncio
async def test_whatever_an_app_raises_is_an_error_in_its_reply(superlink, kind, change, reason):
    async with running(node_of(superlink, app=app_of(change))) as node:
        reply = await superlink.answer(node.node_id, content(round=1), kind)
        assert reply.error.code == 2
        assert reason in reply.error.reason
        reply = await superlink.answer(node.node_id, flower.RecordDict(), "query.count")
        assert reply.has_content()


@pytest.mark.parametrize("reason", ["no reply", "a reply to another"])
@pytest.mark.asyncio
async def test_an_answer_that_is_none_to_its_message_is_an_error_that_says_so(superlink, reason):
    """What is given back as it came, or kept from an earlier message, no server app would see."""
    app, kept = ClientApp(), []

    @app.query()
    def query(message, context):
        kept.append(Message(message.content, reply_to=message))
        return message if reason == "no reply" else kept[0]

    async with running(node_of(superlink, app=app)) as node:
        if reason != "no reply":
            assert (await superlink.answer(node.node_id, content(), "query")).has_content()
        reply = await superlink.answer(node.node_id, content(), "query")
    assert reply.error.reason.endswith(f"with the message received, received {reason}")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (MetricRecord({"n": 1 << 64}), "uint64: expected a number of 64 bits"),
        (MetricRecord({"n": [1 << 63, -1]}), "uint64: expected a number of 64 bits, received -1"),
        (MetricRecord({"n": -(1 << 63) - 1}), "sint64: expected a number of 64 bits"),
        (ConfigRecord({"name": "\ud800"}), "text: expected Unicode"),
        (ArrayRecord({"a": Array("float32", (np.int64(3),))}), "int64 is not JSON serializable"),
    ],
    ids=["uint64", "mixed", "sint64", "text", "shape"],
)
@pytest.mark.asyncio
async def test_records_that_cannot_be_written_are_an_error_in_their_reply(
    superlink, record, reason
):
    app = ClientApp()

    @app.train()
    def train(message, context):
        return Message(RecordDict({"record": record}), reply_to=message)

    async with running(node_of(superlink, app=app)) as node:
        for _ in range(2):
            reply = await superlink.answer(node.node_id, content(round=1))
            assert reason in reply.error.reason


@pytest.mark.asyncio
async def test_a_node_that_is_cancelled_while_its_app_works_has_left(superlink):
    async def cancelling(array):
        task.cancel()
        await asyncio.Event().wait()

    node = node_of(superlink, app=app_of(cancelling))
    task = asyncio.create_task(node.run())
    await until(lambda: node.node_id)
    number = node.node_id
    superlink.ask(number, content(round=1))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (node.state, node.answered) == ("left", 0)
    assert number not in superlink.online()


@pytest.mark.asyncio
async def test_heartbeats_arrive_while_an_app_trains(superlink, monkeypatch):
    monkeypatch.setattr("federation.node.BEAT", 0.001)
    transport = Changed(superlink, lambda paths, answer: answer)

    async def slow(array):
        before = transport.paths.count("send-node-heartbeat")
        await until(lambda: transport.paths.count("send-node-heartbeat") > before + 1)
        return array

    node = node_of(superlink, app=app_of(slow), transport=transport, heartbeat=10.0)
    async with running(node) as node:
        assert (await superlink.answer(node.node_id, content(round=1))).has_content()


class Late(HttpTransport):
    """A transport whose first heartbeat arrives after the goodbye, or after a while if none comes;
    as in a browser, it does so although who sent it waits no longer.
    """

    def __init__(self, superlink):
        super().__init__(superlink.url)
        self.left, self.late = asyncio.Event(), None

    async def post(self, path, body, headers):
        if path.endswith("heartbeat") and self.late is None:
            self.late = asyncio.create_task(self._late(path, body, headers))
            return await asyncio.shield(self.late)
        answer = await super().post(path, body, headers)
        if path.endswith("deactivate-node"):
            self.left.set()
        return answer

    async def _late(self, *request):
        with suppress(TimeoutError):
            await asyncio.wait_for(self.left.wait(), 0.5)
        return await super().post(*request)


@pytest.mark.asyncio
async def test_a_heartbeat_that_is_under_way_arrives_before_the_goodbye(superlink, monkeypatch):
    monkeypatch.setattr("federation.node.BEAT", 0.001)
    monkeypatch.setattr("federation.node.LAST", granted(5))
    transport = Late(superlink)
    async with running(node_of(superlink, transport=transport, heartbeat=10.0)) as node:
        number = node.node_id
        await until(lambda: transport.late)
    await transport.late
    assert number not in superlink.online()


@pytest.mark.asyncio
async def test_a_heartbeat_without_an_answer_keeps_no_node_from_leaving(superlink, monkeypatch):
    monkeypatch.setattr("federation.node.BEAT", 0.001)
    monkeypatch.setattr("federation.node.LAST", 0.1)
    silent = asyncio.Event()

    class Silent(HttpTransport):
        async def post(self, path, body, headers):
            if path.endswith("heartbeat"):
                silent.set()
                await asyncio.Event().wait()
            return await super().post(path, body, headers)

    async with running(node_of(superlink, transport=Silent(superlink.url), heartbeat=10.0)) as node:
        number = node.node_id
        await silent.wait()
    assert number not in superlink.online()


@pytest.mark.parametrize("error", [10, 3600, -400])
@pytest.mark.asyncio
async def test_a_wrong_clock_is_corrected_by_the_answers_date(superlink, monkeypatch, error):
    wrong = SimpleNamespace(time=lambda: time.time() + error, monotonic=time.monotonic)
    monkeypatch.setattr("federation.fleet.time", wrong)
    fleet = Fleet(HttpTransport(superlink.url), CPythonKey())
    began = time.monotonic()
    assert (await fleet.call("register-node", public_key=fleet.key.public))["node_id"]
    took = time.monotonic() - began  # the date, of whole seconds, is as old at most
    assert -3 - took < fleet.now() - time.time() < 3
    assert fleet.calls == 2


@pytest.mark.parametrize("error", [3600, -3600])
@pytest.mark.asyncio
async def test_calls_under_way_when_the_clock_is_found_wrong_are_all_made_again(
    superlink, monkeypatch, error
):
    """As a heartbeat beside a question for messages: else the node would take itself for unknown,
    and wait for its own heartbeats to be missed."""
    wrong = SimpleNamespace(time=lambda: time.time() + error, monotonic=time.monotonic)
    monkeypatch.setattr("federation.fleet.time", wrong)
    fleet = Fleet(HttpTransport(superlink.url), CPythonKey())
    calls = [fleet.call("register-node", public_key=fleet.key.public) for _ in range(5)]
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert [getattr(one, "status", 200) for one in found].count(401) == 0


@pytest.mark.asyncio
async def test_what_was_signed_before_the_device_slept_is_signed_again(superlink, monkeypatch):
    """Where what counts seconds stands still in a sleep: with old headers a node is unknown."""
    begun, slept = time.monotonic(), datetime.timedelta()
    clock = SimpleNamespace(
        time=lambda: time.time() + slept.total_seconds(), monotonic=lambda: begun
    )

    def dated(paths, answer):
        return dataclasses.replace(answer, date=formatdate(clock.time(), usegmt=True))

    monkeypatch.setattr("federation.fleet.time", clock)
    monkeypatch.setattr(node_auth, "now", lambda: now() + slept)
    fleet = Fleet(Changed(superlink, dated), CPythonKey())
    mine = {"public_key": fleet.key.public}
    await fleet.call("register-node", **mine)
    slept = datetime.timedelta(seconds=500)
    assert (await fleet.call("activate-node", **mine, heartbeat_interval=30.0))["node_id"]
    assert fleet.calls == 2


@pytest.mark.parametrize("jump", [5000, -5000, 1e8, -1e8])
@pytest.mark.asyncio
async def test_a_clock_that_jumps_beyond_the_life_of_a_message_loses_no_answer(
    superlink, monkeypatch, jump
):
    """A message lives for 3600 s: the SuperLink takes an answer from after that, and drops it."""
    clock = SimpleNamespace(ahead=0.0, time=lambda: time.time() + clock.ahead)
    monkeypatch.setattr("federation.fleet.time", clock)

    def jumping(array):
        clock.ahead += jump
        return array

    async with running(node_of(superlink, app=app_of(jumping))) as node:
        assert (await superlink.answer(node.node_id, content(round=1))).has_content()
        await until(lambda: node.state == "waiting")
        assert (node.answered, node.problem) == (1, "")


@pytest.mark.asyncio
async def test_an_answer_that_comes_after_its_message_has_ended_is_a_problem_that_says_so(
    superlink,
):
    end = []

    async def slow(array):
        await until(lambda: time.time() > end[0])
        return array

    async with running(node_of(superlink, app=app_of(slow))) as node:
        life = granted(3)  # long enough for the node to fetch it
        superlink.ask(node.node_id, content(round=1), ttl=life)
        end.append(time.time() + life - 1)  # it was written a second before
        await until(lambda: node.problem)
        assert node.problem.startswith("answer: expected before its message ends, sent ")
        assert (await superlink.answer(node.node_id, content(round=2))).has_content()


NO_TIMES = (
    "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -1200",
    "Wed, 01 Jan 1000 00:00:00 GMT", "01 Jan 1000 00:00:00 -0000",
    "Mon, 99999999999999999999 Jan 2020 00:00:00 GMT", "Mon, 01 Jan 2020 00:00:00 +99999999999999",
    "today",
)  # fmt: skip


@pytest.mark.parametrize("date", NO_TIMES)
@pytest.mark.asyncio
async def test_a_date_that_no_clock_shows_corrects_nothing(superlink, date):
    def dated(paths, answer):
        return dataclasses.replace(answer, status=401, date=date)

    fleet = Fleet(Changed(superlink, dated), CPythonKey())
    for _ in range(2):
        with pytest.raises(UnknownNodeError):
            await fleet.call("register-node", public_key=fleet.key.public)
    assert abs(fleet.now() - time.time()) < 1
    assert fleet.calls == 2


class Worn(CPythonKey):
    """A key that signs twice: for a node to register and be active."""

    signed = 0

    async def sign(self, data):
        self.signed += 1
        if self.signed > 2:
            raise RuntimeError("the key is gone")
        return await super().sign(data)


@pytest.mark.asyncio
async def test_a_node_whose_key_signs_no_more_has_left(superlink, monkeypatch):
    monkeypatch.setattr("federation.fleet.SIGNED", -1.0)  # each call is signed
    states = []
    node = node_of(superlink, key=Worn(), on_change=lambda n: states.append(n.state))
    with pytest.raises(RuntimeError, match="the key is gone"):
        await node.run()
    assert (node.state, node.node_id) == ("left", 0)
    assert states == ["waiting", "left"]


@pytest.mark.asyncio
async def test_a_node_joins_again_when_the_superlink_was_restarted():
    first = SuperLink()
    async with running(node_of(first, heartbeat=10.0)) as node:
        former = node.node_id
        first.close()
        await until(lambda: node.state == "away")
        second = SuperLink(first.port)
        try:
            await until(lambda: node.state == "waiting" and node.node_id != former)
            reply = await second.answer(node.node_id, content(round=1))
            assert reply.has_content()
        finally:
            node.stop()
            await until(lambda: node.state == "left")
            second.close()


@pytest.mark.asyncio
async def test_a_key_that_is_known_is_the_same_node(superlink, tmp_path):
    path = tmp_path / "key.pem"
    found = []
    for _ in range(2):
        async with running(node_of(superlink, key=CPythonKey(path))) as node:
            found.append(node.node_id)
    assert found[0] == found[1]
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kept", ["object", "file"])
@pytest.mark.asyncio
async def test_a_message_that_a_node_left_in_work_is_answered_when_its_key_joins_again(
    superlink, tmp_path, kept
):
    """Before the server app has asked again, every 3 s: it does not see that the node was away."""
    working = asyncio.Event()

    async def hanging(array):
        working.set()
        await asyncio.Event().wait()

    path = tmp_path / "key.pem" if kept == "file" else None
    key = CPythonKey(path)
    former = node_of(superlink, app=app_of(hanging), key=key)
    task = asyncio.create_task(former.run())
    await until(lambda: former.node_id)
    message_id = superlink.ask(former.node_id, content(round=1))
    await until(working.is_set)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with running(node_of(superlink, key=CPythonKey(path) if path else key)) as node:
        reply = await until(lambda: superlink.reply(message_id))
        assert reply.error.code == 2
        assert "left before it had answered" in reply.error.reason
        assert (await superlink.answer(node.node_id, content(round=2))).has_content()
        await until(lambda: node.state == "waiting")
        assert await key.kept() == b""


@pytest.mark.asyncio
async def test_a_note_that_cannot_be_read_keeps_no_node_from_its_messages(superlink):
    key = CPythonKey()
    await key.keep(b"\xff" * 9)
    async with running(node_of(superlink, key=key)) as node:
        assert (await superlink.answer(node.node_id, content(round=1))).has_content()
        await until(lambda: node.state == "waiting")
        assert await key.kept() == b""


@pytest.mark.asyncio
async def test_a_node_that_ended_without_a_word_is_awaited(superlink):
    key = CPythonKey()
    fleet = Fleet(HttpTransport(superlink.url), key)
    await fleet.call("register-node", public_key=key.public)
    found = await fleet.call("activate-node", public_key=key.public, heartbeat_interval=30.0)
    node = node_of(superlink, key=key)
    task = asyncio.create_task(node.run())
    await until(lambda: "last visit" in node.problem)
    await fleet.call("deactivate-node", node_id=found["node_id"])
    await until(lambda: node.node_id == found["node_id"])
    node.stop()
    await task


@pytest.mark.asyncio
async def test_where_nodes_must_be_registered_the_reason_and_the_key_are_said(
    superlink, monkeypatch
):
    """`flower-superlink --enable-supernode-auth`: then whoever runs it registers that key."""
    monkeypatch.setitem(superlink.application.state._state, "enable_supernode_auth", True)
    node = node_of(superlink)
    public = node.fleet.key.public
    task = asyncio.create_task(node.run())
    await until(lambda: "must be registered via the CLI" in node.problem)
    assert public.decode() in node.problem
    registered = superlink.state.create_node(NOOP_FLWR_AID, "", public, 0)
    await until(lambda: node.node_id == registered)
    node.stop()
    await task


@pytest.mark.asyncio
async def test_a_farewell_that_was_signed_before_takes_the_node_out(superlink):
    async with running(node_of(superlink)) as node:
        path, body, headers = await node.farewell()
        answer = await HttpTransport(superlink.url).post(path, body, headers)
        assert answer.status == 200
        assert node.node_id not in superlink.online()


@pytest.mark.asyncio
async def test_a_call_without_an_answer_is_made_again(superlink):
    def lost(paths, answer):
        if paths.count("push-object") == 1 and paths[-1] == "push-object":
            answer.status = 503
        return answer

    states = []
    node = node_of(
        superlink, transport=Changed(superlink, lost), on_change=lambda n: states.append(n.state)
    )
    async with running(node):
        assert (await superlink.answer(node.node_id, content(round=1))).has_content()
    assert states[:5] == ["waiting", "working", "away", "working", "waiting"]


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["register-node", "activate-node"])
@pytest.mark.parametrize("body", [b"", b"<!doctype html><title>Home</title>", b"{}"], ids=str)
async def test_an_address_that_answers_all_with_something_else_is_no_federation(
    superlink, path, body
):
    def other(paths, answer):
        if paths[-1] == path or path == "register-node":
            answer.status, answer.body = 200, body
        return answer

    node = node_of(superlink, transport=Changed(superlink, other))
    with pytest.raises(FormatError):
        await asyncio.wait_for(node.run(), granted(20))
    assert node.node_id == 0


@pytest.fixture
def at_once(monkeypatch):
    """What has no answer, or a wrong one, is asked again as often as ever, but at once."""
    for module in ("node", "mailbox"):
        monkeypatch.setattr(f"federation.{module}.WAITS", (0.001,) * 6)


@pytest.mark.parametrize("times", [6, 7])
@pytest.mark.asyncio
async def test_a_damaged_object_is_asked_for_again_and_then_is_an_error(superlink, at_once, times):
    """One byte of each object is another, in the first answers; then the next message is there."""

    def flipped(paths, answer):
        if paths[-1] == "pull-object" and answer.body and damaged:
            found = wire.decode("PullObjectResponse", answer.body)["object_content"]
            damaged.append(found)
            if damaged.count(found) <= times:
                answer.body = answer.body[:-1] + bytes([answer.body[-1] ^ 1])
        return answer

    damaged = [b""]
    async with running(node_of(superlink, transport=Changed(superlink, flipped))) as node:
        reply = await superlink.answer(node.node_id, content(round=1))
        damaged.clear()
        if reply.has_error():
            assert reply.error.reason.startswith("CorruptError: object: expected sha256 ")
        assert reply.has_error() == (times > len(mailbox.WAITS))
        assert (await superlink.answer(node.node_id, content(round=1))).has_content()


@pytest.mark.parametrize(("status", "times"), [(500, 7), (404, 6)])
@pytest.mark.parametrize("call", ["get-run", "pull-object", "confirm-message-received"])
@pytest.mark.asyncio
async def test_a_message_that_the_superlink_does_not_hand_out_is_answered_with_an_error(
    superlink, at_once, call, status, times
):
    """When it was asked seven times; else the round would wait for its time-out."""

    def refused(paths, answer):
        if paths[-1] == call and left:
            left.pop()
            answer.status, answer.body = status, b"no"
        return answer

    left = [call] * times
    async with running(node_of(superlink, transport=Changed(superlink, refused))) as node:
        reply = await superlink.answer(node.node_id, content(round=1))
        if times == 7 and call != "pull-object":  # of which several are under way
            assert f"FleetError: {call}: expected status 200, received {status}: no" in str(
                reply.error
            )
        else:
            assert reply.has_content()
        assert (await superlink.answer(node.node_id, content(round=1))).has_content()


@pytest.mark.parametrize("raised", [UnreachableError("x"), UnknownNodeError("call", 401, "x")])
@pytest.mark.asyncio
async def test_an_app_that_raises_what_calls_raise_is_answered_for_too(superlink, raised):
    """As an app that asks another federation."""

    async def asking(array):
        raise raised

    async with running(node_of(superlink, app=app_of(asking))) as node:
        reply = await superlink.answer(node.node_id, content(round=1))
        assert type(raised).__name__ in reply.error.reason


NAMELESS = wire.encode(
    "PullMessagesResponse",
    {"messages_list": [{}], "message_object_trees": [{"object_id": "a", "children": []}]},
)


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b""), (400, b""), (200, b"<!doctype html>"), (200, NAMELESS)],
    ids=str,
)
@pytest.mark.asyncio
async def test_a_superlink_that_answers_wrongly_is_asked_again_after_a_pause(
    superlink, status, body
):
    def wrong(paths, answer):
        if paths[-1] == "pull-messages" and paths.count("pull-messages") <= 5:
            answer.status, answer.body = status, body
        return answer

    transport = Changed(superlink, wrong)
    pause = 0.1  # many times what a call takes
    async with running(node_of(superlink, transport=transport, poll=pause, idle=pause)) as node:
        start, before = time.monotonic(), transport.paths.count("pull-messages")
        await until(lambda: transport.paths.count("pull-messages") > 5)
        assert time.monotonic() - start > pause * (4 - before)  # a pause after each but the last
        assert (await superlink.answer(node.node_id, content(round=1))).has_content()
    assert node.state == "left"


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [400, 413])
async def test_a_reply_that_the_gateway_refuses_becomes_an_error(superlink, status):
    def limited(paths, answer):
        if paths[-1] == "push-object" and paths.count("push-messages") == 1:
            answer.status, answer.body = status, b'{"detail": "at most 9 bytes a reply"}'
        return answer

    transport = Changed(superlink, limited)
    async with running(node_of(superlink, transport=transport)) as node:
        superlink.ask(node.node_id, content(round=1))
        await until(lambda: node.answered)
        assert node.problem == ""
    assert transport.paths.count("push-messages") == 2


ENDS = ("train", "evaluate", "query.count", "raises")  # an answer, or an error in its place
LOST = ("push-messages", "push-object", "confirm-message-received", "pull-object")


@pytest.mark.parametrize(
    ("end", "lost"), [*((end, None) for end in ENDS), *(("train", call) for call in LOST)]
)
@pytest.mark.asyncio
async def test_a_node_that_is_told_to_leave_stays_until_its_last_reply_was_read(
    superlink, monkeypatch, end, lost
):
    """Whatever the reply says, and though one of its calls gets no answer."""
    monkeypatch.setattr("federation.node.WAITS", (0.01, 0.01, 0.01))

    def change(paths, answer):
        if paths[-1] == "pull-messages" and answer.body:
            node.stop()  # while the message is in work
        if paths[-1] == lost and paths.count(lost) == 1:
            answer.status = 503
        return answer

    def work(array):
        return 1 / 0 if end == "raises" else array + 1

    transport = Changed(superlink, change)
    node = node_of(superlink, app=app_of(work), transport=transport)
    async with running(node):
        kind = "train" if end == "raises" else end
        message_id = superlink.ask(node.node_id, content(round=1), kind)
        await until(lambda: transport.paths[-3:] == ["pull-object"] * 3 and node.answered)
        number = node.node_id
        assert number in superlink.online()
        reply = superlink.reply(message_id)
        await until(lambda: node.state == "left")
    assert reply.has_error() == (end in ("raises", "evaluate"))
    assert number not in superlink.online()


@pytest.mark.asyncio
async def test_a_refusal_ends_the_node_with_its_reason(superlink):
    def refused(paths, answer):
        answer.status, answer.body = 403, b'{"detail": "gateway: token"}'
        return answer

    node = node_of(superlink, transport=Changed(superlink, refused))
    with pytest.raises(FleetError, match="received 403: gateway: token"):
        await node.run()


@pytest.mark.asyncio
async def test_a_node_that_finds_no_superlink_can_be_stopped():
    node = node_of(None, transport=HttpTransport("http://127.0.0.1:9"))
    task = asyncio.create_task(node.run())
    await until(lambda: "127.0.0.1:9" in node.problem)
    node.stop()
    await task
    assert node.state == "left"


def test_an_async_handler_runs_to_its_end_where_no_loop_runs():
    @awaited
    async def twice(number):
        await asyncio.sleep(0)
        return 2 * number

    assert twice(4) == 8
