"""The server acts like a static host, with the right types and revalidation."""

import errno
import http.client
import os
import socket
import subprocess
import sys
import time

import pytest

from tests.support.limit import granted
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
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=granted(10))
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


OTHERS = [
    "/gone", "/sub/", "/.hidden", "/../serve.py", "/sub/../.hidden", "/%2ehidden",
    "/sub/..%2f.hidden", "/sub%2f..%2f%2ehidden", "/%00", "/a.js%00", "/%ff%fe",
]  # fmt: skip


@pytest.mark.parametrize("path", OTHERS)
def test_nothing_else_is_served(served, path):
    assert get(served, path)[0] == 404


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"garbage", b"400"),
        (b"GET / HTTP/9.9", b"505"),
        (b"GET /" + b"a" * 70_000, b"414"),
        (b"POST / HTTP/1.1", b"501"),
    ],
)
def test_what_is_no_request_for_a_file_is_refused_in_a_line(served, line, status):
    with socket.create_connection(("127.0.0.1", served), timeout=granted(10)) as connection:
        connection.sendall(line + b"\r\n\r\n")
        with connection.makefile("rb") as answer:
            said = answer.read()
    assert status in said


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


@pytest.mark.parametrize(
    ("words", "variables", "said"),
    [
        (["--port", "99999"], {}, "port: expected a number from 0 to 65535, received '99999'"),
        (["--port", "-1"], {}, "port: expected a number from 0 to 65535, received '-1'"),
        (["--port", "65536"], {}, "port: expected a number from 0 to 65535, received '65536'"),
        (["--port", "1e3"], {}, "port: expected a number from 0 to 65535, received '1e3'"),
        (["--port", "8_0"], {}, "port: expected a number from 0 to 65535, received '8_0'"),
        (["--port", ""], {}, "port: expected a number from 0 to 65535, received ''"),
        ([], {"PORT": "abc"}, "port: expected a number from 0 to 65535, received 'abc'"),
        ([], {"PORT": "99999"}, "port: expected a number from 0 to 65535, received '99999'"),
        (["--folder", "gone"], {}, "folder: expected a folder, received 'gone'"),
        (["--folder", "README.md"], {}, "folder: expected a folder, received 'README.md'"),
        (["--host", "no.such.host.invalid"], {}, "host: expected a name or an IPv4 address of"),
        (["--host", "a..b"], {}, "host: expected a name or an IPv4 address of this machine, rec"),
        (["--host", "x" * 99], {}, "host: expected a name or an IPv4 address of this machine, re"),
        (["--host", "192.0.2.1"], {}, "host: expected a name or an IPv4 address of this machine,"),
        (["--host", "::1"], {}, "host: expected a name or an IPv4 address of this machine, rec"),
        ([], {"HOST": "a..b"}, "host: expected a name or an IPv4 address of this machine, receiv"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_line_with_status_2(words, variables, said):
    port = [] if "PORT" in variables or "--port" in words else ["--port", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "tools.serve", *port, *words],
        capture_output=True,
        text=True,
        cwd=serve.ROOT,
        env={**os.environ, **variables},
        timeout=granted(60),
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"serve: {said}")
    assert done.stderr.count("\n") == 1
    assert not done.stdout


@pytest.mark.parametrize(("port", "other"), [(65535, 8000), (80, 8000), (8000, 8001)])
def test_the_port_that_is_offered_in_place_of_a_taken_one_is_a_port(
    port, other, folder, monkeypatch
):
    def taken(*arguments):
        raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr(serve, "StaticServer", taken)
    with pytest.raises(SystemExit, match=f"make serve PORT={other}$"):
        serve.main(["--port", str(port), "--folder", str(folder)])
