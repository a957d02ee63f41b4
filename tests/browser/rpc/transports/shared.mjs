// MicroPython in a SharedWorker: PyScript does not start one, farcall serves in it all the same.
const early = [];
const keep = (event) => early.push(event);
addEventListener("connect", keep);
const { loadMicroPython } = await import("../../../../static/vendor/micropython/micropython.mjs");
const url = (path) => new URL(path, import.meta.url).href;
const python = await loadMicroPython({ url: url("../../../../static/vendor/micropython/micropython.wasm") });
const config = await (await fetch(url("../mpy.toml"))).text();
for (const [, name] of config.matchAll(/ = "farcall\/([\w/]+\.(?:py|js))"/g)) {
  const folder = `farcall/${name}`.replace(/\/\w+\.\w+$/, "");
  for (const made of ["farcall", folder]) if (!python.FS.analyzePath(made).exists) python.FS.mkdir(made);
  const source = await (await fetch(url(`../../../../py/farcall/${name}`))).text();
  python.FS.writeFile(`farcall/${name}`, source);
}
await python.runPythonAsync(`
import asyncio
import farcall
visits = []
def visit(name):
    visits.append(name)
    return visits
def seen():
    return visits
async def stay(name):
    visits.append(name + " arrived")
    try:
        await asyncio.sleep(1000)
    finally:
        visits.append(name + " left")
def fail():
    raise ValueError("asked")
async def relay(function):
    return await function()
farcall.serve_shared({"visit": visit, "visits": seen, "stay": stay, "fail": fail, "relay": relay})
`);
removeEventListener("connect", keep);
for (const event of early) dispatchEvent(new MessageEvent("connect", { ports: [...event.ports] }));
