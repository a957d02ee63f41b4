"""The host drives the demo in its frame: in Python by farcall, in JavaScript by Comlink.

Both run one scenario (tests/browser/embed/): from an origin that the demo lists, from its own, and
from any where it lists them all. That others get no answer is shown here and in test_embed.py.
"""

import json
import re

import pytest

from tests.support.embed import HEAD, element, script, tag, trust
from tests.support.interpreters import configuration
from tests.support.site import Site

pytestmark = pytest.mark.light

BUSY = "a run is in progress: stop it, or wait until it is over"


def python_host(host: Site, demo: Site, interpreter: str) -> str:
    """A page on `host` whose Python is tests/browser/embed/driver.py; its address."""
    host.replace("host.toml", configuration(interpreter, "./"))
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
const frame = document.querySelector("farcall-demo")?.frame ?? document.querySelector("iframe");
const ask = (message) => frame.contentWindow.postMessage(message, "*");
ask({ id: "probe", type: "APPLY", path: ["state"], argumentList: [] });
ask(["* probe ?"]);"""
ARRIVED = """globalThis.arrived = 0;
// So many turns of the page's loop are enough to answer: hosts that are listed get theirs.
const after = (turns) => { if (turns) setTimeout(after, 10, turns - 1); else arrived += 1; };
const asked = (data) => data?.id === "probe" || data?.[0] === "* probe ?";
addEventListener("message", ({ data }) => { if (asked(data)) after(50); });"""


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


def test_micropython_drives_it_by_farcall_from_an_origin_that_is_listed(site, open_site, open_page):
    host = open_site()
    trust(site, host)
    found = results(open_page(python_host(host, site, "mpy")))
    check(found)
    assert found["again"] == "ready"


@pytest.mark.soak
def test_pyodide_drives_it_by_farcall_from_the_demo_s_own_origin(site, open_page):
    page = open_page(python_host(site, site, "py"))
    found = results(page)
    check(found)
    assert found["again"] == "ready"
    assert may_drive(page), "it need not be listed"


CALL = """const [name, values, done] = arguments;
globalThis.demo[name](...values).then(
  (value) => done(value ?? null), (error) => done(`${error.name}: ${error.message}`));"""


def test_javascript_drives_it_by_comlink_from_anywhere_where_a_star_is_listed(
    site, open_site, open_page
):
    empty = 'name="farcall-drivers" content=""'
    site.replace("index.html", lambda text: text.replace(empty, empty[:-1] + '*"'))
    page = open_page(javascript_host(open_site(), site))
    found = results(page)
    check(found)
    assert "'_stage' of a Demo is private" in found["refused"][2]
    page.execute_cdp_cmd("HeapProfiler.collectGarbage", {})  # the proxy must be held

    def call(name, *values):
        return page.execute_async_script(CALL, name, values)

    another_network_is_there_when_configure_returns_or_is_refused(call)
    what_no_memory_holds_is_refused_before_it_is_tried(call)
    assert may_drive(page)


def another_network_is_there_when_configure_returns_or_is_refused(call):
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


def what_no_memory_holds_is_refused_before_it_is_tried(call):
    wide = [["Conv2D", {"filters": 256, "kernel_size": 3, "padding": "same"}], ["Flatten", {}]]
    layers = [*wide, ["Dense", {"units": 10, "activation": "softmax"}]]
    assert call("configure", {"layers": layers, "batch": 2048}) is None
    before = call("state")
    assert before["phase"] == "ready"
    assert "RuntimeError: A batch of it needs" in call("train")
    assert call("state") == before


class TestDefaultDeny:
    """Who lies about its origin, or does not give it, gets no answer and is not even spoken to.

    A listed host gets answers where it drives the demo, above; test_embed.py's, which gives its
    origin and is not listed, gets none.
    """

    @pytest.fixture
    def hosted(self, site, open_site, tmp_path):
        """A host that listens from the start to the demo it frames."""
        host = open_site(tmp_path)
        listen = "<script>globalThis.heard = []; onmessage = (e) => heard.push(e.data)</script>"
        liar = f'<iframe src="{site.url}?embed=1&host=https://docs.example.org"></iframe>'
        (tmp_path / "liar.html").write_text(HEAD + listen + liar)
        return host

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
