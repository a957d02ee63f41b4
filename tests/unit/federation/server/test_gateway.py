"""The gateway before Flower's own SuperLink: what passes, and what reaches nothing."""

import asyncio
import dataclasses
import json
import re
import shutil
import socket
import subprocess
import time
from base64 import b64encode
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import flwr.app as flower
import httpx
import numpy as np
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from federation import (
    ArrayRecord,
    ClientApp,
    Fleet,
    FleetError,
    Message,
    RecordDict,
    UnreachableError,
    objects,
    wire,
)
from federation.fleet import CALLS, TOKEN
from federation.mailbox import Mailbox
from federation.platform.cpython import CPythonKey, HttpTransport
from federation.server import gateway as module
from federation.server.connection import Connection
from federation.server.gateway import FORWARDED, Gateway
from federation.server.limits import BODIES, Limits
from flwr.proto import run_pb2, transport_pb2
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.support.limit import Limit, granted
from tests.support.nodes import SENT, adding_one, node_at, running
from tests.support.superlink import Server, SuperLink, until
from tools.federation import Federation, free_port

ORIGIN = "https://learn.example"
LIMITS = Limits(rate=1e6)


class Before:
    """A gateway before a SuperLink, as a server."""

    def __init__(self, superlink, token="", limits=LIMITS, folder=None):
        self.gateway = Gateway(superlink.url, [ORIGIN], token, limits)
        self.server = Server(self.gateway.application(folder))
        self.url, self.held = self.server.url, self.gateway.replies._replies
        # Each takes a tenth of a second to make; the test's own limit grows with the machine.
        self.client = httpx.Client(base_url=self.url, timeout=None)

    def post(self, path, body=b"", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, content=body, headers=named)

    def close(self):
        self.client.close()
        self.server.close()


@pytest.fixture(scope="module")
def superlink():
    made = SuperLink()
    yield made
    made.server.close()


@pytest.fixture
def opened(superlink):
    """Open gateways with options."""
    made = []

    def opened(**options):
        made.append(Before(superlink, **options))
        return made[-1]

    yield opened
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def usual(superlink):
    made = Before(superlink)
    yield made
    made.close()


def content():
    return flower.RecordDict({"arrays": flower.ArrayRecord([SENT])})


# Paths.


def other_paths(superlink):
    """Every route of the SuperLink but the ten calls, and ways round a filter."""
    routes = [context.route for context in iter_route_contexts(superlink.application.routes)]
    found = {(method, route.path) for route in routes for method in route.methods or ()}
    assert len(found) > 30
    assert any("/v1/control/" in path for _, path in found)
    ten = {("POST", f"/v1/fleet/{call}") for call in CALLS}
    assert ten <= found
    assert isinstance(routes[-1], APIRoute)
    return sorted(found - ten) + [
        (method, path)
        for method in ("GET", "POST")
        for path in (
            "/v1/fleet/../control/list-runs", "/v1/fleet/%2e%2e/control/list-runs",
            "/v1/fleet/..%2fcontrol%2flist-runs", "//v1/control/list-runs",
            "/v1/fleet//pull-object/", "/v1/fleet/pull-object/../../control/list-runs",
            "/V1/FLEET/PULL-OBJECT", "/v1/fleet/",
            "/v1/fleet/pull-object%00", "/v1/fleet/pull-object;x", "/v1",
        )
    ]  # fmt: skip


def test_every_other_path_of_the_superlink_is_not_found(superlink, usual, tmp_path, opened):
    (tmp_path / "index.html").write_text("the page")
    with_page = opened(folder=tmp_path)
    assert with_page.client.get("/").text == "the page"
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/config").write_text("a secret")
    assert with_page.client.get("/.git/config").status_code == 404
    for method, path in other_paths(superlink):
        for before in (usual, with_page):
            url = httpx.URL(before.url).copy_with(raw_path=path.encode())
            answer = before.client.request(method, url)
            assert answer.status_code in (404, 405), (method, path)


def test_the_ten_calls_take_no_other_method(usual):
    for call in CALLS:
        for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
            assert usual.client.request(method, f"/v1/fleet/{call}").status_code in (404, 405)


def test_the_superlink_itself_would_answer_those_who_ask_for_runs(superlink):
    """Why its port stays closed; if this fails, flwr has begun to ask who calls."""
    kind = {"content-type": "application/protobuf"}
    answer = httpx.post(superlink.url + "/v1/control/list-runs", headers=kind)
    assert answer.status_code == 200


def test_nginx_has_the_same_paths_and_sizes():
    text = Path(module.__file__).with_name("nginx.conf").read_text()
    found = {}
    for names, block in re.findall(r"location [=~] \^?/v1/fleet/(\S+) \{(.*?)\n    \}", text, re.S):
        size = re.search(r"client_max_body_size (\d+)([km]);", block)
        assert "limit_except POST { deny all; }" in block
        for name in names.strip("()$").split("|"):
            found[name] = int(size[1]) << {"k": 10, "m": 20}[size[2]]
    assert found == BODIES
    assert "location /v1/ { return 404; }" in text


@pytest.fixture
def nginx(superlink, tmp_path):
    """The address of nginx with the file that we ship, between free ports."""
    text = Path(module.__file__).with_name("nginx.conf").read_text()
    port = free_port()
    for before, after in (("127.0.0.1:8000", f"127.0.0.1:{superlink.port}"),
                          ("127.0.0.1:8001", f"127.0.0.1:{port}")):  # fmt: skip
        assert text.count(before) == 1
        text = text.replace(before, after)
    (tmp_path / "site").mkdir()
    (tmp_path / "nginx.conf").write_text(text)
    command = [shutil.which("nginx"), "-p", str(tmp_path), "-c", "nginx.conf"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    limit = Limit(20)
    with socket.socket() as probe:
        while probe.connect_ex(("127.0.0.1", port)):
            assert process.poll() is None, process.stderr.read()
            assert not limit.over(), "nginx does not listen"
            time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.communicate()


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
@pytest.mark.asyncio
async def test_nginx_lets_nodes_through_and_nothing_else(superlink, nginx):
    node = node_at(nginx)
    async with running(node):
        reply = await superlink.answer(node.node_id, content())
        np.testing.assert_array_equal(reply.content["arrays"].to_numpy_ndarrays()[0], SENT + 1)
    async with httpx.AsyncClient(timeout=None) as client:
        for method, path in other_paths(superlink):
            url = httpx.URL(nginx).copy_with(raw_path=path.encode())
            answer = await client.request(method, url)
            assert answer.status_code in (400, 403, 404, 405), (method, path)
        for call, most in BODIES.items():
            answer = await client.post(f"{nginx}/v1/fleet/{call}", content=bytes(most + 1))
            assert answer.status_code == 413, call


# Nodes.


@pytest.mark.asyncio
async def test_a_node_joins_and_answers_through_the_gateway(superlink, usual):
    node = node_at(usual.url)
    async with running(node):
        reply = await superlink.answer(node.node_id, content())
        np.testing.assert_array_equal(reply.content["arrays"].to_numpy_ndarrays()[0], SENT + 1)
    assert node.node_id not in superlink.online()
    assert usual.held == {}


@pytest.mark.asyncio
async def test_a_closed_page_says_goodbye_by_a_text_that_is_checked_as_any_call(superlink, usual):
    """A beacon: a browser sends it at once, with no headers but its own."""
    node, other = node_at(usual.url), node_at(usual.url)
    async with running(node), running(other):
        path, body, headers = await node.farewell()
        _, _, foreign = await other.farewell()
        unsigned = headers | {"flwr-signature": foreign["flwr-signature"]}
        for origin, status, signed in (
            ("https://other.example", 403, headers), ("null", 403, headers),
            (ORIGIN, 401, foreign), (ORIGIN, 401, unsigned), (ORIGIN, 200, headers),
            (ORIGIN, 200, headers),
        ):  # fmt: skip
            said = json.dumps({"body": b64encode(body).decode(), "headers": signed})
            kind = "text/plain;charset=UTF-8"
            answer = usual.post(path, said.encode(), origin=origin, content_type=kind)
            assert answer.status_code == status
            assert (node.node_id in superlink.online()) == (status != 200)
        assert other.node_id in superlink.online()


@pytest.mark.parametrize(
    "said", ["", "[]", '{"body": 1}', '{"body": "é", "headers": {}}', "[" * 4000]
)
def test_a_text_that_is_no_goodbye_is_refused(usual, said):
    answer = usual.post(
        "/v1/fleet/deactivate-node", said.encode(), origin=ORIGIN, content_type="text/plain"
    )
    assert answer.status_code == 400


@pytest.mark.asyncio
async def test_an_array_of_several_chunks_goes_both_ways(superlink, usual):
    node, large = node_at(usual.url), np.arange(3_000_000, dtype=np.float32)
    async with running(node):
        asked = flower.RecordDict({"arrays": flower.ArrayRecord([large])})
        reply = await superlink.answer(node.node_id, asked)
    np.testing.assert_array_equal(reply.content["arrays"].to_numpy_ndarrays()[0], large + 1)


# Origins and tokens.


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://learn.example"])
def test_pages_of_other_origins_reach_nothing(usual, origin):
    for call in CALLS:
        path = f"/v1/fleet/{call}"
        for method in ("OPTIONS", "POST"):
            answer = usual.client.request(method, path, headers={"origin": origin})
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers


def test_a_page_whose_name_was_bound_to_this_machine_reaches_nothing(usual):
    """DNS rebinding: origin and host are the same, and neither is on the list."""
    headers = {"origin": "http://evil.example:8001", "host": "evil.example:8001"}
    answer = usual.client.post("/v1/fleet/pull-object", headers=headers)
    assert answer.status_code == 403


def test_pages_of_the_listed_origin_may_send_what_a_node_sends(usual):
    answer = usual.client.options("/v1/fleet/pull-object", headers={"origin": ORIGIN})
    assert answer.status_code == 204
    allowed = answer.headers["access-control-allow-headers"].split(", ")
    assert {"content-type", "flwr-public-key", "flwr-timestamp", "flwr-signature"} <= {*allowed}
    assert TOKEN in allowed
    answer = usual.post("/v1/fleet/pull-object", origin=ORIGIN)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "date" in answer.headers["access-control-expose-headers"]


@pytest.mark.asyncio
async def test_of_a_run_its_settings_pass_and_not_whose_it_is(superlink, usual):
    run_id = superlink.begin(epochs=2)
    named = superlink.state.get_run_info(run_ids=[run_id])[0]
    assert named.flwr_aid != ""
    node = node_at(usual.url)
    async with running(node):
        asked = {"node": {"node_id": node.node_id}, "run_id": run_id}
        signed = await node.fleet._sign()
        headers = {name.replace("-", "_"): value for name, value in signed.items()}
        body = wire.encode("GetRunRequest", asked)
        answer = usual.post("/v1/fleet/get-run", body, **headers)
    run = run_pb2.GetRunResponse.FromString(answer.content).run
    assert run == run_pb2.Run(
        override_config={"epochs": transport_pb2.Scalar(sint64=2)}, series_id=named.series_id
    )


@pytest.mark.asyncio
@pytest.mark.parametrize("given", ["", "wrong", "secre"])
async def test_who_does_not_know_the_token_does_not_join(superlink, opened, given):
    before = opened(token="secret")
    with pytest.raises(FleetError, match="403: gateway: expected this federation's token"):
        await node_at(before.url, token=given).run()
    node = node_at(superlink.url, token=given)  # the key is known, but not welcome here
    async with running(node):
        with pytest.raises(FleetError, match="token"):
            async with running(with_key_of(node, before.url)):
                pass


def with_key_of(node, address):
    """Another node with the same key, elsewhere."""
    other = node_at(address)
    other.fleet.key = node.fleet.key
    return other


def test_a_token_that_no_header_carries_is_refused_at_both_ends(superlink):
    for token in ("gr\u00fcn", "\u79d8\u5bc6", "two\nlines"):
        with pytest.raises(ValueError, match="token: expected printable ASCII"):
            node_at(superlink.url, token=token)
        with pytest.raises(ValueError, match="token: expected printable ASCII"):
            Gateway(superlink.url, [ORIGIN], token)


@pytest.mark.asyncio
async def test_who_knows_the_token_joins(opened):
    node = node_at(opened(token="secret").url, token="secret")
    async with running(node):
        assert node.node_id


# Sizes and rates.


@pytest.mark.parametrize("call", CALLS)
def test_a_body_above_its_limit_is_refused_before_it_is_read(usual, call):
    answer = usual.post(f"/v1/fleet/{call}", bytes(BODIES[call] + 1))
    assert answer.status_code == 413
    assert usual.post(f"/v1/fleet/{call}", bytes(BODIES[call])).status_code in (400, 401, 415)


def test_a_body_of_unknown_length_is_refused(usual):
    chunks = iter([b"a", b"b"])
    answer = usual.client.post("/v1/fleet/push-object", content=chunks)
    assert answer.status_code == 411


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_a_body_whose_length_is_said_twice_is_refused(superlink, http):
    """The length that is looked at is not the one that counts, and uvicorn's h11 reads on."""
    server = Server(Gateway(superlink.url, [ORIGIN]).application(), http=http)
    head = b"POST /v1/fleet/pull-object HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n"
    chunk = bytes(2 * BODIES["pull-object"])
    body = f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head + b"transfer-encoding: chunked\r\n\r\n" + body)
        status = connection.recv(1000).split()[1]
    server.close()
    assert status in (b"411", b"400")


@pytest.mark.parametrize("name", FORWARDED)
@pytest.mark.parametrize("value", [b"\xe4", b"\xff\xfe", "\u79d8".encode(), b"a\tb"])
def test_a_header_that_is_no_text_of_ascii_is_refused(usual, name, value):
    answer = usual.client.post("/v1/fleet/pull-object", content=b"aa", headers={name: value})
    assert (answer.status_code, answer.json()["detail"][:18]) == (400, "gateway: expected ")


@pytest.mark.asyncio
async def test_a_body_that_does_not_arrive_is_given_up(opened):
    before = opened(limits=dataclasses.replace(LIMITS, seconds=0.1))
    reader, writer = await asyncio.open_connection("127.0.0.1", before.server.port)
    writer.write(b"POST /v1/fleet/push-object HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\nabc")
    assert (await asyncio.wait_for(reader.readline(), granted(20))).split()[1] == b"408"
    writer.close()


HEAD = b"POST /v1/fleet/pull-object HTTP/1.1\r\nhost: x\r\ncontent-type: application/protobuf\r\n"
OTHER = b"GET /no HTTP/1.1\r\nhost: x\r\n"  # it is answered before its body came


@asynccontextmanager
async def connected(superlink, monkeypatch, seconds, begun=b""):
    """A connection to the gateway, which waits so long for a head, and has begun so."""
    monkeypatch.setattr(Connection, "seconds", seconds)
    server = Server(Gateway(superlink.url, [ORIGIN]).application(), http=Connection)
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(begun)
    connection.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=connection)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        server.close()


MOMENT = 0.02  # seconds


async def ended(reader):
    """Whether a connection ends within a moment."""
    try:
        return not await asyncio.wait_for(reader.read(1000), MOMENT)
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize("begun", [b"", HEAD + b"a: ", OTHER + b"content-length: 9999\r\n\r\n"])
@pytest.mark.asyncio
async def test_who_sends_drop_by_drop_or_nothing_holds_no_connection(superlink, monkeypatch, begun):
    async with connected(superlink, monkeypatch, 0.3, begun) as (reader, writer):
        limit = Limit(10)
        while not await ended(reader):
            assert not limit.over()
            writer.write(b"a" if begun else b"")


UNREAD = 16 << 20  # bytes, more than the system holds for a connection


async def at_once(request):
    return Response(bytes(UNREAD))


async def in_parts(request):
    async def parts():
        for _ in range(16):
            yield bytes(UNREAD // 16)

    return StreamingResponse(parts())


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("answer", [at_once, in_parts])
@pytest.mark.asyncio
async def test_who_reads_drop_by_drop_or_nothing_holds_no_connection(answer, reads, monkeypatch):
    monkeypatch.setattr(Connection, "reading", granted(0.3))
    server = Server(Starlette(routes=[Route("/", answer)]), http=Connection)
    open_ones = server.server.server_state.connections
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.recv(15) == b"HTTP/1.1 200 OK"

        def cut():
            with suppress(ConnectionError):
                assert not reads or connection.recv(1)
            return not open_ones

        await until(cut)
    server.close()


@pytest.mark.asyncio
async def test_a_body_may_take_longer_than_a_head(superlink, monkeypatch):
    """Each head is there before the gateway waits for it, however slow this process is."""
    seconds = granted(0.25)
    count = int(2 * seconds / MOMENT)
    head = HEAD + f"content-length: {count}\r\n\r\n".encode()
    async with connected(superlink, monkeypatch, seconds, head) as (reader, writer):
        for last in (b"\0" + head, b"\0"):  # no message, however many
            for _ in range(count - 1):
                assert not await ended(reader)
                writer.write(b"\0")
            writer.write(last)
            answer = await asyncio.wait_for(reader.readuntil(b"}"), granted(20))
            assert answer.split()[1] == b"400", "it is no message"


def test_a_head_is_read_to_a_limit(tmp_path):
    with Federation(tmp_path / "run") as running:
        running.gateway()
        with socket.create_connection(("127.0.0.1", running.door), 20) as connection:
            connection.sendall(HEAD + b"a: " + b"a" * 100_000)
            assert connection.recv(1000).split()[1] == b"400"


def test_registrations_from_one_address_are_limited(opened):
    before = opened(limits=Limits(rate=0.0))
    statuses = [before.post("/v1/fleet/register-node").status_code for _ in range(22)]
    assert statuses[19] != 429
    assert statuses[20:] == [429, 429]


# Messages.


@pytest.mark.asyncio
async def test_a_message_whose_answer_was_lost_is_handed_out_again(superlink, usual):
    """A SuperLink hands it out once: the round would wait for its time-out."""
    node, lost = node_at(usual.url), []

    async def call(name, **fields):
        found = await original(name, **fields)
        if found.get("messages_list") and not lost:
            lost.append(found)
            raise UnreachableError("reset")
        return found

    original, node.fleet.call = node.fleet.call, call
    async with running(node):
        assert (await superlink.answer(node.node_id, content())).has_content()
        assert len(lost) == 1
    assert usual.gateway.deliveries.held == 0


@pytest.mark.asyncio
async def test_no_other_node_confirms_a_message_or_is_handed_it(superlink, usual):
    one, other = [Fleet(HttpTransport(usual.url), CPythonKey()) for _ in range(2)]
    mine, theirs = [{"node": {"node_id": await joined(fleet)}} for fleet in (one, other)]
    message_id = superlink.ask(mine["node"]["node_id"], content())
    confirmed = {"run_id": superlink.run_id, "message_object_id": message_id}
    [found] = (await one.call("pull-messages", **mine))["messages_list"]
    assert found["metadata"]["message_id"] == message_id
    await other.call("confirm-message-received", **theirs, **confirmed)
    body = wire.encode("ConfirmMessageReceivedRequest", mine | confirmed)
    kind = {"content_type": "application/protobuf"}
    assert usual.post("/v1/fleet/confirm-message-received", body, **kind).status_code == 401
    assert (await other.call("pull-messages", **theirs))["messages_list"] == []
    assert (await one.call("pull-messages", **mine))["messages_list"] == [found]
    await one.call("confirm-message-received", **mine, **confirmed)
    assert (await one.call("pull-messages", **mine))["messages_list"] == []


async def joined(fleet):
    """The number of a node that a test is itself."""
    mine = {"public_key": fleet.key.public}
    await fleet.call("register-node", **mine)
    return (await fleet.call("activate-node", **mine, heartbeat_interval=30.0))["node_id"]


# Replies.


def forged(node, change):
    """Have a node change its calls before it makes them."""
    node.fleet.change = change
    return node


@pytest.mark.asyncio
async def test_a_node_cannot_answer_for_another(superlink, usual):
    victim = node_at(usual.url)

    def change(name, fields):
        if name == "push-messages":
            fields["messages_list"][0]["metadata"]["src_node_id"] = victim.node_id

    node = forged(node_at(usual.url), change)
    async with running(victim, node):
        message_id = superlink.ask(node.node_id, content())
        await until(lambda: "403: gateway: a reply of another node" in node.problem)
        assert superlink.reply(message_id) is None


@pytest.mark.asyncio
async def test_a_node_cannot_answer_as_another_node_of_its_own_naming(superlink, usual):
    """The SuperLink compares node and key: the gateway asks it before it keeps anything."""
    victim = node_at(usual.url)

    def change(name, fields):
        if name == "push-messages":
            fields["messages_list"][0]["metadata"]["src_node_id"] = victim.node_id
            fields["node"] = {"node_id": victim.node_id}

    node = forged(node_at(usual.url), change)
    async with running(victim, node):
        former = node.node_id
        message_id = superlink.ask(former, content())
        await until(lambda: "received 401" in node.problem)
        node.fleet.change = None
        await node.fleet.call("deactivate-node", node_id=former)  # or its heartbeats are awaited
        await until(lambda: node.node_id == former)  # by its key it is the same node as before
        await until(lambda: superlink.reply(message_id) is not None)  # it says that it had left
    assert usual.held == {}


@pytest.mark.asyncio
async def test_what_a_reply_says_inside_is_what_it_was_announced_as(superlink, usual):
    """The server app reads the object's own metadata: there a reply could bear another's name."""
    node = node_at(usual.url)
    original, parts = node.fleet.call, {}

    async def call(name, **fields):
        if name == "push-messages":  # of its answer, and of the error that it says in its place
            parts.clear()
            metadata, [tree] = (
                fields["messages_list"][0]["metadata"],
                fields["message_object_trees"],
            )
            body = wire.encode("Message", {"metadata": metadata | {"src_node_id": 5}})
            other = objects.pack("Message", body, tree["children"], parts)
            metadata["message_id"] = other["object_id"]
            fields["message_object_trees"] = [other]
        answer = await original(name, **fields)
        if name == "push-messages":  # the node sends the others
            [(identifier, data)] = parts.items()
            named = {"run_id": superlink.run_id, "session_id": answer["session_id"]}
            pushed = {"object_id": identifier, "object_content": data, "node": fields["node"]}
            await original("push-object", **pushed, **named)
        return answer

    node.fleet.call = call
    async with running(node):
        message_id = superlink.ask(node.node_id, content())
        await until(lambda: "something else inside" in node.problem)
        assert superlink.reply(message_id) is None
    assert usual.held == {}


@pytest.mark.asyncio
async def test_an_object_of_a_stranger_does_not_join_a_reply(superlink, usual):
    stranger = node_at(usual.url)
    sessions = []

    async def call(name, **fields):
        if name == "push-object":
            sessions.append(fields)
            with pytest.raises(FleetError, match="403: gateway: a reply of another node"):
                await stranger.fleet.call(name, **fields)
        return await original(name, **fields)

    node = node_at(usual.url)
    original, node.fleet.call = node.fleet.call, call
    async with running(node, stranger):
        assert (await superlink.answer(node.node_id, content())).has_content()
    assert len(sessions) == 6


STRANGERS = ("unsigned", "signed by another key", "signed for another time", "no base64")


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.asyncio
async def test_who_does_not_sign_with_the_nodes_key_calls_nothing(superlink, usual, stranger):
    """In all ten calls, in the name of a node that is there."""
    victim, other = node_at(usual.url), CPythonKey()
    async with running(victim):
        signed = dict(await victim.fleet._sign())
        if stranger == "unsigned":
            signed = {"content-type": signed["content-type"]}
        elif stranger == "signed by another key":
            signed = dict(await Fleet(None, other)._sign())
        elif stranger == "signed for another time":
            signed["flwr-timestamp"] = signed["flwr-timestamp"].replace("T", " ")
        else:
            signed["flwr-signature"] = "%%%"
        told = {"node": {"node_id": victim.node_id}, "run_id": superlink.run_id}
        bodies = {
            "register-node": {"public_key": victim.fleet.key.public},
            "activate-node": {"public_key": victim.fleet.key.public, "heartbeat_interval": 30.0},
            "deactivate-node": {"node_id": victim.node_id},
            "send-node-heartbeat": {"node": told["node"], "heartbeat_interval": 30.0},
            "get-run": told,
            "pull-messages": {"node": told["node"]},
            "pull-object": told | {"object_id": "0" * 64},
            "confirm-message-received": told | {"message_object_id": "0" * 64},
            "push-object": told | {"object_id": "0" * 64, "session_id": "0"},
        }
        named = {name.replace("-", "_"): value for name, value in signed.items()}
        for call, fields in bodies.items():
            body = wire.encode(f"{CALLS[call]}Request", fields)
            answer = usual.post(f"/v1/fleet/{call}", body, **named)
            assert answer.status_code == (200 if call == "push-object" else 401), call
            if call == "push-object":  # of a reply that was not announced
                assert wire.decode("PushObjectResponse", answer.content) == {"stored": False}
        body = announcement(victim.node_id, superlink.run_id)
        assert usual.post("/v1/fleet/push-messages", body, **named).status_code == 401
        assert victim.node_id in superlink.online()
    assert usual.held == {}


@pytest.mark.asyncio
async def test_replies_that_are_announced_and_never_come_fill_no_more_than_their_room(
    superlink, opened
):
    """Whoever may join could announce replies without end."""
    before = opened(limits=dataclasses.replace(LIMITS, held=300))
    node = node_at(before.url)
    async with running(node):
        signed = await node.fleet._sign()
        named = {name.replace("-", "_"): value for name, value in signed.items()}
        bodies = [
            announcement(node.node_id, superlink.run_id, reply_to_message_id=f"{number:02}")
            for number in range(20)
        ]
        found = [before.post("/v1/fleet/push-messages", body, **named) for body in bodies]
        most = 300 // len(bodies[0])
        assert [one.status_code for one in found] == [200] * most + [503] * (20 - most)
        assert "too many replies at once" in found[-1].json()["detail"]
        assert before.gateway.replies.held <= 300


@pytest.mark.asyncio
async def test_a_node_that_announces_without_end_leaves_room_for_the_others(superlink, opened):
    """Its older replies go for the new one; who only names its key drops none of them."""
    announced = len(announcement(2**63, superlink.run_id, WIDE, reply_to_message_id="0"))
    limits = dataclasses.replace(LIMITS, reply=3 * announced, held=4 * announced, objects=3000)
    before = opened(limits=limits)
    greedy, modest = node_at(before.url), node_at(before.url)
    async with running(greedy, modest):
        for number in range(9):
            answers = {"reply_to_message_id": str(number)}
            body = announcement(greedy.node_id, superlink.run_id, WIDE, **answers)
            signed = await greedy.fleet._sign()
            named = {name.replace("-", "_"): value for name, value in signed.items()}
            assert before.post("/v1/fleet/push-messages", body, **named).status_code == 200
        assert before.gateway.replies.held <= limits.reply
        kept = dict(before.held)
        named["flwr_signature"] = "AAAA"
        assert before.post("/v1/fleet/push-messages", body, **named).status_code == 401
        assert before.held == kept
        assert (await superlink.answer(modest.node_id, content())).has_content()


@pytest.mark.asyncio
async def test_an_unsigned_reply_takes_no_room(superlink, usual):
    node = node_at(usual.url)
    async with running(node):
        body = announcement(node.node_id, superlink.run_id)
        kind = {"content_type": "application/protobuf"}
        assert usual.post("/v1/fleet/push-messages", body, **kind).status_code == 401
    assert usual.held == {}


def announcement(node_id, run_id, tree=None, **metadata):
    tree = tree or {"object_id": "ab", "children": []}
    said = {"run_id": run_id, "src_node_id": node_id, "message_id": tree["object_id"]} | metadata
    return wire.encode(
        "PushMessagesRequest",
        {
            "node": {"node_id": node_id},
            "messages_list": [{"metadata": said}],
            "message_object_trees": [tree],
        },
    )


WIDE = {"object_id": "ab", "children": [{"object_id": str(n), "children": []} for n in range(2000)]}
DEEP = {"object_id": "ab", "children": []}
for _ in range(20):
    DEEP = {"object_id": "ab", "children": [DEEP]}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (announcement(1, 1, WIDE), 413),
        (announcement(1, 1, DEEP), 413),
        (announcement(1, 1, src_node_id=2), 403),
        (announcement(1, 1, message_id="cd"), 400),
        (wire.encode("PushMessagesRequest", {"node": {"node_id": 1}}), 400),
        (b"\xff" * 9, 400),
        (b"", 400),
    ],
)
def test_an_announcement_that_is_none_or_too_large_is_refused(usual, body, status):
    assert usual.post("/v1/fleet/push-messages", body).status_code == status
    assert usual.held == {}


LARGE = {
    "one array": ([np.zeros(10_000, np.float32)], "at most 10000 bytes a reply"),
    "one array by many names": ([np.zeros(1000, np.float32)] * 3, "at most 10000 bytes, received"),
    "many small ones": ([np.zeros(1, np.int8)] * 40, "at most 60 entries"),
}


@pytest.mark.parametrize("large", LARGE)
@pytest.mark.asyncio
async def test_a_reply_above_the_limit_is_forgotten_and_becomes_an_error(superlink, opened, large):
    """Objects are named by what is in them: a few can become very many at the server."""
    arrays, reason = LARGE[large]
    before = opened(limits=dataclasses.replace(LIMITS, reply=10_000, objects=60))
    node = node_at(before.url)
    async with running(node):
        asked = flower.RecordDict({"arrays": flower.ArrayRecord(arrays)})
        reply = await superlink.answer(node.node_id, asked)
        assert "413: gateway: " in reply.error.reason
        assert reason in reply.error.reason
        assert (await superlink.answer(node.node_id, content())).has_content()
    assert before.held == {}


@pytest.mark.asyncio
async def test_the_superlink_hears_nothing_of_a_reply_that_is_not_complete(superlink, opened):
    before = opened(limits=dataclasses.replace(LIMITS, seconds=1.0))
    left = asyncio.Event()

    begun, ended = [], []

    async def call(name, **fields):
        begun.append(name)
        if begun.count("push-object") > 3 and name == "push-object":
            await asyncio.Event().wait()
        answer = await original(name, **fields)
        ended.append(name)
        if ended.count("push-object") == 3:  # the tab is closed here
            left.set()  # no call is under way: httpx would leave the connections of some open
        return answer

    node = node_at(before.url)
    original, node.fleet.call = node.fleet.call, call
    task = asyncio.create_task(node.run())
    await until(lambda: node.node_id)
    message_id = superlink.ask(node.node_id, content())
    await until(left.is_set)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert superlink.reply(message_id).has_error()  # the node said goodbye: no round waits
    assert await until(lambda: forgotten(before))


def forgotten(before):
    """Whether nothing is held when the next reply is announced."""
    before.post("/v1/fleet/push-messages", announcement(1, 1))
    return before.held == {}


def pickled(array):
    array.stype = "pickle"


def cut(array):
    array.data = array.data[:-1]


@pytest.mark.asyncio
@pytest.mark.parametrize("damage", [pickled, cut])
async def test_the_server_app_gets_an_error_for_a_reply_that_it_could_not_read(
    superlink, usual, damage
):
    app = ClientApp()

    @app.train()
    def train(message, context):
        record = ArrayRecord([SENT])
        damage(record["0"])
        return Message(RecordDict({"arrays": record}), reply_to=message)

    node = node_at(usual.url, app=app)
    async with running(node):
        message_id = superlink.ask(node.node_id, content())
        reply = await until(lambda: superlink.reply(message_id))
    assert "400: gateway: damaged reply" in reply.error.reason
    assert usual.held == {}


@pytest.mark.asyncio
async def test_a_reply_that_a_gateway_forgot_is_announced_again(superlink, usual):
    """A gateway that is restarted keeps nothing: before each of the six objects of a reply."""
    node, places = node_at(usual.url), []

    async def call(name, **fields):
        if name == "push-object":
            if places and not places[0]:
                usual.held.clear()
            places[:] = [place - 1 for place in places]
        return await original(name, **fields)

    original, node.fleet.call = node.fleet.call, call
    async with running(node):
        for place in range(6):
            places[:] = [place]
            reply = await superlink.answer(node.node_id, content())
            np.testing.assert_array_equal(reply.content["arrays"].to_numpy_ndarrays()[0], SENT + 1)
            assert places[0] < -1
    assert usual.held == {}


@pytest.mark.asyncio
async def test_a_complete_reply_waits_for_a_superlink_that_is_away(opened, caplog):
    superlink = SuperLink()
    before = Before(superlink)
    node = node_at(before.url)

    calls = []

    async def call(name, **fields):
        calls.append(name)
        if calls.count("push-object") == 6 and superlink.server.thread.is_alive():
            superlink.server.close()  # before the last object
        return await original(name, **fields)

    original, node.fleet.call = node.fleet.call, call
    async with running(node):
        message_id = superlink.ask(node.node_id, content())
        await until(lambda: node.state == "away" and "503" in node.problem)
        assert "push-messages: no answer of the SuperLink: ConnectError" in caplog.text
        assert len(before.held) == 1
        again = Server(superlink.application, superlink.port)
        assert (await until(lambda: superlink.reply(message_id))).has_content()
    before.server.close()
    again.close()


@pytest.mark.asyncio
async def test_a_second_reply_to_a_message_changes_nothing(superlink, usual):
    asked, app = [], adding_one()

    async def remembered(message, context):
        asked.append(message)
        return await app(message, context)

    node = node_at(usual.url, app=remembered)
    async with running(node):
        message_id = superlink.ask(node.node_id, content())
        await until(lambda: node.answered)
        mailbox = Mailbox(node.fleet.call, node.node_id, node.fleet.now)
        second = RecordDict({"arrays": ArrayRecord([SENT + 5])})
        await mailbox.send(mailbox.letter(Message(second, reply_to=asked[0])), 1.0)
        [array] = superlink.reply(message_id).content["arrays"].to_numpy_ndarrays()
    np.testing.assert_array_equal(array, SENT + 1)


def test_whatever_bytes_come_the_gateway_answers_with_a_refusal(usual):
    random = Random(8)
    kind = {"content-type": "application/protobuf"}
    for _ in range(60):
        call = random.choice(sorted(CALLS))
        body = random.randbytes(random.randrange(99))
        answer = usual.client.post(f"/v1/fleet/{call}", content=body, headers=kind)
        assert 200 <= answer.status_code < 500, (call, answer.text)
        assert answer.status_code != 200 or call == "push-object"
    assert usual.held == {}
