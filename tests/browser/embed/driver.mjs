// A host page in JavaScript drives the demo in its frame through Comlink.
import * as Comlink from "../../../node_modules/comlink/dist/esm/comlink.mjs";

const element = document.querySelector("farcall-demo");
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function refusal(promise) {
  try {
    await promise;
    return "nothing was refused";
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

function bar() {
  const pixels = new Uint8Array(140 * 140 * 4);
  for (let row = 20; row < 120; row += 1) for (let column = 64; column < 76; column += 1) pixels[(row * 140 + column) * 4 + 3] = 255;
  return pixels;
}

async function until(states, phase) {
  while (states.at(-1)?.phase !== phase) await pause(10);
}

const cases = {
  async options(demo) {
    const wrong = [await refusal(demo.configure({ speed: 1 })), await refusal(demo.configure({ epochs: 0 }))];
    await demo.configure({ epochs: 1, subset: 2500, batch: 125, lr: 0.002 });
    const values = await demo.options();
    return [...wrong, ...["epochs", "subset", "batch", "lr", "seed"].map((name) => values[name])];
  },
  async training(demo) {
    const states = [];
    const slowly = async (state) => { await pause(50); states.push(state); }; // the run's end waits for it
    const epochs = await demo.train(Comlink.proxy(slowly));
    const { batch, phase } = states.at(-1);
    return [epochs.length, epochs[0].val_accuracy > 0.5, batch, phase, states.length > 1];
  },
  async predicting(demo) {
    const { probabilities } = await demo.predict(new Uint8Array(784));
    const drawn = await demo.read(bar(), 140);
    return [
      probabilities.length,
      Number(probabilities.reduce((a, b) => a + b).toFixed(3)),
      drawn.digit,
      await refusal(demo.predict(new Uint8Array(783))),
      await refusal(demo.predict(new Float32Array(784).fill(300))),
      await demo.read(new Uint8Array(400), 10),
    ];
  },
  async files(demo) {
    const octets = await demo.model("npz");
    return [new TextDecoder().decode(octets.subarray(0, 2)), octets.length > 100000, await refusal(demo.model("magic"))];
  },
  async steering(demo) {
    const states = [];
    await demo.configure({ epochs: 100 });
    await demo.follow(Comlink.proxy((state) => { states.push(state); }));
    const run = demo.train();
    await until(states, "training");
    const again = await refusal(demo.train());
    await demo.pause();
    await until(states, "paused");
    await demo.resume();
    await until(states, "training");
    await demo.stop();
    await run;
    await demo.unfollow();
    const seen = states.length;
    await demo.step();
    await demo.reset();
    return [again, (await demo.state()).phase, states.length - seen];
  },
  async refused(demo) {
    return [await refusal(demo.forget()), await refusal(demo.tell()), await refusal(demo._stage)];
  },
};

async function main() {
  const results = {};
  const sealed = element.getAttribute("sandbox") === "allow-scripts"; // its origin has no name then
  const target = sealed ? "*" : new URL(element.src).origin;
  const demo = Comlink.wrap(Comlink.windowEndpoint(element.frame.contentWindow, self, target));
  globalThis.demo = demo; // Comlink releases a proxy that is collected: the demo answers no more
  try {
    for (const [name, run] of Object.entries(cases)) results[name] = await run(demo);
  } catch (error) {
    results.failed = `${error.stack}`;
  }
  globalThis.results = JSON.stringify(results);
}

element.addEventListener("farcall-load", main, { once: true });
element.load();
