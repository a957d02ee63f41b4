"""The framed demo from the offline copy; test_journey.py frames it from the packed site."""

import pytest

from tests.support.embed import element, inside, tag, wait_for, write
from tools.serve import ROOT

KEPT = "document.documentElement.dataset.offline === 'ready'"


@pytest.fixture
def host(open_site, tmp_path):
    (tmp_path / "host").mkdir()
    return open_site(tmp_path / "host")


def test_a_kept_page_is_framed_twice_without_the_network(site, host, open_page):
    """The reader was at the demo before; the host, of the same site, keeps its own embed.js."""
    page = open_page(site.url)
    page.wait_for_phase("ready")
    page.until(KEPT, 60)
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
