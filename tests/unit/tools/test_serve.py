"""The server acts like a static host, with the right types and revalidation."""

import http.client
import os
import subprocess
import sys
import time

import pytest

from tools import serve


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "index.html").write_text("<p>hello")
    (tmp_path / "sub").mkdir()
    (tmp_path / ".hidden").write_text("secret")
    for name in ("a.mjs", "a.wasm", "a.js", "a.toml", "a.whl", "a.gz", "a.json", "a.svg", "a.css"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.fixture
def served(folder):
    command = [sys.executable, "-m", "tools.serve", "--port", "0", "--folder", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=serve.ROOT)
    line = process.stdout.readline()
    yield int(line.split("localhost:")[1].split("/")[0])
    process.terminate()
    process.wait()
    process.stdout.close()


def get(port, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, response.headers, body


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.mjs", "text/javascript"),
        ("a.js", "text/javascript"),
        ("a.wasm", "application/wasm"),
        ("a.gz", "application/gzip"),
        ("a.css", "text/css"),
        ("a.svg", "image/svg+xml"),
    ],
)
def test_types_are_what_browsers_insist_on(served, name, kind):
    status, headers, body = get(served, f"/{name}")
    assert (status, headers["Content-Type"], body) == (200, kind, name.encode())
    assert "Content-Encoding" not in headers


def test_the_root_is_the_page(served):
    assert get(served, "/")[2] == b"<p>hello"


@pytest.mark.parametrize("path", ["/gone", "/sub/", "/.hidden", "/../serve.py", "/sub/../.hidden"])
def test_nothing_else_is_served(served, path):
    assert get(served, path)[0] == 404


def test_an_unchanged_file_moves_no_bytes_and_a_changed_one_is_new(served, folder):
    _, headers, _ = get(served, "/a.js")
    assert headers["Cache-Control"] == "no-cache"
    status, _, body = get(served, "/a.js", **{"If-None-Match": headers["ETag"]})
    assert (status, body) == (304, b"")
    (folder / "a.js").write_text("b.js")  # same length, same second
    os.utime(folder / "a.js", ns=(time.time_ns(), time.time_ns() + 1_000))
    status, _, body = get(served, "/a.js", **{"If-None-Match": headers["ETag"]})
    assert (status, body) == (200, b"b.js")


def test_a_taken_port_says_what_to_do(served):
    command = [sys.executable, "-m", "tools.serve", "--port", str(served)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=serve.ROOT, check=False)
    assert done.returncode == 1
    assert f"make serve PORT={served + 1}" in done.stderr
