"""Callbacks with Keras' protocol; hooks may be coroutines or return awaitables.

A coroutine returned by a hook is awaited immediately, and so is any other awaitable returned by the
hook of an epoch or a run. Awaitables returned by batch hooks (such as calls already sent to another
thread) are awaited later, in order, with at most `IN_FLIGHT` pending: a slow listener delays
training only if it falls that far behind, and its errors are still raised.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from math import gcd
from typing import Any

from nn.errors import ConfigError
from nn.keras_arguments import Checked, expect_kinds, is_of

__all__ = [
    "Callback",
    "CallbackList",
    "History",
    "LambdaCallback",
]

IN_FLIGHT = 4
HOOKS = (
    "on_train_begin",
    "on_train_end",
    "on_epoch_begin",
    "on_epoch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_begin",
    "on_test_end",
    "on_test_batch_begin",
    "on_test_batch_end",
    "on_predict_begin",
    "on_predict_end",
    "on_predict_batch_begin",
    "on_predict_batch_end",
)

Logs = dict[str, Any]


class CheckedCallback(Checked):
    """Checks names and functions too, which no file describes."""

    def expect(self, settings: Mapping[str, Any]) -> None:
        expect_kinds(self, settings, ("bool",), is_of)


class Callback(metaclass=CheckedCallback):
    """Base class. Override the hooks you need.

    Attributes:
        model: the model being trained.
        params: {"epochs", "steps", "batch_size"}.
    """

    model: Any = None
    params: Logs = {}  # noqa: RUF012 - replaced, never changed
    remembers: tuple[str, ...] = ()
    """Attributes saved in a checkpoint, so that a resumed run equals an uninterrupted one."""
    comes_last = False
    """Whether its hooks run after those of other callbacks, as a checkpoint's must."""

    def get_state(self) -> Logs:
        """Return the state to save in a checkpoint, as plain data and arrays."""
        return {name: getattr(self, name) for name in self.remembers}

    def set_state(self, state: Logs) -> None:
        """Restore what `get_state` returned. Called after `on_train_begin`."""
        for name in self.remembers:
            if name in state:
                setattr(self, name, state[name])

    def set_model(self, model: Any) -> None:
        """Set the model being trained. Called before the run begins."""
        self.model = model

    def set_params(self, params: Logs) -> None:
        """Set {"epochs", "steps", "batch_size"}. Called before the run begins."""
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> Any:
        """Called when the run begins."""

    def on_train_end(self, logs: Logs | None = None) -> Any:
        """Called when the run has ended or was stopped."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> Any:
        """Called when an epoch begins; epochs count from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> Any:
        """Called when an epoch has ended; logs hold loss, metrics, val_loss, val_..."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> Any:
        """Alias of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> Any:
        """Alias of `on_train_batch_end`."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> Any:
        """Called when a batch begins; batches count from 0."""
        return self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> Any:
        """Called when a batch has ended; logs hold means over the epoch, see `nn.training.loop`."""
        return self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> Any:
        """Called when evaluation or validation begins."""

    def on_test_end(self, logs: Logs | None = None) -> Any:
        """Called when evaluation or validation has ended."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> Any:
        """Called when a batch of evaluation begins."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> Any:
        """Called when a batch of evaluation has ended."""

    def on_predict_begin(self, logs: Logs | None = None) -> Any:
        """Called when prediction begins."""

    def on_predict_end(self, logs: Logs | None = None) -> Any:
        """Called when prediction has ended."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> Any:
        """Called when a batch of prediction begins."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> Any:
        """Called when a batch of prediction has ended."""


_OLD_NAMES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class CallbackList:
    """The callbacks of a run. Hooks that no callback overrides cost nothing.

    Raises:
        ConfigError: one of them is a class, or has no hook at all.
    """

    def __init__(self, callbacks: Iterable[Any], model: Any, params: Logs) -> None:
        self.callbacks = sorted(callbacks, key=_comes_last)
        self._flight: deque[Any] = deque()
        for callback in self.callbacks:
            if isinstance(callback, Callback):
                callback.set_params(params)
                callback.set_model(model)
            elif isinstance(callback, type) or not any(_overrides(callback, n) for n in HOOKS):
                raise ConfigError(f"callbacks: expected callbacks, received {callback!r:.80}")
        self._hooks = {name: self._listeners(name) for name in HOOKS}

    def _listeners(self, name: str) -> list[Callable[..., Any]]:
        return [getattr(c, name) for c in self.callbacks if _overrides(c, name)]

    def listens(self, name: str) -> bool:
        """Return whether any callback overrides the hook."""
        return bool(self._hooks[name])

    async def call(self, name: str, *arguments: Any) -> None:
        """Call a hook of all callbacks and await each result."""
        for hook in self._hooks[name]:
            result = hook(*arguments)
            if inspect.isawaitable(result):
                await result

    async def call_batch(self, name: str, batch: int, logs: Logs) -> None:
        """Call a batch hook of all callbacks. Coroutines are awaited; other awaitables may stay
        pending, at most `IN_FLIGHT` of them."""
        for hook in self._hooks[name]:
            result = hook(batch, logs)
            if inspect.iscoroutine(result):
                await result
            elif inspect.isawaitable(result):
                self._flight.append(result)
        while len(self._flight) > IN_FLIGHT:
            await self._flight.popleft()

    def get_state(self) -> list[Any]:
        """Return [class name, state] of the callbacks that have state to save."""
        states = [
            (type(c).__name__, c.get_state()) for c in self.callbacks if isinstance(c, Callback)
        ]
        return [[name, state] for name, state in states if state]

    def set_state(self, states: Iterable[Any]) -> None:
        """Restore what `get_state` returned, matching callbacks by class, in order."""
        waiting = list(states)
        for callback in self.callbacks:
            name = type(callback).__name__
            found = next((entry for entry in waiting if entry[0] == name), None)
            if found is not None and isinstance(callback, Callback):
                waiting.remove(found)
                callback.set_state(found[1])

    def saves_every(self) -> int | None:
        """Return after how many batches callbacks need the model's weights, or None."""
        found = [getattr(c, "save_freq", None) for c in self.callbacks if isinstance(c, Callback)]
        batches = [every for every in found if isinstance(every, int)]
        return gcd(*batches) if batches else None

    async def land(self) -> None:
        """Await everything pending."""
        while self._flight:
            await self._flight.popleft()


def _comes_last(callback: Any) -> bool:
    return isinstance(callback, Callback) and callback.comes_last


def _overrides(callback: Any, name: str) -> bool:
    if not isinstance(callback, Callback):
        # An object of another class, possibly a remote proxy.
        return callable(getattr(callback, name, None))
    names = [name, _OLD_NAMES[name]] if name in _OLD_NAMES else [name]
    return any(
        getattr(type(callback), n) is not getattr(Callback, n) or n in vars(callback) for n in names
    )


class History(Callback):
    """The logs of every epoch, returned by `fit`.

    Attributes:
        epoch: epoch numbers, from 0.
        history: {"loss": [...], "val_loss": [...], ...}.
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}
        self._written: Logs = {}

    def get_state(self) -> Logs:
        return {"epoch": [*self.epoch], "history": {k: [*v] for k, v in self.history.items()}}

    def set_state(self, state: Logs) -> None:
        self.epoch = [*state["epoch"]]
        self.history = {key: [*values] for key, values in state["history"].items()}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        self._written = {}
        self.complete(epoch, logs)

    def complete(self, epoch: int, logs: Logs | None = None) -> None:
        """Take in what callbacks have written into the logs of this epoch since `on_epoch_end`."""
        for key, value in (logs or {}).items():
            values = self.history.setdefault(key, [])
            if key in self._written:
                values[-1] = value
            else:
                values.append(value)
        self._written = dict(logs or {})


class LambdaCallback(Callback):
    """A callback made of functions, as in LambdaCallback(on_epoch_end=lambda epoch, logs: ...)."""

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **others: Callable[..., Any] | None,
    ) -> None:
        allowed = {*HOOKS, "on_batch_begin", "on_batch_end"}
        hooks = others | {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        for name, function in hooks.items():
            if name not in allowed:
                raise TypeError(
                    f"LambdaCallback: expected one of {sorted(allowed)}, received {name!r}"
                )
            if function is None:
                continue
            if not callable(function):
                raise ConfigError(f"{name}: expected a function, received {function!r:.80}")
            setattr(self, name, function)
