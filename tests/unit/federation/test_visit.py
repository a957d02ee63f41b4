"""A visit to a federation, against Flower's own SuperLink: what the page is shown, and a sleep."""

import asyncio
import json
import threading
from base64 import b64decode
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import flwr.app as flower
import httpx
import nn
import numpy as np
import pytest
from app.lab import federation as module
from app.lab.federation import Visit, expect_fit
from federation import Fleet, Node
from federation.platform.cpython import CPythonKey, HttpTransport
from federation.server.gateway import Gateway
from nn.data import Dataset

from tests.support.flower import answering, task
from tests.support.superlink import Server, SuperLink, until

SAID = {"nodes": 3, "rounds": 5, "server-round": 2, "epsilon": 1.5, "delta": 1e-5}
TRAINING = {"learning-rate": 0.1, "epochs": 2, "classes": list("0123456789")}


@pytest.fixture(scope="module")
def superlink():
    made = SuperLink()
    yield made
    made.close()


def network():
    nn.set_random_seed(1)
    return nn.Sequential([nn.Input((28, 28, 1)), nn.Flatten(), nn.Dense(10, activation="softmax")])


def data(count=40, names=None):
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (count, 28, 28, 1), dtype=np.uint8)
    return Dataset(x, np.arange(count, dtype=np.uint8) % 10, class_names=names)


@asynccontextmanager
async def visiting(url, monkeypatch, app=None, token="", names=None, key=None):
    """A visit, and the news that the page got; it has ended afterwards."""
    monkeypatch.setattr(Node.__init__, "__kwdefaults__",
                        Node.__init__.__kwdefaults__ | {"poll": 0.02, "idle": 0.02})  # fmt: skip
    news = []
    fleet = Fleet(HttpTransport(url), key or CPythonKey(), token)
    app = app or answering(task().Device(network(), data(names=names), data(20)))
    visit = Visit(app, fleet, url, lambda number: f"share {number % 30}", news.append)
    running = asyncio.create_task(visit.run())
    try:
        yield visit, news
        visit.leave()
        await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert news[-1]["state"] == "left"
    assert news[-1]["farewell"] == ""


def joined(news):
    return news and news[-1]["state"] == "waiting" and news[-1]["farewell"]


def content(weights, **config):
    records = {"arrays": flower.ArrayRecord(weights), "config": flower.ConfigRecord(config)}
    return flower.RecordDict(records)


def node_id(superlink):
    [found] = superlink.online()
    return found


@pytest.mark.asyncio
async def test_the_page_is_shown_what_the_federation_says(superlink, monkeypatch):
    weights = network().get_weights()
    async with visiting(superlink.url, monkeypatch) as (_, news):
        await until(lambda: joined(news))
        number = node_id(superlink)
        await superlink.answer(number, content(weights, **TRAINING, **SAID))
        reply = await superlink.answer(number, content(weights, **SAID), "evaluate")
        await until(lambda: news[-1]["rounds"] and news[-1]["state"] == "waiting")
    last = news[-1]
    assert last["rounds"] == [SAID | {"accuracy": reply.content["metrics"]["accuracy"]}]
    assert (last["trained"], last["share"]) == (2, f"share {number % 30}")
    working = [one["round"] for one in news if one["state"] == "working"]
    assert SAID in working
    assert last["problem"] == ""


@pytest.mark.parametrize(
    "said",
    [{"epsilon": 1.5}, {"epsilon": "1.5", "delta": "1e-5"}, {"epsilon": [1.5], "delta": b""}],
)
@pytest.mark.asyncio
async def test_what_is_said_of_a_round_is_shown_where_it_is_a_number(superlink, monkeypatch, said):
    async with visiting(superlink.url, monkeypatch) as (_, news):
        await until(lambda: joined(news))
        sent = content(
            network().get_weights(), **said, nodes=True, rounds="5", **{"server-round": 2}
        )
        await superlink.answer(node_id(superlink), sent, "evaluate")
        await until(lambda: news[-1]["rounds"] and news[-1]["state"] == "waiting")
    [shown] = news[-1]["rounds"]
    assert shown.keys() == {"server-round", "accuracy"}


@pytest.mark.asyncio
async def test_another_record_of_settings_is_not_taken_for_that_of_the_round(
    superlink, monkeypatch
):
    asked = {"more": flower.ConfigRecord({"epochs": "many", "server-round": 9})}
    asked |= content(network().get_weights(), **TRAINING, **SAID)
    async with visiting(superlink.url, monkeypatch) as (_, news):
        await until(lambda: joined(news))
        reply = await superlink.answer(node_id(superlink), flower.RecordDict(asked))
        await until(lambda: news[-1]["state"] == "waiting" and news[-1]["trained"])
    assert reply.has_content()
    assert (news[-1]["trained"], news[-1]["round"]) == (2, SAID)


@pytest.mark.parametrize(
    ("kind", "asked", "said"),
    [
        ("train", {}, "RecordDict: expected 'arrays', received nothing"),
        ("train", {"arrays": None}, "RecordDict: expected 'config', received 'arrays'"),
        ("train", {"arrays": None, "config": {"epochs": 1}},
         "ConfigRecord: expected 'learning-rate', received 'epochs'"),
        ("train", {"arrays": {"loss": 1.0}}, "arrays: expected ArrayRecord, received MetricRecord"),
    ],
)  # fmt: skip
@pytest.mark.asyncio
async def test_what_a_message_lacks_is_said_in_words(superlink, monkeypatch, kind, asked, said):
    records = flower.RecordDict()
    if "arrays" in asked:
        numbers = asked["arrays"] and flower.MetricRecord(asked["arrays"])
        records["arrays"] = numbers or flower.ArrayRecord(network().get_weights())
    if "config" in asked:
        records["config"] = flower.ConfigRecord(asked["config"])
    async with visiting(superlink.url, monkeypatch) as (_, news):
        await until(lambda: joined(news))
        reply = await superlink.answer(node_id(superlink), records, kind)
        await until(lambda: news[-1]["state"] == "left")
    assert reply.error.reason == f"MissingRecordError: {said}"
    assert news[-1]["problem"] == said


@pytest.mark.asyncio
async def test_the_goodbye_that_the_page_holds_takes_the_node_out(superlink, monkeypatch):
    async with visiting(superlink.url, monkeypatch) as (_, news):
        await until(lambda: joined(news))
        said = json.loads(news[-1]["farewell"])
        body = b64decode(said["body"])
        async with httpx.AsyncClient() as page:
            answer = await page.post(said["url"], headers=said["headers"], content=body)
        assert answer.status_code == 200
        assert superlink.online() == []


@pytest.fixture
def clock(monkeypatch):
    """The device's clock, which a visit looks at often; a test sets it."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: clock.now))
    monkeypatch.setattr(module, "TICK", 0.01)
    return clock


@pytest.mark.asyncio
async def test_a_device_that_slept_joins_again_with_its_key_and_says_so(
    superlink, monkeypatch, clock
):
    async with visiting(superlink.url, monkeypatch) as (visit, news):
        await until(lambda: joined(news))
        number, before = node_id(superlink), visit._node
        clock.now += 500
        await until(lambda: visit._node is not before and visit._node.state == "waiting")
        assert node_id(superlink) == number
        assert news[-1]["note"] == "This device slept for 500 s and joined again."
        weights = network().get_weights()
        await superlink.answer(number, content(weights, **TRAINING, **SAID))


@pytest.mark.asyncio
async def test_the_goodbye_is_signed_again_when_the_clock_is_set_back(
    superlink, monkeypatch, clock
):
    async with visiting(superlink.url, monkeypatch) as (_, news):
        await until(lambda: joined(news))
        before = news[-1]["farewell"]
        clock.now -= 500
        await until(lambda: news[-1]["farewell"] != before)
        assert news[-1]["state"] == "waiting"


@pytest.mark.parametrize(
    ("shape", "names", "reason"),
    [
        ((3, 3), None, r"(784, 10), (10,); the federation trains another, shapes (3, 3)"),
        (None, list("abcdefghij"), "expected images of the classes 0, 1, 2, 3"),
    ],
)
@pytest.mark.asyncio
async def test_a_federation_that_learns_something_else_is_left(
    superlink, monkeypatch, shape, names, reason
):
    weights = network().get_weights() if shape is None else [np.zeros(shape, np.float32)]
    async with visiting(superlink.url, monkeypatch, names=names) as (_, news):
        await until(lambda: joined(news))
        reply = await superlink.answer(node_id(superlink), content(weights, **TRAINING, **SAID))
        await until(lambda: news[-1]["state"] == "left")
    assert reason in reply.error.reason
    assert reason in news[-1]["problem"]
    assert superlink.online() == []


class Faulty(CPythonKey):
    """A key whose second signature, the goodbye's, waits for `fault` first."""

    signed = 0

    def __init__(self, fault):
        super().__init__()
        self.fault = fault

    async def sign(self, data):
        self.signed += 1
        if self.signed == 2:
            await self.fault()
        return await super().sign(data)


async def gone():
    raise OSError("the key is gone")


@pytest.mark.asyncio
async def test_a_key_that_signs_no_goodbye_ends_the_visit_and_is_said(superlink, monkeypatch):
    async with visiting(superlink.url, monkeypatch, key=Faulty(gone)) as (_, news):
        await until(lambda: news and news[-1]["state"] == "left")
    assert news[-1]["problem"] == "the key is gone"
    assert superlink.online() == []


@pytest.mark.asyncio
async def test_a_goodbye_whose_signature_does_not_come_is_signed_again(superlink, monkeypatch):
    monkeypatch.setattr(module, "TICK", 0.05)
    never = asyncio.Event()
    async with visiting(superlink.url, monkeypatch, key=Faulty(never.wait)) as (_, news):
        await until(lambda: joined(news))


@pytest.mark.asyncio
async def test_a_goodbye_is_that_of_the_node_which_a_restarted_superlink_knows(monkeypatch):
    monkeypatch.setattr(module, "TICK", 0.05)
    farewell, asked = Node.farewell, []

    async def second_never_comes(node):
        asked.append(node.node_id)
        if len(asked) == 2:
            await asyncio.Event().wait()
        return await farewell(node)

    monkeypatch.setattr(Node, "farewell", second_never_comes)
    first = SuperLink()
    try:
        async with visiting(first.url, monkeypatch) as (_, news):
            await until(lambda: joined(news))
            before = news[-1]["farewell"]
            first.close()
            await until(lambda: news[-1]["state"] == "away")
            second = SuperLink(first.port)
            try:
                await until(lambda: joined(news) and news[-1]["farewell"] != before)
                assert asked[-1] == node_id(second) != asked[0]
            finally:
                second.close()
    finally:
        first.close()


@pytest.mark.asyncio
async def test_a_token_that_is_wrong_is_said(superlink, monkeypatch):
    gateway = Server(Gateway(superlink.url, [], "right").application())
    try:
        async with visiting(gateway.url, monkeypatch, token="wrong") as (_, news):
            await until(lambda: news and news[-1]["state"] == "left")
    finally:
        gateway.close()
    assert "expected this federation's token to join" in news[-1]["problem"]


@pytest.mark.parametrize(("units", "side"), [(9, 28), (10, 14)])
def test_images_that_do_not_fit_the_network_are_refused_with_both(units, side):
    model = nn.Sequential([nn.Input((side, side, 1)), nn.Flatten(), nn.Dense(units)])
    mnist = SimpleNamespace(name="letters", train=data())
    wanted = rf"of \({side}, {side}, 1\) and at most {units} classes.*letters has .* 10 classes"
    with pytest.raises(ValueError, match=wanted):
        expect_fit(mnist, model)


HTML = b"<!DOCTYPE HTML>\n<html><head><title>Error</title></head><body><h1>Error</h1></body></html>"
PAGES = {
    "a page": HTML,
    "with a blank line": b"\n\n<html>\n<p>Not here.</html>",
    "as XML": b'<?xml version="1.0"?><html></html>',
    "in capitals": b"<HTML><BODY>Not here.</BODY></HTML>",
    "a head alone": b"<head></head>",
}


@pytest.mark.parametrize("status", [200, 400, 404, 405, 501, 502, 503])
@pytest.mark.parametrize("body", PAGES.values(), ids=PAGES)
def test_a_web_page_at_the_address_is_said_and_not_shown(status, body, monkeypatch):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    async def whole(url):
        async with visiting(url, monkeypatch) as (_, news):
            await until(lambda: any(one["problem"] for one in news))
        return next(one["problem"] for one in news if one["problem"])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        problem = asyncio.run(whole(url))
    finally:
        server.shutdown()
        server.server_close()
    assert url in problem
    assert "<" not in problem
    assert "federation" in problem
