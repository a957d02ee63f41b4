"""Every text of the page is in the catalogue, and every language has all of them."""

import ast
import json
import re

import pytest

from tools import catalogue


def test_every_text_that_a_reader_meets_is_wrapped():
    assert catalogue.unwrapped() == []


def test_the_worker_asks_for_no_text_while_it_imports():
    # It learns the language after its modules have been imported.
    early = {name: texts.early for name, texts in catalogue.modules() if "/lab/" in name}
    assert {name: lines for name, lines in early.items() if lines} == {}


MANY = {
    "Close the other {count} tabs of this page first, then update.": "of one there is another text",
    "Each of the {count} numbers before has a weight of its own here.": "of a whole image",
    "It learns from {data}, {count} images: add your drawings again first.": "ten are the fewest",
    "It learns from {data}, {count} images: open them again first.": "likewise",
    "The same {size} weights make every pixel of this map: each is multiplied by the number under "
    "it, and all products are added. Training changes the weights.": "a filter",
    "Trained for {trained} epochs.": "of one there is another text",
    "Your drawings are among the {count} training images now.": "other images were there before",
    "3 × 3 convolution, {channels} channels, {direction}": "a measurement's own",
    "Left out, {count} of {total} files: {names}.": "of one there is another text",
    "the {tested} test rows": "a fifth of ten at least",
    "the last layer must be Dense with {classes} units and softmax: one probability a class": (
        "two are the fewest"
    ),
    "{count} classes are the most that this page shows": "a constant",
    "{count} different texts": "a column with too many",
    "{count} numbers, {size}": "of a network",
    "{count} parameters": "likewise",
    "{count} images": "a step of the slider",
    "{} images": "likewise",
    "{count} pictures of a class are enough.": "a constant",
    "{fewest} pictures of each class at least: {name} has {count}.": "a constant",
    "{name} is a table of {count} rows: choose what is learned, and train on it.": "ten at least",
    "{name}: expected a value in {fewest} rows, got it in {count}": "a constant",
    "{name}: {count} weights from {low} to {high}, deviation {deviation}": "of a layer",
    "{name}: {train} + {test} images": "ten at least",
    "{name}: {train} images to train on, {form}, and a new network for {count} classes.": "ten",
    "{right} of {total} test images right, {wrong} wrong.": "of a whole set",
    "{rows} rows, {count} columns.": "two columns at least",
    "{size} workers.": "one trains without these words",
    "{train} images of {name}; {test} test": "ten at least",
    "{words} does not read images of {size}, or has not {classes} classes.": "two at least",
}
"""Texts with a number before a noun in the plural, and why that number is never one."""
COUNTED = re.compile(
    r"\{[a-z_]*\} (?:(?:training|test|hidden|different|other) )?(?:batches|channels|classes|"
    r"columns|cores|drawings|epochs|files|images|layers|models|nodes|numbers|others|parameters|pictures|"
    r"points|processors|rows|runs|samples|steps|tabs|texts|trials|units|values|weights|workers)\b"
)


def test_a_number_of_things_has_a_text_for_one_too_unless_it_is_never_one():
    calls = [
        call
        for path in catalogue.ROOT.glob(catalogue.MODULES)
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "plural"
    ]
    of_one = {argument.value for call in calls for argument in call.args[1:]}
    counted = {text for text in catalogue.collected() - of_one if COUNTED.search(text)}
    assert counted - set(MANY) == set(), "write one with `plural`, or as in 'rows: 1'"
    assert set(MANY) - catalogue.collected() == set()


@pytest.mark.parametrize("language", catalogue.languages())
def test_a_language_has_every_text_with_its_placeholders_and_no_other(language):
    texts = catalogue.read(language)
    assert catalogue.wrong(texts, catalogue.collected()) == []
    path = catalogue.ROOT / catalogue.FOLDER / f"{language}.json"
    assert path.read_text() == catalogue.written(texts, texts), "python -m tools.catalogue sorts it"


def test_in_german_no_hidden_units_are_said_without_an_ending_that_the_number_changes():
    texts = catalogue.read("de")  # "4 verborgene Einheiten", but "keine verborgenen Einheiten"
    assert texts["no"] == "keine"
    assert [text for text in texts.values() if "{units} verborgen" in text] == []


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
