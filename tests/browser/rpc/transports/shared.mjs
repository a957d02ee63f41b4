// MicroPython in a SharedWorker: PyScript does not start one, farcall serves in it all the same.
const early = [];
const keep = (event) => early.push(event);
addEventListener("connect", keep);
const { loadMicroPython } = await import("../../../../static/vendor/micropython/micropython.js");
const url = (path) => new URL(path, import.meta.url).href;
const python = await loadMicroPython({ url: url("../../../../static/vendor/micropython/micropython.wasm") });
// The page's bundle: path, NUL, source, NUL, path ...
const parts = (await (await fetch(url("../../../../static/vendor/python/farcall.txt"))).text()).split("\0");
for (let i = 0; i < parts.length; i += 2) {
  const folders = parts[i].split("/").slice(0, -1);
  if (folders[0] !== "farcall") continue;
  for (let depth = 1; depth <= folders.length; depth++) {
    const made = folders.slice(0, depth).join("/");
    if (!python.FS.analyzePath(made).exists) python.FS.mkdir(made);
  }
  python.FS.writeFile(parts[i], parts[i + 1]);
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
