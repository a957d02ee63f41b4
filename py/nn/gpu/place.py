"""Where the steps of a run are taken: on a device, on the device opened again, or on the CPU.

A device may be lost at any time. It is opened again once in a run, the weights that came home last
are sent, and the steps since then are repeated. After another loss the CPU repeats them and goes
on.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable

import numpy as np

from nn.errors import ConfigError, DeviceLostError
from nn.gpu import devices
from nn.gpu.compiler import Source
from nn.gpu.samples import Item, Samples
from nn.gpu.session import Session
from nn.gpu.trial import Trial
from nn.types import Array


class _Unfit(Exception):
    """The device is not to train this model; the message says why."""


class Place:
    """Where the steps of a run are taken.

    Args:
        samples: the data of the run.

    Attributes:
        here: whether it is the CPU.
        since: the items of the steps that are done and whose weights are not at home.
        size: samples of the plan's steps.
        layout: where they lie on the device.
        finite: whether all weights were, when they came home last.
    """

    def __init__(self, samples: Samples) -> None:
        self.samples, self.trainer = samples, samples.trainer
        self.here, self.finite = False, True
        self.since: list[Item] = []
        self.size, self.layout = 0, Source()
        self._session: Session | None = None
        self._lost = False
        self._seed = 0

    async def begin(self, first: Item, rng: np.random.Generator | None) -> None:
        """Begin an epoch, with its data and the model's weights in place.

        Args:
            first: the epoch's first item.
            rng: the generator that draws its order, before it did.

        Raises:
            ConfigError: the device has no room for the plan, and no other is allowed.
        """
        self.since.clear()
        self._seed = _seed(rng)
        if self.here:
            return
        try:
            if self._session is None:
                await self._open(first)
            self.send()
        except DeviceLostError as error:
            await self.recover(error, first)
        except ConfigError as error:
            if self.trainer.device == "gpu":
                raise
            await self._stay_here(error)
        except _Unfit as error:
            await self._stay_here(error)

    async def _open(self, first: Item) -> None:
        """Make the plan on the device, and try it.

        Raises:
            ConfigError: the device has no room for the plan.
            _Unfit: it computes something else than the CPU, or is slower and need not be used.
        """
        samples, adapter = self.samples, devices.opened()
        trainer = self.trainer
        self.size, self.layout = samples.layout(first)
        session = self._session = Session(
            samples.model, self.size, self.layout, emulated=adapter.emulated
        )
        trainer.runs_on = f"{adapter.name}: compiling {len(session.plan.kernels)} kernels"
        session.attach(await adapter.record(session.plan))
        trainer.runs_on = f"{adapter.name}: trying a step"
        trial = Trial(samples, session)
        fault = await trial.fault(first)
        if fault is not None:
            raise _Unfit(f"{adapter.name}: {fault}")
        if samples.resident:
            samples.send_data(session)
        if self.trainer.device == "auto" and not self._lost:
            self.send()
            there, here = await trial.seconds(first)
            if here < there:
                raise _Unfit(
                    f"{adapter.name} takes {there * 1e3:.3g} ms for a step of {self.size} samples, "
                    f"the CPU {here * 1e3:.3g}"
                )
        trainer.runs_on = adapter.name

    def send(self) -> None:
        """Send the model's weights and the epoch's order."""
        session = self._session
        if session is None:
            return
        session.run_seed = self._seed
        session.send()
        if self.samples.resident:
            session.write("order", self.samples.order)

    def fits(self, item: Item) -> bool:
        """Return whether the plan has room for a step; the first one makes it."""
        return self.here or self.samples.resident or not self.size or item.size <= self.size

    def start(self, items: list[Item]) -> Awaitable[Array]:
        """Start a block of steps on the device; returns what to await for their results.

        Raises:
            DeviceLostError: when awaited.
        """
        session, samples = self._session, self.samples
        assert session is not None
        if not samples.resident:
            samples.send_batch(session, items[0])
        return session.steps([samples.places(item) for item in items])

    async def sync(self) -> None:
        """Bring the weights home, once everything that was started is done."""
        if self._session is None or not self.since:
            return
        try:
            self.finite = await self._session.fetch()
            self.since.clear()
        except DeviceLostError as error:
            await self.recover(error, self.since[0])
            await self.sync()
        if not self.finite:
            self.trainer.track(math.nan, 1)

    async def recover(self, error: Exception, first: Item) -> None:
        """Repeat what was done since the weights were home, on the device opened again or here."""
        self.close()
        if not self._lost:
            self._lost = True
            try:
                await devices.reopen()
                await self._open(first)
                self.send()
                size = 16 if self.samples.resident else 1
                for at in range(0, len(self.since), size):
                    await self.start(self.since[at : at + size])
                return
            except (DeviceLostError, ConfigError, _Unfit) as second:
                error = second
        await self._stay_here(error)

    async def _stay_here(self, why: Exception) -> None:
        """Have the CPU train from now on."""
        self.close()
        trainer = self.trainer
        self.here, trainer.runs_on = True, f"cpu: {why}"
        means = trainer.get_state()
        for item in self.since:
            trainer.train_step(*self.samples.whole(item))
            await asyncio.sleep(0)
        trainer.set_state(means)
        self.since.clear()

    def close(self) -> None:
        """Release the device's memory."""
        if self._session is not None:
            self._session.close()
            self._session = None


def _seed(rng: np.random.Generator | None) -> int:
    """Return the seed of an epoch's draws, from the generator's state before the epoch: a resumed
    epoch has the same."""
    if rng is None:
        return 0
    twin = type(rng.bit_generator)()
    twin.state = rng.bit_generator.state
    return int(twin.random_raw()) & 0xFFFFFFFF
