"""A relay of TCP that counts the bytes on their way, headers included."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Self

from tests.support.limit import granted


class Relay:
    """Connections to a port of this machine, passed on to another; for a `with` statement.

    Attributes:
        port: where it listens.
        bytes: that went either way.
    """

    def __init__(self, target: int) -> None:
        self.bytes = self.port = 0
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        listening = asyncio.start_server(self._connected, "127.0.0.1", 0)
        server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(granted(10))
        self.port = int(server.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._ended(), self._loop).result(granted(10))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(granted(10))
        self._loop.close()

    async def _ended(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        with suppress(asyncio.CancelledError):  # by `_ended`
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                self.bytes += len(data)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()
