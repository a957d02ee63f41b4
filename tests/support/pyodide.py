"""Run Python in Pyodide, in a worker of an open browser, and return what it printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.site import Site
from tools.serve import ROOT

PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>Python</title>
<script>
window.python = (text, files, script) => {
  window.answer = null;
  const worker = new Worker("worker.mjs", {type: "module"});
  const done = (answer) => { window.answer = answer; worker.terminate(); };
  worker.onmessage = ({data}) => done(data);
  worker.onerror = (event) => done({out: "", error: event.message});
  worker.postMessage({text, files, script});
};
</script>"""

WORKER = """const root = new URL("../../", import.meta.url);
const copy = async (FS, name, path) => {
  const response = await fetch(new URL(path, root));
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  const target = `${FS.cwd()}/${name}`;
  FS.mkdirTree(target.slice(0, target.lastIndexOf("/")));
  FS.writeFile(target, new Uint8Array(await response.arrayBuffer()));
};
onmessage = async ({data: {text, files, script}}) => {
  const out = [];
  try {
    const {loadPyodide} = await import(`../../static/vendor/${script}`);
    const pyodide = await loadPyodide({stdout: (line) => out.push(line)});
    await pyodide.loadPackage("numpy", {messageCallback: () => {}});
    await Promise.all(files.map(([name, path]) => copy(pyodide.FS, name, path)));
    await pyodide.runPythonAsync(`import sys; sys.path.insert(0, ".")\\n${text}`);
    postMessage({out: out.join("\\n"), error: null});
  } catch (error) {
    postMessage({out: out.join("\\n"), error: String(error)});
  }
};
"""

KERNELS = ("relaxed.so", "simd.so")


def engine_files() -> dict[str, str]:
    """Name each file of nn, and the built kernels, as Python should see them: path in the site."""
    modules = (path.relative_to(ROOT) for path in sorted((ROOT / "py" / "nn").rglob("*.py")))
    files = {path.relative_to("py").as_posix(): path.as_posix() for path in modules}
    return files | {name: f"static/vendor/kernels/{name}" for name in KERNELS}


def open_python(site: Site, page: Any) -> None:
    """Open the page that `run` needs."""
    site.replace("tests/python/index.html", PAGE)
    site.replace("tests/python/worker.mjs", WORKER)
    page.get(f"{site.url}tests/python/index.html")


def run(
    page: Any, text: str, files: dict[str, str], timeout: float = 60, published: bool = False
) -> str:
    """Run `text` in a fresh interpreter with NumPy and `files` (name -> path in the site).

    It is the demo's, which has bytecode and no `unittest`, or Pyodide as published.

    Raises:
        AssertionError: it raised, or was not done in time; the message holds what it printed.
    """
    page.execute_script(
        "window.python(...arguments)",
        text,
        [list(pair) for pair in files.items()],
        "pyodide/pyodide.mjs" if published else "runtime/pyodide.js",
    )
    answer = page.until("window.answer", timeout, "the Python in the worker")
    assert answer["error"] is None, f"{answer['out']}\n{answer['error']}"
    return str(answer["out"])


def path_of(file: str) -> str:
    """Return the path in the site of a module's `__file__`."""
    return Path(file).resolve().relative_to(ROOT).as_posix()
