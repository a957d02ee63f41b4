"""Install the packages that a group of make targets needs into .venv and node_modules.

    python3 tools/environment.py serve | vendor | federation | test | bench | package | docs

`vendor` is the first step of `test`: the Python packages of `serve` and all npm packages, so that
node_modules is not replaced after files are copied from it.

The system's Python runs this program before anything is installed. A stamp file records the
installed pins, so that a second run does nothing and needs no network.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - report an unsupported Python
    raise SystemExit("Python 3.11 or newer is needed, this is " + sys.version)

import hashlib
import os
import shutil
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
GROUPS = {"serve": ["serve"], "vendor": ["serve"], "federation": ["serve", "federation"],
          "test": ["serve", "federation", "test"],
          "bench": ["serve", "federation", "test", "bench"],
          "package": ["serve", "package"], "docs": ["serve", "docs"]}  # fmt: skip
# What takes long to import for the first time, and each of the processes of tests imports.
IMPORTED = "flwr, h5py, hypothesis, IPython, jax, keras, onnx, onnxruntime, selenium.webdriver"


def main(group: str) -> None:
    install_python(group)
    install_node(ROOT, development=group != "serve")
    if group == "bench":
        install_node(ROOT / "tests" / "bench", development=True)


def install_python(group: str) -> None:
    pins = pinned(group)
    stamp = VENV / "farcall.stamp"
    content = [f"{sys.version_info.major}.{sys.version_info.minor}", *pins]
    before = stamp.read_text().split("\n") if stamp.is_file() else []
    if set(content) <= set(before):
        return
    if not (VENV / "bin" / "python").is_file():
        say(f"creating .venv with Python {sys.version.split()[0]}")
        run([sys.executable, "-m", "venv", str(VENV)], "install python3-venv (Debian, Ubuntu)")
    say(f"installing {len(pins)} pinned Python packages into .venv")
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    # Not compiled by pip: only a small part of the installed modules is ever imported.
    options = ["--no-compile", "--progress-bar", "on"]
    run([*pip, "install", *options, *pins], "is the network there?")
    if "test" in GROUPS[group]:
        run([str(VENV / "bin" / "python"), "-c", f"import {IMPORTED}"], "a package is broken")
    if before[:1] == content[:1]:  # what other groups installed is there still
        named = {pin.split("==")[0] for pin in pins}
        content += [pin for pin in before[1:] if pin.split("==")[0] not in named]
    stamp.write_text("\n".join(content))


def pinned(group: str) -> list[str]:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    return [pin for name in GROUPS[group] for pin in groups[name]]


def install_node(folder: Path, *, development: bool) -> None:
    """Install the packages of a folder's package-lock.json, the development ones if asked."""
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".farcall.stamp"
    wanted = {f"{lock} site", f"{lock} development"} if development else {f"{lock} site"}
    if stamp.is_file() and wanted <= set(stamp.read_text().split("\n")):
        return
    if (folder / "node_modules").is_symlink():
        raise SystemExit("setup: node_modules is a link; npm ci would empty its target")
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit(
            "setup: npm is not installed: it brings the runtimes (apt-get install npm)"
        )
    say(f"installing npm packages for {folder.name}, checked against package-lock.json")
    omit = [] if development else ["--omit=dev"]
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", *omit]
    run(command, "see npm's output above", folder)
    stamp.write_text("\n".join(sorted(wanted)))


def run(command: list[str], hint: str, folder: Path = ROOT) -> None:
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    status = subprocess.run(command, cwd=folder, env=environment, check=False).returncode
    if status:
        raise SystemExit(f"setup: `{' '.join(command[:6])}` failed ({status}): {hint}")


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    if sys.argv[1:2] == [] or sys.argv[1] not in GROUPS:
        raise SystemExit(f"usage: environment.py {' | '.join(GROUPS)}")
    main(sys.argv[1])
