"""The runs that ask a node: the settings of each, and what the app keeps for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nn.io.errors import MissingEntryError

from federation.errors import MissingRecordError
from federation.message import Context
from federation.objects import held
from federation.records import RecordDict

if TYPE_CHECKING:
    from federation.fleet import Call

__all__ = ["Runs", "Settings"]

RUN_CONFIG = "run_config, Node(run_config=...)"  # in errors
KEPT = 16  # runs; what an app keeps for one may be as large as its network


class Settings(dict[str, Any]):
    """Settings by name; one in a table of TOML has the table's name before it: "optimizer.rate".

    Args:
        source: what the settings are called in errors.
        settings: names -> values, or tables of them.

    Raises:
        TypeError: a value is neither bool, int, float, str nor a table.
        MissingRecordError: there is no setting of this name.
    """

    def __init__(self, source: str, settings: Mapping[str, Any]) -> None:
        super().__init__(_flat(settings))
        self._source = source

    def __missing__(self, name: str) -> Any:
        names = ", ".join(map(repr, list(self)[:8])) or "nothing"
        raise MissingRecordError(f"{self._source}: expected {name!r}, received {names}")


class Runs:
    """The contexts of the last 16 runs that asked; several may go on at once.

    Args:
        call: makes a call of the Fleet API.
        node_config: settings of this node.
        run_config: settings of the app, before a run changes some.
    """

    def __init__(
        self, call: Call, node_config: Mapping[str, Any], run_config: Mapping[str, Any]
    ) -> None:
        self._call = call
        self._node_config = Settings("node_config, Node(config=...)", node_config)
        self._run_config = Settings(RUN_CONFIG, run_config)
        self._contexts: dict[int, Context] = {}

    async def context(self, node_id: int, run_id: int) -> Context:
        """Return the context of a run; the SuperLink is asked for its settings once.

        Raises:
            FederationError: the SuperLink refuses, or does not answer.
            FormatError: its answer is damaged.
        """
        context = self._contexts.pop(run_id, None) or await self._begun(node_id, run_id)
        self._contexts[run_id] = context  # as the last that asked
        for oldest in list(self._contexts)[:-KEPT]:
            del self._contexts[oldest]
        return context

    async def _begun(self, node_id: int, run_id: int) -> Context:
        found = await self._call("get-run", node={"node_id": node_id}, run_id=run_id)
        if "run" not in found:
            raise MissingEntryError(f"get-run: expected run {run_id}, received none")
        run = found["run"]
        changed = {one["key"]: held(one.get("value", {}), "run") for one in run["override_config"]}
        states = {known.series_id or known.run_id: known.state for known in self._contexts.values()}
        state = states.get(run["series_id"] or run_id, RecordDict())
        settings = Settings(RUN_CONFIG, self._run_config | changed)
        return Context(run_id, node_id, self._node_config, state, settings, run["series_id"])


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, bool | int | float | str):
            yield before + name, value
        else:
            received = type(value).__name__
            raise TypeError(
                f"{before}{name}: expected bool, int, float or str, received {received}"
            )
