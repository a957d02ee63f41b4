// node peer.mjs NAME FOLDER [null]: an engine on the GPU that Dawn finds (npm's webgpu), one call a line.
//
// NAME is nn, tfjs or jaxjs; FOLDER has the networks and images of networks.py. With "null", Dawn records
// and checks every call and computes nothing: what is left is the engine's own work.
import process from "node:process";
import { createInterface } from "node:readline";
import { readFile } from "node:fs/promises";
import { create, globals } from "webgpu";

const [name, folder, backend] = process.argv.slice(2);
console.log = console.info = console.warn = console.debug = console.error; // stdout is for answers
Object.assign(globalThis, globals);
const exact = "disable-dawn-features=timestamp_quantization"; // times by the card's own clock, to the tick
const gpu = create(backend ? [exact, `backend=${backend}`] : [exact]);
const navigator = { gpu, userAgent: "node", hardwareConcurrency: 1 };
Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true, writable: true });

const bytes = async (file) => new Uint8Array(await readFile(`${folder}/${file}`));
const text = async (file) => JSON.parse(await readFile(`${folder}/${file}`, "utf8"));

// A network's layers, weights (name, shape, floats) in a layout, and the images.
export const data = async (network, layout) => {
  const floats = new Float32Array((await bytes(`${network}.${layout}.f32`)).buffer);
  const shapes = (await text(`${network}.shapes.json`))[layout];
  let at = 0;
  const weights = shapes.map((given) => {
    const [label, shape] = typeof given[0] === "string" ? given : ["", given];
    const size = shape.reduce((a, b) => a * b, 1);
    return { label, shape, values: floats.slice(at, (at += size)) };
  });
  const [images, labels] = [await bytes("images.u8"), await bytes("labels.u8")];
  return { network, layers: (await text("networks.json"))[network], weights, images, labels };
};

const batchOf = ({ images, labels }, batch, number) => {
  const first = (number % Math.floor(labels.length / batch)) * batch;
  const x = new Float32Array(batch * 784);
  for (let k = 0, from = first * 784; k < x.length; k++) x[k] = images[from + k] / 255;
  return [x, Int32Array.from(labels.subarray(first, first + batch))];
};

// The loop of an engine that takes one batch at a step, and reads the loss at every eighth.
class Stepped {
  constructor(engine) {
    this.engine = engine;
  }

  async load({ network, batch }) {
    if (network === "mobilenet_v2") throw new Error("fine-tuning is not written for this peer");
    this.given = await data(network, this.engine.layout);
    this.step = await this.engine.network(this.given, batch);
    this.number = 0;
    const losses = [];
    for (let i = 0; i < 10; i++) losses.push(await (await this.one(batch)).read());
    return { losses };
  }

  one(batch) {
    return this.step(...batchOf(this.given, batch, this.number++));
  }

  async train({ batch, seconds, every = 8 }) {
    const start = performance.now();
    let steps = 0, before;
    while (performance.now() - start < 1000 * seconds) {
      const loss = await this.one(batch);
      steps++;
      if (steps % every) {
        loss.drop();
        continue;
      }
      await before;
      before = loss.read();
    }
    await before;
    await (await this.one(batch)).read(); // steps after the last loss that was read end before this one
    steps++;
    return { steps, rate: (1000 * steps * batch) / (performance.now() - start) };
  }

  // Milliseconds of a single operation: many at a time, and the end awaited.
  async operation({ operation, seconds }) {
    const run = await this.engine.operation(operation);
    await run(2);
    const start = performance.now();
    let count = 0;
    while (performance.now() - start < 1000 * seconds) {
      await run(10);
      count += 10;
    }
    return { ms: (performance.now() - start) / count };
  }
}

const own = {
  info: async () => {
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) return { error: "Dawn finds no GPU" };
    const { vendor, architecture, device, description } = adapter.info;
    const said = [vendor, architecture, device, description].filter(Boolean).join(" ");
    return { adapter: said, node: process.version };
  },
  peak: async () => ({ tflops: await (await import("./peak.mjs")).peak(gpu) }),
};
const peer = name === "nn"
  ? await (await import("./nn.mjs")).create(folder)
  : new Stepped(await import(`./${name}.cjs`));
for await (const line of createInterface({ input: process.stdin })) {
  const { operation, arguments: given } = JSON.parse(line);
  const before = process.cpuUsage();
  let answer;
  try {
    answer = await (own[operation] ?? ((it) => peer[operation](it)))(given);
  } catch (error) {
    answer = { error: String(error.stack ?? error).slice(0, 2000) };
  }
  const { user, system } = process.cpuUsage(before);
  if (answer.steps) answer.host_ms = (user + system) / 1000 / answer.steps;
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
