"""What is published: complete, hashed as browsers hash, and small."""

import base64
import hashlib
import io
import json
import re
import zipfile

import pytest

from tools import precache, site

WHEEL = "numpy-2.2.5-cp313-cp313-pyodide_2025_0_wasm32.whl"
MEMBERS = {
    "numpy/__init__.py": "import numpy._core",
    "numpy/__init__.pyi": "stub",
    "numpy/_core/x.so": "code",
    "numpy/_core/include/numpy/x.h": "header",
    "numpy/f2py/__init__.py": "fortran",
    "numpy-2.2.5.dist-info/RECORD": (
        "numpy/__init__.py,sha256=a,1\nnumpy/__init__.pyi,sha256=b,1\nnumpy/f2py/__init__.py,,\n"
    ),
}


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "repository"
    files = {
        "index.html": "<p>page",
        "manifest.webmanifest": "{}",
        "pyscript.toml": "",
        "worker.toml": "",
        "sw.js": "worker",
        "LICENSE": "licence",
        "README.md": "not published",
        "tests/x.py": "not published",
        "py/a/__init__.py": "one = 1",
        "py/a/__pycache__/x.pyc": "not published",
        "py/a/src/kernel.c": "not published",
        "py/a/src/kernel.h": "not published",
        "static/style.css": "p {}",
        "static/vendor/pyscript/core.js": "core",
        "static/vendor/pyscript/xterm-1.js": "not published",
        "static/vendor/mnist/images.gz": "x" * 500,
        "static/vendor/mnist/.partial-x": "not published",
        "static/vendor/pyodide/pyodide-lock.json": json.dumps(
            {"info": {}, "packages": {"numpy": {"file_name": WHEEL, "sha256": "old"}}}
        ),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "static/vendor/pyodide" / WHEEL).write_bytes(wheel())
    return folder


def wheel():
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, text in MEMBERS.items():
            archive.writestr(name, text)
    return body.getvalue()


def listed(folder):
    """The service worker's list, read as JSON."""
    text = (folder / precache.TARGET).read_text()
    version = re.search(r'version: "(\w+)"', text)[1]
    return version, json.loads(text[text.index("files: ") + 7 : text.rindex("};") - 1])


def test_lists_what_the_page_needs_and_nothing_else(root):
    assert precache.published(root) == [
        "index.html",
        "manifest.webmanifest",
        "py/a/__init__.py",
        "pyscript.toml",
        "static/style.css",
        "static/vendor/mnist/images.gz",
        f"static/vendor/pyodide/{WHEEL}",
        "static/vendor/pyodide/pyodide-lock.json",
        "static/vendor/pyscript/core.js",
        "worker.toml",
    ]


def test_hashes_as_browsers_do(root):
    precache.main(["--root", str(root)])
    digest = base64.b64encode(hashlib.sha256(b"<p>page").digest()).decode()
    assert listed(root)[1]["index.html"] == [digest, 7]


def test_the_version_changes_with_any_file_and_only_then(root):
    precache.main(["--root", str(root)])
    first = listed(root)[0]
    precache.main(["--root", str(root)])
    assert listed(root)[0] == first
    (root / "py/a/__init__.py").write_text("one = 2")
    precache.main(["--root", str(root)])
    assert listed(root)[0] != first


def test_a_missing_part_of_the_site_is_named(root):
    (root / "worker.toml").unlink()
    with pytest.raises(SystemExit, match=r"precache: worker\.toml"):
        precache.main(["--root", str(root)])


def test_the_site_is_what_is_listed_and_the_worker(root, tmp_path):
    target = tmp_path / "dist"
    (target / "old").mkdir(parents=True)
    site.build(root, target)
    found = {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()}
    assert found == {*precache.published(root), "sw.js", "LICENSE", precache.TARGET}
    assert set(listed(target)[1]) == set(precache.published(root))


def test_the_trimmed_wheel_is_the_one_its_lock_names(root, tmp_path):
    site.build(root, tmp_path / "dist")
    folder = tmp_path / "dist/static/vendor/pyodide"
    body = (folder / WHEEL).read_bytes()
    lock = json.loads((folder / "pyodide-lock.json").read_text())
    assert lock["packages"]["numpy"]["sha256"] == hashlib.sha256(body).hexdigest()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.namelist() == [
            "numpy/__init__.py",
            "numpy/_core/x.so",
            "numpy-2.2.5.dist-info/RECORD",
        ]
        assert archive.read("numpy-2.2.5.dist-info/RECORD") == b"numpy/__init__.py,sha256=a,1\n"
        assert archive.testzip() is None


def test_trimming_gives_the_same_bytes_each_time():
    assert site.trimmed(wheel()) == site.trimmed(wheel())


def test_the_limit_counts_everything_but_the_data(root):
    measured = {"a.js": (10, 4_000_000), "b.js": (10, 4_999_999), "static/vendor/mnist/x": (1, 99)}
    assert "8,999,999 of at most 9,000,000" in site.table(measured)
    measured["c.js"] = (2, 2)
    with pytest.raises(site.TooLarge, match="9,000,001"):
        site.table(measured)


def test_what_does_not_shrink_moves_as_it_is():
    assert site.moved(b"abc") == 3
    assert site.moved(b"a" * 10_000) < 100


def test_the_repository_stays_under_the_limit(tmp_path):
    site.build(precache.ROOT, tmp_path / "dist")
    assert site.first_visit(site.sizes(tmp_path / "dist")) <= site.LIMIT
