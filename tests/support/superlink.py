"""Flower's SuperLink in this process, and what a server app would do: ask nodes, read replies."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import uvicorn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from flwr.app import Message, Metadata, RecordDict
    from flwr.app.message import make_message
    from flwr.common.constant import NOOP_FLWR_AID
    from flwr.supercore.constant import NOOP_FEDERATION_ID, TaskType
    from flwr.supercore.inflatable.inflatable_object import (
        get_all_nested_objects,
        get_object_tree,
        iterate_object_tree,
    )
    from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
    from flwr.superlink.main import create_app

from tests.support.limit import Limit


class Server:
    """An ASGI application on a free port of this machine, in a thread; `options` are uvicorn's."""

    def __init__(self, application: Any, port: int = 0, **options: Any) -> None:
        config = uvicorn.Config(application, port=port, log_level="critical", ws="none", **options)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        limit = Limit(20)
        while not self.server.started:
            assert self.thread.is_alive(), "the server ended"
            assert not limit.over(), "the server does not start"
            time.sleep(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.server.should_exit = self.server.force_exit = True
        self.thread.join()


class SuperLink:
    """A SuperLink with one running run; `ask` and `reply` are what its server app does.

    Args:
        port: to listen at; 0 for any.
    """

    def __init__(self, port: int = 0) -> None:
        logging.getLogger("flwr").setLevel(logging.CRITICAL)
        self.application = create_app()
        self.state = self.application.state.linkstate_factory.state()
        self.tasks: dict[int, int] = {}  # of runs
        self.run_id = self.begin()
        self.replies: dict[str, str] = {}  # ids, by the id of what they answer
        self.server = Server(self.application, port)
        self.url, self.port = self.server.url, self.server.port

    def close(self) -> None:
        self.server.close()

    def begin(self, series_id: int | None = None, **config: bool | float | str) -> int:
        """Begin a run, of a series or not, with `flwr run --run-config`, and return its id."""
        run_id = self.state.create_run(
            fab_id="a", fab_version="1", fab_hash="", override_config=config,
            federation_id=NOOP_FEDERATION_ID, federation_config=None, flwr_aid=NOOP_FLWR_AID,
            primary_task_type=TaskType.SERVER_APP, series_id=series_id,
        )  # fmt: skip
        [task] = self.state.get_tasks(run_ids=[run_id])
        self.state.claim_task(task.task_id)
        self.state.activate_task(task.task_id)
        self.tasks[run_id] = task.task_id
        return int(run_id)

    def online(self) -> list[int]:
        """The nodes that could be asked now."""
        return sorted(self.state.get_nodes(self.run_id))

    def ask(
        self,
        node_id: int,
        content: RecordDict,
        kind: str = "train",
        ttl: float = 3600.0,
        run_id: int = 0,
    ) -> str:
        """Send a message to a node, which was written a second ago, and return its id."""
        run_id = run_id or self.run_id
        self.state.acknowledge_task_heartbeat(self.tasks[run_id])  # or the run ends after 30 s
        message = make_message(
            metadata=Metadata(
                run_id=run_id, message_id="", src_node_id=1, dst_node_id=node_id,
                reply_to_message_id="", group_id="1", created_at=time.time() - 1, ttl=ttl,
                message_type=kind,
            ),
            content=content,
        )  # fmt: skip
        message.metadata.__dict__["_message_id"] = message.object_id
        session = self.state.start_session(run_id)
        stored, wanted = self.state.store_message_and_object_tree(
            message, get_object_tree(message), session
        )
        assert stored, "the SuperLink refused the message: is the node there?"
        objects = get_all_nested_objects(message)
        for identifier in wanted:
            data = objects[identifier].deflate()
            assert self.state.store_object(run_id, session, identifier, data)
        return str(message.object_id)

    def reply(self, message_id: str, run_id: int = 0) -> Message | None:
        """The reply to a message, once it is there with all its objects."""
        run_id = run_id or self.run_id
        if message_id not in self.replies:  # given once; then the node may leave
            for found in self.state.get_message_res({message_id}, run_id):
                self.replies[message_id] = found.metadata.message_id
        if message_id not in self.replies:
            return None
        tree = self.state.object_store.get_object_tree(self.replies[message_id])
        parts = {
            one.object_id: self.state.get_object(run_id, one.object_id)
            for one in iterate_object_tree(tree)
        }
        if not all(parts.values()):
            return None
        reply = inflate_object_from_contents(self.replies[message_id], parts)
        assert isinstance(reply, Message)
        self.state.object_store.delete(self.replies[message_id])  # as the server app confirms
        return reply

    async def answer(
        self, node_id: int, content: RecordDict, kind: str = "train", run_id: int = 0
    ) -> Message:
        """The node's reply to a message."""
        message_id = self.ask(node_id, content, kind, run_id=run_id)
        reply: Message = await until(lambda: self.reply(message_id, run_id))
        return reply


async def until(found: Callable[[], Any], seconds: float = 20) -> Any:
    """What `found` returns once it is true."""
    limit = Limit(seconds)
    while not (value := found()):
        assert not limit.over(), "waited in vain"
        await asyncio.sleep(0.01)
    return value
