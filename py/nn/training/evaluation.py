"""Loss and metrics over data, changing no weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nn.callbacks import CallbackList, LambdaCallback
from nn.data.source import each
from nn.errors import EmptyError
from nn.models.inputs import as_list
from nn.models.prediction import BATCH
from nn.training.data_adapter import open_source

if TYPE_CHECKING:
    from nn.models.model import Model


async def evaluate(
    model: Model,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    verbose: Any = 0,
    sample_weight: Any = None,
    steps: int | None = None,
    callbacks: Any = None,
    return_dict: bool = False,
    **hooks: Any,
) -> Any:
    """Return [loss, *metrics] over the data (a float where there are no metrics), or a dict of
    them."""
    listeners = [*as_list(callbacks), *([LambdaCallback(**hooks)] if hooks else [])]
    source = open_source(model, x, y, sample_weight, None, batch_size or BATCH, steps)
    params = {"steps": source.steps, "batch_size": batch_size}
    logs = await test(model, source, CallbackList(listeners, model, params))
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


async def test(model: Model, source: Any, calls: CallbackList) -> dict[str, float]:
    trainer = model.trainer
    trainer.reset_test()
    await calls.call("on_test_begin", {})
    index = 0
    async for batch in each(source.batches(None)):
        trainer.test_step(*batch)
        if calls.listens("on_test_batch_end"):
            logs = {**trainer.test_logs(), "batch": index + 1, "batches": source.steps}
            await calls.call_batch("on_test_batch_end", index, logs)
        index += 1
        if not await model.progress.gate():
            break
    await calls.land()
    if not index:
        raise EmptyError(f"{model.name}: the data gave no batch to evaluate")
    logs = trainer.test_logs()
    await calls.call("on_test_end", logs)
    return logs
