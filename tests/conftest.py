"""Settings of all tests, and fixtures for those in a browser: `site`, `open_page`, ...

A SEVERE console entry that the test did not declare with `page.expect_console(regex)` fails it;
a failed test leaves a screenshot of every page it had open in build/screenshots/.
"""

import fcntl
import gc
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pytest_timeout
from hypothesis import settings
from xdist.scheduler.loadscope import LoadScopeScheduling

from tests.support import screen, seconds
from tests.support.chromium import Page
from tests.support.digits import light
from tests.support.limit import Limit
from tests.support.site import Site
from tools import bundle, precache

# Other work on the machine is no fault of an example.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

ROOT = Path(__file__).resolve().parent.parent

LIVE_PAGES: list[Page] = []
SPARE_PAGES: list[Page] = []
# All pages of a browser share a process, in which one tab keeps the interpreters compiled.
ONE_PROCESS = "--process-per-site"
# Where tests share the cores, V8's optimizing compiler for WebAssembly waits until code has run
# very long, and nothing moves on the page while it starts: with the tab above, 1.9 s of processor
# time to a page that is ready instead of 3.8. Tests that measure time run alone, in V8 as it is,
# in a whole Chromium, with all that moves.
BUDGET = "--js-flags=--wasm-tiering-budget=1000000000"  # 13,000,000 is V8's own
SPARING = (BUDGET, "--force-prefers-reduced-motion") if "PYTEST_XDIST_WORKER" in os.environ else ()
COMPILED = ("static/vendor/runtime/pyodide.asm.wasm", "static/vendor/micropython/micropython.wasm")


gc.disable()  # until the tests are imported


def pytest_collection_finish() -> None:
    """Let the garbage collector never look at what lives until the end: modules, tests.

    Tests that collect garbage, to see what is left, take a tenth of the time so.
    """
    leave_behind()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None):
    """Nor at what a module has left, such as the programs that JAX keeps: the next one's is new."""
    yield
    if nextitem is None or nextitem.path != item.path:
        leave_behind()


def leave_behind() -> None:
    """Collect garbage, and let later collections pass over all that is left."""
    gc.collect()
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    target = os.environ.get(seconds.VARIABLE)
    if target and "PYTEST_XDIST_WORKER" not in os.environ:  # xdist's own process hears all reports
        config.pluginmanager.register(seconds.Seconds(Path(target)))


@pytest.fixture
def site(packed: None, request: pytest.FixtureRequest) -> Iterator[Site]:
    """The repository, served as a plain static folder; `site.url` is its root."""
    with ExitStack() as stack:
        yield opened_site(stack, request)


@pytest.fixture
def open_site(packed: None, request: pytest.FixtureRequest) -> Iterator[Callable[..., Site]]:
    """Open sites with options: `open_site(prefix="/docs/", headers={...}, faults={...})`."""
    with ExitStack() as stack:
        yield lambda *arguments, **options: opened_site(stack, request, *arguments, **options)


@pytest.fixture(scope="module")
def module_site(packed: None, request: pytest.FixtureRequest) -> Iterator[Site]:
    """One site for all tests of a module: leave it as it is."""
    with ExitStack() as stack:
        yield opened_site(stack, request)


@pytest.fixture
def open_page() -> Iterator[Callable[..., Page]]:
    """Open browsers: `page = open_page(site.url)`; each is alone, and knows no site."""
    with ExitStack() as stack:
        yield lambda *arguments, **options: opened_page(stack, *arguments, **options)


@pytest.fixture(scope="module")
def open_module_page() -> Iterator[Callable[..., Page]]:
    """As `open_page`, for a page that all tests of a module use (starting costs seconds)."""
    with ExitStack() as stack:
        yield lambda *arguments, **options: opened_page(stack, *arguments, **options)


@pytest.fixture(scope="session")
def packed() -> None:
    """The page's modules and its list of files as they are now."""
    lock = ROOT / "build" / "packed.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:  # tests share the cores: one process builds, the others find it
        fcntl.flock(file, fcntl.LOCK_EX)
        bundle.build()
        precache.main([])


def opened_site(
    stack: ExitStack, request: pytest.FixtureRequest, *arguments: object, **options: object
) -> Site:
    site = Site(*arguments, **options)  # type: ignore[arg-type]
    stack.callback(site.close)
    if (marker := request.node.get_closest_marker("light")) and site.folder == ROOT:
        light(site, *marker.args)
    return site


def opened_page(
    stack: ExitStack, url: str | None = None, *arguments: str, profile: Path | None = None
) -> Page:
    usual = not arguments and profile is None
    if usual and SPARE_PAGES:
        page = SPARE_PAGES.pop()
    else:
        # Of several --js-flags Chromium takes the last: with a test's own, V8 is as it is.
        # The headless shell has no tabs that are hidden, as such a test needs.
        leaves_out = any(argument.startswith("!") for argument in arguments)
        shell = bool(SPARING) and profile is None and not leaves_out
        page = Page(ONE_PROCESS, *SPARING, *arguments, profile=profile, shell=shell)
        if usual:
            page.keep_compiled(kept().url + "kept.html", *COMPILED)
    stack.callback(close, page, usual)
    LIVE_PAGES.append(page)
    if url is not None:
        page.get(url)
    return page


@cache
def kept() -> Site:
    """The site of the tabs that keep interpreters compiled, there until the tests end."""
    site = Site()
    site.replace("kept.html", "<!doctype html><link rel=icon href=data:,>")
    return site


def close(page: Page, usual: bool) -> None:
    """Keep a browser that is as at its start for the next test; end any other."""
    LIVE_PAGES.remove(page)
    if usual and page.renew():
        SPARE_PAGES.append(page)
    else:
        page.quit()


@pytest.fixture(scope="session", autouse=True)
def no_browser_outlives_the_tests() -> Iterator[None]:
    yield
    while SPARE_PAGES:
        SPARE_PAGES.pop().quit()


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool | None:
    """Grant a test more seconds where the machine withholds the processor."""
    if settings.method != "signal" or threading.current_thread() is not threading.main_thread():
        return None
    limit = Limit(settings.timeout)

    def ring(*_: object) -> None:
        __tracebackhide__ = True
        if (left := limit.left()) > 0:
            signal.setitimer(signal.ITIMER_REAL, left)
        else:
            pytest_timeout.timeout_sigalrm(item, settings)

    def cancel() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    item.cancel_timeout = cancel  # type: ignore[attr-defined]
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit.granted)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):
    """A page that complains in its console fails the test that made it do so."""
    result = yield
    surprises = [message for page in LIVE_PAGES for message in page.surprises()]
    assert not surprises, "errors in the browser's console:\n" + "\n".join(surprises)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    report = yield
    if call.when == "call":
        for number, page in enumerate(LIVE_PAGES):
            if report.failed:
                photograph(page, f"{item.nodeid}-{number}")
                report.sections.append((f"console of page {number}", page.console_text()))
            page.forget_console()
    return report


def photograph(page: Page, name: str) -> None:
    if page.ended:
        return
    screen.keep(re.sub(r"[^\w.-]+", "_", name)[-120:] + ".png", page.get_screenshot_as_png())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest first (their time-outs are their own), what goes to a process alone last."""
    if config.getoption("loadgroup", False):  # xdist's word to its processes
        items.sort(key=lambda item: (-patience(item), not long(item), not shared(item.nodeid)))


# Modules that take long: begun last, they would leave a core idle at the end.
LONG = {
    "test_lacking", "test_page_link", "test_page_program", "test_page_resilience",
    "test_page_sizes",
    "test_retries", "test_rpc_isolated", "test_rpc_leaks", "test_soak",
    "test_bundle", "test_layers", "test_options", "test_recurrent", "test_steps",
}  # fmt: skip


def long(item: pytest.Item) -> bool:
    return item.path.stem in LONG


def patience(item: pytest.Item) -> float:
    """Seconds of the test's own time-out, 0 where it is everybody's."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0


def shared(nodeid: str) -> bool:
    """Whether the tests of this one's module use something together.

    In a browser it is an open page; unit tests of one module compile the same of JAX's programs.
    """
    return nodeid.startswith("tests/unit/") or 'scope="module"' in source(nodeid.split("::")[0])


@cache
def source(name: str) -> str:
    return (ROOT / name).read_text()


class ByPage(LoadScopeScheduling):
    """Modules whose tests share something go to one process as a whole, other tests one by one.

    The order is that of the collection, so the last ones are short, and the processes end at
    about the same time. xdist's own `loadgroup` leaves groups apart under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.split("::")[0] if shared(nodeid) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPage | None:
    return ByPage(config, log) if config.getvalue("dist") == "loadgroup" else None
