"""A search over values of the page's options: what is tried, and the weights of the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import nn


class Search:
    """Served as `lab.search`."""

    def __init__(self) -> None:
        self._best: tuple[float, list[Any]] | None = None

    async def search(
        self, space: Mapping[str, Sequence[Any]], run: Callable[[dict[str, Any]], Any]
    ) -> dict[str, Any]:
        """Try every combination of values: {values, score, trials, failed}, of the best.

        Args:
            space: the values of each option, by its name.
            run: called with a value by name; trains, and returns what can be awaited for
                {val_accuracy, model, stopped, problem}: None and why where it has no result.
                After one that was stopped there are no more.

        Returns:
            values: None where no trial has a score. trials: how many began. failed: why the
            others have none.
        """
        self._best = None

        def build(hp: nn.tuner.HyperParameters) -> None:
            for name, values in space.items():
                hp.Choice(name, list(values))

        async def trial(values: dict[str, Any]) -> dict[str, float]:
            found = await run(values)
            if found["stopped"]:
                tuner.stop()
            if found["val_accuracy"] is None:
                raise RuntimeError(found["problem"])
            score = float(found["val_accuracy"])
            if self._best is None or score > self._best[0]:
                self._best = score, found["model"].get_weights()
            return {"val_accuracy": score}

        tuner = nn.tuner.GridSearch(build, "val_accuracy", run=trial)
        best = await tuner.search()
        return {
            "values": best and best.values,
            "score": best and best.score,
            "trials": len(tuner.trials),
            "failed": [str(t.error) for t in tuner.trials if t.error is not None],
        }

    def take(self, model: Any) -> Any:
        """Return a network like `model` with the weights of the best trial.

        Raises:
            ValueError: there is none.
        """
        if self._best is None:
            raise ValueError("expected a search with a trial that ended, received none")
        with nn.config.separate_seed(0):
            made = type(model).from_config(model.get_config())
        made.set_weights(self._best[1])
        return made
