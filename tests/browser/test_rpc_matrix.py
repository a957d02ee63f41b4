"""Every state of a session against every fault, in Chromium, in both pairings.

tests/browser/matrix/main.py runs all cells in one page; each is a test here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.chromium import Page
from tests.support.interpreters import TESTED, configuration, page
from tests.support.limit import granted, slowness
from tests.support.site import Site

pytestmark = pytest.mark.timed

FOLDER = "tests/browser/matrix"
UP = "../../../"
AT_MOST = 100  # ms from the moment the fault is known to the end of the last await
TYPED = {
    "CancelledError",
    "PolicyError",
    "ProtocolError",
    "ReleasedError",
    "SessionClosedError",
    "TimeoutError",
    "WorkerBootError",
    "WorkerDiedError",
}
STATES = (
    "idle",
    "connecting",
    "calling",
    "in_a_callback",
    "streaming",
    "cancelling",
    "closing",
    "closed",
)
# Fault of a session -> what everything under way ends with.
SESSION_FAULTS = {
    "closed_here": "SessionClosedError",
    "closed_there": "SessionClosedError",
    "frame_that_is_none": "ProtocolError",
    "message_of_the_wrong_kind": "ProtocolError",
    "unknown_message": "ProtocolError",
    "forged_reply": "ProtocolError",
    "forged_plain_reply": "ProtocolError",
    "repeated_reply": "ProtocolError",
    "forged_release": "ProtocolError",
    "undecodable_frame_sent": "SessionClosedError",
    "message_that_cannot_be_deserialised": "ProtocolError",
}
# Fault of one call -> what this call ends with; everything else goes on.
CALL_FAULTS = {
    "unencodable_argument": ("TypeError", "PolicyError"),
    "unencodable_result": ("TypeError", "PolicyError"),
    "unencodable_exception": ("Unprintable",),
    "failing_callback": ("ZeroDivisionError",),
    "no_answer": ("TimeoutError",),
    "release_under_way": ("ReleasedError",),
    "error_in_the_worker": (),
}
BOOT_FAULTS = ("wrong_name", "missing_source", "import_error")
WORKER_FAULTS = ("terminated", "terminated_behind_our_back", "ended_by_itself")
WORKERS = ("far", *WORKER_FAULTS)


def tags() -> str:
    """Script tags of the workers: one for each death, and two that cannot boot."""
    tag = '<script type="py" worker name="{}" src="./{}.py" config="./worker.toml"></script>'
    found = [tag.format(name, "worker") for name in WORKERS]
    found.append(tag.format("missing", "there_is_no_such_file"))
    found.append(tag.format("unimportable", "unimportable"))
    return "\n".join(found)


@pytest.fixture(scope="module")
def matrix(module_site: Site, open_module_page: Callable[..., Page]) -> Callable[[str], Any]:
    """The cells of a pairing by state and fault; its page is opened once, even if it fails."""
    known: dict[str, dict[str, Any]] = {}

    def of(kind: str) -> dict[tuple[str, str], Any]:
        if kind not in known:
            known[kind] = {"failed": "the page ended without results"}
            known[kind] = run(module_site, open_module_page(), kind)
        assert "failed" not in known[kind], known[kind]["failed"]
        return {(cell["state"], cell["fault"]): cell for cell in known[kind]["cells"]}

    return of


def run(site: Site, browser: Page, kind: str) -> dict[str, Any]:
    site.replace(f"{FOLDER}/worker.toml", configuration("py", UP))
    site.replace(f"{FOLDER}/{kind}.toml", configuration(kind, UP))
    site.replace(f"{FOLDER}/{kind}.html", page(kind, UP, "every state, every fault", tags()))
    browser.get(f"{site.url}{FOLDER}/{kind}.html")
    browser.expect_console("there_is_no_such|as asked|status of 404|reading 'onerror'")
    browser.until("window.matrix", timeout=200)
    slowness()
    found: dict[str, Any] = json.loads(browser.execute_script("return window.matrix"))
    return found


def over(cell: dict[str, Any]) -> None:
    """Every await has ended, in time, and nothing is left on either side."""
    assert len(cell["ends"]) >= cell["awaited"], cell
    assert "value" not in cell["ends"], cell
    assert cell["late"] < granted(AT_MOST), cell
    assert cell["near"] == [0] * 6, cell
    assert cell.get("far", [0, 1]) == [0, 1], cell


@pytest.mark.promise(
    "farcall: every await ends",
    "In Chromium, in both pairings, eight states of a session are met by 24 faults: "
    "each await is over within 100 ms of when the page knows",
)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", SESSION_FAULTS)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", TESTED)
def test_a_fault_of_the_session_ends_every_await_in_every_state(
    matrix: Callable[[str], Any], kind: str, state: str, fault: str
) -> None:
    cell = matrix(kind)[state, fault]
    over(cell)
    expected = SESSION_FAULTS[fault]
    if state in ("closing", "closed"):
        expected = "SessionClosedError"
    assert cell["session"] == expected, cell
    assert set(cell["ends"]) <= {expected, "CancelledError"}, cell
    assert ("CancelledError" in cell["ends"]) == (state == "cancelling"), cell


@pytest.mark.promise(
    "farcall: every await ends",
    "In Chromium, in both pairings, eight states of a session are met by 24 faults: "
    "each await is over within 100 ms of when the page knows",
)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", CALL_FAULTS)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", TESTED)
def test_a_fault_of_one_call_ends_that_call_and_no_other(
    matrix: Callable[[str], Any], kind: str, state: str, fault: str
) -> None:
    cell = matrix(kind)[state, fault]
    over(cell)
    assert cell["unaffected"], cell
    expected = CALL_FAULTS[fault]
    if state in ("closing", "closed") and expected:
        expected = ("SessionClosedError",)
    elif state == "connecting" and fault != "unencodable_argument" and expected:
        expected = ("SessionClosedError", "TimeoutError")  # no answer has come yet
    found = set(cell["ends"]) - {"SessionClosedError", "CancelledError"}
    assert not expected or set(cell["ends"]) & set(expected), cell
    assert found <= set(expected), cell


@pytest.mark.promise(
    "farcall: every await ends",
    "In Chromium, in both pairings, eight states of a session are met by 24 faults: "
    "each await is over within 100 ms of when the page knows",
)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", BOOT_FAULTS)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", TESTED)
def test_a_worker_that_cannot_boot_is_an_error_beside_any_session(
    matrix: Callable[[str], Any], kind: str, state: str, fault: str
) -> None:
    cell = matrix(kind)[state, fault]
    over(cell)
    assert cell["unaffected"], cell
    assert "WorkerBootError" in cell["ends"], cell
    assert set(cell["ends"]) <= {"WorkerBootError", "SessionClosedError", "CancelledError"}, cell


@pytest.mark.promise(
    "farcall: every await ends",
    "In Chromium, in both pairings, eight states of a session are met by 24 faults: "
    "each await is over within 100 ms of when the page knows",
)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", WORKER_FAULTS)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", TESTED)
def test_the_death_of_a_worker_ends_every_await_in_every_state(
    matrix: Callable[[str], Any], kind: str, state: str, fault: str
) -> None:
    cell = matrix(kind)[state, fault]
    if (state, fault) == ("connecting", "ended_by_itself") and cell["ends"] == ["value"]:
        return  # it gave the port that was asked for before it did what was asked
    over(cell)
    expected = "SessionClosedError" if state in ("closing", "closed") else "WorkerDiedError"
    assert cell["session"] == expected, cell
    assert set(cell["ends"]) <= {expected, "CancelledError"}, cell


@pytest.mark.promise(
    "farcall: every await ends",
    "A port that was closed without an event: the time-out ends every await",
)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("state", [s for s in STATES if s not in ("closing", "closed")])
@pytest.mark.parametrize("kind", TESTED)
def test_a_port_that_closes_without_a_word_is_a_time_out_in_every_state(
    matrix: Callable[[str], Any], kind: str, state: str
) -> None:
    cell = matrix(kind)[state, "port_closed"]
    over(cell)
    assert set(cell["ends"]) <= {"TimeoutError", "CancelledError"}, cell
    assert "TimeoutError" in cell["ends"], cell


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", TESTED)
def test_the_matrix_has_every_cell(matrix: Callable[[str], Any], kind: str) -> None:
    faults = (*SESSION_FAULTS, *CALL_FAULTS, *BOOT_FAULTS, *WORKER_FAULTS)
    assert {(s, f) for s in STATES for f in faults} <= set(matrix(kind))
    names = {end for cell in matrix(kind).values() for end in cell["ends"]}
    assert names <= TYPED | {"value", "TypeError", "Unprintable", "ZeroDivisionError"}
