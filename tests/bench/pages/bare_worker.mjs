// Loads the page's Pyodide, imports NumPy and runs it once.
import { loadPyodide } from "../../../static/vendor/pyodide/pyodide.mjs";

const pyodide = await loadPyodide({ packages: ["numpy"] });
self.postMessage(pyodide.runPython("import numpy as np; float((np.ones((64, 64)) @ np.ones((64, 64))).sum())"));
