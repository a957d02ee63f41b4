// This machine's f32x4 multiply-add peak in WebAssembly: independent chains, nothing but arithmetic.
// Twelve accumulators cover the unit's latency (4 cycles, 2 a cycle) and fit in 16 registers.
import { serve } from "./loop.mjs";

const CHAINS = 12, UNROLLED = 16;
const FLOPS = CHAINS * UNROLLED * 4 * 2;
const V128 = 0x7b, F32 = 0x7d, I32 = 0x7f;
const MADD = [0xfd, 0x85, 0x02];                            // f32x4.relaxed_madd
const MULTIPLY = [0xfd, 0xe6, 0x01], ADD = [0xfd, 0xe4, 0x01];

const number = (n) => n < 128 ? [n] : [n % 128 + 128, ...number(n >> 7)];
const vector = (items) => [...number(items.length), ...items.flat()];
const section = (id, bytes) => [id, ...vector(bytes)];
const get = (local) => [0x20, local];
const set = (local) => [0x21, local];
const splat = (local) => [...get(local), 0xfd, 0x13];

// (iterations: i32, a: f32, b: f32) -> f32; locals: 3 = a, 4 = b, then the accumulators.
const body = (relaxed) => {
    const chains = Array.from({ length: CHAINS }, (_, i) => 5 + i);
    const step = (c) => relaxed
        ? [...get(3), ...get(4), ...get(c), ...MADD, ...set(c)]
        : [...get(3), ...get(4), ...MULTIPLY, ...get(c), ...ADD, ...set(c)];
    // Different starts, otherwise equal chains would be one.
    const start = chains.flatMap((c) => [0x43, 0, 0, c, 0x3f, 0xfd, 0x13, ...set(c)]);
    const round = Array.from({ length: UNROLLED }, () => chains.flatMap(step)).flat();
    const sum = chains.flatMap((c, i) => [...get(c), 0xfd, 0x1f, 0, ...(i ? [0x92] : [])]);
    const loop = [0x03, 0x40, ...round, ...get(0), 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b];
    return [1, CHAINS + 2, V128, ...splat(1), ...set(3), ...splat(2), ...set(4), ...start, ...loop, ...sum, 0x0b];
};

const module = (relaxed) => {
    const code = body(relaxed);
    return new Uint8Array([
        0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
        ...section(1, [1, 0x60, 3, I32, F32, F32, 1, F32]),
        ...section(3, [1, 0]),
        ...section(7, [1, ...vector([...new TextEncoder().encode("run")]), 0, 0]),
        ...section(10, [1, ...vector(code)]),
    ]);
};

const relaxed = WebAssembly.validate(module(true));
const { instance } = await WebAssembly.instantiate(module(relaxed));
const { run } = instance.exports;

const measured = (iterations) => {
    const start = performance.now();
    run(iterations, 0.5, 0.25);
    return performance.now() - start;
};

// V8 compiles a hot function anew between calls, so the warm-up is many short ones.
const peak = ({ seconds }) => {
    for (let i = 0; i < 2000; i++) run(20, 0.5, 0.25);
    const iterations = 1_000_000, times = [];
    for (let spent = 0; spent < seconds * 1000; spent += times.at(-1)) times.push(measured(iterations));
    const median = times.sort((a, b) => a - b)[times.length >> 1];
    return { gflops: FLOPS * iterations / median / 1e6 };
};

serve(null, { relaxed }, { peak });
