"""The code of the guides of teams, run on one page as tests/browser/test_guides.py runs the others.

Each of them starts workers of its own with the engine, which takes too long for `make test`.
"""

import re

import pytest

from tests.browser.test_examples import complaints
from tests.browser.test_guides import SLOW, said_by, said_in_documents
from tests.support.documents import DOCS, TEAM_GUIDES, joined

ARCHIVES = {"./farcall.zip": "python", "./nn.zip": "python", "./simd.so": "kernels"}


def configured():
    """The tutorial's configuration of a worker with the engine, with this repository's files."""
    text = joined(DOCS / "tutorials" / "training.md", "config.toml")
    for name, folder in ARCHIVES.items():
        assert f'"{name}" = ' in text
        text = text.replace(f'"{name}" = ', f'"./static/vendor/{folder}/{name[2:]}" = ')
    return text.replace('"0.28.3"', '"./static/vendor/pyodide/pyodide.mjs"')


@pytest.mark.timeout(300)
def test_the_code_of_every_guide_of_teams_prints_what_it_says(site, open_page):
    page, said = said_by(TEAM_GUIDES, site, open_page, configured())
    assert said == said_in_documents(TEAM_GUIDES)
    assert [line for line in complaints(page) if not re.search(SLOW, line)] == []
