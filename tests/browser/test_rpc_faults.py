"""Workers that fail, each in its own way, in Chromium: every await ends, and says why."""

import json

import pytest

from tests.support.limit import granted, slowness

pytestmark = pytest.mark.timed

DIED_WITHIN = 0.1  # seconds from the kill to the typed error


@pytest.fixture(scope="module")
def outcomes(module_site, open_module_page):
    page = open_module_page()
    page.get(f"{module_site.url}tests/browser/rpc/faults.html")
    page.wait_for_phase("done", timeout=90)
    slowness()
    page.expect_console("kettle|there_is_no_such")
    page.surprises()
    text = page.execute_script("return document.getElementById('results').textContent")
    page.forget_console()
    return json.loads(text)


@pytest.mark.promise(
    "farcall: every await ends",
    "A name that no script tag has: WorkerBootError at once, listing the names",
)
def test_a_wrong_name_is_an_error_at_once_that_lists_the_names(outcomes):
    kind, text, _, seconds = outcomes["unknown"]
    assert kind == "WorkerBootError"
    assert "'unknown'" in text
    assert "broken, silent, missing" in text
    assert seconds < granted(0.1)


@pytest.mark.promise(
    "farcall: every await ends",
    "The worker's source is missing: WorkerBootError that names it",
)
def test_a_missing_source_is_an_error_that_names_it(outcomes):
    kind, text, _, _ = outcomes["missing"]
    assert kind == "WorkerBootError"
    assert "there_is_no_such_file.py: status 404" in text


def test_a_missing_configuration_is_an_error_that_names_it(outcomes):
    kind, text, _, seconds = outcomes["unconfigured"]
    assert kind == "WorkerBootError"
    assert "there_is_no_such.toml" in text  # PyScript says so too, or makes no worker
    assert "404" in text
    assert "JsProxy" not in text
    assert seconds < granted(10)


@pytest.mark.parametrize("name", ["nothing", "document", "window", "worker"])
def test_what_is_no_worker_port_or_endpoint_is_refused(outcomes, name):
    kind, text, _, _ = outcomes[name]
    assert kind == "TypeError"
    assert "expected a worker's name, a port or an endpoint" in text


def test_a_worker_cannot_connect_to_another_by_its_name(outcomes):
    kind, text, _, _ = outcomes["inside"]
    assert kind == "RuntimeError"
    assert "only a page can connect to worker 'raw' by its name" in text


@pytest.mark.parametrize("name", ["killed", "suicidal"])
def test_a_worker_that_has_ended_cannot_be_connected_to_again(outcomes, name):
    kind, text, _, seconds = outcomes["again " + name]
    assert kind == "WorkerDiedError"
    assert f"worker '{name}' has ended" in text
    assert "farcall.Worker" in text
    assert seconds < granted(1)


@pytest.mark.promise(
    "farcall: every await ends",
    "The worker's script raises before `serve`: WorkerBootError with the traceback",
)
@pytest.mark.promise("farcall: features", "Readiness handshake, boot traceback")
def test_an_exception_at_boot_arrives_with_its_traceback(outcomes):
    kind, text, traceback, _ = outcomes["broken"]
    assert kind == "WorkerBootError"
    assert "RuntimeError: the kettle is empty" in text
    assert "in prepare" in traceback


@pytest.mark.promise(
    "farcall: every await ends",
    "The script never serves, or takes too long: WorkerBootError; TimeoutError",
)
def test_a_script_that_never_serves_is_an_error(outcomes):
    kind, text, _, _ = outcomes["silent"]
    assert kind == "WorkerBootError"
    assert "without farcall.serve()" in text


@pytest.mark.promise(
    "farcall: every await ends",
    "The script never serves, or takes too long: WorkerBootError; TimeoutError",
)
def test_a_worker_that_takes_too_long_is_a_time_out(outcomes):
    kind, text, _, seconds = outcomes["late"]
    assert kind == "TimeoutError"
    assert "'late'" in text
    assert 0.4 < seconds < granted(2)


@pytest.mark.promise(
    "farcall: every await ends",
    "The worker dies by any hand, known or not: WorkerDiedError for every pending call,"
    " stream and callback",
)
@pytest.mark.promise("farcall: features", "Death of a worker")
@pytest.mark.parametrize("death", ["killed", "raw", "suicidal"])
def test_a_dead_worker_ends_every_pending_call_at_once(outcomes, death):
    (kind, text, _, _), seconds, later, pending = outcomes[death]
    assert kind == "WorkerDiedError"
    assert f"'{death}'" in text
    assert seconds < granted(DIED_WITHIN)
    assert later == "refused"
    assert pending == 0


def test_a_closed_session_is_forgotten_by_the_worker_that_lives_on(outcomes):
    assert outcomes["twice"] == [2, 1]
