"""Evaluation: loss and metrics over data, without changing weights."""

from __future__ import annotations

from typing import Any

from nn.callbacks import Callback, CallbackList, LambdaCallback
from nn.data.numeric import optional, whole
from nn.data.source import each, warn_of_few
from nn.errors import EmptyError
from nn.keras_arguments import flag
from nn.models.model import Model
from nn.models.signature import as_list
from nn.training.data_adapter import open_source


async def evaluate(
    model: Model,
    x: Any,
    y: Any,
    batch_size: Any,
    sample_weight: Any,
    steps: Any,
    callbacks: Any,
    return_dict: bool,
    hooks: dict[str, Any],
) -> Any:
    """Return what a whole evaluation finds; `Model.evaluate` says what the arguments are."""
    listeners = [*as_list(callbacks), *as_callback("evaluate", hooks)]
    batch_size = whole(batch_size, "batch_size")
    steps = optional(steps, "steps")
    source = open_source(model, x, y, sample_weight, None, batch_size, steps)
    params = {"steps": source.steps, "batch_size": batch_size}
    there = model.trainer.evaluator(source)
    try:
        logs = await run(model, source, CallbackList(listeners, model, params), there, steps)
    finally:
        if there is not None:
            there.close()
    return results(logs, return_dict)


def results(logs: dict[str, Any], return_dict: bool) -> Any:
    """Return logs as Keras' `evaluate` does: [loss, *metrics], the loss alone, or a dict."""
    if flag(return_dict, "return_dict"):
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def as_callback(function: str, hooks: dict[str, Any]) -> list[Callback]:
    """Return the callback of the hooks that a function was given by keyword, if any.

    Raises:
        TypeError: a keyword is no hook.
    """
    unknown = [name for name in hooks if not name.startswith("on_")]
    if unknown:
        raise TypeError(
            f"{function}: expected one of its arguments or a hook such as on_epoch_end, "
            f"received {unknown[0]!r}"
        )
    return [LambdaCallback(**hooks)] if hooks else []


async def run(
    model: Model, source: Any, calls: CallbackList, led: Any = None, steps: int | None = None
) -> dict[str, Any]:
    """Return the logs of an evaluation over a source of batches.

    Args:
        model: the model.
        source: the batches.
        calls: the callbacks.
        led: what trains the model, if it evaluates elsewhere: with a team, or on a GPU.
        steps: how many batches the caller wants.
    """
    trainer = model.trainer
    source.restart()
    await calls.call("on_test_begin", {})
    shared = trainer.shared_evaluation()
    if led is not None:
        shared = await led.evaluation(source, calls.listens("on_test_batch_end"))
    try:
        index = await _batches(model, source, calls, shared)
    except ConnectionError:  # a member is lost
        if led is None:
            raise
        index = await _batches(model, source, calls, None)
    if not index:
        raise EmptyError(f"{model.name}: the data gave no batch to evaluate")
    if not model.progress.stopping:
        warn_of_few(model.name, index, steps)
    logs = trainer.test_logs()
    await calls.call("on_test_end", logs)
    return logs


async def _batches(model: Model, source: Any, calls: CallbackList, shared: Any) -> int:
    """Evaluate all batches, or this member's; returns how many there were."""
    trainer, index = model.trainer, 0
    trainer.reset_test()
    batches = source.batches if shared is None else getattr(shared, "batches", source.batches)
    async for batch in each(batches(None)):
        if calls.listens("on_test_batch_begin"):
            await calls.call_batch("on_test_batch_begin", index, {})
        if shared is None or shared.takes(index):
            trainer.test_step(*batch)
            if shared is not None:
                shared.count(index)
        if calls.listens("on_test_batch_end"):
            logs = {**trainer.test_logs(), "batch": index + 1, "batches": source.steps}
            await calls.call_batch("on_test_batch_end", index, logs)
        index += 1
        if not await model.progress.gate():
            break
    await calls.land()
    if shared is not None:
        await shared.sum(index)
    return index
