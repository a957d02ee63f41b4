"""Learn together: this tab as a node of a Flower federation, whose code comes when one joins."""

from __future__ import annotations

import asyncio
import json
import re
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from nn.io.errors import FormatError

from app.lab.images.mnist import Mnist, labels
from app.language import tr

if TYPE_CHECKING:
    from federation import Context, Fleet, Message, Node
    from federation.platform.browser import BrowserKey

SIGNED = 100.0  # seconds after which the goodbye is signed again; the SuperLink takes it for 300
SLEPT = 60.0  # seconds that make a pause a sleep: the SuperLink has missed two heartbeats
TICK = 5.0  # seconds between looks at the clock
WEB_PAGE = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml)\b.*", re.IGNORECASE | re.DOTALL)

App = Callable[["Message", "Context"], Awaitable["Message"]]


class Federation:
    """Served as `lab.federation`.

    Args:
        mnist: the data sets that the page trains on.
    """

    def __init__(self, mnist: Mnist) -> None:
        self._mnist = mnist
        self._key: BrowserKey | None = None  # one for all visits: the same node
        self._visit: Visit | None = None
        self._running: asyncio.Future[None] | None = None

    async def join(
        self, base: str, model: Any, address: str, token: str, shown: Callable[[Any], Any]
    ) -> None:
        """Be a node until `leave`; the network in use learns.

        Args:
            base: the page's address, where the node's code is found.
            model: the network.
            address: of the federation's gateway.
            token: what the gateway asks of those who join; "" for none.
            shown: called with what the page shows, see `Visit.news`.

        Raises:
            ValueError: the data do not fit the network, or the address is none.
            DownloadError: the node's code cannot be fetched.
        """
        if not address.startswith(("http://", "https://")):
            raise ValueError(f"expected an address of http or https, received {address!r}")
        expect_fit(self._mnist, model)
        from app.lab.browser import optional_packages  # not on CPython

        await optional_packages.add_federation(base)
        from federation import Fleet
        from federation.platform.browser import BrowserKey, FetchTransport
        from learn import client_app, task

        def prepare(number: int) -> str:
            data = self._mnist
            if data.name != "MNIST":
                client_app.held["device"] = task.Device(model, data.train, data.test)
                return tr(
                    "{train} images of {name}; {test} test",
                    train=len(data.train),
                    name=tr(data.name),
                    test=len(data.test),
                )
            client_app.held["device"] = task.Device(model, *task.share(data.train, number))
            start = number * task.IMAGES % len(data.train)
            return tr(
                "images {first} to {last} of MNIST; the last {test} test",
                first=start + 1,
                last=start + task.IMAGES,
                test=task.HELD_OUT,
            )

        self._key = self._key or await BrowserKey.load()
        fleet = Fleet(FetchTransport(address), self._key, token)
        self._visit = Visit(client_app.app, fleet, address, prepare, shown)
        self._running = asyncio.ensure_future(self._visit.run())

    async def leave(self) -> None:
        """Leave after the message in work; the network stays here."""
        if self._visit is not None and self._running is not None:
            self._visit.leave()
            await self._running


class Visit:
    """A stay in a federation: a node that outlives a sleep of its device, and what is shown of it.

    Args:
        app: answers messages.
        fleet: the calls, with the node's key.
        address: of the gateway.
        prepare: called with the node's id before its first message; returns what it trains on.
        shown: called with `news()` when they change.
    """

    def __init__(
        self,
        app: App,
        fleet: Fleet,
        address: str,
        prepare: Callable[[int], str],
        shown: Callable[[dict[str, Any]], Any],
    ) -> None:
        self._app, self._fleet, self._address = app, fleet, address
        self._prepare, self._shown = prepare, shown
        self._share = self._note = self._farewell = self._refused = ""
        self._round: dict[str, Any] = {}
        self._rounds: list[dict[str, Any]] = []
        self._trained = self._known = 0
        self._signing: asyncio.Future[None] | None = None
        self._slept = False
        self._node = self._fresh()

    def news(self, state: str, problem: str) -> dict[str, Any]:
        """Return what the page shows: state and problem of the node, share of the images, note of
        a sleep, the round in work, all finished ones, epochs trained, and its goodbye as JSON.
        """
        return {
            "state": state,
            "problem": WEB_PAGE.sub(
                " "
                + tr("a web page, as no federation answers at {address}", address=self._address),
                problem,
            ),
            "share": self._share,
            "note": self._note,
            "round": self._round,
            "rounds": list(self._rounds),
            "trained": self._trained,
            "farewell": self._farewell,
        }

    async def run(self) -> None:
        """Be a node until `leave`, or until it is refused or cannot answer."""
        watching = asyncio.ensure_future(self._watch())
        problem = ""
        try:
            await self._node.run()
            while self._slept:
                self._slept = False
                self._node = self._fresh()
                await self._node.run()
            problem = self._refused
        except FormatError as error:
            problem = tr(
                "{address} answers, but not as a federation does: {error}",
                address=self._address,
                error=error,
            )
        except Exception as error:  # a token that is wrong, no federation at this address
            problem = str(error)
        finally:
            watching.cancel()
            self._farewell = ""
            self._shown(self.news("left", problem))

    def leave(self) -> None:
        """Leave after the message in work; `run` then returns."""
        self._slept = False
        self._node.stop()

    def _fresh(self) -> Node:
        from federation import Node

        return Node(self._answer, self._fleet, on_change=self._changed)

    async def _answer(self, message: Message, context: Context) -> Message:
        config: dict[str, Any] = dict(message.content.config_records.get("config", {}))
        about = ("nodes", "rounds", "server-round", "epsilon", "delta")
        numbers = {name for name in about if type(config.get(name)) in (int, float)}
        if not {"epsilon", "delta"} <= numbers:  # the page says both, or neither
            numbers -= {"epsilon", "delta"}
        self._round = {name: config[name] for name in about if name in numbers}
        self._changed(self._node)
        try:
            reply = await self._app(message, context)
        except Exception as error:  # the server hears of it, and another round would fail too
            self._refuse(error)
            raise
        if message.metadata.message_type == "train":
            self._trained += int(config.get("epochs", 1))
        else:
            [found] = reply.content.metric_records.values()
            self._rounds.append(self._round | {"accuracy": found.get("accuracy")})
        return reply

    def _refuse(self, error: Exception) -> None:
        """Leave, and let `run` say why."""
        self._refused = str(error) or type(error).__name__
        self._node.stop()

    def _changed(self, node: Node) -> None:
        if node.node_id not in (0, self._known):  # a SuperLink that was restarted gives another
            self._known, self._farewell = node.node_id, ""
            self._share = self._share or self._prepare(node.node_id)
            self._signing = asyncio.ensure_future(self._sign())
        if node.state != "left":  # `run` says so, when nothing follows
            self._shown(self.news(node.state, node.problem))

    async def _watch(self) -> None:
        """Sign the goodbye from time to time, and notice by the clock that the device slept."""
        before = signed = time.time()
        while True:
            await asyncio.sleep(TICK)
            now = time.time()
            if now - before > SLEPT:
                self._note = tr(
                    "This device slept for {seconds:.0f} s and joined again.", seconds=now - before
                )
                self._slept = True
                self._node.stop()
            if abs(now - signed) > SIGNED or (self._known and not self._farewell):
                signed = now
                await self._sign()
            before = now

    async def _sign(self) -> None:
        try:
            path, body, headers = await asyncio.wait_for(self._node.farewell(), TICK)
        except TimeoutError:  # `_watch` asks again
            return
        except Exception as error:  # the key does not sign: no other call would pass
            self._refuse(error)
            return
        said = {"url": self._address + path, "body": b64encode(body).decode(), "headers": headers}
        self._farewell = json.dumps(said)
        self._changed(self._node)


def expect_fit(data: Mnist, model: Any) -> None:
    """Check that a network takes the page's images and has an output for each of their classes.

    Raises:
        ValueError: it does not; the message names both.
    """
    [*_, outputs] = model.output_shape
    classes = int(labels(data.train).max()) + 1
    taken = tuple(model.input_shape[1:])
    if taken != data.train.shape or outputs < classes:
        raise ValueError(
            f"expected images of {taken} and at most {outputs} classes, as the network has; "
            f"{data.name} has images of {data.train.shape} and {classes} classes"
        )
