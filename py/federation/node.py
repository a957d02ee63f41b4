"""A node of a Flower federation: what `flower-supernode` is, in a tab or in any Python program.

>>> node = Node(app, Fleet(transport, key))
>>> await node.run()               # until node.stop()

A node registers its key, polls for messages, has the app answer them, and says every few seconds
that it lives. It goes on after a network that was away, a SuperLink that was restarted, and a
clock that is wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nn.io.errors import FormatError, LimitError, MissingEntryError

from federation import wire
from federation.errors import FederationError, FleetError, UnknownNodeError, UnreachableError
from federation.fleet import Fleet, Key
from federation.mailbox import Mailbox
from federation.message import Context, Error, Message, Metadata
from federation.runs import Runs

if TYPE_CHECKING:
    from federation.objects import Tree

__all__ = ["Node"]

APP_RAISED = 2  # flwr.common.constant.ErrorCode.CLIENT_APP_RAISED_EXCEPTION
BEAT = 0.6  # of the interval
BUSY = 60.0  # seconds after joining and after a message in which the node polls often
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds before a call is made again; the last stays
REFUSED = (400, 401, 403, 412, 413)  # statuses of a SuperLink, or of the gateway, that stay
REASON = 2000  # characters of an error that travel
LEFT = "the node left before it had answered"
LAST = 5.0  # seconds that a heartbeat under way may take when its node leaves


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
        app: Callable[[Message, Context], Awaitable[Message]],
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
        self._at = "away"  # its state but for a call that has no answer; several may be under way
        self.node_id = self.answered = self._former = 0
        self.fleet, self._app, self._on_change = fleet, app, on_change
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
                        idle = time.monotonic() > self._busy_until
                        await self._wait(self._idle if idle else self._poll)
                except (FleetError, UnreachableError, FormatError) as error:
                    if self._stopped.is_set():
                        continue
                    unknown = isinstance(error, UnknownNodeError)  # restarted, it forgot us
                    if not unknown and (_refused(error) or not self._busy_until):
                        raise
                    self._former, self.node_id = self.node_id or self._former, 0
                    self._change("away", str(error))
                    await self._wait(self._poll)
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
        """Return path, body and headers that a page posts with `keepalive` when it is closed: else
        a round waits for two heartbeats. They hold for five minutes."""
        return await self.fleet.prepared("deactivate-node", node_id=self.node_id)

    async def _join(self) -> None:
        """Register the key and activate the node; who left without a word may have to wait."""
        waiting = await _registered(self)
        mine = {"public_key": self.fleet.key.public, "heartbeat_interval": self._heartbeat}
        end = time.monotonic() + 3 * self._heartbeat
        while True:
            try:
                found = await self._call("activate-node", **mine)
                break
            except FleetError as error:
                if error.status != 412 or time.monotonic() > end or self._stopped.is_set():
                    raise
                if self._former:  # we are active: an answer was lost, or another's was taken for it
                    with suppress(FleetError):
                        await self._call("deactivate-node", node_id=self._former)
                        self._former = 0
                        continue
                self._change("away", waiting)
                await self._wait(self._poll)
        if not found["node_id"]:  # an empty answer says 0, as that of many a web server is
            raise MissingEntryError("activate-node: expected a node, received none")
        self.node_id = found["node_id"]
        self._mailbox = Mailbox(self._call, self.node_id, self.fleet.now)
        self._change("waiting")

    async def _leave(self) -> None:
        try:
            for _ in range(2 if self.node_id else 0):
                with suppress(FederationError, FormatError):
                    await self.fleet.call("deactivate-node", node_id=self.node_id)
                    break
        finally:  # whatever its key or its transport raises
            self.node_id = 0
            self._change("left", self.problem)

    async def _step(self) -> bool:
        """Answer one message; False if there is none, or none that could be: then comes a pause."""
        mailbox, problem = self._mailbox, ""
        try:
            await _answer_former(mailbox, self.node_id, self.fleet.key)
            found = await mailbox.look()
            if found is None:
                return False
            self._change("working")
            await self._answer(mailbox, *found)
        except (FleetError, FormatError) as error:  # this message is lost, the next may not be
            if isinstance(error, UnknownNodeError) or self._stopped.is_set():
                raise
            problem = str(error)
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
        except (FleetError, FormatError) as error:
            if _cut_off(error):
                raise
            await mailbox.send(mailbox.letter(_failure(error, asked)), seconds)  # no round waits
        await self.fleet.key.keep(b"")
        self.answered += 1

    async def _call(self, name: str, **fields: Any) -> dict[str, Any]:
        """Make a call, again and again while there is no answer, until `stop`; for a message in
        work six times, whatever comes in its place, such as a proxy's page."""
        attempt = 0
        while True:
            try:
                found = await self.fleet.call(name, **fields)
                if attempt:
                    self._show(self._at)
                return found
            except (FleetError, UnreachableError, FormatError) as error:
                few = self._at == "working" and attempt < len(WAITS) and not _refused(error)
                if not few and (self._stopped.is_set() or not getattr(error, "passing", False)):
                    raise
                self._show("away", str(error))
            seconds = WAITS[min(attempt, len(WAITS) - 1)]
            await (asyncio.sleep if self._at == "working" else self._wait)(seconds)
            attempt += 1

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    def _change(self, state: str, problem: str = "") -> None:
        self._at = state
        if state != "away":
            self._busy_until = time.monotonic() + BUSY
        self._show(state, problem)

    def _show(self, state: str, problem: str = "") -> None:
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
            with suppress(TimeoutError):
                await asyncio.wait_for(self._under_way.acquire(), LAST)
        finally:
            self._task.cancel()


def _ends(error: BaseException) -> bool:
    """Whether the task that runs was cancelled, and not something that a client app awaited."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _refused(error: BaseException) -> bool:
    """Whether the same call would have the same answer."""
    return isinstance(error, LimitError) or getattr(error, "status", 0) in REFUSED


def _cut_off(error: BaseException) -> bool:
    """Whether a call that raised this says that an answer would not arrive either."""
    return getattr(error, "passing", False) or isinstance(error, UnknownNodeError)


def _failure(error: BaseException, asked: Message) -> Message:
    reason = f"{type(error).__name__}: {error}"[:REASON].encode(errors="replace").decode()
    return Message(Error(APP_RAISED, reason), reply_to=asked)


async def _registered(node: Node) -> str:
    """Register a key, which may be known; return why its node may have to wait."""
    public = node.fleet.key.public
    try:
        node._former = (await node._call("register-node", public_key=public))["node_id"]
    except FleetError as error:
        if error.status != 412:
            raise
        if "authentication" in str(error):  # whoever runs the federation registers keys
            return f"{error} This node's key: {public.decode()}"
    return "the SuperLink still waits for this node's last visit to end"


async def _answer_former(mailbox: Mailbox, node_id: int, key: Key) -> None:
    """Answer the message that the key's last visit had in work with an error: a SuperLink gives
    each message once, and its round would wait. So for one whose reply did not arrive.
    """
    if note := await key.kept():
        try:
            asked = Message(Error(0), metadata=Metadata(**wire.decode("Metadata", note)))
            if asked.metadata.dst_node_id == node_id:  # else of a SuperLink before this one
                await mailbox.send(mailbox.letter(_failure(FederationError(LEFT), asked)), 0.0)
        except (FleetError, FormatError) as error:
            if _cut_off(error):
                raise
            if not _refused(error):  # else its run is over, or it has ended
                return
        await key.keep(b"")
