// `pairing(driver, exposer)`, each js, py or mpy, runs behaviours.json and gives what became of each
// case. The interpreters and the far realms of an exposer start once and serve all of its drivers.
import { detachable, emitter, noted } from "./adapters.mjs";
import { drivingSide, exposingSide } from "./sides.mjs";

const PATIENCE = 10_000 * (globalThis.slowness ?? 1); // as tests/support/limit.py measures
const START = 90_000; // ms for an interpreter on a busy machine
const query = new URLSearchParams(location.search);
const files = query.get("files").split(",");
const hostQuery = (language) => `?language=${language}&files=${files}`;

function within(promise, what, limit = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${limit} ms`)), limit);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
const tick = () => new Promise((resolve) => setTimeout(resolve, 2));
async function until(condition) {
  while (!(await condition())) await tick();
}

// Control messages to the far realm; replies come in order.
class Far {
  constructor(source, post) {
    this.source = source;
    this.post = post;
  }
  hear(kind) {
    return new Promise((resolve, reject) => {
      const listener = ({ data }) => {
        if (data?.control !== kind) return;
        this.source.removeEventListener("message", listener);
        if (data.error) reject(new Error(data.error));
        else resolve(data.value);
      };
      this.source.addEventListener("message", listener);
    });
  }
  ask(control, more = {}) {
    const answer = this.hear(control);
    this.post({ control, ...more });
    return answer;
  }
}

// What a driver may ask for, over one transport.
class Context {
  endpoint = null;
  constructor(far) { this.far = far; }
  until = until;
  async open(fixture) {
    await this.far.ask("expose", { fixture });
    this.endpoint = detachable(this.far.source, this.far.post);
    return this.endpoint;
  }
  async broadcast(fixture) {
    const channel = crypto.randomUUID();
    await this.far.ask("broadcast", { fixture, channel });
    return joined(new BroadcastChannel(channel));
  }
  flag = (name) => this.far.ask("flag", { name });
  collectHere = async () => globalThis.gc?.();
  leaks = () => this.far.ask("leaks");
  close() { this.endpoint?.detach(); }
}

// A worker's answer may overtake the news, in the browser's process, that it has joined a channel.
async function joined(channel) {
  let heard = false;
  channel.addEventListener("message", ({ data }) => { heard ||= data?.pong === true; });
  while (!heard) {
    channel.postMessage({ ping: true });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return channel;
}

class Channel extends Context {
  constructor(side) {
    super(null);
    this.side = side;
  }
  async open(fixture) {
    const { port1, port2 } = new MessageChannel();
    await this.side.open(fixture, port2);
    return port1;
  }
  async emitter(fixture) {
    const { port1, port2 } = new MessageChannel();
    await this.side.openEmitter(fixture, emitter(port2));
    return emitter(port1);
  }
  async broadcast(fixture) {
    const channel = crypto.randomUUID();
    await this.side.open(fixture, new BroadcastChannel(channel));
    return new BroadcastChannel(channel);
  }
  flag = async (name) => this.side.flag(name);
  leaks = async () => this.side.leaks();
}

class InWorker extends Context {
  async whole(fixture) {
    await this.far.ask("whole", { fixture });
    return this.far.worker;
  }
}

class InIframe extends Context {
  async window(fixture) {
    this.here = noted();
    await this.far.ask("window", { fixture });
    return { peer: this.far.window, origin: location.origin };
  }
  close() {
    super.close();
    this.here?.detach();
  }
  async intruderIsAnswered(fixture, allowed) {
    const origin = otherOrigin();
    const frame = document.createElement("iframe");
    const far = new Far(window, (message) => frame.contentWindow.postMessage(message, origin));
    const ready = far.hear("intruder-ready");
    Object.assign(frame, { name: "intruder", src: new URL("intruder.html", origin + location.pathname) });
    document.body.append(frame);
    await ready;
    await this.far.ask("intruder", { fixture, origin, allowed: allowed ?? [origin] });
    const answered = far.hear("intruder-answered");
    far.post({ attack: this.far.name });
    try { return await answered; } finally { frame.remove(); }
  }
}

function otherOrigin() {
  const other = new URL(location.origin);
  other.hostname = other.hostname === "localhost" ? "127.0.0.1" : "localhost";
  return other.origin;
}

async function startWorker(language) {
  const worker = new Worker(`host.mjs${hostQuery(language)}`, { type: "module" });
  const far = new Far(worker, (message, transfer) => worker.postMessage(message, transfer ?? []));
  far.worker = worker;
  await far.hear("ready");
  return new InWorker(far);
}

async function startIframe(language) {
  const frame = document.createElement("iframe");
  const far = new Far(window, (message, transfer) => far.window.postMessage(message, location.origin, transfer));
  const ready = far.hear("ready");
  far.name = `host-${language}`;
  Object.assign(frame, { name: far.name, src: `host.html${hostQuery(language)}` });
  document.body.append(frame);
  far.window = frame.contentWindow;
  await ready;
  return new InIframe(far);
}

const TRANSPORTS = {
  channel: async (language) => new Channel(await exposingSide(language, files)),
  worker: startWorker,
  iframe: startIframe,
};

// What both sides hold, as text; a behaviour must leave no more than it found.
async function held(driver, context) {
  return [...(await driver.leaks()), ...(await context.leaks())].join(", ");
}
async function letsGo(driver, context, before) {
  let now;
  const clean = async () => (now = await held(driver, context)) === before;
  await within(until(clean), "letting go").catch(() => { throw new Error(`held ${before}, then ${now}`); });
}

async function runOne(driver, number, context) {
  try {
    const before = await held(driver, context);
    await within(driver.run(number, context), "the behaviour");
    context.close();
    await letsGo(driver, context, before);
    return "ok";
  } catch (error) {
    return String(error?.stack ?? error);
  }
}

const contexts = new Map();
function contextOf(transport, language) {
  const name = `${transport} of ${language}`;
  const start = () => within(TRANSPORTS[transport](language), `starting the ${name}`, START);
  if (!contexts.has(name)) contexts.set(name, start().catch((error) => error));
  return contexts.get(name);
}

async function pairing(driving, exposing) {
  const behaviours = await (await fetch("behaviours.json")).json();
  const driver = await drivingSide(driving, files);
  const results = {};
  for (const transport of Object.keys(TRANSPORTS)) {
    const context = await contextOf(transport, exposing);
    for (const [number, , where] of behaviours) {
      if (where !== "any" && where !== transport) continue;
      const failed = context instanceof Error ? String(context) : null;
      results[`${transport}-${number}`] = failed ?? (await runOne(driver, number, context));
      window.partial = results;
    }
  }
  return results;
}

window.pairing = (driving, exposing) => {
  window.results = null;
  pairing(driving, exposing).then(
    (results) => { window.results = results; },
    (error) => { window.results = { failed: String(error.stack ?? error) }; },
  );
};
