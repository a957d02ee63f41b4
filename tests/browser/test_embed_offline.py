"""Two framed demos, from the offline copy; test_journey.py frames one from the packed site."""

import pytest

from tests.support.embed import element, inside, script, tag, wait_for, write
from tools.serve import ROOT

KEPT = "document.documentElement.dataset.offline === 'ready'"


@pytest.fixture
def host(open_site, tmp_path):
    (tmp_path / "host").mkdir()
    return open_site(tmp_path / "host")


def waits_for_the_scroll(page):
    """Each of the two elements has its button, and no frame."""
    for name in "12":
        page.until(f"document.getElementById('{name}').shadowRoot.querySelector('button')")
        assert element(page, "frame", name) is None


def test_two_on_one_page_load_when_they_are_scrolled_to_without_network_and_apart_from_each_other(
    site, host, open_page
):
    """The reader was at the demo before; the host, of the same site, keeps its own embed.js."""
    config = "epochs=1&subset=2500&seed="
    options = {"src": site.url, "load": "visible", "height": "420px"}
    tags = "".join(
        '<div style="height: 4000px"></div>' + tag(name, config=f"{config}{name}", **options)
        for name in "12"
    )
    page = open_page(write(host, script(site) + tags))
    waits_for_the_scroll(page)
    fetched = {request.path for request in site.requests}
    assert fetched - {"static/poster-light.webp"} == {"static/embed.js"}
    page.get(site.url)
    page.wait_for_phase("ready")
    page.until(KEPT, 60)
    (host.folder / "static").mkdir()
    for name in ("embed.js", "poster-light.webp"):
        (host.folder / "static" / name).write_bytes((ROOT / "static" / name).read_bytes())
    page.get(write(host, '<script src="./static/embed.js"></script>' + tags))
    waits_for_the_scroll(page)
    site.close()
    page.expect_no_network()
    for name in "12":
        assert element(page, "frame", name) is None
        page.execute_script(f"document.getElementById('{name}').scrollIntoView()")
        wait_for(page, "ready", name)
        assert element(page, "frame.getBoundingClientRect().height", name) == 420
    with inside(page, "1"):
        page.click("Train")
    wait_for(page, "training", "1")
    assert element(page, "state", "2") == {"phase": "ready"}
    wait_for(page, "ready", "1")
    assert element(page, "state.batch", "1") == 20
    with inside(page, "2"):
        assert page.output("batch") == "–"
        page.click("Train")
    wait_for(page, "training", "2")
    wait_for(page, "ready", "2")
    assert element(page, "state.val_accuracy", "2")
    assert element(page, "state.loss", "2") != element(page, "state.loss", "1")
