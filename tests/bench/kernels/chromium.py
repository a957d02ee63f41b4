"""Run a Python file in Pyodide, in a worker of headless Chromium, and return what it printed.

    python tests/bench/kernels/chromium.py script.py [file or folder copied beside it ...]

The files given are written to Pyodide's working directory under their own names.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

ROOT = Path(__file__).resolve().parents[3]
VENDOR = ROOT / "static" / "vendor" / "pyodide"
LIMIT_S = 110  # Selenium's own connection gives up after 120

PAGE = """<!doctype html><meta charset="utf-8"><title>kernels</title><script>
window.run = (files, script) => new Promise((resolve, reject) => {
  const worker = new Worker("/__worker.mjs", {type: "module"});
  worker.onmessage = ({data}) => resolve(data);
  worker.onerror = (event) => reject(event.message);
  worker.postMessage({files, script});
});
</script>"""

WORKER = """import {loadPyodide} from "/pyodide.mjs";
onmessage = async ({data: {files, script}}) => {
  const out = [];
  try {
    const pyodide = await loadPyodide({indexURL: "/", stdout: (line) => out.push(line)});
    await pyodide.loadPackage("numpy", {messageCallback: () => {}});
    for (const [name, base64] of files) {
      const path = `${pyodide.FS.cwd()}/${name}`;
      pyodide.FS.mkdirTree(path.slice(0, path.lastIndexOf("/")));
      pyodide.FS.writeFile(path, Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
    }
    await pyodide.runPythonAsync(script);
    postMessage({out: out.join("\\n"), error: null});
  } catch (error) {
    postMessage({out: out.join("\\n"), error: String(error)});
  }
};
"""


TYPES = {".mjs": "text/javascript", ".wasm": "application/wasm"}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the vendored Pyodide and the two files above."""

    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | TYPES

    def do_GET(self) -> None:
        made = {"/__page.html": (PAGE, "text/html"), "/__worker.mjs": (WORKER, "text/javascript")}
        if self.path not in made:
            return super().do_GET()
        text, kind = made[self.path]
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@contextlib.contextmanager
def server() -> Iterator[str]:
    handler = functools.partial(Handler, directory=str(VENDOR))
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{site.server_port}"
    finally:
        site.shutdown()
        site.server_close()


@contextlib.contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    with tempfile.TemporaryDirectory() as profile:
        for flag in (
            "headless=new",
            "no-sandbox",
            "disable-quic",
            "no-first-run",
            "disable-background-networking",
            "disable-component-update",
            "disable-sync",
            f"user-data-dir={profile}",
        ):
            options.add_argument(f"--{flag}")
        driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        try:
            driver.set_script_timeout(LIMIT_S)
            yield driver
        finally:
            driver.quit()


def files_of(paths: list[Path]) -> list[tuple[str, str]]:
    """Name and base64 content of each file; folders are walked."""
    import base64

    found = []
    for path in paths:
        inner = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in inner:
            if file.is_file() and "__pycache__" not in file.parts:
                name = file.relative_to(path.parent).as_posix()
                found.append((name, base64.b64encode(file.read_bytes()).decode()))
    return found


def run(script: str, paths: list[Path]) -> str:
    """Run `script` in Pyodide with `paths` beside it.

    Raises:
        RuntimeError: the script raised; the message holds its output and traceback.
    """
    with server() as site, chromium() as driver:
        driver.get(f"{site}/__page.html")
        answer = driver.execute_async_script(
            "const [files, script, done] = arguments;"
            "window.run(files, script).then(done, (e) => done({out: '', error: String(e)}));",
            files_of(paths),
            script,
        )
    if answer["error"]:
        raise RuntimeError(f"{answer['out']}\n{answer['error']}")
    return str(answer["out"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("script", type=Path)
    parser.add_argument("paths", type=Path, nargs="*")
    parser.add_argument("--arguments", default="{}", help="JSON, the script's ARGUMENTS")
    options = parser.parse_args()
    head = f"ARGUMENTS = {json.loads(options.arguments)!r}\n"
    sys.stdout.write(run(head + options.script.read_text(), options.paths) + "\n")


if __name__ == "__main__":
    main()
