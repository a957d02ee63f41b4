"""Every text of the page is in the catalogue, and every language has all of them."""

import ast
import json

import pytest

from tools import catalogue


def test_every_text_that_a_reader_meets_is_wrapped():
    assert catalogue.unwrapped() == []


def test_the_worker_asks_for_no_text_while_it_imports():
    # It learns the language after its modules have been imported.
    early = {name: texts.early for name, texts in catalogue.modules() if "/lab/" in name}
    assert {name: lines for name, lines in early.items() if lines} == {}


@pytest.mark.parametrize("language", catalogue.languages())
def test_a_language_has_every_text_with_its_placeholders_and_no_other(language):
    texts = catalogue.read(language)
    assert catalogue.wrong(texts, catalogue.collected()) == []
    path = catalogue.ROOT / catalogue.FOLDER / f"{language}.json"
    assert path.read_text() == catalogue.written(texts, texts), "python -m tools.catalogue sorts it"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('status.say("Paused.")', ["Paused."]),
        ('status.say("off")', ["off"]),
        ('status.say(f"{n} images are left")', ["\0 images are left"]),
        ('dom.make("button", "Use")', ["Use"]),
        ('dom.set_text("note", total + " parameters")', [" parameters"]),
        ('dom.set_text("note", f"{total} left")', ["\0 left"]),
        ('dom.set_text("note", f"{total} ms")', []),
        ('dom.make("input", type="number", aria_label="Name of it")', ["Name of it"]),
        ('button.setAttribute("aria-label", "on" if on else "off")', ["on", "off"]),
        ('title = {"a": "Not a network yet"}', ["Not a network yet"]),
        ('def f(words="It knows only digits."): pass', ["It knows only digits."]),
        ('status.say(tr("Paused."))', []),
        ('status.say(tr("Of {name}", name="No name yet"))', ["No name yet"]),
        ('status.say(tr("One" if one else "Some of them"))', []),
        ('button.setAttribute("class", "some words")', ["some words"]),
        ('dom.find("some id here")', []),
        ('raise ValueError("expected one of them")', []),
        ('raise ValueError(tr("expected one of them"))', []),
        ('"A docstring of words."', []),
        ('if name == "Some words": pass', []),
        ('dom.put(box, "<b>Some words</b>")', []),
    ],
)
def test_a_text_that_is_not_wrapped_is_found_wherever_it_stands(line, found):
    texts = catalogue.Texts(ast.parse(line))
    assert [text for _, text in texts.bare] == found


def test_texts_are_collected_from_calls_html_and_scripts():
    module = 'plural(n, "{n} run", "{n} runs"); tr("a" if x else "b"); '
    module += 'put("<p title=\\"the title\\">Hi</p>")'
    assert catalogue.Texts(ast.parse(module)).found == {
        "{n} run",
        "{n} runs",
        "a",
        "b",
        "the title",
        "Hi",
    }
    page = "<p>One\n  text <b>and bold</b> 12<script>no text</script><img alt='a picture'>"
    page += "<optgroup label='Tables'>"
    assert catalogue.of_html(page) == {"One text", "and bold", "a picture", "Tables"}
    script = 'say(tr("Hello {name}", { name })); say("Not wrapped"); // a comment "of words"'
    assert catalogue.of_script(script) == ({"Hello {name}"}, ["Not wrapped"])


def test_what_is_missing_in_excess_or_different_is_said():
    wanted = {"Run {number}", "Stop", "{size:.1f} MB"}
    texts = {"Run {number}": "Lauf {nummer}", "Go": "Los", "{size:.1f} MB": "{size:.1f} MB"}
    said = catalogue.wrong(texts, wanted)
    assert [line.split(":")[0] for line in said] == [
        "missing",
        "not on the page any more",
        "other placeholders than 'Run {number}'",
    ]
    assert catalogue.wrong({text: text for text in wanted}, wanted) == []


def test_the_catalogue_is_written_sorted_and_keeps_what_is_translated():
    text = catalogue.written({"b": "B", "gone": "x"}, ["c", "b"])
    assert json.loads(text) == {"b": "B", "c": ""}
    assert list(json.loads(text)) == ["b", "c"]
