"""<farcall-demo> as manuals, slides and frameworks use it: what they do to it, on plain pages."""

import re

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.support import screen
from tests.support.embed import button, change, element, script, tag, write
from tools.serve import ROOT

pytestmark = pytest.mark.light

DOCUMENT = (ROOT / "docs" / "embedding.md").read_text()
# How a page becomes dark. Sphinx's, MkDocs', Docusaurus', VitePress' and Starlight's themes say it
# by `color-scheme`, by colours alone, or by both, on an element of their own.
DARK = {
    "scheme": "color-scheme: dark; color: CanvasText",
    "colours": "background: #131416; color: #ced4da",
    "lightness": "color: oklch(0.95 0.01 250)",
    "translucent": "color: #ffffffd9",
    "slow": "transition: color 0.2s; color: #f0e9dc",
}
# The colours of the poster's box and its picture.
WORN = """
const [name, theme] = wanted;
const root = document.getElementById(name).shadowRoot;
const box = getComputedStyle(root.querySelector(".box")).backgroundColor;
const light = box === "rgb(255, 252, 245)" ? "light" : box;
const worn = box === "rgb(34, 30, 25)" ? "dark" : light;
return worn === theme && root.querySelector("img").src.endsWith(`/poster-${theme}.webp`);
"""
SWITCH = "document.body.classList.toggle('dark')"
AS_A_FRAMEWORK = """
const [id, name, value] = arguments, demo = document.getElementById(id);
if (name in demo) demo[name] = value;
else if (value === null) demo.removeAttribute(name);
else demo.setAttribute(name, value);
return [demo.getAttribute(name), typeof demo.load];
"""
SHORTCUTS = """<script>
globalThis.turned = 0;
addEventListener("keydown", (event) => {
  if ([" ", "Enter", "n"].includes(event.key)) { turned += 1; event.preventDefault(); }
});
</script>"""


@pytest.fixture
def host(open_site, tmp_path):
    return open_site(tmp_path)


def test_it_is_as_dark_as_the_page_around_it_and_follows_the_page_s_own_switch(
    site, host, open_page
):
    style = "".join(f".dark #{name}-part {{ {how} }} " for name, how in DARK.items())
    parts = "".join(f'<div id="{name}-part">{tag(name)}</div>' for name in DARK)
    fixed = tag("fixed", theme="light")
    body = f"<style>{style}</style>{script(site)}{fixed}{parts}"
    page = open_page(write(host, body))

    def all_wear(theme):
        for name in DARK:
            page.until(lambda name=name: page.ask(WORN, name, theme), 20, f"{name} in {theme}")

    all_wear("light")
    screen.wear(page, "dark")
    all_wear("light")  # the reader's system is dark, this page is not
    for theme in ("dark", "light"):
        page.execute_script(SWITCH)
        all_wear(theme)
        assert page.ask(WORN, "fixed", "light")
    page.execute_script(f"document.body.style.display = 'none'; {SWITCH}")
    screen.resize(page, 900, 800)  # the page is laid out without it
    page.execute_script("document.body.style.display = ''")
    all_wear("dark")
    change(page, "theme", "dark", "fixed")
    assert page.ask(WORN, "fixed", "dark")


def test_each_attribute_may_be_set_as_a_framework_does(site, host, open_page):
    """React and Vue set the property where there is one of that name."""
    names = re.findall(r"^\| `(\w+)` \|", DOCUMENT.partition("`element.frame`")[0], re.M)
    assert {"src", "load", "sandbox"} <= set(names)
    page = open_page(write(host, script(site) + tag(hide="data")))
    for name in names:
        for value in ("data:,a", None, "data:,b"):
            said = page.execute_script(AS_A_FRAMEWORK, "demo", name, value)
            assert said == [value, "function"], name


def test_it_starts_however_its_script_arrives_and_if_it_is_run_again(site, host, open_page):
    """By the parser, by a script, as a module, inline, and in a bundle."""
    text = (ROOT / "static/embed.js").read_text()
    (host.folder / "static").mkdir()
    for name in ("embed.js", "bundle.js"):
        (host.folder / "static" / name).write_text(text)
    insert = "document.head.append(Object.assign(document.createElement('script'), {src: '%s'}))"
    demo, own = site.url, host.url
    ways = {
        "parsed": (script(site), demo),
        "inserted": (f"<script>{insert % (demo + 'static/embed.js')}</script>", demo),
        "module": ('<script type="module" src="static/embed.js"></script>', own),
        "inline": (f"<script>{text}</script>", own + "inline.html"),
        "bundle": ('<script type="module">import "./static/bundle.js"</script>', own),
    }
    page = open_page()
    for name, (way, address) in ways.items():
        given = {"src": own} if name == "bundle" else {}
        page.get(write(host, way + tag(poster="", **given) + way, f"{name}.html"))
        page.until("document.getElementById('demo').shadowRoot?.querySelector('button')")
        assert element(page, "src") == address, name


def test_a_page_s_shortcuts_leave_its_button_the_keys_that_press_it(site, host, open_page):
    (host.folder / "other.html").write_text("")
    keys = {"space": Keys.SPACE, "enter": Keys.ENTER}
    demos = "".join(tag(name, src=f"{host.url}other.html") for name in keys)
    page = open_page(write(host, SHORTCUTS + script(site) + demos))
    for turned, (name, key) in enumerate(keys.items()):
        page.execute_script("arguments[0].focus()", button(page, name))
        ActionChains(page).send_keys(key).perform()
        page.until(f"document.getElementById('{name}').frame")
        assert page.execute_script("return turned") == turned
        page.execute_script("document.activeElement.blur()")
        ActionChains(page).send_keys("n").perform()
        page.until(f"turned === {turned + 1}")
