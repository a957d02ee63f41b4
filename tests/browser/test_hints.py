"""What index.html asks the browser to fetch ahead: files that are needed, each fetched once."""

from pathlib import Path

INDEX = Path(__file__).parents[2] / "index.html"
LOADED = """
const hints = [...document.querySelectorAll("link[rel$=preload]")].map((link) => link.href);
const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
return hints.map((name) => [name, loaded.filter((other) => other === name).length]);
"""


def test_what_is_fetched_ahead_is_used_and_fetched_once(site, open_page):
    page = open_page(site.url)
    page.wait_for_phase("ready")
    counts = dict(page.execute_script(LOADED))
    assert len(counts) == INDEX.read_text().count('preload" ')
    assert counts == dict.fromkeys(counts, 1)
    assert "preload" not in page.console_text()
