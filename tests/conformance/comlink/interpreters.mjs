// Pyodide and MicroPython without PyScript: the suite's Python and py/farcall, written into their file systems.
const root = new URL("../../../", import.meta.url);
const here = new URL("./", import.meta.url);
const started = new Map();

const LOADERS = {
  async py() {
    const { loadPyodide } = await import(new URL("static/vendor/runtime/pyodide.js", root));
    return loadPyodide({ indexURL: new URL("static/vendor/runtime/", root).href });
  },
  async mpy() {
    const { loadMicroPython } = await import(new URL("static/vendor/micropython/micropython.js", root));
    return loadMicroPython({
      url: new URL("static/vendor/micropython/micropython.wasm", root).href,
      heapsize: 16 * 1024 * 1024,
      stdout: console.log,
      stderr: console.log,
    });
  },
};

async function install(python, files) {
  const texts = await Promise.all([
    ...files.map(async (name) => [`farcall/${name}`, await text(new URL(`py/farcall/${name}`, root))]),
    ...["fixtures.py", "behaviours.py", "faults.py"].map(async (name) => [name, await text(new URL(name, here))]),
  ]);
  for (const [path, source] of texts) write(python.FS, path, source);
}

function write(fs, path, source) {
  const folders = path.split("/").slice(0, -1);
  for (let i = 1; i <= folders.length; i++) {
    const folder = folders.slice(0, i).join("/");
    if (!fs.analyzePath(folder).exists) fs.mkdir(folder);
  }
  fs.writeFile(path, source);
}

async function text(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: status ${response.status}`);
  return response.text();
}

async function start(language, files) {
  const python = await LOADERS[language]();
  await install(python, files);
  return { python, side: (name) => side(python.pyimport(name)) };
}

// Python works in snake case and calls back; the suite's pages await.
function side(module) {
  const call = (name, values) =>
    new Promise((resolve, reject) => {
      const done = (error, value) => (error ? reject(new Error(error)) : resolve(value));
      module.call(name, values, done);
    });
  return {
    open: (...values) => call("open_fixture", values),
    openWindow: (...values) => call("open_window", values),
    openEmitter: (...values) => call("open_emitter", values),
    run: (...values) => call("run", values),
    flag: (...values) => call("flag", values),
    leaks: async () => JSON.parse(await call("leaks", [])),
  };
}

export function interpreter(language, files) {
  if (!started.has(language)) started.set(language, start(language, files));
  return started.get(language);
}
