"""A node of a Flower federation: what `flower-supernode` is, in a tab or in any Python program.

>>> node = Node(app, Fleet(transport, key))
>>> await node.run()               # until node.stop()

A node registers its key, polls for messages, has the app answer them, and says every few seconds
that it lives. It goes on after a network that was away, a SuperLink that was restarted, and a
clock that is wrong.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from nn.io.errors import FormatError, MissingEntryError

from federation import wire
from federation.errors import FederationError, FleetError, UnknownNodeError, UnreachableError
from federation.fleet import Fleet, Key
from federation.mailbox import Call, Mailbox
from federation.message import Context, Error, Message, Metadata
from federation.objects import Tree
from federation.runs import Runs

__all__ = ["Node"]

APP_RAISED = 2  # flwr.common.constant.ErrorCode.CLIENT_APP_RAISED_EXCEPTION
BEAT = 0.6  # of the interval
BUSY = 60.0  # seconds after joining and after a message in which the node polls often
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds before a call is made again; the last stays
REFUSED = (400, 413)  # what a gateway answers to a reply that the server app could not read
REASON = 2000  # characters of an error that travel
LEFT = "the node left before it had answered, and joined again"
LAST = 5.0  # seconds that a heartbeat under way may take when its node leaves


class App(Protocol):
    """A client app."""

    def __call__(self, message: Message, context: Context) -> Awaitable[Message]:
        """Answer a message."""


class Node:
    """One node.

    Args:
        app: answers messages; whatever it raises is sent as an error, and the round goes on.
        fleet: the calls, with the node's key.
        config: settings of this node, the same in all runs: `node_config` of the app's context.
        run_config: settings of the app, `tool.flwr.app.config` of its pyproject.toml; a run
            may change some, and the app finds them in its context.
        heartbeat: seconds; the SuperLink takes a node for gone after twice as long. At least 10.
        poll: seconds between questions for messages while a run goes on.
        idle: the same when no message came for a minute: a SuperLink answers about 100 in a second.
        on_change: called with the node when its state changes.

    Raises:
        TypeError: the app is one of flwr itself, or a setting is none.

    Attributes:
        state: "away" (no connection, or not yet), "waiting", "working" or "left".
        node_id: 0 before the SuperLink gave one.
        answered: messages answered.
        problem: why the node is away, or the last message could not be answered; "" if nothing.
    """

    def __init__(
        self,
        app: App,
        fleet: Fleet,
        *,
        config: Mapping[str, Any] | None = None,
        run_config: Mapping[str, Any] | None = None,
        heartbeat: float = 30.0,
        poll: float = 3.0,
        idle: float = 15.0,
        on_change: Callable[[Node], None] = lambda node: None,
    ) -> None:
        if type(app).__module__.split(".")[0] == "flwr":  # it takes no messages but its own
            raise TypeError(
                "app: expected a federation.ClientApp, received one of flwr, which a "
                "flower-supernode runs; see federation.flower_names"
            )
        self.state, self.problem = "away", ""
        self.node_id = self.answered = 0
        self.fleet = fleet
        self._app, self._on_change = app, on_change
        self._heartbeat, self._poll, self._idle = heartbeat, poll, idle
        self._runs = Runs(self._call, config or {}, run_config or {})
        self._busy_until = 0.0
        self._mailbox = Mailbox(self._call, 0, fleet.now)
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Join, answer messages until `stop` is called, and leave.

        Raises:
            FleetError: the SuperLink or its gateway refuses this node, for example its token.
        """
        heart = _Heart(self, self._heartbeat)
        try:
            while not self._stopped.is_set():
                try:
                    if not self.node_id:
                        await self._join()
                    if not await self._step():
                        await self._wait(self._pause())
                except UnknownNodeError as error:  # it was restarted and forgot us
                    self.node_id = 0
                    self._change("away", str(error))
                    await self._wait(self._poll)
                except (FleetError, UnreachableError, FormatError):
                    if not self._stopped.is_set():
                        raise
            with suppress(FederationError, FormatError):
                await self._mailbox.until_read(min(self._poll, 1.0))
        finally:
            try:
                await heart.end()
            finally:
                await self._leave()

    def stop(self) -> None:
        """Leave after the message in work, when its reply was read; `run` then returns."""
        self._stopped.set()

    async def farewell(self) -> tuple[str, bytes, dict[str, str]]:
        """Return path, body and headers that a page posts with `keepalive` when it is closed.

        They hold for five minutes. Without them a round waits for two heartbeats.
        """
        return await self.fleet.prepared("deactivate-node", node_id=self.node_id)

    async def _join(self) -> None:
        """Register the key, which may be known, and activate the node.

        A node that ended without a word is active until its heartbeats are missed: then wait.
        """
        public = self.fleet.key.public
        waiting = await _registered(self._call, public)
        end = time.monotonic() + 3 * self._heartbeat
        while True:
            try:
                found = await self._call(
                    "activate-node", public_key=public, heartbeat_interval=self._heartbeat
                )
                break
            except FleetError as error:
                if error.status != 412 or time.monotonic() > end or self._stopped.is_set():
                    raise
                self._change("away", waiting)
                await self._wait(self._poll)
        if not found["node_id"]:  # an empty answer says 0, as that of many a web server is
            raise MissingEntryError("activate-node: expected the number of a node, received none")
        self.node_id = found["node_id"]
        self._mailbox = Mailbox(self._call, self.node_id, self.fleet.now)
        with suppress(FleetError, FormatError):  # its run may be over
            await _answer_former(self._mailbox, self.node_id, self.fleet.key)
        self._busy_until = time.monotonic() + BUSY
        self._change("waiting")

    async def _leave(self) -> None:
        try:
            with suppress(FederationError, FormatError):
                if self.node_id:
                    await self.fleet.call("deactivate-node", node_id=self.node_id)
        finally:  # whatever its key or its transport raises
            self.node_id = 0
            self._change("left", self.problem)

    async def _step(self) -> bool:
        """Answer one message; False if there is none, or none that could be: then comes a pause."""
        mailbox, problem = self._mailbox, ""
        try:
            found = await mailbox.look()
            if found is None:
                return False
            self._busy_until = time.monotonic() + BUSY
            self._change("working")
            await self._answer(mailbox, *found)
        except (FleetError, FormatError) as error:  # this message is lost, the next may not be
            if isinstance(error, UnknownNodeError) or self._stopped.is_set():
                raise
            problem = str(error)
        self._busy_until = time.monotonic() + BUSY
        self._change("waiting", problem)
        return not problem

    async def _answer(self, mailbox: Mailbox, metadata: Metadata, tree: Tree) -> None:
        start = time.monotonic()
        asked = Message(Error(0), metadata=metadata)  # answers need its metadata alone
        await self.fleet.key.keep(wire.encode("Metadata", metadata.fields()))
        try:
            context = await self._runs.context(self.node_id, metadata.run_id)
            asked = await mailbox.fetch(metadata, tree)
            start = time.monotonic()  # a SuperNode counts what its app takes
            letter = mailbox.letter(await self._app(asked, context))
        except (Exception, asyncio.CancelledError) as error:  # of a call, an app, or its records
            if _ends(error) or (asked.has_error() and _cut_off(error)):
                raise
            letter = mailbox.letter(_failure(error, asked))
        seconds = time.monotonic() - start
        try:
            await mailbox.send(letter, seconds)
        except FleetError as error:
            if error.status not in REFUSED:
                raise
            await mailbox.send(mailbox.letter(_failure(error, asked)), seconds)  # no round waits
        await self.fleet.key.keep(b"")
        self.answered += 1

    def _pause(self) -> float:
        return self._poll if time.monotonic() < self._busy_until else self._idle

    async def _call(self, name: str, **fields: Any) -> dict[str, Any]:
        """Make a call, again and again while there is no answer, until `stop`; for a message in
        work at least six times.
        """
        former = self.state
        for attempt in itertools.count():
            try:
                found = await self.fleet.call(name, **fields)
            except (FleetError, UnreachableError) as error:
                enough = former != "working" or attempt >= len(WAITS)
                if not error.passing or (self._stopped.is_set() and enough):
                    raise
                self._change("away", str(error))
            else:
                break
            seconds = WAITS[min(attempt, len(WAITS) - 1)]
            await (asyncio.sleep if former == "working" else self._wait)(seconds)
        self._change(former, self.problem if self.state == former else "")
        return found

    async def _wait(self, seconds: float) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    def _change(self, state: str, problem: str = "") -> None:
        if (state, problem) != (self.state, self.problem):
            self.state, self.problem = state, problem
            self._on_change(self)


class _Heart:
    """The heartbeats of a node, one every few seconds."""

    def __init__(self, node: Node, interval: float) -> None:
        self._node, self._interval = node, interval
        self._under_way = asyncio.Lock()  # a heartbeat
        self._task = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._interval * BEAT)
            async with self._under_way:
                with suppress(FederationError, FormatError):
                    if self._node.node_id:
                        await self._node.fleet.call(
                            "send-node-heartbeat",
                            node={"node_id": self._node.node_id},
                            heartbeat_interval=self._interval,
                        )

    async def end(self) -> None:
        """Say it no more, and let the last word arrive: after the goodbye, the SuperLink would
        take it for that of a node which is there again.
        """
        try:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._under_way.acquire(), LAST)
        finally:
            self._task.cancel()


def _ends(error: BaseException) -> bool:
    """Whether the task that runs was cancelled, and not something that a client app awaited."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _cut_off(error: BaseException) -> bool:
    """Whether a call that raised this says that an answer would not arrive either."""
    passing = isinstance(error, FederationError) and error.passing
    return passing or isinstance(error, UnknownNodeError)


def _failure(error: BaseException, asked: Message) -> Message:
    reason = f"{type(error).__name__}: {error}"[:REASON].encode(errors="replace").decode()
    return Message(Error(APP_RAISED, reason), reply_to=asked)


async def _registered(call: Call, public: bytes) -> str:
    """Register a key, which may be known; return why its node may have to wait."""
    try:
        await call("register-node", public_key=public)
    except FleetError as error:
        if error.status != 412:
            raise
        if "authentication" in str(error):  # whoever runs the federation registers keys
            return f"{error} This node's key: {public.decode()}"
    return "the SuperLink still waits for this node's last visit to end"


async def _answer_former(mailbox: Mailbox, node_id: int, key: Key) -> None:
    """Answer the message that the key's last visit had in work with an error: a SuperLink gives
    each message once, and its round would wait.
    """
    if note := await key.kept():
        asked = Message(Error(0), metadata=Metadata(**wire.decode("Metadata", note)))
        if asked.metadata.dst_node_id == node_id:  # else of a SuperLink before this one
            await mailbox.send(mailbox.letter(_failure(FederationError(LEFT), asked)), 0.0)
        await key.keep(b"")
