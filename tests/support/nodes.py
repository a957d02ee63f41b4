"""Nodes for tests: quick ones, and those that do what they should not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import numpy as np
from federation import ArrayRecord, ClientApp, Fleet, Message, MetricRecord, Node, RecordDict
from federation.platform.cpython import CPythonKey, HttpTransport

from tests.support.superlink import until

SENT = np.arange(20, dtype=np.float32)


def adding_one(step: float = 1) -> ClientApp:
    """A client app whose training adds one, or another number."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Any) -> Message:
        received = message.content.array_records["arrays"].to_numpy_ndarrays()
        arrays = [array + array.dtype.type(step) for array in received]
        metrics = MetricRecord({"num-examples": 10, "loss": 0.5})
        content = RecordDict({"arrays": ArrayRecord(arrays), "metrics": metrics})
        return Message(content, reply_to=message)

    return app


class Changing(Fleet):
    """Calls that are changed before they are made: `change(name, fields)`."""

    change: Callable[[str, dict[str, Any]], None] | None = None

    async def call(self, name: str, **fields: Any) -> dict[str, Any]:
        if self.change is not None:
            self.change(name, fields)
        return await super().call(name, **fields)


def node_at(address: str, *, app: Any = None, token: str = "", **options: Any) -> Node:
    """A node that polls without waiting."""
    fleet = Changing(HttpTransport(address), CPythonKey(), token)
    return Node(app or adding_one(), fleet, **{"poll": 0.02, "idle": 0.02, **options})


def _joined(node: Node, task: asyncio.Task[None]) -> bool:
    return node.node_id != 0 or task.done()


@asynccontextmanager
async def running(*nodes: Node) -> AsyncIterator[None]:
    """The nodes, joined; they have left afterwards."""
    tasks = [asyncio.create_task(node.run()) for node in nodes]
    try:
        for node, task in zip(nodes, tasks, strict=True):
            await until(partial(_joined, node, task))
            if task.done():
                task.result()
        yield
        for node in nodes:
            node.stop()
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
