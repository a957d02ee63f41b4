"""Rows that a page keeps, in memory in place of a browser's IndexedDB."""

from __future__ import annotations

from typing import Any


class Store:
    """Keeps rows as IndexedDB does, in memory; it is full after so many."""

    def __init__(self, room: int = 10_000) -> None:
        self.rows: dict[str, tuple[bytes, dict[str, Any]]] = {}
        self.room = room
        self.changes = 0

    async def change(self, store: str, put: Any = (), delete: Any = ()) -> None:
        rows = {name: row for name, row in self.rows.items() if name not in set(delete)}
        rows |= {name: (content, about) for name, content, about in put}
        if len(rows) > self.room:
            raise RuntimeError("the browser's storage is full")
        self.changes += 1
        self.rows = rows

    async def get(self, name: str, store: str) -> tuple[bytes, dict[str, Any]]:
        return self.rows[name]

    async def listing(self, store: str) -> list[dict[str, Any]]:
        return [
            about | {"name": name, "octets": len(content)}
            for name, (content, about) in self.rows.items()
        ]

    async def contents(self, store: str) -> list[tuple[dict[str, Any], bytes]]:
        return [(about | {"name": name}, content) for name, (content, about) in self.rows.items()]
