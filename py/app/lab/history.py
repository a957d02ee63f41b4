"""The figures of the last runs, saved in the browser as the page writes them."""

from __future__ import annotations

from app.lab.browser import indexed_db

RECORD = "record"


class History:
    """Served as `lab.history`."""

    async def save(self, text: str) -> None:
        """Save the last runs in place of those that were saved."""
        await indexed_db.put(RECORD, text.encode(), {"saved": indexed_db.now()}, indexed_db.RUNS)

    async def saved(self) -> str:
        """Return the text that was saved, or ''."""
        try:
            content, _ = await indexed_db.get(RECORD, indexed_db.RUNS)
        except KeyError:
            return ""
        return content.decode()

    async def forget(self) -> None:
        """Delete what was saved."""
        await indexed_db.delete(RECORD, indexed_db.RUNS)
