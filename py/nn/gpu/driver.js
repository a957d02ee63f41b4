// Plans of training steps (nn.gpu) on WebGPU: in a browser's worker, and in node with Dawn.
// Evaluated once by browser.py; nothing from outside ever reaches it.
//
// A plan is data: buffers by name, kernels as text, a step's dispatches. A step is replayed; Python
// makes one call for up to 64 steps, whatever the number of dispatches.
"use strict";
() => {
  const MAP_READ = 0x1, COPY_SRC = 0x4, COPY_DST = 0x8, UNIFORM = 0x40, STORAGE = 0x80;
  // GPUShaderStage.COMPUTE, bytes of a float.
  const COMPUTE = 4, FLOATS = 4;

  // A browser whose GPU process has just started, or died, answers for a moment that there is no
  // adapter (Chromium: "Failed to create WebGPU Context Provider"): ask again after these times.
  const AGAIN_AFTER_MS = [100, 400, 1600];

  // A device of the fastest adapter, or why there is none. Default limits suffice but for the size of
  // buffers, which is asked for at what the adapter offers.
  const open = async (emulated, gpu = globalThis.navigator?.gpu) => {
    if (!gpu) return { reason: "this browser has no WebGPU" };
    for (const time of AGAIN_AFTER_MS) {
      const found = await opened(gpu, emulated);
      if (!found.again) return found;
      await new Promise((resolve) => setTimeout(resolve, time));
    }
    return opened(gpu, emulated);
  };

  const opened = async (gpu, accepted) => {
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) return { reason: "the browser offers no GPU", again: true };
    const info = adapter.info ?? {};
    const emulated = Boolean(info.isFallbackAdapter ?? adapter.isFallbackAdapter);
    if (emulated && !accepted)
      return { reason: "the browser offers only an emulated GPU, slower than the CPU" };
    const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
    const requiredFeatures = ["timestamp-query"].filter((name) => adapter.features.has(name));
    try {
      const device = await adapter.requestDevice({
        requiredFeatures, requiredLimits: { maxBufferSize, maxStorageBufferBindingSize },
      });
      const name = info.description || [info.vendor, info.architecture, info.device].filter(Boolean).join(" ");
      const largest = Math.min(maxBufferSize, maxStorageBufferBindingSize);
      return { device, name: name || "GPU", emulated, largest };
    } catch (error) {
      // The process of the GPU may have died between the two questions.
      return { reason: `the GPU was refused: ${error.message}`, again: true };
    }
  };

  // Device -> text of a kernel -> promise of {layout, pipeline}.
  const pipelines = new WeakMap();

  // Compile a kernel, unless the device has it: promise of {layout, pipeline}.
  const compiled = (device, stepLayout, { name, code, writes }) => {
    if (!pipelines.has(device)) pipelines.set(device, new Map());
    const held = pipelines.get(device);
    if (held.has(code)) return held.get(code);
    const layout = device.createBindGroupLayout({ entries: writes.map((written, binding) => ({
      binding, visibility: COMPUTE, buffer: { type: written ? "storage" : "read-only-storage" },
    })) });
    const made = device.createComputePipelineAsync({
      label: name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout, stepLayout] }),
      compute: { module: device.createShaderModule({ code, label: name }), entryPoint: "main" },
    }).then((pipeline) => ({ layout, pipeline }));
    held.set(code, made);
    return made;
  };

  const landed = async (device, staging) => {
    try {
      await staging.mapAsync(1);
    } catch (error) {
      // The reason of a loss may be known a moment later.
      const lost = device.lost.then(({ reason, message }) => `${reason}: ${message}`);
      const soon = new Promise((resolve) => { setTimeout(resolve, 500); });
      throw new Error(await Promise.race([lost, soon]) ?? error.message, { cause: error });
    }
    const bytes = new Uint8Array(staging.getMappedRange().slice(0));
    staging.destroy();
    return bytes;
  };

  // Make a plan on a device. All kernels are compiled side by side.
  const record = async (device, text) => {
    const plan = JSON.parse(text);
    const stepLayout = device.createBindGroupLayout({ entries: [{
      binding: 0, visibility: COMPUTE,
      buffer: { type: "uniform", hasDynamicOffset: true, minBindingSize: plan.stepSize },
    }] });
    const lost = device.lost.then(({ reason, message }) => { throw new Error(`${reason}: ${message}`); });
    // It is awaited below only while kernels are compiled.
    lost.catch(() => {});
    const kernels = plan.kernels.map((kernel) => compiled(device, stepLayout, kernel));
    const made = await Promise.race([Promise.all(kernels), lost]);
    device.pushErrorScope("out-of-memory");
    const buffers = Object.fromEntries(Object.entries(plan.buffers).map(([label, size]) =>
      [label, device.createBuffer({ label, size, usage: STORAGE | COPY_SRC | COPY_DST })]));
    const full = await device.popErrorScope();
    if (full) {
      for (const buffer of Object.values(buffers)) buffer.destroy();
      return { full: full.message };
    }
    const numbers = device.createBuffer({ size: plan.slots * plan.stepBytes, usage: UNIFORM | COPY_DST });
    const stepGroup = device.createBindGroup({ layout: stepLayout, entries: [
      { binding: 0, resource: { buffer: numbers, size: plan.stepSize } },
    ] });
    const calls = plan.steps.map(([kernel, names, groups]) => ({
      name: plan.kernels[kernel].name, pipeline: made[kernel].pipeline, groups,
      group: device.createBindGroup({ layout: made[kernel].layout, entries: names.map((name, binding) => (
        { binding, resource: { buffer: buffers[name] } })) }),
    }));

    // Submit the commands and what reads a buffer after them; resolves with its bytes.
    const submitted = (encoder, name, size) => {
      const staging = device.createBuffer({ size, usage: MAP_READ | COPY_DST });
      encoder.copyBufferToBuffer(buffers[name], 0, staging, 0, size);
      device.queue.submit([encoder.finish()]);
      return landed(device, staging);
    };

    return {
      write: (name, bytes) => device.queue.writeBuffer(buffers[name], 0, bytes),

      // Replay a step for each plan.stepBytes of `bytes`; resolves with the results of these steps.
      run: (bytes) => {
        const steps = bytes.byteLength / plan.stepBytes;
        device.queue.writeBuffer(numbers, 0, bytes);
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        for (let i = 0; i < steps; i++) {
          pass.setBindGroup(1, stepGroup, [i * plan.stepBytes]);
          for (const { pipeline, group, groups } of calls) {
            pass.setPipeline(pipeline);
            pass.setBindGroup(0, group);
            pass.dispatchWorkgroups(...groups);
          }
        }
        pass.end();
        return submitted(encoder, "results", steps * plan.results * FLOATS);
      },

      read: (name) => submitted(device.createCommandEncoder(), name, buffers[name].size),

      // What the bench times dispatch by dispatch.
      calls, numbers, stepGroup,

      destroy: () => {
        for (const buffer of [numbers, ...Object.values(buffers)]) buffer.destroy();
      },
    };
  };

  return { open, record };
};
