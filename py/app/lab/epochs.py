"""How long a model was trained, as far as its file says."""

from __future__ import annotations

from typing import Any


def trained(model: Any) -> int | None:
    """Return for how many epochs a model was trained, None where that is not known.

    A file with the training state has the epochs of the last run, and the steps of the optimizer.
    Where these are more than the run's, there were earlier runs, whose epochs are not in the file,
    unless the last one goes on with their count (`initial_epoch`).
    """
    run, history = model.run_state, model.history
    if not model.compiled or run is None or history is None or not history.epoch:
        return None
    if model.optimizer.iterations > run.total and not history.epoch[0]:
        return None
    return int(run.epoch)
