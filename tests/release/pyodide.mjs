// Run a Python program in Pyodide in node, with the wheel installed from its address:
//   node pyodide.mjs PATH/pyodide.mjs WHEEL PROGRAM [PACKAGE ...]
import { readFileSync } from "node:fs";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [runtime, wheel, program, ...packages] = process.argv.slice(2);
const { loadPyodide, version } = await import(pathToFileURL(runtime));
const pyodide = await loadPyodide();
const quietly = { messageCallback: () => {} };
for (const name of [...packages, pathToFileURL(wheel).href]) {
  await pyodide.loadPackage(name, quietly);
}
pyodide.FS.mkdirTree("/program");
pyodide.FS.writeFile("/program/program.py", readFileSync(program));
await pyodide.runPythonAsync(`
import sys
sys.path.insert(0, "/program")
sys.argv = ["program.py", "compiled"]
import program
await program.main()
`);
console.log(`Pyodide ${version}`);
