"""The host drives the demo in its frame: in Python by farcall, in JavaScript by Comlink.

Both run one scenario (tests/browser/embed/) from another origin, which the demo must list.
"""

import json
import re

import pytest

from tests.support.embed import HEAD, element, script, tag, trust
from tests.support.interpreters import farcall_files
from tests.support.site import Site

pytestmark = pytest.mark.light(10_000)

INTERPRETERS = {"mpy": "micropython/micropython.mjs", "py": "pyodide/pyodide.mjs"}
BUSY = "a run is in progress: stop it, or wait until it is over"


def config(interpreter: str) -> str:
    lines = [f'interpreter = "./static/vendor/{INTERPRETERS[interpreter]}"', "[files]"]
    return "\n".join([*lines, *(f'"./py/farcall/{n}" = "farcall/{n}"' for n in farcall_files())])


def python_host(host: Site, demo: Site, interpreter: str) -> str:
    """A page on `host` whose Python is tests/browser/embed/driver.py; its address."""
    host.replace("host.toml", config(interpreter))
    host.replace(
        "host.html",
        f"{HEAD}{script(demo)}{tag(load='click')}"
        '<script type="module" src="./static/vendor/pyscript/core.js"></script>'
        f'<script type="{interpreter}" src="./tests/browser/embed/driver.py" config="./host.toml">'
        "</script>",
    )
    return host.url + "host.html"


def javascript_host(host: Site, demo: Site, **attributes: str) -> str:
    driver = '<script type="module" src="./tests/browser/embed/driver.mjs"></script>'
    host.replace("host.html", HEAD + script(demo) + tag(load="click", **attributes) + driver)
    return host.url + "host.html"


def results(page):
    found = json.loads(page.until("globalThis.results", 110))
    assert "failed" not in found, found["failed"]
    return found


def check(found):
    assert found["options"][2:] == [1, 2500, 125, 0.002, 1]
    assert re.search("options: expected some of .*epochs.*received 'speed'", found["options"][0])
    assert "epochs: expected 1 to 100, got 0" in found["options"][1]
    assert found["training"] == [1, True, 20, "ready", True]
    assert found["predicting"][:3] == [10, 1, 1]
    assert "expected 784 shades, 28 rows of 28; received 783" in found["predicting"][3]
    assert "expected shades from 0 to 255" in found["predicting"][4]
    assert found["predicting"][5] is None
    assert found["files"][:2] == ["PK", True]
    assert "magic" in found["files"][2]
    assert BUSY in found["steering"][0]
    assert found["steering"][1:] == ["ready", 0]
    assert "'forget'" in found["refused"][0]
    assert "'tell'" in found["refused"][1]


ASK = """globalThis.answers = [];
addEventListener("message", ({ data }) => {
  if (data?.id === "probe" || Array.isArray(data)) answers.push(data);
});
const frame = document.querySelector("iframe") ?? document.querySelector("farcall-demo").frame;
const ask = (message) => frame.contentWindow.postMessage(message, "*");
ask({ id: "probe", type: "APPLY", path: ["state"], argumentList: [] });
ask(["* probe ?"]);"""
ARRIVED = """globalThis.arrived = 0;
// So many turns of the page's loop are enough to answer: hosts that are listed get theirs.
const after = (turns) => { if (turns) setTimeout(after, 10, turns - 1); else arrived += 1; };
addEventListener("message", ({ source }) => { if (source === parent) after(50); });"""


def answers(page, frame):
    """What the host hears when it asks as Comlink and as farcall do."""
    page.switch_to.frame(frame)
    page.wait_for_phase("ready")
    page.execute_script(ARRIVED)
    page.switch_to.default_content()
    page.execute_script(ASK)
    page.switch_to.frame(frame)
    page.until("arrived === 2")
    page.switch_to.default_content()
    return page.execute_script("return answers")


def may_drive(page):
    """Whether the host of the element hears the demo's state as Comlink asks for it."""
    answers(page, element(page, "frame"))
    page.until("answers.some((said) => said.id)")  # a busy machine may need more turns
    heard = [said for said in page.execute_script("return answers") if "id" in said]
    return [(said["id"], said["type"], said["value"]["phase"]) for said in heard] == [
        ("probe", "RAW", "ready")
    ]


@pytest.mark.parametrize("interpreter", ["mpy", "py"])
def test_python_drives_it_by_farcall(site, open_site, open_page, interpreter):
    host = open_site()
    trust(site, host)
    page = open_page(python_host(host, site, interpreter))
    found = results(page)
    check(found)
    assert found["again"] == "ready"


def test_javascript_drives_it_by_comlink(site, open_site, open_page):
    host = open_site()
    trust(site, host)
    page = open_page(javascript_host(host, site))
    found = results(page)
    check(found)
    assert "'_stage' of a Demo is private" in found["refused"][2]
    page.execute_cdp_cmd("HeapProfiler.collectGarbage", {})  # the proxy must be held
    assert may_drive(page), "its host is listed"


class TestDefaultDeny:
    """Who is not listed gets no answer; who lies about its origin is not even spoken to.

    A listed host gets answers where it drives the demo, above and below.
    """

    @pytest.fixture
    def hosted(self, site, open_site, tmp_path):
        """A host that listens from the start, and the demo it frames."""
        host = open_site(tmp_path)
        listen = "<script>globalThis.heard = []; onmessage = (e) => heard.push(e.data)</script>"
        (tmp_path / "element.html").write_text(HEAD + listen + script(site) + tag(load="eager"))
        liar = f'<iframe src="{site.url}?embed=1&host=https://docs.example.org"></iframe>'
        (tmp_path / "liar.html").write_text(HEAD + listen + liar)
        return host

    def test_a_host_that_is_not_listed_gets_no_answer(self, hosted, open_page):
        page = open_page(hosted.url + "element.html")
        page.until("heard.length")
        assert answers(page, element(page, "frame")) == []
        assert (
            page.execute_script("return heard.find(({ kind }) => kind === 'hello').drivable")
            is False
        )

    def test_a_host_that_gives_another_s_origin_hears_nothing(self, site, hosted, open_page):
        listed = 'name="farcall-drivers" content="https://docs.example.org"'
        empty = 'name="farcall-drivers" content=""'
        site.replace("index.html", lambda text: text.replace(empty, listed))
        page = open_page(hosted.url + "liar.html")
        page.expect_console("target origin provided")
        assert answers(page, page.find_element("css selector", "iframe")) == []
        assert page.execute_script("return heard") == []

    def test_without_a_host_in_the_address_nothing_is_said(self, site, hosted, open_page):
        trust(site, hosted)
        (hosted.folder / "plain.html").write_text(
            (hosted.folder / "liar.html").read_text().replace("&host=https://docs.example.org", "")
        )
        page = open_page(hosted.url + "plain.html")
        assert answers(page, page.find_element("css selector", "iframe")) == []
        assert page.execute_script("return heard") == []


EXPOSE = """<script type="module">
import * as Comlink from "./node_modules/comlink/dist/esm/comlink.mjs";
const element = document.querySelector("farcall-demo");
element.addEventListener("farcall-load", () => {
  const { origin } = new URL(element.src);
  globalThis.api = Comlink.wrap(Comlink.windowEndpoint(element.frame.contentWindow, self, origin));
});
element.load();
</script>"""
CALL = """const [name, values, done] = arguments;
globalThis.api[name](...values).then(
  (value) => done(value ?? null), (error) => done(`${error.name}: ${error.message}`));"""


def networks(host, demo, open_page):
    """A page that drives the demo; how it calls a method: the value, or the error's text."""
    host.replace("host.html", HEAD + script(demo) + tag(load="click") + EXPOSE)
    page = open_page(host.url + "host.html")
    page.until("typeof globalThis.api === 'function'", 40)
    return page, lambda name, *values: page.execute_async_script(CALL, name, values)


class TestNetworks:
    """Another network by `configure`: there when it returns, or refused with a reason."""

    def test_it_is_there_when_configure_returns_or_refused(self, site, open_site, open_page):
        """Everybody may drive where a star is listed."""
        empty = 'name="farcall-drivers" content=""'
        site.replace("index.html", lambda text: text.replace(empty, empty[:-1] + '*"'))
        page, call = networks(open_site(), site, open_page)
        assert call("configure", {"preset": "small", "epochs": 100}) is None
        assert call("options")["preset"] == "small"
        small = len(call("model"))
        own = [["Flatten", {}], ["Dense", {"units": 10, "activation": "softmax"}]]
        assert call("configure", {"layers": own}) is None
        assert len(call("model")) != small
        assert len(call("predict", [0] * 784)["probabilities"]) == 10
        assert "layers: Layer 1" in call("configure", {"layers": [["Dense", {"units": 10}]]})
        assert call("configure", {"preset": "small", "batch": 256}) is None
        assert call("options")["layers"] is None
        assert may_drive(page)

    def test_what_no_memory_holds_is_refused_before_it_is_tried(self, site, open_page):
        """The demo's own origin may drive it unlisted."""
        page, call = networks(site, site, open_page)
        wide = [["Conv2D", {"filters": 256, "kernel_size": 3, "padding": "same"}], ["Flatten", {}]]
        layers = [*wide, ["Dense", {"units": 10, "activation": "softmax"}]]
        assert call("configure", {"layers": layers, "batch": 2048}) is None
        assert "RuntimeError: A batch of it needs" in call("train")
        assert call("state") == {"phase": "ready"}
        assert may_drive(page)
