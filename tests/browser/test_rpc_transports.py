"""Pools, restarts, direct ports, trace, transports in Chromium; one in Firefox and WebKit too."""

import json
from functools import partial

import pytest

from tests.support.firefox import Firefox
from tests.support.webkit import WebKit

CASES = {
    "a_worker_restarts_with_its_state": [1, ["made by setup"], 2, True],
    "a_worker_that_died_starts_again": ["WorkerDiedError", ["made by setup"]],
    "a_worker_whose_session_ended_is_killed_by_a_restart": [True, 1, 2],
    "a_worker_that_does_not_start_in_time_is_killed": ["TimeoutError"],
    "a_script_that_fails_before_it_imports_farcall_is_an_error": ["WorkerBootError", True],
    "python_that_never_gives_way_is_killed": ["TimeoutError", "WorkerDiedError", 9],
    "a_pool_maps_in_order_and_replaces_the_dead": [
        [x * x for x in range(20)],
        list(range(7)),
        [0, 4],
        "WorkerDiedError",
        [0, 1, 4, 9, 16],
        [0, 1, 4, 9],
        [0, 1, 4],
        "WorkerDiedError",
        5,
    ],
    "jobs_that_run_jobs_on_their_pool_end": [9, 9, 9],
    "two_workers_talk_over_a_port_of_their_own": [1, ["from the other worker"], 1],
    "a_worker_notices_that_the_worker_it_calls_is_gone": "WorkerDiedError",
    "a_worker_notices_that_the_worker_that_calls_it_is_gone": ["WorkerDiedError"],
    "a_broadcast_channel_carries_calls_and_arrays": [
        25,
        ["<i2", [2], [7, 8]],
        ["<f4", [2, 2]],
    ],
    "a_frame_is_called_and_calls_back": ["hello parent", 42],
    "a_frame_of_another_origin_is_not_heard": ["TimeoutError", "* is refused"],
    "a_shared_worker_serves_every_page_that_connects": ["one", "two"],
    "tracebacks_stay_behind_a_boundary": ["", "", "", True],
    "a_shared_worker_forgets_a_page_that_is_gone": True,
    "a_frame_that_is_removed_says_so": "SessionClosedError",
    "a_trace_shows_every_call": [
        ["call #0.square"],
        ["call out", "ret in"],
        "call #0.square",
        True,
        True,
    ],
    "a_transferred_array_is_gone_here": [["|u1", [3], [1, 2, 3]], 0, True],
    "a_proxy_that_is_handed_on_is_asked_there_as_here": [
        *[3, "[1, 2, 3]", True, True, [1, 2, 3, 4], [1, 2, 3, 1, 2, 3]],
        *[7, [7, 2, 3]],
    ],
    "a_file_that_the_user_picked_reaches_the_worker": [2, "table.csv"],
    # PyScript cannot handle such messages: its failures would be errors in the console.
    "comlink_speaks_on_the_workers_own_channel": 49,
}


@pytest.fixture(scope="module")
def outcomes(module_site, open_module_page):
    page = open_module_page()
    page.get(f"{module_site.url}tests/browser/rpc/transports.html")
    page.wait_for_phase("done", timeout=100)
    page.expect_console("there_is_no_such_module")
    return json.loads(page.execute_script("return document.getElementById('results').textContent"))


@pytest.mark.parametrize("name", list(CASES))
def test_the_page_reports(name, outcomes):
    assert outcomes[name] == CASES[name]


@pytest.mark.soak
@pytest.mark.parametrize("engine", [Firefox, partial(WebKit, sparing=True)])
def test_a_frame_that_is_removed_says_so_in_other_browsers(engine, module_site):
    name = "a_frame_that_is_removed_says_so"
    page = engine()
    try:
        page.get(f"{module_site.url}tests/browser/rpc/transports.html#{name}")
        page.until("document.documentElement.dataset.phase === 'done'", 60)
        text = page.execute_script("return document.getElementById('results').textContent")
    finally:
        page.quit()
    assert json.loads(text) == {name: CASES[name]}
