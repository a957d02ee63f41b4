"""The published site: complete, hashed as browsers do, and small."""

import base64
import hashlib
import json
import re

import pytest

from tools import precache, site


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "repository"
    files = {
        "index.html": "<p>page",
        "manifest.webmanifest": "{}",
        "playground.html": "points",
        "playground.toml": "",
        "py/app/playground_worker.py": "three = 3",
        "static/playground.css": "q {}",
        "pyscript.toml": "",
        "worker.toml": "",
        "sw.js": "worker",
        "LICENSE": "licence",
        "README.md": "linked to",
        "examples/08-federation/learn/client_app.py": "when one joins",
        "examples/08-federation/learn/task.py": "when one joins",
        "examples/08-federation/learn/server_app.py": "not published",
        "tests/x.py": "not published",
        "py/a/__init__.py": "not published",
        "py/app/main.py": "one = 1",
        "py/app/worker.py": "two = 2",
        "static/style.css": "p {}",
        "static/vendor/pyscript/core.js": "core",
        "static/vendor/pyscript/xterm-1.js": "not published",
        "static/vendor/mnist/images.gz": "x" * 500,
        "static/vendor/mnist/.partial-x": "not published",
        "static/vendor/pyodide/pyodide.mjs": "not published",
        "static/vendor/runtime/pyodide.js": "runtime",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def listed(folder):
    """Return the service worker's list, read as JSON."""
    text = (folder / precache.TARGET).read_text()
    version = re.search(r'version: "(\w+)"', text)[1]
    return version, json.loads(text[text.index("files: ") + 7 : text.rindex("};") - 1])


def test_lists_what_the_page_needs_and_nothing_else(root):
    assert precache.published(root) == [
        "index.html",
        "manifest.webmanifest",
        "py/app/main.py",
        "py/app/worker.py",
        "pyscript.toml",
        "static/style.css",
        "static/vendor/mnist/images.gz",
        "static/vendor/pyscript/core.js",
        "static/vendor/runtime/pyodide.js",
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
    (root / "py/app/main.py").write_text("one = 2")
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
    later = precache.on_demand(root)
    assert "examples/08-federation/learn/task.py" in later
    assert {path for path in later if "playground" in path} == {
        "playground.html",
        "playground.toml",
        "py/app/playground_worker.py",
        "static/playground.css",
    }
    assert found == {*precache.published(root), *later, *site.ALONGSIDE, precache.TARGET}
    assert set(listed(target)[1]) == set(precache.published(root))


def test_the_picture_of_a_link_has_the_address_of_the_site(root, tmp_path):
    page = (site.ROOT / "index.html").read_text()
    assert page.count(site.CARD) == 1
    (root / "index.html").write_text(page)
    site.build(root, tmp_path / "dist", address="https://demo.example/farcall/")
    built = (tmp_path / "dist" / "index.html").read_text()
    assert 'og:image" content="https://demo.example/farcall/static/card.jpg"' in built
    site.build(root, tmp_path / "dist")
    assert (tmp_path / "dist" / "index.html").read_text() == page


def test_a_data_set_is_in_the_site_and_its_menu_only_where_it_was_asked_for(root, tmp_path):
    page = (site.ROOT / "index.html").read_text()
    (root / "index.html").write_text(page)
    made = root / "static/vendor/data/fashion/t10k-labels-idx1-ubyte.gz"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"labels")
    site.build(root, tmp_path / "dist")
    assert (tmp_path / "dist/index.html").read_text() == page
    assert not (tmp_path / "dist/static/vendor/data").exists()
    site.build(root, tmp_path / "dist", data=["fashion"])
    built = (tmp_path / "dist/index.html").read_text()
    assert site.ENTRY + '<option value="fashion">Fashion-MNIST</option>' in built
    assert (tmp_path / "dist" / made.relative_to(root)).is_file()
    assert made.relative_to(root).as_posix() not in listed(tmp_path / "dist")[1], "not kept offline"


def test_the_libraries_are_in_the_site_but_no_visit_of_the_page_fetches_them(root, tmp_path):
    for name in precache.LIBRARIES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"PK")
    before = site.first_visit(site.sizes(root))
    site.build(root, tmp_path / "dist")
    assert set(listed(tmp_path / "dist")[1]).isdisjoint(precache.LIBRARIES)
    assert all((tmp_path / "dist" / name).is_file() for name in precache.LIBRARIES)
    for name in precache.LIBRARIES:
        (root / name).write_bytes(bytes(range(256)))
    assert site.first_visit(site.sizes(root)) == before


def test_the_page_links_to_the_documents_where_they_are_built(root, tmp_path):
    pages = ("index.html", "playground.html")
    for page in pages:
        (root / page).write_text('<a href="./README.md">Docs</a>')
    (root / "build/docs").mkdir(parents=True)
    (root / "build/docs/index.html").write_text("documents")
    unpacker = "static/vendor/pyscript/zip-1.js"  # the page fetches none, its examples do
    (root / unpacker).write_text("unzip")
    target = tmp_path / "dist"
    site.build(root, target)
    assert 'href="./README.md"' in (target / "index.html").read_text()
    assert not (target / "docs").exists()
    site.build(root, target, docs=True)
    for page in pages:
        assert (target / page).read_text() == '<a href="./docs/index.html">Docs</a>'
    assert (target / "docs/index.html").read_text() == "documents"
    assert (target / unpacker).read_text() == "unzip"
    assert unpacker not in listed(target)[1]


def test_the_limit_counts_everything_but_the_data(root):
    measured = {"a.js": (10, 4_000_000), "b.js": (10, 4_999_999), "static/vendor/mnist/x": (1, 99)}
    assert "8,999,999 of at most 9,000,000" in site.table(measured)
    measured["c.js"] = (2, 2)
    with pytest.raises(site.TooLarge, match="9,000,001"):
        site.table(measured)


def test_what_does_not_shrink_moves_as_it_is():
    assert site.moved(b"abc") == 3
    assert site.moved(b"a" * 10_000) < 100


def test_the_repository_stays_under_the_limit_and_near_what_the_documents_state(tmp_path):
    site.build(precache.ROOT, tmp_path / "dist")
    moved = site.first_visit(site.sizes(tmp_path / "dist"))
    assert moved <= site.LIMIT
    for name, text in (
        ("README.md", r"\| Download, gzip, without data \| ([\d.]+) MB"),
        ("docs/compared.md", r"\| Download, gzip \| ([\d.]+) MB"),
        ("docs/hosting.md", r"([\d.]+) MB instead of"),
    ):
        [stated] = re.findall(text, (precache.ROOT / name).read_text())
        assert abs(float(stated) - moved / 1e6) < 0.5, name
