"""<farcall-demo> as manuals, slides and frameworks use it: what they do to it, on plain pages."""

import re

import pytest

from tests.support.embed import script, tag, write
from tools.serve import ROOT

pytestmark = pytest.mark.light

DOCUMENT = (ROOT / "docs" / "embedding.md").read_text()
AS_A_FRAMEWORK = """
const [id, name, value] = arguments, demo = document.getElementById(id);
if (name in demo) demo[name] = value;
else if (value === null) demo.removeAttribute(name);
else demo.setAttribute(name, value);
return [demo.getAttribute(name), typeof demo.load];
"""


@pytest.fixture
def host(open_site, tmp_path):
    return open_site(tmp_path)


def test_each_attribute_may_be_set_as_a_framework_does(site, host, open_page):
    """React and Vue set the property where there is one of that name."""
    names = re.findall(r"^\| `(\w+)` \|", DOCUMENT.partition("`element.frame`")[0], re.M)
    assert {"src", "load", "sandbox"} <= set(names)
    page = open_page(write(host, script(site) + tag(hide="data")))
    for name in names:
        for value in ("data:,a", None, "data:,b"):
            said = page.execute_script(AS_A_FRAMEWORK, "demo", name, value)
            assert said == [value, "function"], name
