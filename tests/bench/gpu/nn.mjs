// The engine as on a page: Python in Pyodide, here in node. `loop.py` is what is called.
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export const create = async (folder) => {
  const { loadPyodide } = await import(new URL("runtime/pyodide.js", import.meta.url).href);
  const python = await loadPyodide({ indexURL: here("runtime/"), stdout: console.error });
  await python.loadPackage("numpy", { messageCallback: () => {} });
  for (const [name, root] of [["/code", here("py/")], ["/data", folder]]) {
    python.FS.mkdirTree(name);
    python.FS.mount(python.FS.filesystems.NODEFS, { root }, name);
  }
  python.runPython("import sys; sys.path.insert(0, '/code')");
  const loop = python.pyimport("gpu_loop");
  await loop.open();
  const call = (name) => async (given) => JSON.parse(await loop.call(name, JSON.stringify(given)));
  return Object.fromEntries(["load", "train", "profile", "operation"].map((name) => [name, call(name)]));
};
