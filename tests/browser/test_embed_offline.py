"""The framed demo from the offline copy, from the packed site under a path, under its policy."""

import pytest

from tests.browser.test_hosting import policy
from tests.support.embed import element, inside, script, tag, wait_for, write
from tools import precache
from tools import site as packed
from tools.serve import ROOT

KEPT = "document.documentElement.dataset.offline === 'ready'"


@pytest.fixture
def host(open_site, tmp_path):
    (tmp_path / "host").mkdir()
    return open_site(tmp_path / "host")


def test_a_kept_page_is_framed_without_moving_bytes_and_twice_without_the_network(
    site, host, open_page
):
    """The reader was at the demo before; the host, of the same site, keeps its own embed.js."""
    page = open_page(site.url)
    page.wait_for_phase("ready")
    page.until(KEPT, 60)
    site.requests.clear()
    page.get(write(host, script(site) + tag(load="eager")))
    wait_for(page, "ready")
    assert [request for request in site.requests if request.sent] == []
    site.close()
    page.expect_no_network()
    (host.folder / "embed.js").write_bytes((ROOT / "static/embed.js").read_bytes())
    config = "epochs=1&subset=2500&seed="
    tags = [tag(name, src=site.url, load="eager", config=f"{config}{name}") for name in "12"]
    page.get(write(host, '<script src="./embed.js"></script>' + "".join(tags)))
    for name in "12":
        wait_for(page, "ready", name)
    with inside(page, "2"):
        page.click("Train")
    page.until(lambda: element(page, "state.val_accuracy", "2"))


def test_the_packed_site_under_a_path_and_its_policy_is_embedded(
    open_site, host, open_page, tmp_path
):
    packed.build(ROOT, tmp_path / "dist")
    assert "static/embed.js" in precache.published(tmp_path / "dist")
    headers = {"Content-Security-Policy": f"{policy()}; frame-ancestors {host.url.rstrip('/')}"}
    demo = open_site(tmp_path / "dist", prefix="/somewhere/demo/", headers=headers)
    page = open_page(write(host, script(demo) + tag(load="eager")))
    wait_for(page, "ready")
    assert element(page, "src") == demo.url
    assert [r for r in demo.requests if r.status >= 400] == []
