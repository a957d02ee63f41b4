"""One batch at a time: Keras' `train_on_batch` and `test_on_batch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nn.training.data_adapter import one_batch

if TYPE_CHECKING:
    from nn.models.model import Model


def train_on_batch(
    model: Model,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    return_dict: bool = False,
) -> Any:
    """Take one training step; returns [loss, *metrics] of this batch, or a dict."""
    batch = one_batch(model, x, y, sample_weight, class_weight)
    trainer = model.trainer
    trainer.reset_train()
    trainer.train_step(*batch)
    return _result(trainer.train_logs(), return_dict)


def test_on_batch(
    model: Model, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
) -> Any:
    """Return [loss, *metrics] of one batch, or a dict, changing no weight."""
    batch = one_batch(model, x, y, sample_weight, None)
    trainer = model.trainer
    trainer.reset_test()
    trainer.test_step(*batch)
    return _result(trainer.test_logs(), return_dict)


def _result(logs: dict[str, float], return_dict: bool) -> Any:
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
