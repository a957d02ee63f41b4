"""<farcall-demo> in a page of another origin: it loads, resizes, takes a theme, and fails."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from app.language import LANGUAGES as SPOKEN
from selenium.webdriver.common.keys import Keys

from tests.browser.test_embed_driving import answers
from tests.support import embed, screen
from tests.support.embed import ALERT, HEAD, change, element, inside, script, tag, wait_for, write
from tests.support.site import Held, Missing, Site
from tools import precache
from tools import site as packed
from tools.serve import ROOT

pytestmark = pytest.mark.light

SEED = "document.getElementById('option-seed').value"
FOCUSED = "shadowRoot.activeElement"
PICTURE = "shadowRoot.querySelector('img')"
HEIGHT = "document.getElementById('demo').frame.getBoundingClientRect().height"
FORGED = """heard.length = 0;
const forged = { type: "farcall-demo", kind: "state", phase: "error", height: 5 };
postMessage(forged, location.origin);
postMessage({ ...forged, kind: "size" }, location.origin);
const other = document.body.appendChild(document.createElement("iframe"));
addEventListener("message", ({ data }) => { if (data === "done") globalThis.done = true });
other.srcdoc = `<script>parent.postMessage(${JSON.stringify(forged)}, "*");
  parent.postMessage("done", "*")</${"script"}>`;"""


@pytest.fixture
def host(tmp_path: Path, open_site: Callable[..., Site]) -> Site:
    """Somebody else's site: another port, and no file but those that a test writes."""
    (tmp_path / "host").mkdir()
    return open_site(tmp_path / "host")


BUSY = """<script>
globalThis.looks = 0;
globalThis.IntersectionObserver = class extends IntersectionObserver {
  constructor(callback) {
    const all = [];
    super((seen) => { looks = all.push(...seen); if (looks > 1) callback(all); });
  }
};
</script>"""
MADE_BY_SCRIPT = """
const [eager, loaded] = ["eager", "loaded"].map((id) =>
  Object.assign(document.createElement("farcall-demo"), { id }));
document.body.append(eager);
eager.setAttribute("load", "eager");
loaded.load();
document.body.append(loaded);
"""
# The panels that a frame shows, each time that they change, from its first paint until it is ready.
PANELS_SHOWN = """
if (/[?&]embed=1/.test(location.search)) {
    const shown = (globalThis.panelsShown = []);
    const displayed = (e) => {
        for (let p = e; p; p = p.parentElement)
            if (getComputedStyle(p).display === "none") return false;
        return true;
    };
    const note = () => {
        const panels = [...document.querySelectorAll("[data-panel], #picture, #history")];
        const now = panels.filter(displayed).map((e) => e.id).join(" ");
        if (now !== shown.at(-1)) shown.push(now);
        if (document.documentElement.dataset.phase !== "ready") requestAnimationFrame(note);
    };
    addEventListener("DOMContentLoaded", note);
}
"""


@pytest.fixture(scope="module")
def started(module_site, open_module_page, tmp_path_factory):
    """A host with one embedded demo that was started by the keyboard alone: the page, and what was
    seen on the way there."""
    host = Site(tmp_path_factory.mktemp("host"))
    write(host, script(module_site) + tag(config="epochs=1&seed=3", label="Digits"))
    page = open_module_page()
    page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": PANELS_SHOWN})
    page.get(host.url)
    button = embed.button(page)
    seen = {"displayed": button.is_displayed(), "text": button.text}
    seen["fetched"] = {request.path for request in module_site.requests}
    page.find_element("css selector", "body").send_keys(Keys.TAB)
    seen["focused"] = element(page, f"{FOCUSED}?.textContent")
    page.switch_to.active_element.send_keys(Keys.ENTER)
    wait_for(page, "ready")
    with inside(page):  # what comes when it can train already makes it higher
        page.until("!document.getElementById('why').disabled")
    seen["frame"] = element(page, f"{FOCUSED}?.title")
    seen["told"] = [
        detail for _, name, detail in page.execute_script("return heard") if name == "farcall-load"
    ]
    with inside(page):
        seen["seed"] = page.execute_script(f"return {SEED}")
    yield page, seen
    host.close()


class TestPoster:
    def test_nothing_is_fetched_before_the_button_is_pressed(self, started):
        _, seen = started
        assert seen["displayed"]
        assert seen["fetched"] - {"static/poster-light.webp"} == {"static/embed.js"}

    def test_it_shows_the_picture_in_the_theme_s_colours(self, site, host, open_page):
        own = script(site) + tag("light", theme="light") + tag("dark", theme="dark")
        page = open_page(write(host, own + tag("none", poster="") + tag(poster="other.png")))
        for theme in ("light", "dark"):
            page.until(f"document.getElementById('{theme}').{PICTURE}.complete")
            source, *sizes = (
                element(page, f"{PICTURE}.{name}", theme)
                for name in ("src", "naturalWidth", "width", "naturalHeight", "height")
            )
            assert source == f"{site.url}static/poster-{theme}.webp"
            assert sizes[::2] == sizes[1::2], "the place that it is given"
        assert element(page, PICTURE, "none") is None
        assert element(page, f"{PICTURE}.src") == f"{host.url}other.png"
        page.expect_console("other.png")

    def test_it_speaks_the_language_of_its_demo_and_changes_it_with_the_link(
        self, site, host, open_page
    ):
        tags = [tag(language, config=f"epochs=1&lang={language}") for language in SPOKEN]
        page = open_page(write(host, script(site) + "".join(tags) + tag(config="lang=constructor")))
        box = "shadowRoot.querySelector('.box')"
        shown = {name: element(page, f"{box}.innerText", name) for name in (*SPOKEN, "demo")}
        assert shown["en"] == shown["demo"]
        assert len(set(shown.values())) == len(SPOKEN), "no two languages have the same words"
        for language in SPOKEN:
            assert element(page, f"{box}.lang", language) == language
            change(page, "config", f"lang={language}")
            assert element(page, f"{box}.innerText") == shown[language]

    def test_what_it_shows_is_that_of_its_attributes_of_now(self, site, host, open_page):
        body = f'<div dir="rtl">{script(site)}{tag(config="epochs=1")}</div>'
        page = open_page(write(host, body))
        root = "shadowRoot.querySelector"
        assert element(page, "matches(':dir(rtl)')")
        box = f"getComputedStyle(document.getElementById('demo').{root}('.box')).direction"
        assert page.execute_script(f"return {box}") == "ltr", "its sentences are of such languages"
        element(page, f"{root}('button').focus()")
        change(page, "config", "epochs=2")
        assert element(page, f"{root}('a').href") == f"{site.url}#epochs=2"
        assert element(page, f"{FOCUSED}?.localName") == "button"
        change(page, "label", "Digits")
        assert element(page, f"{root}('p').textContent") == "Digits"
        for theme in ("dark", "light"):
            change(page, "theme", theme)
            assert element(page, f"{root}('img').src").endswith(f"poster-{theme}.webp")
        change(page, "src", "https://other.example/")
        assert element(page, f"{root}('a').href") == "https://other.example/#epochs=2"

    def test_addresses_and_heights_that_are_none_leave_those_that_it_has(
        self, site, host, open_page
    ):
        tags = tag(src="http://[", poster="http://[") + tag("lazy", height="300", load="eager")
        page = open_page(write(host, script(site) + tags + tag("odd", height="x", load="eager")))
        root = "shadowRoot.querySelector"
        assert element(page, f"{root}('a').href") == site.url
        assert element(page, f"{root}('img').src").startswith(f"{site.url}static/poster-")
        assert element(page, "frame.style.height", "lazy") == "300px"
        element(page, "remove()", "lazy")  # one demo is started, not two
        element(page, "scrollIntoView()", "odd")  # what is not seen is not laid out
        wait_for(page, "ready", "odd")
        page.until("document.getElementById('odd').frame.style.height.endsWith('px')")

    def test_it_starts_when_it_is_seen_in_a_page_too_busy_to_look_at_each_frame(
        self, site, host, open_page
    ):
        """A browser that comes to it late gives what was seen in several frames at once."""
        far = '<div style="height: 5000px"></div>'
        page = open_page(write(host, BUSY + script(site) + far + tag(load="visible")))
        page.until("globalThis.looks === 1")
        assert element(page, "frame") is None
        element(page, "scrollIntoView()")
        page.until("globalThis.looks === 2")
        assert element(page, "frame") is not None

    def test_the_frame_is_as_wide_as_the_poster_where_the_content_decides(
        self, site, host, open_page
    ):
        """In a dialog or a row it was 300 pixels wide."""
        boxes = f"<dialog open>{tag('dialog')}</dialog>"
        boxes += f"<div style='display: flex'>{tag('row')}<p>beside it</p></div>"
        page = open_page(write(host, script(site) + boxes + tag("block")))
        for name in ("dialog", "row", "block"):
            page.until(f"document.getElementById('{name}').{PICTURE}.complete")
            width = "getBoundingClientRect().width"
            before = element(page, width, name)
            assert before > 600
            element(page, "load()", name)
            assert abs(element(page, width, name) - before) < 5
            assert element(page, f"frame.{width}", name) == element(page, width, name)
            element(page, "remove()", name)  # its demo need not start

    def test_a_script_may_make_it_first_and_say_or_start_it_later(self, site, host, open_page):
        page = open_page(write(host, script(site)))
        page.execute_script(MADE_BY_SCRIPT)
        for name in ("eager", "loaded"):
            assert element(page, "shadowRoot.querySelector('.box')", name) is None
            assert element(page, "frame.isConnected", name)

    def test_every_text_of_the_element_is_there_in_every_language(self):
        source = (ROOT / "static/embed.js").read_text()
        used = set(re.findall(r'#tr\("([^"]+)"', source))
        assert used
        for language in SPOKEN[1:]:
            [texts] = re.findall(rf"\n    {language}: {{\n(.*?)\n    }},", source, re.DOTALL)
            pairs = dict(re.findall(r'"([^"]+)":\s+"([^"]+)"', texts))
            assert pairs.keys() == used
            for english, text in pairs.items():
                assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", english))

    def test_the_button_says_what_a_first_visit_moves(self, started):
        _, seen = started
        [said] = re.findall(r"\((\d+) MB\)", seen["text"])
        moved = sum(packed.moved((ROOT / path).read_bytes()) for path in precache.published(ROOT))
        assert 0 <= int(said) - moved / 1e6 < 1.5

    def test_the_keyboard_alone_starts_it(self, started):
        _, seen = started
        assert seen["focused"].startswith("Run the demo here")
        assert seen["frame"] == "Digits"

    def test_without_javascript_there_is_a_link(self, site, host, open_page):
        link = f'<a href="{site.url}">Open the demo</a>'
        body = script(site) + f"<farcall-demo>{link}</farcall-demo>"
        page = open_page(write(host, body), "--blink-settings=scriptEnabled=false")
        assert page.find_element("link text", "Open the demo").is_displayed()


class TestFrame:
    """One embedded page that has started, looked at from both sides."""

    @pytest.fixture
    def page(self, started):
        return started[0]

    def test_the_layout_is_compact(self, page):
        with inside(page):
            shown = page.execute_script(
                "return [...document.querySelectorAll('.tagline, h2, footer, #phases, #theme')]"
                ".filter((e) => e.checkVisibility() && e.getBoundingClientRect().width > 1)"
                ".map((e) => e.innerText)"
            )
        assert shown == ["Error, %", "Loss", "Runs"]

    def test_what_is_hidden_was_never_shown(self, page):
        with inside(page):
            assert page.execute_script("return panelsShown") == [
                "options draw picture training history"
            ]

    def test_the_frame_is_as_high_as_its_page(self, page):
        high = (
            "return [document.body.getBoundingClientRect().height,"
            " document.documentElement.scrollHeight <= innerHeight]"
        )

        def fitting():
            """The page's height, once the frame has followed it."""
            with inside(page):
                height, fits = page.execute_script(high)
            return fits and 0 <= page.execute_script(f"return {HEIGHT}") - height < 2 and height

        before = page.until(fitting)
        with inside(page):
            page.execute_script("document.querySelector('#options details').open = true")
        page.until(f"{HEIGHT} > {before} + 20")
        with inside(page):
            page.execute_script("document.querySelector('#options details').open = false")
        page.until(f"Math.abs({HEIGHT} - {before}) < 2")

    def test_the_frame_grows_when_the_host_is_narrow(self, page):
        wide = page.execute_script(f"return {HEIGHT}")
        page.execute_script("document.getElementById('demo').style.width = '360px'")
        page.until(f"{HEIGHT} > {wide} + 100")
        with inside(page):
            screen.settle(page, 360)
            overflow = "document.documentElement.scrollWidth - innerWidth"
            assert page.execute_script(f"return {overflow}") <= 0
        page.execute_script("document.getElementById('demo').style.width = ''")
        page.until(f"Math.abs({HEIGHT} - {wide}) < 2")

    def test_the_theme_follows_the_attribute(self, page):
        colours = {}
        for theme in ("dark", "light"):
            change(page, "theme", theme)
            with inside(page):
                page.until(f"document.documentElement.dataset.theme === '{theme}'")
                paper = "return getComputedStyle(document.body).backgroundColor"
                colours[theme] = page.execute_script(paper)
        assert colours == {"dark": "rgb(26, 23, 19)", "light": "rgb(245, 240, 230)"}

    def test_the_theme_follows_the_page_around_it_where_no_attribute_names_one(self, page):
        page.execute_script("document.getElementById('demo').removeAttribute('theme')")
        for theme, text in (("dark", "white"), ("light", "black")):
            page.execute_script("document.body.style.color = arguments[0]", text)
            with inside(page):
                page.until(f"document.documentElement.dataset.theme === '{theme}'")

    def test_the_config_is_the_hash_and_changes_it_without_a_reload(self, started):
        page, seen = started
        assert seen["seed"] == "3"
        with inside(page):
            page.execute_script("globalThis.same = true")
        pages = page.execute_script("return history.length")
        change(page, "config", "epochs=2&seed=4")
        with inside(page):
            page.until(f"{SEED} === '4'")
            hash_ = page.execute_script("return globalThis.same && location.hash")
        assert hash_ == "#epochs=2&seed=4"
        assert page.execute_script("return history.length") == pages, "what Back goes through"

    def test_the_host_is_told_what_goes_on(self, page):
        change(page, "config", "epochs=1&subset=2500")
        page.execute_script("heard.length = 0")
        with inside(page):
            page.until("document.getElementById('subset-value').textContent === '2,500'")
            page.button("Train").click()
        wait_for(page, "training")
        wait_for(page, "ready")
        heard = page.execute_script("return heard")
        assert {(who, name) for who, name, _ in heard} == {("demo", "farcall-state")}
        told = [detail for _, _, detail in heard]
        batches = [detail["batch"] for detail in told if "batch" in detail]
        assert batches == sorted(batches)
        assert told[-1]["phase"] == element(page, "dataset.phase") == "ready"
        assert (told[-1]["batch"], told[-1]["batches"]) == (20, 20)
        assert told[-1]["val_accuracy"] > 0.5

    def test_it_keeps_no_copy_of_its_own(self, page):
        with inside(page):
            found = page.execute_script("return {...document.documentElement.dataset}")
        assert (found["offline"], found["offlineReason"]) == (
            "unavailable",
            "embedded pages keep no copy of their own",
        )

    def test_a_host_that_is_not_listed_gets_no_answer(self, started):
        """A listed one gets its answers where it drives the demo, in test_embed_driving.py."""
        page, seen = started
        assert [told["drivable"] for told in seen["told"]] == [False]
        assert answers(page, element(page, "frame")) == []

    def test_messages_of_others_are_not_heard(self, page):
        """Neither the host's own messages nor those of another frame move the element."""
        before = element(page, "state")
        page.execute_script(FORGED)
        page.until("globalThis.done")
        assert element(page, "state") == before
        assert page.execute_script("return heard") == []

    def test_the_frame_hears_the_framing_page_only(self, page):
        theme = "document.documentElement.dataset.theme"
        with inside(page):
            before = page.execute_script(f"return {theme}")
            page.execute_script(
                "postMessage({ type: 'farcall-demo', theme: arguments[0] }, location.origin);"
                "setTimeout(() => { globalThis.passed = true })",
                "dark" if before == "light" else "light",
            )
            page.until("globalThis.passed")
            assert page.execute_script(f"return {theme}") == before


# What the alert is right after its button was pressed.
AGAIN = f"{ALERT}.querySelector('button').click(); return {ALERT}"


class TestTrouble:
    """What can go wrong is said where the demo would be."""

    @pytest.fixture
    def impatient(self):
        """An element that waits 1.5 s for its demo, not half a minute."""
        return lambda site: site.replace(
            "static/embed.js", lambda text: text.replace("PATIENCE = 30000", "PATIENCE = 1500")
        )

    def test_a_demo_that_is_not_there_can_be_tried_again_and_a_slow_one_takes_the_alert_away(
        self, site, host, open_page, impatient
    ):
        impatient(site)
        site.faults["index.html"] = Missing()
        page = open_page(write(host, script(site) + tag(load="eager")))
        page.expect_console("404")
        said = f"The demo at {site.url} does not answer"
        assert said in page.until(f"{ALERT}.innerText", 20)
        slow = Held()
        site.faults = {"static/vendor/python/main.txt": slow}
        assert page.execute_script(AGAIN) is None
        assert said in page.until(f"{ALERT}.innerText", 20)
        slow.go.set()
        wait_for(page, "ready")
        assert not page.check(ALERT)

    def test_a_demo_that_refuses_to_be_framed(self, open_site, host, open_page, impatient):
        demo = open_site(headers={"Content-Security-Policy": "frame-ancestors 'none'"})
        impatient(demo)
        page = open_page(write(host, script(demo) + tag(load="eager")))
        page.expect_console("frame-ancestors")
        assert "not allow this page to show it" in page.until(f"{ALERT}.innerText", 20)

    def test_an_error_of_the_embedded_page_is_shown_in_it_and_told(self, site, host, open_page):
        site.replace("py/app/worker.py", "raise ValueError('boom')")
        page = open_page(write(host, script(site) + tag(load="eager")))
        page.expect_console("boom|MessageEvent")
        wait_for(page, "error")
        assert element(page, "dataset.phase") == "error"
        with inside(page):
            assert "The worker could not start" in page.text
            assert page.button("Reload the page").is_displayed()


def test_the_host_s_own_policy_may_be_strict_and_put_back_it_starts_again(
    site, open_site, open_page, tmp_path
):
    """No inline style or script is needed, and the demo's origin in two places."""
    origin = site.url.rstrip("/")
    policy = f"default-src 'none'; script-src {origin}; frame-src {origin}; img-src data:"
    (tmp_path / "strict").mkdir()
    strict = open_site(tmp_path / "strict", headers={"Content-Security-Policy": policy})
    (strict.folder / "index.html").write_text(HEAD + script(site) + tag(load="eager"))
    page = open_page(strict.url)
    wait_for(page, "ready")
    assert element(page, "state") == {"phase": "ready"}
    page.execute_script(
        "const demo = document.getElementById('demo'); demo.remove(); document.body.append(demo)"
    )
    assert element(page, "state") is None
    wait_for(page, "ready")


def test_it_wears_what_was_set_before_it_heard_goes_on_where_it_is_moved_and_starts_another_demo(
    site, open_site, host, open_page
):
    other = open_site()
    page = open_page(write(host, "<main></main>" + script(site) + tag(theme="light")))
    page.execute_script(
        "const demo = document.getElementById('demo'); demo.load();"
        "demo.setAttribute('theme', 'dark'); demo.setAttribute('label', 'Digits')"
    )
    wait_for(page, "ready")
    assert element(page, "frame.title") == "Digits"
    with inside(page):
        page.until("document.documentElement.dataset.theme === 'dark'")
    page.execute_script(
        "document.querySelector('main').moveBefore(document.getElementById('demo'), null)"
    )
    assert element(page, "state") == {"phase": "ready"}
    change(page, "src", other.url)
    assert element(page, "state") is element(page, "dataset.phase") is None
    wait_for(page, "ready")
    assert element(page, "frame.src").startswith(f"{other.url}?embed=1")


@pytest.mark.parametrize(
    ("query", "panels"),
    [("compact=1", "draw picture training"), ("show=picture", "draw picture"),
     ("show=options,history", "options training history"),
     ("hide=picture,analysis", "options draw training history data network models")],
)  # fmt: skip
def test_the_first_paint_has_the_panels_that_the_address_asks_for(site, open_page, query, panels):
    """Without Python: what boot.js hides before it."""
    site.replace("static/vendor/pyscript/core.js", "")
    page = open_page()
    page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": PANELS_SHOWN})
    page.get(f"{site.url}?embed=1&{query}")
    assert page.execute_script("return panelsShown[0]") == panels
