"""Run a gateway: `python -m federation.server --superlink http://127.0.0.1:8000 --port 8001`."""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn

from federation.server.connection import Connection
from federation.server.gateway import Gateway
from federation.server.limits import MIB, Limits


def options(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    usual = Limits()
    parser = argparse.ArgumentParser(prog="python -m federation.server", description=__doc__)
    parser.add_argument("--superlink", default="http://127.0.0.1:8000", help="its address")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--origin", action="append", default=[], dest="origins",
                        help="of pages that may join; by default those of this port")  # fmt: skip
    parser.add_argument("--token", default="", help="what those who join must know")
    parser.add_argument("--folder", type=Path, help="files for everybody beside the calls")
    parser.add_argument("--certificate", type=Path, help="PEM, for https; with --key")
    parser.add_argument("--key", type=Path, help="PEM of the certificate's key")
    parser.add_argument("--objects", type=int, default=usual.objects, help="in one reply")
    parser.add_argument("--reply", type=int, default=usual.reply // MIB, help="MiB of one reply")
    parser.add_argument("--rate", type=float, default=usual.rate,
                        help="registrations in a second from one address")  # fmt: skip
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    given = options(words)
    scheme = "https" if given.certificate else "http"
    own = [f"{scheme}://{host}:{given.port}" for host in ("127.0.0.1", "localhost")]
    limits = Limits(objects=given.objects, reply=given.reply * MIB, rate=given.rate)
    gateway = Gateway(given.superlink, given.origins or own, given.token, limits)
    uvicorn.run(
        gateway.application(given.folder), host=given.host, port=given.port, ws="none",
        http=Connection, log_level="warning", access_log=False, ssl_certfile=given.certificate,
        ssl_keyfile=given.key, server_header=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
