"""Search for settings: models are built with drawn values, trained and compared.

The names are those of Keras Tuner:

    def build(hp):
        units = hp.Int("units", 16, 128, step=16)
        model = nn.Sequential([nn.Input((784,)), nn.Dense(units), nn.Dense(10, "softmax")])
        model.compile(nn.Adam(hp.Float("rate", 1e-4, 1e-2, sampling="log")), ...)
        return model

    search = nn.tuner.RandomSearch(build, objective="val_accuracy", max_trials=8)
    await search.search(x, y, epochs=2, validation_split=0.2)
    model = search.get_best_models()[0]

Several trials at once: `run` is any function that returns an awaitable of a trial's metrics, such
as one that asks a pool of workers, each of which builds and trains a model with these values. It
may as well return an asynchronous iterator of the metrics so far, the last of which count: so a
trial shows its progress wherever it runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from itertools import count
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from nn import io
from nn.callbacks import LambdaCallback
from nn.data.numeric import optional, whole
from nn.errors import ConfigError
from nn.models.signature import as_list
from nn.types import Config

__all__ = ["GridSearch", "HyperParameters", "RandomSearch", "Trial", "Tuner"]

RUNNING, COMPLETED, FAILED, STOPPED = "RUNNING", "COMPLETED", "FAILED", "STOPPED"
SMALLER = ("loss", "error", "mae", "mse", "mape", "msle", "hinge", "divergence", "poisson")
LARGER = ("accuracy", "acc", "auc", "precision", "recall", "score", "iou")
SAMPLES = 10
"""Values that a grid takes of a range without a step."""


class HyperParameters:
    """The values of one trial, asked for by name.

    Attributes:
        values: by name, in the order of the questions.
    """

    def __init__(self, values: Config | None = None) -> None:
        self._given = dict(values or {})
        self.values: Config = {}
        self.space: dict[str, _Range] = {}

    def Int(  # noqa: N802
        self, name: str, min_value: int, max_value: int, step: int = 1,
        sampling: str | None = None, default: int | None = None,
    ) -> int:  # fmt: skip
        """Return a whole number of a range, both ends included."""
        found = _Range(min_value, max_value, step, sampling == "log", whole=True)
        return int(self._ask(name, found, default))

    def Float(  # noqa: N802
        self, name: str, min_value: float, max_value: float, step: float | None = None,
        sampling: str | None = None, default: float | None = None,
    ) -> float:  # fmt: skip
        """Return a number of a range; `sampling="log"` draws its logarithm."""
        found = _Range(min_value, max_value, step, sampling == "log")
        return float(self._ask(name, found, default))

    def Choice(self, name: str, values: Sequence[Any], default: Any = None) -> Any:  # noqa: N802
        """Return one of the values."""
        return self._ask(name, _Range(choices=list(values)), default)

    def Boolean(self, name: str, default: bool = False) -> bool:  # noqa: N802
        """Return True or False."""
        return bool(self._ask(name, _Range(choices=[False, True]), default))

    def Fixed(self, name: str, value: Any) -> Any:  # noqa: N802
        """Return the value: one that is not searched."""
        return self._ask(name, _Range(choices=[value]), value)

    def get(self, name: str) -> Any:
        """Return a value that was asked for.

        Raises:
            KeyError: it was not.
        """
        return self.values[name]

    def _ask(self, name: str, found: _Range, default: Any) -> Any:
        self.space[name] = found
        if name not in self._given:
            self._given[name] = found.options()[0] if default is None else default
        self.values[name] = self._given[name]
        return self.values[name]


class _Range:
    """What a value is drawn from."""

    def __init__(
        self, low: float = 0, high: float = 0, step: float | None = None, log: bool = False,
        whole: bool = False, choices: list[Any] | None = None,
    ) -> None:  # fmt: skip
        if choices is None and (low > high or (log and low <= 0) or (step or 1) <= 0):
            raise ConfigError(f"expected a range, received {low} to {high} in steps of {step}")
        if choices is not None and not choices:
            raise ConfigError("expected at least one choice, received none")
        self.low, self.high, self.step, self.log = low, high, step, log
        self.whole, self.choices = whole, choices

    def same(self, other: _Range | None) -> bool:
        """Return whether another range has the same values."""
        return other is not None and vars(self) == vars(other)

    def draw(self, rng: np.random.Generator) -> Any:
        """Return a value at random."""
        if self.choices is not None:
            return self.choices[int(rng.integers(len(self.choices)))]
        if self.step is not None and not self.log:
            options = self.options()
            return options[int(rng.integers(len(options)))]
        ends = np.log([self.low, self.high]) if self.log else (self.low, self.high)
        value = float(rng.uniform(*ends))
        value = float(np.exp(value)) if self.log else value
        return round(value) if self.whole else value

    def options(self) -> list[Any]:
        """Return the values of a grid, each once."""
        found = self._values()
        return [value for at, value in enumerate(found) if value not in found[:at]]

    def _values(self) -> list[Any]:
        if self.choices is not None:
            return self.choices
        if self.log or self.step is None:
            space = np.geomspace if self.log else np.linspace
            found = space(self.low, self.high, SAMPLES).tolist()
            return [round(value) for value in found] if self.whole else found
        count = int((self.high - self.low) / self.step + 1e-9) + 1
        return [self.low + i * self.step for i in range(count)]


class Trial:
    """One set of values, and what came of it.

    Attributes:
        status: "RUNNING", "COMPLETED", "FAILED" or "STOPPED".
        metrics: the latest value of each metric.
        reports: how often metrics came so far: after each epoch.
        score: the objective, or None.
        error: why it failed, or None.
        model: its model, of the best trial so far only: as it was trained here; or, where `run` did
            that, the bytes that it gave as the metric "model" (`nn.io.save`), or None.
    """

    def __init__(self, number: int, values: Config) -> None:
        self.trial_id = f"{number:04d}"
        self.values = values
        self.status = RUNNING
        self.metrics: dict[str, Any] = {}
        self.reports = 0
        self.score: float | None = None
        self.error: BaseException | None = None
        self.model: Any = None
        self._task: asyncio.Future[Any] | None = None

    def stop(self) -> None:
        """End the trial: it counts as stopped."""
        if self._task is not None:
            self._task.cancel()


class Tuner:
    """Base of the searches.

    Args:
        build: called with `HyperParameters`; returns a compiled model.
        objective: the name of a metric of `fit`, such as "val_accuracy".
        max_trials: how many trials at most.
        direction: "min" or "max"; by default known from the objective's name.
        seed: of the draws.
        run: `run(values)` returns an awaitable of a trial's metrics, a dict, or an asynchronous
            iterator of them, the last of which count; by default the model is trained here. A
            metric "model" is the trained model as a file.
        at_once: trials under way at the same time.
        on_trial: called with each trial when it begins, when metrics come, and when it ends.
    """

    def __init__(
        self,
        build: Callable[[HyperParameters], Any],
        objective: str = "val_loss",
        max_trials: int | None = 10,
        *,
        direction: str | None = None,
        seed: int | None = None,
        run: Callable[[Config], Any] | None = None,
        at_once: int = 1,
        on_trial: Callable[[Trial], Any] | None = None,
    ) -> None:
        self.build, self.objective = build, objective
        self.max_trials = optional(max_trials, "max_trials")
        self.larger = _larger(objective, direction)
        self.at_once = whole(at_once, "at_once")
        self.trials: list[Trial] = []
        self._rng = np.random.default_rng(seed)
        self._run, self._on_trial = run, on_trial
        self._ended = False

    def propose(self) -> Config | None:
        """Return the values of the next trial, or None: there is none."""
        raise NotImplementedError(f"{type(self).__name__} must define propose")

    async def search(self, *data: Any, **options: Any) -> Trial | None:
        """Run the trials; the arguments are those of `fit`. Returns the best trial, if any."""
        self._ended = False
        tasks = [
            asyncio.ensure_future(self._one_by_one(data, options)) for _ in range(self.at_once)
        ]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in ended:
                task.result()
        finally:
            self._ended = True
            for task in tasks:
                task.cancel()
        return self.best_trial

    async def _one_by_one(self, data: Any, options: Any) -> None:
        """Run a trial after the other.

        A task for each trial would begin the next one some turns of the event loop after the end
        of the one before: 8 ms each while this thread trains, too.
        """
        task = cast("asyncio.Task[None]", asyncio.current_task())
        while (trial := self._next()) is not None:
            trial._task = task
            await self._try(trial, data, options)
            while task.cancelling():  # a stop is this trial's alone, also one that came too late
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)
                task.uncancel()

    def stop(self) -> None:
        """Begin no more trials, and end those under way."""
        self._ended = True
        for trial in self.trials:
            if trial.status == RUNNING:
                trial.stop()

    def _next(self) -> Trial | None:
        if self._ended or (self.max_trials is not None and len(self.trials) >= self.max_trials):
            return None
        values = self.propose()
        if values is None:
            return None
        trial = Trial(len(self.trials), values)
        self.trials.append(trial)
        return trial

    async def _try(self, trial: Trial, data: Any, options: Any) -> None:
        self._tell(trial)
        try:
            async with aclosing(self._reports(trial, data, options)) as reports:
                async for metrics in reports:
                    self._count(trial, metrics)
            trial.score = float(trial.metrics[self.objective])
            trial.status = COMPLETED
        except asyncio.CancelledError:
            trial.status = STOPPED
        except Exception as error:
            trial.status, trial.error = FAILED, error
        trial._task = None
        self._keep_best()
        self._tell(trial)

    def _count(self, trial: Trial, metrics: Any) -> None:
        """Keep the metrics so far, and show them."""
        trial.metrics = dict(metrics)
        trial.model = trial.metrics.pop("model", trial.model)
        trial.reports += 1
        self._tell(trial)

    async def _reports(self, trial: Trial, data: Any, options: Any) -> AsyncGenerator[Any]:
        """Yield a trial's metrics as they come."""
        if self._run is None:
            async with aclosing(self._epochs(trial, data, options)) as epochs:
                async for logs in epochs:
                    yield logs
            return
        found = self._run(trial.values)
        if hasattr(found, "__await__"):
            found = await found
        if not hasattr(found, "__aiter__"):
            yield found
            return
        try:
            async for metrics in found:
                yield metrics
        finally:
            if hasattr(found, "aclose"):
                await found.aclose()

    async def _epochs(self, trial: Trial, data: Any, options: Any) -> AsyncGenerator[Any]:
        """Train a trial's model here, and yield the metrics of each epoch."""
        trial.model = self.build(HyperParameters(trial.values))
        waiting: asyncio.Queue[Any] = asyncio.Queue()
        seen = LambdaCallback(on_epoch_end=lambda _, logs: waiting.put_nowait(dict(logs)))
        given = as_list(options.get("callbacks"))
        fit = asyncio.ensure_future(
            trial.model.fit(*data, **options | {"callbacks": [*given, seen]})
        )
        fit.add_done_callback(lambda _: waiting.put_nowait(None))
        try:
            while (logs := await waiting.get()) is not None:
                yield logs
            await fit
        finally:
            fit.cancel()

    def _tell(self, trial: Trial) -> None:
        if self._on_trial is not None:
            self._on_trial(trial)

    def _keep_best(self) -> None:
        """Release the models of all ended trials but the best."""
        best = self.best_trial
        for trial in self.trials:
            if trial is not best and trial.status != RUNNING:
                trial.model = None

    # Results.

    @property
    def best_trial(self) -> Trial | None:
        """The trial with the best score so far."""
        ranked = self._ranked()
        return ranked[0] if ranked else None

    def _ranked(self) -> list[Trial]:
        scored = [t for t in self.trials if t.score is not None and t.score == t.score]
        return sorted(scored, key=lambda t: t.score or 0.0, reverse=self.larger)

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[HyperParameters]:
        """Return the values of the best trials."""
        found = []
        for trial in self._ranked()[:num_trials]:
            values = HyperParameters(trial.values)
            values.values = dict(trial.values)
            found.append(values)
        return found

    def get_best_models(self, num_models: int = 1) -> list[Any]:
        """Return the best models: the first as it was trained, others built with their values."""
        return [self._model(trial) for trial in self._ranked()[:num_models]]

    def _model(self, trial: Trial) -> Any:
        if trial.model is None:
            return self.build(HyperParameters(trial.values))
        kept = trial.model
        return io.load(bytes(kept)) if isinstance(kept, bytes | bytearray | memoryview) else kept


class RandomSearch(Tuner):
    """Draws the values of each trial."""

    _space: Mapping[str, _Range] = MappingProxyType({})

    def propose(self) -> Config | None:
        # Building takes time: what the latest trial was asked for is drawn before it is asked for.
        space = dict(self._space)
        values = {name: found.draw(self._rng) for name, found in space.items()}
        for again in count():  # a value may decide what else is asked for, and from which range
            asked = HyperParameters(values)
            self.build(asked)
            other = [n for n, found in asked.space.items() if not found.same(space.get(n))]
            if not other or again > len(asked.space):
                break
            space |= asked.space
            values |= {name: space[name].draw(self._rng) for name in other}
        self._space = asked.space
        return dict(asked.values)


class GridSearch(Tuner):
    """Tries all combinations, the last value first."""

    def __init__(
        self, build: Callable[[HyperParameters], Any], objective: str = "val_loss",
        max_trials: int | None = None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(build, objective, max_trials, **options)
        self._latest: HyperParameters | None = None

    def propose(self) -> Config | None:
        values: Config = {}
        if self._latest is not None:
            found = self._after(self._latest)
            if found is None:
                return None
            values = found
        while True:
            asked = HyperParameters(values)
            self.build(asked)
            new = [name for name in asked.space if name not in values]
            if not new:
                self._latest = asked
                return dict(asked.values)
            for name in new:
                values[name] = asked.space[name].options()[0]

    def _after(self, latest: HyperParameters) -> Config | None:
        """Return the values up to the last that has another one left, with that one."""
        names = list(latest.values)
        for place in range(len(names) - 1, -1, -1):
            options = latest.space[names[place]].options()
            index = options.index(latest.values[names[place]]) + 1
            if index < len(options):
                kept = {name: latest.values[name] for name in names[:place]}
                return {**kept, names[place]: options[index]}
        return None


def _larger(objective: str, direction: str | None) -> bool:
    """Return whether a larger objective is better.

    Raises:
        ConfigError: neither the direction nor the name says so.
    """
    if direction is not None:
        if direction not in ("min", "max"):
            raise ConfigError(f"direction: expected 'min' or 'max', received {direction!r}")
        return direction == "max"
    if any(word in objective for word in SMALLER):
        return False
    if any(word in objective for word in LARGER):
        return True
    raise ConfigError(
        f"objective: {objective!r} does not say what is better: give direction='min' or 'max'"
    )
