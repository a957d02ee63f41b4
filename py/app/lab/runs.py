"""What outlives a page: the record of its runs, and the network of one that was cut short."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

from app.lab import checkpoints, indexed_db

RECORD = "record"


class Runs:
    """Served to the page as `lab.runs`.

    Args:
        optimizers: the optimizer of each model, which a model from a checkpoint brings along.
        rate: tells the learning rate that is set for the run.
    """

    def __init__(self, optimizers: MutableMapping[Any, Any], rate: Callable[[], float]) -> None:
        self._optimizers = optimizers
        self._rate = rate

    async def keep(self, text: str) -> None:
        """Keep the record of the last runs, as the page writes it, in place of the former."""
        await indexed_db.put(RECORD, text.encode(), {"saved": indexed_db.now()}, indexed_db.RUNS)

    async def kept(self) -> str:
        """The record that was kept, or ''."""
        try:
            octets, _ = await indexed_db.get(RECORD, indexed_db.RUNS)
        except KeyError:
            return ""
        return octets.decode()

    async def forget(self) -> None:
        """Keep no record."""
        await indexed_db.delete(RECORD, indexed_db.RUNS)

    def checkpoints(
        self,
        about: dict[str, Any],
        rows: list[Any],
        refused: Callable[[str], Any],
        replaces: str | None = None,
    ) -> checkpoints.Checkpoints:
        """The callback that keeps a run's network; its arguments are described there."""
        return checkpoints.Checkpoints(about, rows, refused, self._rate, replaces)

    async def unfinished(self) -> dict[str, Any] | None:
        """What is known of the run that was cut short last.

        `about`, and rows, batch (of the epoch), mean (accuracy in it), rate (None where it is not
        known), exact (whether it goes on to the bit), name, saved.
        """
        return await checkpoints.unfinished()

    async def take(self, name: str) -> Any:
        """The model of a checkpoint, with the optimizer as it was."""
        model = await checkpoints.take(name)
        self._optimizers[model] = model.optimizer
        return model

    async def forget_checkpoint(self, name: str) -> None:
        """This run will not go on."""
        await checkpoints.forget(name)
