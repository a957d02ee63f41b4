// Run tools/bytecode.py in the Pyodide that the page runs: only it writes bytecode of its own version.
import { loadPyodide } from "pyodide";
import { readFileSync } from "node:fs";

const root = new URL("../", import.meta.url).pathname;
// Line numbers stay in the bytecode, columns do not: a fifth of its size (tools/bytecode.py).
const python = await loadPyodide({ args: ["-X", "no_debug_ranges"] });
python.mountNodeFS("/site", root);
try {
  python.runPython(readFileSync(`${root}tools/bytecode.py`, "utf8"));
} catch (error) {
  console.error(error.message); // not the stack: it quotes a megabyte of minified code
  process.exit(1);
}
