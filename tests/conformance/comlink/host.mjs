// The far realm, a worker or an iframe: exposes fixtures as the page's control messages say.
import { detachable, noted } from "./adapters.mjs";
import { exposingSide } from "./sides.mjs";

const query = new URL(import.meta.url).searchParams.size
  ? new URL(import.meta.url).searchParams
  : new URLSearchParams(location.search);
const inWorker = typeof window === "undefined";
const toPage = (message, transfer) =>
  inWorker ? postMessage(message, transfer) : parent.postMessage(message, location.origin, transfer);
const side = exposingSide(query.get("language"), query.get("files").split(","));
let current = null;

async function listening(open) {
  current?.detach();
  current = noted();
  try { await open(await side); } finally { current.over(); }
}

const CONTROLS = {
  async expose({ fixture }) {
    current?.detach();
    current = detachable(globalThis, toPage);
    (await side).open(fixture, current);
  },
  whole({ fixture }) {
    return listening((far) => far.open(fixture, globalThis));
  },
  window({ fixture }) {
    return listening((far) => far.openWindow(fixture, parent, location.origin, [location.origin]));
  },
  intruder({ fixture, origin, allowed }) {
    return listening((far) => far.openWindow(fixture, parent.frames.intruder, origin, allowed));
  },
  async broadcast({ fixture, channel }) {
    const here = new BroadcastChannel(channel);
    here.addEventListener("message", ({ data }) => data?.ping && here.postMessage({ pong: true }));
    (await side).open(fixture, here);
  },
  async flag({ name }) {
    return (await side).flag(name);
  },
  async leaks() {
    return (await side).leaks();
  },
};

addEventListener("message", async ({ data, source, origin }) => {
  if (data?.ping) return source?.postMessage({ pong: data.ping }, origin);
  if (!data?.control) return;
  try {
    toPage({ control: data.control, value: await CONTROLS[data.control](data) });
  } catch (error) {
    toPage({ control: data.control, error: String(error) });
  }
});
side.then(
  () => toPage({ control: "ready" }),
  (error) => toPage({ control: "ready", error: String(error.stack ?? error) }),
);
