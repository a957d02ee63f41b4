"""Firefox, driven over WebDriver BiDi: Debian packages the browser but not its geckodriver.

The protocol is JSON over one WebSocket that Firefox itself opens
(https://www.w3.org/TR/webdriver-bidi/), so no driver program is needed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import websocket

from tests.support.limit import Limit, granted
from tests.support.view import View, preload

# No address but this machine's exists, and nothing is asked of Mozilla's servers.
PREFERENCES = {
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "127.0.0.1, localhost",
    "network.proxy.allow_hijacking_localhost": False,
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "remote.active-protocols": 1,
}


class Firefox(View):
    """One headless Firefox with a fresh profile, gone after `quit()`.

    Args:
        preferences: of about:config, beside ours.
    """

    def __init__(self, preferences: dict[str, Any] | None = None) -> None:
        self.profile = tempfile.mkdtemp(prefix="firefox-")
        chosen = PREFERENCES | (preferences or {})
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in chosen.items()]
        Path(self.profile, "user.js").write_text("\n".join(lines))
        self.process = subprocess.Popen(
            [found(), "--headless", "--no-remote", "--profile", self.profile,
             "--remote-debugging-port", "0"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.entries: list[dict[str, Any]] = []
        self.count = 0
        self.socket = websocket.create_connection(
            self.address() + "/session", suppress_origin=True, timeout=granted(5)
        )
        self.command("session.new", capabilities={})
        self.command("session.subscribe", events=["log.entryAdded"])
        self.command("script.addPreloadScript", functionDeclaration=f"() => {{ {preload()} }}")
        tree = self.command("browsingContext.getTree")
        self.context = tree["contexts"][0]["context"]

    def address(self) -> str:
        """The WebSocket's address, which Firefox prints once it listens."""
        assert self.process.stderr is not None
        lines: list[str] = []
        for line in self.process.stderr:
            lines.append(line)
            if match := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
                self.drain(self.process.stderr)
                return match[1]
        raise RuntimeError("Firefox ended before it listened:\n" + "".join(lines))

    def drain(self, lines: Iterator[str]) -> None:
        """Read on, so that a full pipe never stops the browser."""
        self.reader = threading.Thread(target=lambda: [None for _ in lines], daemon=True)
        self.reader.start()

    def command(self, method: str, **parameters: Any) -> Any:
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        self.socket.send(json.dumps(message))
        limit = Limit(90)
        while True:
            reply = json.loads(self.received(limit))
            if reply.get("id") == message["id"]:
                break
            if reply.get("method") == "log.entryAdded":
                self.entries.append(reply["params"])
        if reply["type"] == "error":
            raise RuntimeError(f"{method}: {reply['error']}: {reply['message']}")
        return reply["result"]

    def received(self, limit: Limit) -> str:
        """The next message; the socket's own time-out cannot grow while it runs."""
        while True:
            try:
                return str(self.socket.recv())
            except websocket.WebSocketTimeoutException:
                if limit.over():
                    raise

    def get(self, url: str) -> None:
        self.command("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def refresh(self) -> None:
        self.command("browsingContext.reload", context=self.context, wait="complete")

    def close_tab(self) -> None:
        """Close the tab, as who uses a browser does; a new one takes its place."""
        closed = self.context
        self.context = self.command("browsingContext.create", type="tab")["context"]
        self.command("browsingContext.close", context=closed)

    def execute_script(self, script: str, *arguments: Any) -> Any:
        """Run a function body with `arguments`; promises are awaited, values cross as JSON."""
        body = (
            f"async (text) => {{ const f = async function () {{ {script} }};"
            " return JSON.stringify((await f(...JSON.parse(text))) ?? null) }"
        )
        result = self.command(
            "script.callFunction", functionDeclaration=body, awaitPromise=True,
            target={"context": self.context},
            arguments=[{"type": "string", "value": json.dumps(arguments)}],
        )  # fmt: skip
        if result["type"] == "exception":
            raise RuntimeError(f"{result['exceptionDetails']['text']} in {script!r}")
        return json.loads(result["result"]["value"])

    def draw(self, points: list[tuple[float, float]]) -> None:
        """Drag the mouse through viewport points, the button held down."""
        steps = [{"type": "pointerMove", "x": x, "y": y, "duration": 0} for x, y in points]
        actions = [steps[0], {"type": "pointerDown", "button": 0}, *steps[1:],
                   {"type": "pointerUp", "button": 0}]  # fmt: skip
        source = {"type": "pointer", "id": "mouse", "actions": actions}
        self.command("input.performActions", context=self.context, actions=[source])

    def console_text(self) -> str:
        return "\n".join(f"{entry['level']}: {entry.get('text')}" for entry in self.entries)

    def errors(self) -> list[str]:
        return [str(entry.get("text")) for entry in self.entries if entry["level"] == "error"]

    def quit(self) -> None:
        """Close the browser; what a crashed one left is removed as well."""
        try:
            self.command("browser.close")
            self.process.wait(granted(20))
        finally:
            self.process.kill()
            self.process.wait()
            self.reader.join(5)
            if self.process.stderr is not None:
                self.process.stderr.close()
            self.socket.close()
            shutil.rmtree(self.profile, ignore_errors=True)


def found() -> str:
    for name in ("firefox-esr", "firefox"):
        if path := shutil.which(name):
            return path
    raise FileNotFoundError("Firefox is not installed (Debian: apt-get install firefox-esr)")
