// What the card's float32 units can do at most through WebGPU: a loop of nothing but multiply-adds.
const LOOPS = 4096, THREADS = 256, GROUPS = 8192, CHAINS = 8;

const CODE = `
@group(0) @binding(0) var<storage, read_write> out: array<vec4<f32>>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let a = vec4<f32>(f32(id.x & 7u) * 1e-9 + 0.999999);
  let b = vec4<f32>(f32(id.x & 3u) * 1e-9);
  ${Array.from({ length: CHAINS }, (_, k) => `var x${k} = vec4<f32>(f32(id.x + ${k}u) * 1e-6);`).join("\n  ")}
  for (var i = 0u; i < ${LOOPS}u; i++) {
    ${Array.from({ length: CHAINS }, (_, k) => `x${k} = fma(x${k}, a, b);`).join("\n    ")}
  }
  let sum = ${Array.from({ length: CHAINS }, (_, k) => `x${k}`).join(" + ")};
  if (sum.x == 12345.678) { out[0] = sum; }
}`;

// TFLOP/s, by the device's own clock.
export const peak = async (gpu) => {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  const device = await adapter.requestDevice({ requiredFeatures: ["timestamp-query"] });
  const pipeline = await device.createComputePipelineAsync({
    layout: "auto", compute: { module: device.createShaderModule({ code: CODE }), entryPoint: "main" },
  });
  const buffer = (size, usage) => device.createBuffer({ size, usage });
  const [out, times, read] = [buffer(256, 0x80), buffer(16, 0x204), buffer(16, 0x9)];
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer: out } }],
  });
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 });
  let best = Infinity;
  for (let round = 0; round < 8; round++) {
    const encoder = device.createCommandEncoder();
    const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
    const pass = encoder.beginComputePass({ timestampWrites });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(GROUPS);
    pass.end();
    encoder.resolveQuerySet(querySet, 0, 2, times, 0);
    encoder.copyBufferToBuffer(times, 0, read, 0, 16);
    device.queue.submit([encoder.finish()]);
    await read.mapAsync(1);
    const [start, end] = new BigUint64Array(read.getMappedRange().slice(0));
    read.unmap();
    best = Math.min(best, Number(end - start) / 1e9);
  }
  device.destroy();
  return (2 * 4 * CHAINS * LOOPS * THREADS * GROUPS) / best / 1e12;
};
