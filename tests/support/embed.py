"""A host page with <farcall-demo> in it, and what both sides of the frame show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selenium.webdriver.remote.webelement import WebElement

from tests.support.chromium import Page
from tests.support.site import Site

HEAD = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Host</title>'
    '<link rel="icon" href="data:,">'
)
NOTE = """<script>
globalThis.heard = [];
for (const name of ["farcall-load", "farcall-state"])
  addEventListener(name, (event) => heard.push([event.target.id, name, event.detail]));
</script>"""
# What a page of documentation leaves out: the frame is then 680 pixels high.
SMALL = "data,network,analysis,models"
ELEMENT = "document.getElementById('{}')"
STATE = """
const [identifier, phase] = wanted;
const now = document.getElementById(identifier)?.state?.phase;
const kept = phase === "training" ? globalThis.heard ?? [] : [];
const passed = kept.some(([id, _, detail]) => id === identifier && detail?.phase === phase);
return passed ? phase : ["error", phase].includes(now) ? now : null;
"""
ALERT = "document.getElementById('demo').shadowRoot.querySelector('[role=alert]')"


def script(demo: Site) -> str:
    return f'<script src="{demo.url}static/embed.js"></script>'


def tag(identifier: str = "demo", **attributes: str) -> str:
    """<farcall-demo>, small unless `hide` says otherwise."""
    attributes = {"id": identifier, "hide": SMALL, **attributes}
    words = " ".join(f'{name}="{text}"' for name, text in attributes.items())
    return f"<farcall-demo {words}></farcall-demo>"


def write(host: Site, body: str, name: str = "index.html") -> str:
    """Put a page on the host; its address."""
    (host.folder / name).write_text(HEAD + NOTE + body)
    return host.url + name


def trust(demo: Site, *hosts: Site) -> None:
    """List these hosts' origins in the demo's index.html."""
    origins = " ".join(host.url.rstrip("/") for host in hosts)
    empty = 'name="farcall-drivers" content=""'
    demo.replace("index.html", lambda text: text.replace(empty, empty[:-1] + f'{origins}"'))


def element(page: Page, expression: str, identifier: str = "demo") -> Any:
    """Value of an expression of an element, such as `frame.title`."""
    return page.execute_script(f"return {ELEMENT.format(identifier)}.{expression}")


def change(page: Page, name: str, text: str, identifier: str = "demo") -> None:
    """Set an attribute of an element."""
    page.execute_script(
        "document.getElementById(arguments[0]).setAttribute(arguments[1], arguments[2])",
        identifier,
        name,
        text,
    )


@contextmanager
def inside(page: Page, identifier: str = "demo") -> Iterator[Page]:
    """The page as the frame of an element sees it."""
    page.switch_to.frame(element(page, "frame", identifier))
    try:
        yield page
    finally:
        page.switch_to.default_content()


def wait_for(page: Page, phase: str, identifier: str = "demo", timeout: float = 60) -> None:
    """Wait until the element is in this phase, or for a run until it was heard to train.

    A short run is over before a driver's next question arrives; NOTE keeps what was heard.

    Raises:
        AssertionError: the embedded page failed instead.
    """

    def arrived() -> bool:
        said = page.ask(STATE, identifier, phase)
        if said == "error" != phase:
            with inside(page, identifier):
                raise AssertionError(f"the embedded page failed:\n{page.text}")
        return bool(said)

    page.until(arrived, timeout, f"{identifier} to be {phase}")


def button(page: Page, identifier: str = "demo") -> WebElement:
    """The button of the poster, or of an alert."""
    found: WebElement = page.execute_script(
        "return document.getElementById(arguments[0]).shadowRoot.querySelector('button')",
        identifier,
    )
    return found
