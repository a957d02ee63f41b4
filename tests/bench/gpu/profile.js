// Milliseconds of each dispatch of a plan (nn/gpu/driver.js) by the GPU's own clock: a pass for each,
// so a little slower than in one pass.
"use strict";
async (device, { calls, numbers, stepGroup }, bytes, rounds) => {
  const RESOLVE = 0x200, COPY_SRC = 0x4, COPY_DST = 0x8, MAP_READ = 0x1;
  const count = calls.length;
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 * count });
  const resolved = device.createBuffer({ size: 16 * count, usage: RESOLVE | COPY_SRC });
  const totals = new Float64Array(count);
  for (let round = 0; round <= rounds; round++) {
    device.queue.writeBuffer(numbers, 0, bytes);
    const encoder = device.createCommandEncoder();
    calls.forEach(({ pipeline, group, groups }, i) => {
      const pass = encoder.beginComputePass({ timestampWrites: {
        querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1,
      } });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.setBindGroup(1, stepGroup, [0]);
      pass.dispatchWorkgroups(...groups);
      pass.end();
    });
    encoder.resolveQuerySet(querySet, 0, 2 * count, resolved, 0);
    const staging = device.createBuffer({ size: 16 * count, usage: MAP_READ | COPY_DST });
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16 * count);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(1);
    const times = new BigUint64Array(staging.getMappedRange().slice(0));
    staging.destroy();
    if (round > 0)
      for (let i = 0; i < count; i++) totals[i] += Number(times[2 * i + 1] - times[2 * i]) / 1e6;
  }
  querySet.destroy();
  resolved.destroy();
  return calls.map(({ name, groups }, i) => ({ name, groups, ms: totals[i] / rounds }));
};
