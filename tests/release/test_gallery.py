"""What `make docs` wrote, served by `python -m http.server` and opened in a browser."""

import pytest

from tests.browser.test_examples import EXPECTED, complaints, shows_what_it_should
from tests.browser.test_guides import served
from tools.docs import gallery

DIST = gallery.ROOT / "dist"


@pytest.fixture(scope="module")
def documents():
    """The address of the site of documents."""
    if not (DIST / "docs" / "gallery.html").is_file():
        raise FileNotFoundError("dist/docs: run `make docs`")
    with served(DIST) as url:
        yield f"{url}docs/"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", gallery.names())
def test_a_page_of_the_gallery_shows_what_it_should(documents, open_page, tmp_path, name):
    page = open_page(f"{documents}gallery/{name}/index.html")
    shows_what_it_should(page, name, tmp_path)


def test_the_gallery_has_a_frame_for_each_example_and_the_first_is_live(documents, open_page):
    page = open_page(f"{documents}gallery.html")
    frames = page.execute_script("return [...document.querySelectorAll('iframe')].map(f => f.src)")
    assert frames == [f"{documents}gallery/{name}/index.html" for name in sorted(EXPECTED)]
    page.execute_script("document.querySelector('iframe').scrollIntoView()")
    root = "document.querySelector('iframe').contentDocument.documentElement"
    page.until(f"{root}.dataset.phase == 'ready'", 60)
    assert complaints(page) == []


@pytest.mark.timeout(600)
def test_each_document_opens_without_an_error_or_a_request_elsewhere(documents, open_page):
    page = open_page()
    paths = sorted(path.relative_to(DIST / "docs") for path in (DIST / "docs").rglob("*.html"))
    asked = set()
    for path in paths:
        if path.parts[0] != "gallery":
            page.get(documents + path.as_posix())
            page.until("document.readyState == 'complete'", 30)
            entries = "performance.getEntriesByType('resource').map(e => e.name)"
            asked.update(page.execute_script(f"return {entries}"))
            assert complaints(page) == [], path
    assert len(paths) > 60
    assert [url for url in asked if not url.startswith((documents, "data:", "blob:"))] == []
