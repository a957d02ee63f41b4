"""Chromium without network, as a Selenium driver that knows the page's phases and its console."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webelement import WebElement

from tests.support.limit import SLOWED, granted
from tests.support.view import View, preload

SIZE = (1280, 1000)
WHOLE = ("chromium", "chromium-browser", "google-chrome")
# The same engine without windows, tabs and menus: a start of browser and page takes a tenth less
# processor time, another tab in place of the last one half. It is named by its path, for Debian's
# script in /usr/bin is what a driver would end in place of the program that the script waits for.
SHELL = ("/usr/lib/chromium/chromium-headless-shell",)
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-search-engine-choice-screen",
    # The address bar's pop-ups are pages of their own, there from the start though no test types
    # there: with the extensions' a seventh of the processor time of starting browser and page.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup",
    "--disable-extensions",
    # A hidden tab's timers are slowed to one a second; the tests measure the page, not that.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--force-device-scale-factor=1",
    # A camera that shows a clock, given to whoever asks.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    f"--window-size={SIZE[0]},{SIZE[1]}",
    # Whatever is not on this machine does not exist: a forgotten CDN address fails loudly.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)

# All buttons, in the document's order but for those whose text or label is the name.
BUTTONS = """
const says = (b) => (b.getAttribute("aria-label") ?? b.innerText ?? "").trim() === arguments[0];
return [...document.querySelectorAll("button, [role=button], input[type=submit]")]
    .sort((one, other) => says(other) - says(one));
"""
# A module that is compiled once is shared by all pages of one process for as long as one has it.
COMPILE = """
const [names, done] = arguments;
const compiled = (name) => WebAssembly.compileStreaming(fetch(new URL(name, origin)));
Promise.all(names.map(compiled)).then((modules) => { globalThis.modules = modules; done(); });
"""


class Page(Chrome, View):
    """One browser with a profile of its own, gone after `quit()`.

    Args:
        arguments: further command line switches; "!--switch" leaves one of ours out.
        profile: a folder to keep the profile in (a returning visitor); default a fresh one.
        shell: take Chromium's headless shell where it is installed; not with a profile.
    """

    def __init__(self, *arguments: str, profile: Path | None = None, shell: bool = False) -> None:
        self.expected: list[re.Pattern[str]] = []
        self.entries: list[dict[str, Any]] = []
        self.ended = False
        self.keeper: str | None = None
        self.blank = "about:blank"
        self.temporary: tempfile.TemporaryDirectory[str] | None = None
        if profile is None and not shell:  # it opens its first page only in a driver's own profile
            self.temporary = tempfile.TemporaryDirectory(prefix="chromium-")
            profile = Path(self.temporary.name)
        options = ChromeOptions()
        options.binary_location = found(*(SHELL if shell else ()), *WHOLE)
        for argument in (*ARGUMENTS, *arguments):
            if f"!{argument}" not in arguments and not argument.startswith("!"):
                options.add_argument(argument)
        if profile:
            options.add_argument(f"--user-data-dir={profile}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        super().__init__(options=options, service=Service(found("chromedriver")))
        self.prepare()

    def prepare(self) -> None:
        """Set what a tab does not have from its start."""
        self.set_script_timeout(granted(60))
        self.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": preload()})
        # Or the shell stores what a page gives in the folder in which the tests were started, and
        # the whole browser in the user's.
        self.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "deny"})
        if SLOWED > 1:
            self.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": SLOWED})

    def keep_compiled(self, url: str, *names: str) -> None:
        """Have a tab that compiles these modules, and is neither closed nor seen by a test."""
        self.get(url)
        self.execute_async_script(COMPILE, names)
        self.keeper, self.blank = self.current_window_handle, url  # its process is there already
        self.switch_to.window(self.new_tab())
        self.prepare()

    def new_tab(self) -> str:
        """Open a tab and return its handle."""
        target = self.execute_cdp_cmd("Target.createTarget", {"url": self.blank})
        return str(target["targetId"])

    @property
    def window_handles(self) -> list[str]:
        return [handle for handle in super().window_handles if handle != self.keeper]

    def renew(self) -> bool:
        """Another tab that knows nothing of the former one's site; False where that cannot be.

        A quarter of the processor time of a short test is its browser's start.
        """
        try:
            handles = self.window_handles
            origin = self.execute_script("return location.origin")
            fresh = self.new_tab()
            for handle in handles:
                self.switch_to.window(handle)
                self.close()
            self.switch_to.window(fresh)
            if origin.startswith("http"):
                everything = {"origin": origin, "storageTypes": "all"}
                self.execute_cdp_cmd("Storage.clearDataForOrigin", everything)
            self.execute_cdp_cmd("Network.clearBrowserCache", {})
            self.execute_cdp_cmd("Browser.resetPermissions", {})
            self.execute_cdp_cmd("Page.bringToFront", {})  # without focus no clipboard
            self.set_window_size(*SIZE)
            self.prepare()
            self.forget_console()
        except WebDriverException:
            return False
        return True

    def quit(self) -> None:
        """End the browser; what it wrote to its console can be read afterwards."""
        if self.ended:
            return
        self.console()
        self.ended = True
        super().quit()
        if self.temporary is not None:
            shutil.rmtree(self.temporary.name, ignore_errors=True)
            self.temporary.cleanup()

    def button(self, name: str) -> WebElement:
        """The visible button with this accessible name; "Train" may be "Train further".

        The driver takes 10 ms to compute one such name, so buttons that say the name come first.
        """
        buttons: list[WebElement] = self.execute_script(BUTTONS, name)
        names = []
        for button in buttons:
            names.append(button.accessible_name.strip())
            if names[-1] in (name, f"{name} further"):
                return button
        raise AssertionError(f"no button is named {name!r}; there are {names}")

    # -- the console --------------------------------------------------------------------------

    def expect_console(self, pattern: str) -> None:
        """Errors in the console that match this regular expression are part of this test."""
        self.expected.append(re.compile(pattern, re.DOTALL))

    def expect_no_network(self) -> None:
        """A start from the offline copy may ask for the list of files, if it takes long."""
        self.expect_console("precache.js.*ERR_CONNECTION_REFUSED")

    def console(self) -> list[dict[str, Any]]:
        """Every console entry so far: dicts with `level`, `message`, `source`, `timestamp`."""
        if self.ended:
            return self.entries
        with suppress(WebDriverException):  # the browser is gone: what it said until then counts
            self.entries += self.get_log("browser")  # type: ignore[no-untyped-call]
        return self.entries

    def console_text(self) -> str:
        return "\n".join(f"{entry['level']}: {entry['message']}" for entry in self.console())

    def surprises(self) -> list[str]:
        """SEVERE console messages that no `expect_console` covers."""
        return [
            entry["message"]
            for entry in self.console()
            if entry["level"] == "SEVERE"
            and not any(pattern.search(entry["message"]) for pattern in self.expected)
        ]

    def forget_console(self) -> None:
        self.console()
        self.entries.clear()
        self.expected.clear()


def found(*names: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    raise FileNotFoundError(
        f"{names[0]} is not installed: the browser tests need Chromium and ChromeDriver "
        "(Debian, Ubuntu: apt-get install chromium chromium-driver)"
    )
