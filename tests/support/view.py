"""What tests ask of an open page, in whichever browser: its phase, its outputs, its buttons."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from selenium.common.exceptions import WebDriverException

from tests.support.limit import Limit, granted

Value = TypeVar("Value")

# Every name a button can carry in this project is its text or its aria-label.
CLICK = """
const name = arguments[0];
const buttons = [...document.querySelectorAll("button, [role=button]")];
const label = (b) => (b.getAttribute("aria-label") ?? b.innerText).trim();
const found = buttons.find((b) => label(b) === name && !b.disabled);
if (!found) throw new Error(`no enabled button ${name} among ${buttons.map(label)}`);
found.scrollIntoView({block: "center"}); found.click();
"""

# Every phase since the last click or key, because a short run is over before a driver's next
# question arrives. Two changes in one turn of the page's loop make two records.
RECORD = """
if (!globalThis.phasesSeen) {
    const seen = (globalThis.phasesSeen = []);
    const forget = () => {
        seen.length = 0;
        seen.after = document.documentElement?.dataset.phase;
    };
    for (const kind of ["click", "keydown"]) addEventListener(kind, forget, true);
    const observer = new MutationObserver((records) => {
        const own = records.filter(({ target }) => target === document.documentElement);
        const values = own.slice(1).map((record) => record.oldValue);
        if (own.length) seen.push(...values, document.documentElement.dataset.phase);
    });
    const options = { attributeFilter: ["data-phase"], attributeOldValue: true, subtree: true };
    observer.observe(document, options);
}
"""
# The phase now, or one of those wanted that the page was in since the last click or key; what came
# before it is then forgotten, so that phases are waited for in their order. An error that a click
# has not ended yet, as that on "Restart the worker", is none of these.
PHASE = """
const root = document.documentElement;
const now = root?.dataset.phase ?? null;
const seen = globalThis.phasesSeen ?? [];
if (now === "error" && seen.after === now && !seen.length && !wanted.includes(now)) return null;
const place = seen.findIndex((phase) => wanted.includes(phase));
const passed = place < 0 ? null : seen.splice(0, place + 1).at(-1);
const phase = now === "error" ? now : (passed ?? now);
return phase === "error" || wanted.includes(phase) ? phase : null;
"""
# Asks in the page for a while, where a question costs a hundredth of what the driver's does.
PATIENT = """
const wanted = [...arguments];
const ask = () => { %s };
const value = ask();
if (value) return value;
const end = performance.now() + %d;
return new Promise((resolve) => {
    const again = () => {
        const value = ask();
        if (value || performance.now() > end) resolve(value);
        else setTimeout(again, 20);
    };
    setTimeout(again, 20);
});
"""
SLICE = 400  # ms that one script asks for

# In the page, because a short run is over before a driver's second command arrives.
CLICK_IN = """
const [phase, name] = arguments;
const root = document.documentElement;
globalThis.clickedIn = "";
const observer = new MutationObserver(() => {
    if (root.dataset.phase !== phase) return;
    observer.disconnect();
    [...document.querySelectorAll("button")].find((b) => b.textContent.trim() === name).click();
    globalThis.clickedIn = phase;
});
observer.observe(root, { attributes: true, attributeFilter: ["data-phase"] });
"""
# Sets a field as a visitor does.
CHANGE = """
const [id, value] = arguments;
const field = document.getElementById(id);
field.value = value;
for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind));
"""
# All that the status line says, for words that others follow before a driver can ask.
HEAR = """
globalThis.heard = [];
globalThis.hearing?.disconnect();
const line = document.getElementById("status");
globalThis.hearing = new MutationObserver(() => heard.push(line.textContent));
hearing.observe(line, { childList: true, characterData: true, subtree: true });
"""


def valued(expression: str) -> str:
    """The body of a function with the expression's value; one that throws has none yet."""
    return f"try {{ return ({expression}) }} catch {{ return null }}"


def preload() -> str:
    """The script that every page runs first; `slowness` is what its own time limits grow by."""
    return f"globalThis.slowness = {granted(1)};\n{RECORD}"


class View:
    """Mixin for a browser that has `execute_script(text, *arguments)` and `console_text()`."""

    def execute_script(self, script: str, *arguments: Any) -> Any:
        raise AssertionError(f"{type(self).__name__} cannot run {script!r} with {arguments}")

    def console_text(self) -> str:
        raise AssertionError(f"{type(self).__name__} keeps no console")

    @property
    def phase(self) -> str | None:
        phase: str | None = self.execute_script(
            "return document.documentElement?.dataset.phase ?? null"
        )
        return phase

    @property
    def text(self) -> str:
        return str(self.execute_script("return document.body?.innerText ?? ''"))

    def wait_for_phase(self, *phases: str, timeout: float = 60) -> str:
        """Wait until `data-phase` is one of `phases`, or was since the last click or key.

        Raises:
            AssertionError: the page went to `error` instead, or the time is over.
        """

        def arrived() -> str | None:
            phase: str | None = self.ask(PHASE, *phases)
            if phase == "error" and "error" not in phases:
                raise AssertionError(f"the page failed:\n{self.text}\n{self.console_text()}")
            return phase

        return str(self.until(arrived, timeout, f"phase {' or '.join(phases)}"))

    def until(
        self, condition: str | Callable[[], Value], timeout: float = 30, what: str | None = None
    ) -> Any:
        """Wait until a JavaScript expression, or a function, gives something true; return it.

        Each question costs processor time in the driver, the browser and the page, so expressions
        are asked for in the page, and functions more rarely as the wait becomes longer.

        Args:
            condition: what to ask.
            timeout: seconds on a quiet machine; a slow one is granted more.
            what: words for the message.
        """
        limit = Limit(timeout)
        while True:
            began = limit.waited
            value = condition() if callable(condition) else self.ask(valued(condition))
            if value:
                return value
            if limit.over():
                raise AssertionError(
                    f"waited {limit.waited:.3g} s for {what or condition!r}; "
                    f"phase is {self.phase!r}; the page says:\n{self.text}\n{self.console_text()}"
                )
            pause = min(0.25, max(0.02, limit.waited / 20))
            time.sleep(max(0, pause - (limit.waited - began)))

    def check(self, condition: str | Callable[[], Value]) -> Any:
        """The condition's value now; an expression that throws has none yet."""
        if callable(condition):
            return condition()
        return self.execute_script(valued(condition))

    def ask(self, body: str, *wanted: str) -> Any:
        """What this body of a function gives as soon as it is true, or after a while."""
        try:
            return self.execute_script(PATIENT % (body, SLICE), *wanted)
        except (WebDriverException, RuntimeError):  # the page was left meanwhile
            return self.execute_script(f"const wanted = [...arguments]; {body}", *wanted)

    def output(self, name: str) -> str:
        """Text of `<output name=...>`."""
        selector = json.dumps(f'output[name="{name}"]')
        return str(self.execute_script(f"return document.querySelector({selector}).innerText"))

    def number(self, name: str) -> float:
        """First number in `<output name=...>`, or NaN where it shows none."""
        found = re.search(r"-?\d[\d,]*\.?\d*", self.output(name))
        return float(found[0].replace(",", "")) if found else float("nan")

    def change(self, field: str, value: int | str) -> None:
        """Set the field with this id, and let the page know."""
        self.execute_script(CHANGE, field, value)

    def hear(self) -> None:
        """Note what the status line says from now on, in the array `heard`."""
        self.execute_script(HEAR)

    def click_in(self, phase: str, name: str) -> None:
        """Click the button with this name as soon as the page is in this phase."""
        self.execute_script(CLICK_IN, phase, name)

    def train_a_little(self) -> None:
        """Press Train, and Stop as soon as the run has begun, which trains one batch at least."""
        self.click_in("training", "Stop")
        self.click("Train")
        self.until("clickedIn", 60, "a run to begin")
        self.wait_for_phase("ready")

    def click(self, name: str) -> None:
        """Click the enabled button with this name."""
        self.execute_script(CLICK, name)
