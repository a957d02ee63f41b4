r"""A static site on this machine that can be made to misbehave, file by file.

site = Site(prefix="/docs/demo/", headers={"Cross-Origin-Opener-Policy": "same-origin"})
site.faults["static/vendor/mnist/train-images*"] = Truncated(1000)
site.replace("py/app/worker.py", lambda text: "raise ValueError('boom')\n" + text)
"""

from __future__ import annotations

import io
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from tools.serve import ROOT, StaticHandler, StaticServer


@dataclass
class Fault:
    """What happens to a file instead of being served; `times` GETs long, or always.

    A page that looks by HEAD for what is wrong meets a fault, and uses up nothing of it.
    """

    times: int | None = field(default=None, kw_only=True)

    def used_up(self, command: str) -> bool:
        if self.times == 0:
            return True
        if self.times is not None and command == "GET":
            self.times -= 1
        return False

    def apply(self, handler: SiteHandler, body: bytes) -> None:
        raise NotImplementedError


@dataclass
class Status(Fault):
    """The file answers with this HTTP status."""

    code: int = 503

    def apply(self, handler: SiteHandler, body: bytes) -> None:
        handler.send_error(self.code)


@dataclass
class Missing(Fault):
    """The file answers 404."""

    def apply(self, handler: SiteHandler, body: bytes) -> None:
        handler.send_error(HTTPStatus.NOT_FOUND)


@dataclass
class Corrupt(Fault):
    """Bytes of the file are flipped, its length stays."""

    at: int = 100
    count: int = 64

    def apply(self, handler: SiteHandler, body: bytes) -> None:
        at = min(self.at, max(0, len(body) - self.count))
        flipped = bytes(byte ^ 0x5A for byte in body[at : at + self.count])
        handler.send_body(body[:at] + flipped + body[at + self.count :])


@dataclass
class Truncated(Fault):
    """The connection breaks after `keep` bytes; with `honest` the shorter length is announced."""

    keep: int = 1000
    honest: bool = False

    def apply(self, handler: SiteHandler, body: bytes) -> None:
        kept = body[: self.keep]
        handler.send_body(kept, announced=len(kept if self.honest else body))
        handler.close_connection = True


@dataclass
class Slow(Fault):
    """The file trickles: `chunk` bytes, then `delay` seconds of nothing."""

    chunk: int = 65_536
    delay: float = 0.05

    def apply(self, handler: SiteHandler, body: bytes) -> None:
        handler.send_body(body, pace=self)


@dataclass
class Unpacked(Fault):
    """Browsers unpack the file, as it is sent with `Content-Encoding: gzip`."""

    def apply(self, handler: SiteHandler, body: bytes) -> None:
        handler.send_body(body, encoding="gzip")


@dataclass
class Hangs(Fault):
    """The server never answers, until the site closes."""

    def apply(self, handler: SiteHandler, body: bytes) -> None:
        handler.site.closing.wait(600)
        handler.close_connection = True


@dataclass
class Held(Fault):
    """The server answers, perhaps an error, once `go` is set: until then a page is where a test
    looks at it."""

    go: threading.Event = field(default_factory=threading.Event)
    code: int = 200

    def apply(self, handler: SiteHandler, body: bytes) -> None:
        while not (self.go.wait(0.05) or handler.site.closing.is_set()):
            pass
        if self.code == 200:
            handler.send_body(body)
        else:
            handler.send_error(self.code)


@dataclass
class Request:
    """A GET that is being answered; HEAD moves nothing and is not recorded.

    It is noted, and its bytes are counted, before they are sent: a test that has awaited what a
    page fetched finds them, however late this server's thread goes on.
    """

    path: str  # relative to the site's prefix
    status: int
    sent: int = 0  # bytes of body


class SiteHandler(StaticHandler):
    site: Site
    status = 0
    name: str | None = None
    noted: Request | None = None

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.name = self.noted = None
        path = unquote(urlsplit(self.path).path)
        if not path.startswith(self.site.prefix):
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        name = path[len(self.site.prefix) :] or "index.html"
        self.path = "/" + name
        self.name = name
        self.serve(name)

    def serve(self, name: str) -> None:
        fault = self.site.fault(name, self.command)
        content = self.site.content(name)
        if fault is not None:
            fault.apply(self, content or b"")
        elif name in self.site.replaced and content is not None:
            self.send_body(content)
        elif self.command == "HEAD":
            super().do_HEAD()
        else:
            super().do_GET()

    def guess_type(self, path: str | os.PathLike[str]) -> str:
        return self.site.types.get(Path(path).suffix) or super().guess_type(path)

    def send_response(self, code: int, message: str | None = None) -> None:
        self.status = int(code)
        super().send_response(code, message)

    def end_headers(self) -> None:
        for name, value in self.site.headers.items():
            self.send_header(name, value)
        if self.command == "GET" and self.name is not None:
            self.noted = Request(self.name, self.status)
            self.site.requests.append(self.noted)
        super().end_headers()

    def send(self, part: bytes) -> None:
        """Send a part of the body, counted."""
        if self.noted is not None:
            self.noted.sent += len(part)
        self.wfile.write(part)

    def copyfile(self, source: BinaryIO, outputfile: BinaryIO) -> None:  # type: ignore[override]
        while chunk := source.read(65_536):
            self.send(chunk)

    def send_body(
        self,
        body: bytes,
        *,
        announced: int | None = None,
        pace: Slow | None = None,
        encoding: str = "",
    ) -> None:
        self.etag = None
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", self.guess_type(self.path))
        self.send_header("Content-Length", str(len(body) if announced is None else announced))
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.end_headers()
        if self.command == "HEAD":
            return
        chunk = pace.chunk if pace else 65_536
        source = io.BytesIO(body)
        while part := source.read(chunk):
            self.send(part)
            if pace:
                time.sleep(pace.delay)

    def log_error(self, format: str, *args: object) -> None:
        """Faults are ordered: `requests` says what happened."""


class SiteServer(StaticServer):
    """Knows its connections: browsers keep them open, and `Site.close()` must cut them."""

    def __init__(self, *arguments: Any) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Site:
    """A threaded static server on a free port of 127.0.0.1, over `folder` (the repository).

    `faults`, `types`, `headers` and `replaced` may be changed while it runs; keys of `faults`
    are paths relative to the prefix, or patterns (`*` matches slashes too).
    """

    def __init__(
        self,
        folder: Path = ROOT,
        *,
        prefix: str = "/",
        headers: dict[str, str] | None = None,
        types: dict[str, str] | None = None,
        faults: dict[str, Fault] | None = None,
    ) -> None:
        self.folder = folder
        self.prefix = "/" + prefix.strip("/") + "/" if prefix.strip("/") else "/"
        self.headers = headers or {}
        self.types = types or {}
        self.faults = faults or {}
        self.replaced: dict[str, bytes] = {}
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self.port = 0
        self.server: SiteServer | None = None
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    def open(self) -> None:
        """Serve again after `close()`, on the same port."""
        self.closing.clear()
        handler = type("Handler", (SiteHandler,), {"site": self})
        self.server = SiteServer(
            ("127.0.0.1", self.port),
            lambda *arguments: handler(*arguments, directory=str(self.folder)),
        )
        self.port = self.server.server_port
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def close(self) -> None:
        """Refuse every connection from now on, as a machine without network does."""
        self.closing.set()
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server.cut()
            self.server = None

    def replace(self, name: str, change: bytes | str | Callable[[str], str]) -> None:
        """Serve other bytes under this name; a function gets today's text."""
        if callable(change):
            change = change((self.folder / name).read_text())
        self.replaced[name] = change.encode() if isinstance(change, str) else change

    def content(self, name: str) -> bytes | None:
        if name in self.replaced:
            return self.replaced[name]
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None

    def fault(self, name: str, command: str) -> Fault | None:
        for pattern, fault in self.faults.items():
            if fnmatchcase(name, pattern) and not fault.used_up(command):
                return fault
        return None
