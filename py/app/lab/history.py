"""The figures of earlier runs, saved in the browser: a row for each, as the page writes it.

Pages in several tabs add their runs beside each other's.
"""

from __future__ import annotations

import json
from typing import Any

STORE = "runs"  # of IndexedDB
RECORD = "record"
"""The row in which earlier versions of the page saved all runs."""


class History:
    """Served as `lab.history`.

    Args:
        store: has `change`, `listing` and `contents`, as `app.lab.browser.indexed_db`.
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    async def save(self, rows: list[list[str]], gone: list[str]) -> None:
        """Save rows, each a name and a text, and delete others by their names; all or nothing."""
        put = [(name, text.encode(), {}) for name, text in rows]
        await self._store.change(STORE, put=put, delete=gone)

    async def saved(self) -> list[list[str]]:
        """Return the name and the text of each row."""
        contents = await self._store.contents(STORE)
        rows = {about["name"]: text.decode() for about, text in contents}
        if RECORD in rows:
            # Two tabs that do this at once write the same names.
            split = [[f"{RECORD}-{n}", json.dumps([run])] for n, run in _runs(rows.pop(RECORD))]
            await self.save(split, [RECORD])
            rows.update((name, text) for name, text in split)
        return [list(row) for row in rows.items()]

    async def forget(self) -> None:
        """Delete all rows, those of other tabs too."""
        rows = await self._store.listing(STORE)
        await self._store.change(STORE, delete=[row["name"] for row in rows])


def _runs(text: str) -> list[tuple[int, Any]]:
    """Return the runs of a record with their places; none where it is damaged."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return list(enumerate(found)) if isinstance(found, list) else []
