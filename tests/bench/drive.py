"""How the harness talks to a peer: a page in Chromium or a process, one call at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from tests.support.chromium import Page

ROOT = Path(__file__).resolve().parent.parent.parent
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
CALL = """
const [operation, given, done] = arguments;
const call = () => window.call
    ? window.call(operation, given).then(done, (error) => done({error: String(error)}))
    : setTimeout(call, 20);
call();
"""


class Peer(Protocol):
    """Whoever answers the loop's operations."""

    def call(self, operation: str, **given: Any) -> dict[str, Any]:
        """Run one operation and give its result."""

    def close(self) -> None:
        """End the peer."""


class PeerError(RuntimeError):
    """A peer failed; the text names it and says what it said."""


class PagePeer:
    """A peer in a dedicated worker of a page of its own, without COOP and COEP."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.page = Page()
        self.page.set_script_timeout(120)
        self.page.get(url)

    def call(self, operation: str, **given: Any) -> dict[str, Any]:
        """Run one operation in the worker.

        Raises:
            PeerError: it failed there; the text has the page's console too.
        """
        answer = self.page.execute_async_script(CALL, operation, given)
        if "error" in answer:
            raise PeerError(f"{self.name}: {answer['error']}\n{self.page.console_text()}")
        result: dict[str, Any] = answer["result"]
        return result

    def close(self) -> None:
        """Quit the browser."""
        self.page.quit()


class ProcessPeer:
    """A peer in a native process: a JSON line in, a JSON line out."""

    def __init__(self, name: str, module: str, data: Path, threads: int = 1) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, **dict.fromkeys(THREADS, str(threads))},
            text=True,
        )

    def call(self, operation: str, **given: Any) -> dict[str, Any]:
        """Run one operation in the process.

        Raises:
            PeerError: the process ended; its traceback is on stderr.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"operation": operation, "arguments": given}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise PeerError(f"{self.name}: the process ended with {self.process.wait(10)}")
        result: dict[str, Any] = json.loads(line)
        return result

    def close(self) -> None:
        """End the process by ending its input."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it ended by itself
            self.process.stdin.close()
        self.process.wait(30)
