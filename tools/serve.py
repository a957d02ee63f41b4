"""Serve the folder as plain static files, like any static host."""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO, NoReturn

ROOT = Path(__file__).resolve().parent.parent

# Listed here because many operating systems' tables lack .mjs and .wasm.
MIME_TYPES = {
    "": "application/octet-stream",
    ".css": "text/css",
    ".gz": "application/gzip",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".py": "text/x-python",
    ".svg": "image/svg+xml",
    ".toml": "application/toml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".whl": "application/zip",
    ".zip": "application/zip",
}

LAST_PORT = 65_535
OF_PORTS = (errno.EADDRINUSE, errno.EACCES, errno.EPERM)
"""Errors that another port may mend; the others are of the host."""


class StaticHandler(SimpleHTTPRequestHandler):
    """Serves files with the right MIME type, cacheable but revalidated before use."""

    protocol_version = "HTTP/1.1"
    extensions_map = MIME_TYPES
    etag: str | None = None

    def send_head(self) -> BinaryIO | None:
        self.etag = None
        path = Path(self.translate_path(self.path))
        # Looked at decoded: %2egit is .git, and no file's name has a %00.
        parts = path.relative_to(self.directory).parts
        if any(part.startswith(".") or "\0" in part for part in parts):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        if path.is_file():
            self.etag = entity_tag(path)
        if self.etag and self.headers.get("If-None-Match") == self.etag:
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.end_headers()
            return None
        return super().send_head()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        if self.etag:
            self.send_header("ETag", self.etag)
        super().end_headers()

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: object) -> None:
        """Log errors only, as a page makes 80 requests."""

    def log_error(self, format: str, *args: object) -> None:
        # What is no request has a line too, and whatever characters it likes.
        sys.stderr.write(f"{self.requestline!r}: {format % args}\n")


def entity_tag(path: Path) -> str:
    status = path.stat()
    return f'"{status.st_mtime_ns:x}-{status.st_size:x}"'


class StaticServer(ThreadingHTTPServer):
    """One thread per request. A browser that disconnects is not an error."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT)
    parser.add_argument("--host", default=os.environ.get("HOST") or "127.0.0.1")
    parser.add_argument("--port", default=os.environ.get("PORT") or "8000")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        refuse("folder", "a folder", options.folder)
    if not re.fullmatch("[0-9]{1,5}", options.port) or int(options.port) > LAST_PORT:
        refuse("port", f"a number from 0 to {LAST_PORT}", options.port)
    with listening(options.folder, options.host, int(options.port)) as server:
        print(f"serve: http://localhost:{server.server_port}/  (Ctrl+C stops)", flush=True)  # noqa: T201
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nserve: stopped")  # noqa: T201


def listening(folder: Path, host: str, port: int) -> StaticServer:
    """Return a server of a folder, which requests reach from now on."""
    try:
        return StaticServer((host, port), partial(StaticHandler, directory=str(folder)))
    except (OSError, UnicodeError) as error:
        if not isinstance(error, OSError) or error.errno not in OF_PORTS:
            refuse("host", "a name or an IPv4 address of this machine", host)
        other = port + 1 if 1024 <= port < LAST_PORT else 8000
        raise SystemExit(
            f"serve: cannot listen on {host}:{port}: {error.strerror}. "
            f"Choose another port: make serve PORT={other}"
        ) from None


def refuse(what: str, expected: str, received: object) -> NoReturn:
    """End with status 2, as for any argument that cannot be used."""
    sys.stderr.write(f"serve: {what}: expected {expected}, received {str(received)!r}\n")
    raise SystemExit(2)


if __name__ == "__main__":
    main()
