"""WebKitGTK, Safari's engine, through Debian's `webkit2gtk-driver` on a virtual screen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

from selenium.webdriver import WebKitGTK as Driver
from selenium.webdriver import WebKitGTKOptions
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.webkitgtk.service import Service

from tests.support.limit import granted
from tests.support.view import RECORD, View

# WebKit's driver has no log of the page's console: the page keeps its own errors for the test.
LISTEN = f"""
{RECORD}
if (window.__errors) return; // a script of the page does so from its start
window.__errors = [];
addEventListener("error", (e) => window.__errors.push(String(e.message)));
addEventListener("unhandledrejection", (e) => window.__errors.push(String(e.reason)));
"""


class WebKit(View):
    """One MiniBrowser on an Xvfb of its own, gone after `quit()`.

    Args:
        sparing: leave out JavaScriptCore's last compiler, which takes more than half of the
            processor time of a page's start (8.8 s; without it 3.9 s) and saves little of it.
    """

    def __init__(self, *, sparing: bool = False) -> None:
        self.home = tempfile.mkdtemp(prefix="webkit-")
        self.screen, self.display = open_screen()
        # Its own alone: a Chromium that is started later with the display of an Xvfb that has ended
        # offers no GPU ("Failed to create WebGPU Context Provider").
        environment = dict(
            os.environ,
            HOME=self.home,
            XDG_DATA_HOME=self.home,
            DISPLAY=self.display,
            WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS="1",  # root cannot use bubblewrap
            # There is no GPU: what moves while the page starts would be composed by llvmpipe, 60
            # times a second, for more than half of the start's processor time (18.7 s, without it
            # 8.0 s).
            WEBKIT_DISABLE_COMPOSITING_MODE="1",
        )
        if sparing:
            environment["JSC_useOMGJIT"] = "0"
        options = WebKitGTKOptions()
        options.binary_location = str(mini_browser())
        options.add_argument("--automation")
        try:
            self.driver = driven(options, Service("/usr/bin/WebKitWebDriver", env=environment))
        except BaseException:
            self.leave()
            raise
        self.driver.set_script_timeout(granted(60))

    def get(self, url: str) -> None:
        self.driver.get(url)
        self.driver.execute_script(LISTEN)

    def refresh(self) -> None:
        self.driver.refresh()
        self.driver.execute_script(LISTEN)

    def execute_script(self, script: str, *arguments: Any) -> Any:
        """Run a function body with `arguments`; promises are awaited, values cross as JSON."""
        reply = json.loads(
            self.driver.execute_async_script(
                "const [text, done] = arguments;"
                f"const f = async function () {{ {script} }};"
                "f(...JSON.parse(text)).then((v) => done(JSON.stringify({value: v ?? null})),"
                "(e) => done(JSON.stringify({error: String(e)})))",
                json.dumps(arguments),
            )
        )
        if "error" in reply:
            raise RuntimeError(f"{reply['error']} in {script!r}")
        return reply["value"]

    def draw(self, points: list[tuple[float, float]]) -> None:
        """Drag the mouse through viewport points, the button held down."""
        chain = ActionChains(self.driver, duration=0)
        pointer: Any = chain.w3c_actions.pointer_action
        pointer.move_to_location(*points[0]).pointer_down()
        for point in points[1:]:
            pointer.move_to_location(*point)
        pointer.pointer_up()
        chain.perform()

    def console_text(self) -> str:
        return "\n".join(self.errors())

    def errors(self) -> list[str]:
        return list(self.execute_script("return window.__errors ?? []"))

    def quit(self) -> None:
        try:
            self.driver.quit()
        finally:
            self.leave()

    def leave(self) -> None:
        """Take down what the browser stood on."""
        self.screen.kill()
        self.screen.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def driven(options: WebKitGTKOptions, service: Service) -> Driver:
    with warnings.catch_warnings():
        # Selenium 4.51 calls its own RemoteConnection in the way that it deprecates.
        warnings.filterwarnings("ignore", "setting remote_server_addr", DeprecationWarning)
        return Driver(options=options, service=service)


def open_screen() -> tuple[subprocess.Popen[bytes], str]:
    """An Xvfb on a free display, whose number it writes once it is ready."""
    if shutil.which("Xvfb") is None:
        raise FileNotFoundError("Xvfb is not installed (Debian: apt-get install xvfb)")
    reader, writer = os.pipe()
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
        pass_fds=[writer], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writer)
    with os.fdopen(reader) as numbers:
        number = numbers.readline().strip()
    if not number:
        raise RuntimeError("Xvfb ended before it had a display")
    return screen, f":{number}"


def mini_browser() -> Path:
    libraries = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
    if not libraries:
        raise FileNotFoundError(
            "WebKit's MiniBrowser is not installed (Debian: apt-get install webkit2gtk-driver)"
        )
    return libraries[-1]
