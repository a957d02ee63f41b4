"""A GPU of the browser, by WebGPU: the one module of `nn.gpu` that meets JavaScript.

On CPython it imports without it; `open` is for a browser's worker or page.
"""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import numpy as np

from nn.errors import ConfigError, DeviceLostError
from nn.gpu.plan import Plan
from nn.types import Array


async def open(emulated: bool) -> tuple[Adapter | None, str]:
    """Return the fastest GPU, or None and why there is none."""
    try:
        import js
    except ModuleNotFoundError:
        return None, "WebGPU is in browsers; this Python runs in none"
    driver = js.eval(Path(__file__).with_name("driver.js").read_text())()
    found = await driver.open(emulated)
    if not hasattr(found, "device"):
        return None, str(found.reason)
    made = Adapter(driver, found.device, str(found.name), int(found.largest))
    made.emulated = bool(found.emulated)
    return made, ""


class Adapter:
    """A device of the browser.

    Attributes:
        largest: bytes of the largest buffer.
        emulated: whether the browser emulates it.
    """

    emulated = False

    def __init__(self, driver: Any, device: Any, name: str, largest: int) -> None:
        self.name, self.largest = name, largest
        self._driver, self._device = driver, device

    async def record(self, plan: Plan) -> Recorded:
        """Make a plan on the device; its kernels are compiled side by side.

        Raises:
            ConfigError: a buffer of the plan is larger than the device allows, or it has no room
                for all of them.
            DeviceLostError: the device is gone.
        """
        name = max(plan.buffers, key=plan.buffers.__getitem__)
        if plan.buffers[name] > self.largest:
            raise ConfigError(
                f"{self.name}: expected buffers of at most {self.largest} bytes, received "
                f"{plan.buffers[name]} ({name}); a smaller batch_size needs less"
            )
        from pyodide.ffi import JsException

        try:
            made = await self._driver.record(self._device, plan.to_json())
        except JsException as error:
            raise DeviceLostError(f"{self.name} was lost ({error.message})") from error
        if hasattr(made, "full"):
            raise ConfigError(
                f"{self.name}: expected room for {plan.bytes} bytes ({made.full}); a smaller "
                "batch_size needs less"
            )
        return Recorded(made, plan, self.name)

    async def reopen(self) -> tuple[Adapter | None, str]:
        """Return the browser's GPU opened again, or None and why it can't be."""
        return await open(self.emulated)


class Recorded:
    """A plan on the device."""

    def __init__(self, recorded: Any, plan: Plan, device: str) -> None:
        from pyodide.ffi import JsException, to_js

        self._to_js, self._failure, self._device = to_js, JsException, device
        self._recorded, self._plan = recorded, plan
        # A look-up on a JavaScript object costs as much as a call.
        self._write, self._run = recorded.write, recorded.run

    def write(self, name: str, array: Array) -> None:
        """Copy an array into a buffer, from its beginning on."""
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        if data.size % 4:
            data = np.concatenate([data, np.zeros(-data.size % 4, np.uint8)])
        self._write(name, self._to_js(data))

    def run(self, numbers: Array) -> Awaitable[Array]:
        """Start a step for each row of numbers; returns what can be awaited for their results."""
        return self._landed(self._run(self._to_js(numbers.reshape(-1))), len(numbers))

    async def _landed(self, promise: Any, steps: int) -> Array:
        return (await self._floats(promise)).reshape(steps, -1)

    async def read(self, name: str) -> Array:
        """Return a buffer's content.

        Raises:
            DeviceLostError: the device is gone.
        """
        return await self._floats(self._recorded.read(name))

    async def _floats(self, promise: Any) -> Array:
        try:
            data = await promise
        except self._failure as error:
            raise DeviceLostError(f"{self._device} was lost ({error.message})") from error
        return np.frombuffer(data.to_py(), np.float32)

    def destroy(self) -> None:
        """Release the device's memory."""
        self._recorded.destroy()
