"""The gallery's live examples fetch nothing from elsewhere, and only what the site has."""

import re
import tomllib

import pytest

from tools.docs import gallery

USED = re.compile(r"([./]*static/vendor)/([\w./@-]*\w)?")


@pytest.mark.parametrize("name", gallery.names())
def test_a_live_example_is_made_of_the_site_s_own_files(name):
    files = dict(gallery.live(name))
    assert [file for file, text in files.items() if "://" in text] == []
    found = [each for text in files.values() for each in USED.findall(text)]
    assert {folder for folder, _ in found} == {gallery.VENDOR}
    used = {path for _, path in found}
    assert "pyscript/core.js" in used
    assert "runtime/pyodide.js" in used
    assert [path for path in used if not (gallery.ROOT / "static/vendor" / path).exists()] == []


@pytest.mark.parametrize("name", gallery.names())
def test_each_script_has_the_configuration_of_its_interpreter(name):
    files = dict(gallery.live(name))
    for kind, config in re.findall(r'type="(\w+)".*?config="./([\w.]+)"', files["index.html"]):
        assert tomllib.loads(files[config])["interpreter"] == gallery.RUNTIMES[kind]
    assert ('type="mpy"' in files["index.html"]) == ("mpy.toml" in files)
    assert tomllib.loads(files["config.toml"])["interpreter"] == gallery.RUNTIMES["py"]


@pytest.mark.parametrize("name", gallery.names())
def test_an_example_stands_beside_all_of_its_code(name):
    section = gallery.section(name)
    assert f'src="gallery/{name}/index.html"' in section
    for path in (gallery.EXAMPLES / name).iterdir():
        assert path.read_text() in section
