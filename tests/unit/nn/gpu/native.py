"""Plans on CPython, by PyPI's wgpu, on any Vulkan driver: here the SwiftShader of a Chromium."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, ClassVar

import numpy as np
import wgpu
from nn.errors import DeviceLostError
from nn.gpu.plan import SLOTS, Plan
from nn.gpu.wgsl.text import STEP_BYTES, STEP_SIZE

STORAGE = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST
UNIFORM = wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST
READ = wgpu.BufferUsage.MAP_READ | wgpu.BufferUsage.COPY_DST
COMPUTE = wgpu.ShaderStage.COMPUTE


def open_device() -> Any:
    """Return a device of the first Vulkan adapter, with WebGPU's default limits; None without."""
    found = [a for a in wgpu.gpu.enumerate_adapters_sync() if a.info["backend_type"] == "Vulkan"]
    return found[0].request_device_sync(required_limits={}) if found else None


class Recorded:
    """A plan made on a device. Pipelines are kept by the device, for plans that share kernels."""

    pipelines: ClassVar[dict[Any, Any]] = {}

    def __init__(self, device: Any, plan: Plan) -> None:
        self.device, self.plan = device, plan
        self.buffers = {
            name: device.create_buffer(size=size, usage=STORAGE, label=name)
            for name, size in plan.buffers.items()
        }
        self.numbers = device.create_buffer(size=SLOTS * STEP_BYTES, usage=UNIFORM)
        entry = {"type": "uniform", "has_dynamic_offset": True, "min_binding_size": STEP_SIZE}
        layout = device.create_bind_group_layout(
            entries=[{"binding": 0, "visibility": COMPUTE, "buffer": entry}]
        )
        self.step_group = device.create_bind_group(
            layout=layout,
            entries=[
                {
                    "binding": 0,
                    "resource": {"buffer": self.numbers, "offset": 0, "size": STEP_SIZE},
                }
            ],
        )
        made = [self._pipeline(kernel, layout) for kernel in plan.kernels]
        self.calls = [(made[k][1], self._group(made[k][0], names), g) for k, names, g in plan.steps]

    def _pipeline(self, kernel: Any, step_layout: Any) -> Any:
        held = self.pipelines.get((self.device, kernel))
        if held is None:
            kinds = ["storage" if w else "read-only-storage" for w in kernel.writes]
            layout = self.device.create_bind_group_layout(
                entries=[
                    {"binding": i, "visibility": COMPUTE, "buffer": {"type": kind}}
                    for i, kind in enumerate(kinds)
                ]
            )
            module = self.device.create_shader_module(code=kernel.code, label=kernel.name)
            pipeline = self.device.create_compute_pipeline(
                layout=self.device.create_pipeline_layout(bind_group_layouts=[layout, step_layout]),
                compute={"module": module, "entry_point": "main"},
            )
            held = self.pipelines[self.device, kernel] = layout, pipeline
        return held

    def _group(self, layout: Any, names: list[str]) -> Any:
        entries = [
            {
                "binding": i,
                "resource": {"buffer": self.buffers[n], "offset": 0, "size": self.buffers[n].size},
            }
            for i, n in enumerate(names)
        ]
        return self.device.create_bind_group(layout=layout, entries=entries)

    def write(self, name: str, array: Any) -> None:
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        if data.size % 4:
            data = np.concatenate([data, np.zeros(-data.size % 4, np.uint8)])
        with suppress(wgpu.GPUError):  # as in browsers, the next await says that it is lost
            self.device.queue.write_buffer(self.buffers[name], 0, data)

    def run(self, numbers: Any) -> Any:
        """Start the steps now; returns what can be awaited for their results."""
        try:
            staging = self._started(numbers)
        except wgpu.GPUError as error:
            return self._gone(error)
        return self._landed(staging, len(numbers))

    def _started(self, numbers: Any) -> Any:
        self.device.queue.write_buffer(self.numbers, 0, numbers)
        encoder = self.device.create_command_encoder()
        run = encoder.begin_compute_pass()
        for i in range(len(numbers)):
            run.set_bind_group(1, self.step_group, [i * STEP_BYTES])
            for pipeline, group, groups in self.calls:
                run.set_pipeline(pipeline)
                run.set_bind_group(0, group)
                run.dispatch_workgroups(*groups)
        run.end()
        size = 4 * len(numbers) * self.plan.results
        staging = self.device.create_buffer(size=size, usage=READ)
        encoder.copy_buffer_to_buffer(self.buffers["results"], 0, staging, 0, size)
        self.device.queue.submit([encoder.finish()])
        return staging

    async def _gone(self, error: Exception) -> Any:
        raise DeviceLostError(f"the device was lost ({error})") from error

    async def _landed(self, staging: Any, steps: int) -> Any:
        try:
            staging.map_sync(wgpu.MapMode.READ)
        except wgpu.GPUError as error:
            return await self._gone(error)
        results = np.frombuffer(bytes(staging.read_mapped()), np.float32)
        staging.destroy()
        return results.reshape(steps, -1)

    async def read(self, name: str) -> Any:
        try:
            return np.frombuffer(self.device.queue.read_buffer(self.buffers[name]), np.float32)
        except wgpu.GPUError as error:
            return await self._gone(error)

    def destroy(self) -> None:
        for buffer in self.buffers.values():
            buffer.destroy()


class Adapter:
    """A device as `nn.gpu.devices` knows one.

    Args:
        device: WebGPU's.
        emulated: whether it is to run the kernels for emulated devices, which are compiled in half
            of the time; it is one in any case.
    """

    def __init__(self, device: Any, emulated: bool = False) -> None:
        self.name = str(device.adapter.info["device"])
        self.device = device
        self.emulated = emulated
        self.plans: list[Plan] = []

    async def record(self, plan: Plan) -> Recorded:
        self.plans.append(plan)
        try:
            return Recorded(self.device, plan)
        except wgpu.GPUError as error:
            raise DeviceLostError(f"the device was lost ({error})") from error

    def lose(self) -> None:
        """Lose the device, as if its driver had stopped."""
        self.device.destroy()

    async def reopen(self) -> tuple[Adapter | None, str]:
        """Return the device opened again."""
        return Adapter(open_device(), self.emulated), ""
