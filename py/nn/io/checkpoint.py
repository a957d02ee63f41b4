"""Training state of a model as plain data and arrays, for exact resuming.

It holds the optimizer's slots and step, the random generators, the history of the epochs so far,
the position in the run (`nn.training.run_state`), state that layers carry from batch to batch, and
the arguments of `compile`. Losses and metrics are stored as names or settings, never as code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nn import losses, metrics, optimizers
from nn.callbacks import History
from nn.identifiers import describe
from nn.io.errors import UnsupportedError
from nn.io.snapshot import expect, guarded
from nn.training.run_state import RunState, layer_states, restore_layers

if TYPE_CHECKING:
    from nn.models.model import Model

Json = dict[str, Any]


def get_state(model: Model) -> Json:
    """Return the training state of a compiled model.

    Raises:
        UnsupportedError: the engine does not know a loss or metric by name.
    """
    trainer = model.trainer
    trained = set(model.parameters.variables)
    return {
        "compile": compile_settings(model),
        # Layers may have been frozen since `compile`, which settles what is trained.
        "trained": [place for place, v in enumerate(model.variables) if v in trained],
        "optimizer": trainer.optimizer.get_state(),
        "generator": model.rng.bit_generator.state,
        "history": _history(model),
        "layers": layer_states(model.sublayers),
        "course": None if model.run_state is None else model.run_state.get_state(),
    }


def _history(model: Model) -> Json | None:
    if model.history is None:
        return None
    return {"epoch": list(model.history.epoch), "logs": dict(model.history.history)}


def compile_settings(model: Model) -> Json:
    """Return the arguments of `compile` as JSON-ready data.

    Raises:
        UnsupportedError: the engine does not know a loss or metric by name.
    """
    trainer = model.trainer
    settings = {key: _plain(value, key) for key, value in trainer.settings.items()}
    return {"optimizer": optimizers.serialize(trainer.optimizer), **settings}


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item, where) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item, where) for key, item in value.items()}
    value = _made(value)
    known: dict[str, Any] = {**losses.CLASSES, **metrics.CLASSES}
    if type(value) in (losses.CLASSES.get(_kind(value)), metrics.CLASSES.get(_kind(value))):
        return describe(value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise UnsupportedError(
        f"{where}: expected a name, or one of {', '.join(known)}; received {value!r}, which cannot "
        "be saved; save with include_optimizer=False"
    )


def _made(value: Any) -> Any:
    """Return the loss of one of Keras' functions, and an object for a class."""
    kind = getattr(value, "kind", value)
    is_class = isinstance(kind, type) and issubclass(kind, losses.Loss | metrics.Metric)
    return kind() if is_class and (callable(value) or kind is value) else value


def _kind(value: Any) -> str:
    return type(value).__name__


def set_state(model: Model, training: Any) -> None:
    """Compile the model as it was saved, and restore the optimizer and the generators.

    Raises:
        FormatError: a part is missing or does not fit the model.
    """
    settings = expect(training, "compile", dict, "training")
    guarded(lambda: model.compile(**settings), "training, compile")
    if training.get("trained") is not None:  # files of earlier versions of nn have none
        places = expect(training, "trained", list, "training")
        model.pack([v for place, v in enumerate(model.variables) if place in places])
    guarded(lambda: model.trainer.prepare(), "training, compile")
    slots = expect(training, "optimizer", dict, "training")
    guarded(lambda: model.optimizer.set_state(slots), "training, optimizer")
    _restore_generator(model, expect(training, "generator", dict, "training"))
    if training.get("history") is not None:
        model.history = History()
        model.history.epoch = expect(training["history"], "epoch", list, "training, history")
        model.history.history = expect(training["history"], "logs", dict, "training, history")
    # Files of earlier versions of nn have neither.
    layers, course = training.get("layers"), training.get("course")
    if layers is not None:
        guarded(lambda: restore_layers(model.sublayers, layers), "training, layers")
    if course is not None:
        model.run_state = guarded(lambda: RunState.from_state(course), "training, course")


def _restore_generator(model: Model, state: Json) -> None:
    def assign() -> None:
        model.rng.bit_generator.state = state

    guarded(assign, "training, generator")
