"""`make release-check`: what `make package` built, installed as users install it, runs.

The programs beside this file are run with the wheel on every CPython from 3.11 that this machine
has, on the site's Pyodide, and (farcall alone) on npm's newest; an example is opened with npm's
newest PyScript. Nothing here is part of `make test`: it installs much, and what is newest changes.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.browser.test_examples import CDN, EXPECTED, PYSCRIPT, PYSCRIPTS_OWN, shown
from tools import package
from tools.package import ROOT

HERE = Path(__file__).resolve().parent
NEWEST = ROOT / "build" / "release"
OURS = ROOT / "static" / "vendor" / "pyodide" / "pyodide.mjs"


def run(*command, folder=HERE):
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def starts(path):
    return subprocess.run([path, "-V"], capture_output=True, check=False).returncode == 0


def cpythons():
    """Return the CPythons from 3.11 on that start: on the path, and those that pyenv keeps."""
    kept = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = {}
    for name in (f"python3.{minor}" for minor in range(11, 30)):
        for path in [shutil.which(name), *kept.glob(f"*/bin/{name}")]:
            if path and starts(path):
                found.setdefault(name, path)
    return found


CPYTHONS = cpythons()


@pytest.fixture(scope="session")
def packages():
    return package.build()


@pytest.fixture(scope="session")
def newest():
    """Folder with the newest Pyodide and PyScript of npm, below the repository."""
    shutil.rmtree(NEWEST, ignore_errors=True)
    NEWEST.mkdir(parents=True)
    (NEWEST / "package.json").write_text("{}")
    names = ("pyodide@latest", "@pyscript/core@latest")
    run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *names, folder=NEWEST)
    return NEWEST / "node_modules"


def test_the_same_sources_make_the_same_packages(packages, tmp_path):
    again = package.build(tmp_path / "again")
    assert [path.name for path in again] == [path.name for path in packages]
    for one, other in zip(packages, again, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_the_wheel_holds_the_three_packages_and_nothing_of_the_page(packages):
    wheel = package.wheel()
    assert wheel.name.endswith("-py3-none-any.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "farcall", "federation", "nn"
    }  # fmt: skip
    for name in ("farcall", "federation", "nn"):
        assert f"{name}/py.typed" in names
    assert {"nn/kernels/wasm/relaxed.wasm", "nn/kernels/wasm/simd.wasm"} <= set(names)
    assert "nn/kernels/src/gemm.c" in names


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", CPYTHONS)
def test_the_wheel_works_on_a_cpython(packages, tmp_path, name):
    run(CPYTHONS[name], "-m", "venv", tmp_path / "v")
    mine = tmp_path / "v" / "bin" / "python"
    pip = [mine, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    run(*pip, package.wheel())
    assert "a call, a callback, an error" in run(mine, HERE / "rpc.py")
    stubs = run(mine, "-m", "farcall.stubs", "rpc:Library")
    assert "class RemoteLibrary(Protocol)" in stubs
    run(*pip, f"{package.wheel()}[nn]")
    assert "numpy kernels" in run(mine, HERE / "engine.py")
    run(*pip, f"{package.wheel()}[kernels]")
    cache = ["env", f"XDG_CACHE_HOME={tmp_path / 'cache'}", mine]
    assert str(tmp_path / "cache" / "farcall") in run(*cache, "-m", "nn.kernels.build")
    assert "native kernels" in run(*cache, HERE / "engine.py", "compiled")


@pytest.mark.timeout(900)
def test_a_federation_s_server_comes_with_the_extra(packages, tmp_path):
    run(sys.executable, "-m", "venv", tmp_path / "v")
    mine = tmp_path / "v" / "bin" / "python"
    pip = [mine, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    run(*pip, f"{package.wheel()}[federation]")
    assert "usage" in run(mine, "-m", "federation.server", "--help")


@pytest.mark.timeout(300)
def test_the_wheel_works_on_the_pyodide_of_the_site(packages):
    pyodide = ["node", HERE / "pyodide.mjs", OURS, package.wheel()]
    assert "a call, a callback, an error" in run(*pyodide, HERE / "rpc.py")
    assert "simd kernels" in run(*pyodide, HERE / "engine.py", "numpy")


@pytest.mark.timeout(300)
def test_farcall_works_on_the_newest_pyodide(packages, newest):
    pyodide = newest / "pyodide" / "pyodide.mjs"
    said = run("node", HERE / "pyodide.mjs", pyodide, package.wheel(), HERE / "rpc.py")
    assert "a call, a callback, an error" in said
    sys.stdout.write(said)


@pytest.mark.timeout(300)
def test_an_example_runs_with_the_newest_pyscript(newest, site, open_page):
    """Both interpreters are npm's newest Pyodide: PyScript's own choice lies on a CDN."""
    folder = f"{site.url}{newest.relative_to(ROOT).as_posix()}"
    for path in sorted((ROOT / "examples" / "01-callback").iterdir()):
        text = path.read_text().replace(PYSCRIPT, f"{folder}/@pyscript/core/dist/core.js")
        text = text.replace('type="mpy"', 'type="py"')
        if path.name == "config.toml":
            text = f'interpreter = "{folder}/pyodide/pyodide.mjs"\n{text}'
        assert CDN not in text
        site.replace(path.relative_to(ROOT).as_posix(), text)
    page = open_page(f"{site.url}examples/01-callback/index.html")
    page.wait_for_phase("ready")
    expected = EXPECTED["01-callback"]
    assert {element: shown(page, element) for element in expected} == expected
    said = [entry["message"] for entry in page.console()]
    assert [text for text in said if not re.search(PYSCRIPTS_OWN, text)] == []
