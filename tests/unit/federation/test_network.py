"""A node behind a bad network: each fault at each kind of request that a node makes, with Flower's
own SuperLink behind the gateway. Nothing is lost that could arrive, nothing trained twice, and no
round waits for a node that is there.
"""

import asyncio
import threading
from base64 import b64encode
from collections import Counter
from contextlib import asynccontextmanager

import flwr.app as flower
import pytest
from federation import Answer, Fleet, FleetError, Node, UnreachableError, mailbox
from federation.fleet import CALLS
from federation.platform.cpython import CPythonKey, HttpTransport
from federation.server.deliveries import TIMES
from federation.server.gateway import Gateway

from tests.support.limit import granted
from tests.support.nodes import SENT, adding_one
from tests.support.superlink import Server, SuperLink, until

PAGE = b"<!doctype html><title>Sign in</title><p>This network asks for your name."
JOINING = ("register-node", "activate-node")
LAST = ("send-node-heartbeat", "deactivate-node")
PASSING = (408, 425, 429, 502, 503, 504, 511)
WRONG = (200, 302, 404, 405, 500, 501)  # and what has no message of Flower in it
FINAL = (400, 401, 403, 412, 413)


async def ok(post):
    return await post()


async def refused(post):
    raise UnreachableError("refused")


async def reset(post):
    await post()
    raise UnreachableError("reset")


async def half(post):
    answer = await post()
    return Answer(answer.status, answer.body[: len(answer.body) // 2], answer.date)


async def empty(post):
    answer = await post()
    return Answer(answer.status, b"", answer.date)


async def garbage(post):
    await post()
    return Answer(200, b"\xff" * 40, None)


def page(status, worked):
    async def fault(post):
        if worked:
            await post()
        return Answer(status, PAGE, None)

    return fault


FAULTS = {
    "refused": refused, "reset": reset, "half": half, "empty": empty, "garbage": garbage,
    **{
        f"{status} {when}": page(status, when == "after")
        for when in ("before", "after")
        for status in (*PASSING, *WRONG, *FINAL)
    },
}  # fmt: skip


QUICK = (
    "refused", "reset", "garbage", "404 before", "503 after", "413 before",
)  # fmt: skip


def given(answer):
    async def post():
        return answer

    return post


class Faulty(HttpTransport):
    """A transport with faults: those of a call that are still to come."""

    def __init__(self, address):
        super().__init__(address)
        self.calls, self.under_way, self.most = Counter(), Counter(), Counter()
        self.faults = {call: [] for call in CALLS}
        self.pulling = []  # objects that were under way when a reply was announced

    async def post(self, path, body, headers):
        name = path.rpartition("/")[2]
        if name == "push-messages":
            self.pulling.append(self.under_way["pull-object"])
        self.calls[name] += 1
        self.under_way[name] += 1
        self.most |= self.under_way

        async def post():
            return await HttpTransport.post(self, path, body, headers)

        try:
            if name == "pull-messages" and self.faults[name]:  # each hits an answer with a message
                answer = await post()
                return await self.faults[name].pop(0)(given(answer)) if answer.body else answer
            fault = self.faults[name].pop(0) if self.faults[name] else None
            return await (fault(post) if fault else post())
        finally:
            self.under_way[name] -= 1

    def left(self, *but):
        """The calls that a fault is still to come at."""
        return [call for call, faults in self.faults.items() if faults and call not in but]


class Federated:
    """A SuperLink, a gateway before it, and what the nodes' apps were asked."""

    def __init__(self):
        self.superlink = SuperLink()
        self.gateway = Gateway(self.superlink.url, [])
        self.server = Server(self.gateway.application())
        self.asked = Counter()

    def close(self):
        self.server.close()
        self.superlink.close()

    def node(self, transport):
        app = adding_one()

        async def counted(message, context):
            self.asked[message.metadata.message_id] += 1
            return await app(message, context)

        return Node(counted, Fleet(transport, CPythonKey()), poll=0.02, idle=0.02, heartbeat=10.0)

    def ask(self, node, count=1):
        arrays = [SENT + number for number in range(count)]
        sent = flower.RecordDict({"arrays": flower.ArrayRecord(arrays)})
        return self.superlink.ask(node.node_id, sent)

    async def answer(self, node, count=1):
        """The node's reply to a message of so many arrays, for which it trains once at most."""
        message_id = self.ask(node, count)
        reply = await until(lambda: self.superlink.reply(message_id))
        assert self.asked[message_id] <= 1
        assert reply.has_error() or self.asked[message_id]
        return reply

    def held(self, node):
        """What the gateway holds of a node."""
        key = b64encode(node.fleet.key.public).decode()
        kept = [*self.gateway.replies._replies.values(), *self.gateway.deliveries._held.values()]
        return [type(one).__name__ for one in kept if one.key == key]

    async def idle(self, node, transport):
        """Wait until the node is there, and has nothing to do."""
        calls = transport.calls["pull-messages"]
        await until(
            lambda: node.state == "waiting" and transport.calls["pull-messages"] > calls + 1
        )


@pytest.fixture(scope="module")
def federated():
    made = Federated()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """All that is asked again is asked as often as ever, but at once, and no wait is long."""
    for module in ("node", "mailbox"):
        monkeypatch.setattr(f"federation.{module}.WAITS", (0.001,) * 6)
    monkeypatch.setattr("federation.mailbox.READING", 0.1)
    monkeypatch.setattr("federation.node.BEAT", 0.005)


@asynccontextmanager
async def visiting(federated, transport):
    """A node, joined; afterwards it has left, and nothing of it is held anywhere."""
    node = federated.node(transport)
    task = asyncio.create_task(node.run())
    try:
        await until(lambda: node.node_id or task.done())
        yield node
        node.stop()
        await asyncio.wait_for(task, granted(20))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert node.state == "left"
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not federated.held(node)


def lasting(fault):
    """Whether the same call would have it again, as the node sees it."""
    return fault.split()[0] in map(str, FINAL)


@pytest.mark.parametrize(
    "fault",
    [pytest.param(one, marks=[] if one in QUICK else pytest.mark.soak) for one in FAULTS],
)
@pytest.mark.asyncio
async def test_a_fault_at_each_request_of_a_visit_loses_no_answer(federated, fault):
    transport = Faulty(federated.server.url)
    if fault in ("refused", "reset") or fault.split()[0] in map(str, PASSING):
        worked = fault == "reset" or fault.endswith("after")
        for call in JOINING[worked:]:  # who lost both answers waits for its heartbeats
            transport.faults[call] = [FAULTS[fault]]
    async with visiting(federated, transport) as node:
        for call in CALLS:
            transport.faults[call] += [FAULTS[fault]] * (call not in JOINING)
        while transport.left(*LAST):
            reply = await federated.answer(node)
            assert reply.has_content() or lasting(fault) or fault == "empty"
            await federated.idle(node, transport)
        assert (await federated.answer(node)).has_content()
        number = node.node_id
    assert number not in federated.superlink.online()
    assert not transport.left()


@pytest.mark.asyncio
async def test_a_network_that_is_away_for_a_while_loses_no_answer(federated):
    """For more calls than a node makes again at other faults, in the middle of a message."""
    transport = Faulty(federated.server.url)
    async with visiting(federated, transport) as node:
        await federated.idle(node, transport)
        for call in CALLS:
            transport.faults[call] = [refused] * (TIMES - 1) * (call not in JOINING + LAST)
        while transport.left():
            assert (await federated.answer(node)).has_content()


@pytest.mark.parametrize("status", [404, 500])
@pytest.mark.asyncio
async def test_a_node_that_is_forgotten_comes_back_through_whatever_a_proxy_says(federated, status):
    """As while a SuperLink is restarted; but not if it is refused then."""
    transport = Faulty(federated.server.url)
    async with visiting(federated, transport) as node:
        await federated.idle(node, transport)
        for call in JOINING:
            transport.faults[call] = [page(status, False), page(200, False)] * 2
        transport.faults["pull-messages"] = [page(401, False)]
        while transport.left():
            await federated.answer(node)
            await federated.idle(node, transport)
        assert (await federated.answer(node)).has_content()


@pytest.mark.asyncio
async def test_a_node_that_is_forgotten_and_refused_says_so(federated):
    transport = Faulty(federated.server.url)
    transport.faults["register-node"] = [ok, page(403, False)]
    transport.faults["pull-messages"] = [page(401, False)]
    node = federated.node(transport)
    task = asyncio.create_task(node.run())
    await until(lambda: node.node_id)
    federated.ask(node)
    with pytest.raises(FleetError, match="register-node: expected status 200, received 403"):
        await asyncio.wait_for(task, granted(20))


COUNT = 30  # arrays; each is two objects, and those around them are four


@pytest.mark.asyncio
async def test_objects_go_a_few_at_a_time_both_ways(federated):
    transport = Faulty(federated.server.url)
    async with visiting(federated, transport) as node:
        assert (await federated.answer(node, COUNT)).has_content()
    for call in ("pull-object", "push-object"):
        assert 1 < transport.most[call] <= mailbox.AT_ONCE
    assert transport.calls["push-object"] == 2 * COUNT + 4


@pytest.mark.asyncio
async def test_an_object_that_is_refused_ends_the_calls_for_the_others(federated):
    transport = Faulty(federated.server.url)
    async with visiting(federated, transport) as node:
        transport.faults["pull-object"] = [ok, ok, page(413, False)]
        reply = await federated.answer(node, COUNT)
        assert "pull-object: expected status 200, received 413" in reply.error.reason
    assert transport.most["pull-object"] > 1
    assert transport.calls["pull-object"] < 2 * COUNT
    assert transport.pulling == [0]


@pytest.mark.asyncio
async def test_an_object_that_is_sent_again_while_its_reply_is_passed_on_waits_for_that(
    federated, monkeypatch
):
    """As after a minute in which the SuperLink had not taken all: it hears of the reply once."""
    transport, stored = Faulty(federated.server.url), []
    store = federated.superlink.state.store_message_and_object_tree
    again = threading.Event()

    def slow(message, *rest):
        if message.metadata.reply_to_message_id:
            stored.append(message)
            again.wait(granted(20))
        return store(message, *rest)

    async def given_up(post):
        posts.append(asyncio.create_task(post()))
        await until(lambda: stored)
        raise UnreachableError("no whole answer in 60 s")

    async def sent_again(post):
        asyncio.get_running_loop().call_later(0.05, again.set)
        return await post()

    posts = []
    monkeypatch.setattr(federated.superlink.state, "store_message_and_object_tree", slow)
    async with visiting(federated, transport) as node:
        transport.faults["push-object"] = [*[ok] * 5, given_up, sent_again]
        assert (await federated.answer(node)).has_content()
        await asyncio.gather(*posts)
    assert len(stored) == 1
