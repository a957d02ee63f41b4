"""The lessons: Markdown that a teacher can edit, complete, each with a claim that is checked."""

import html
import re
from collections import Counter

import pytest
from app.language import LANGUAGES
from app.state import settings

from tests.soak import page
from tools import catalogue, lessons

LESSONS = lessons.lessons()
GOOD = """# A *title*

`lr=0.1&epochs=1`

One & two
lines with `a < b`.

## What do you expect?

- Nothing **much**
- A lot

## What to look at

- The [other one](#lr=0.2)
- The loss

And this.

## What happened

It *fell*.
"""


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Lessons: a link, something to predict, what to look at, what happened; checked by `make soak`",
)
def test_there_are_nine_lessons_or_more_and_each_has_a_claim_that_is_checked() -> None:
    assert len(LESSONS) >= 9
    assert [lesson["id"] for lesson in LESSONS] == list(page.CLAIMS)
    assert len({claim.__doc__ for claim in page.CLAIMS.values()}) == len(LESSONS)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson["id"])
def test_a_lesson_is_short_and_its_link_sets_only_what_there_is(lesson) -> None:
    pairs = [pair.partition("=") for pair in lesson["link"].split("&")]
    for name, _, value in pairs:
        settings.read(name, value)
    assert settings.decides(lesson["link"])
    assert settings.read("lesson", lesson["id"]) == lesson["id"]
    text = re.sub(r"<[^>]+>", "", lesson["text"])
    assert 2 <= len(re.findall(r"[.?!](?:\s|$)", text)) <= 4
    assert len(lesson["choices"]) >= 2


def test_reads_what_a_teacher_writes(tmp_path) -> None:
    (tmp_path / "03-a-lesson.md").write_text(GOOD)
    found = lessons.read(tmp_path / "03-a-lesson.md")
    assert found == {
        "id": "a-lesson",
        "language": "en",
        "title": "A *title*",
        "link": "lr=0.1&epochs=1",
        "text": "<p>One &amp; two lines with <code>a &lt; b</code>.</p>",
        "choices": ["Nothing <b>much</b>", "A lot"],
        "look": '<ul><li>The <a href="#lr=0.2">other one</a></li><li>The loss</li></ul>'
        "<p>And this.</p>",
        "happened": "<p>It <em>fell</em>.</p>",
    }


@pytest.mark.parametrize(
    ("name", "cut", "said"),
    [
        ("lesson.md", "", "a name such as"),
        ("01-a.md", "`lr=0.1&epochs=1`", "expected '# Title'"),
        ("01-a.md", "# A *title*", "expected '# Title'"),
        ("01-a.md", "## What to look at", "expected the sections"),
        ("01-a.md", "- A lot", "two answers or more"),
    ],
)
def test_says_what_a_file_lacks_and_names_it(tmp_path, name, cut, said) -> None:
    (tmp_path / name).write_text(GOOD.replace(cut, ""))
    with pytest.raises(lessons.LessonError, match=said) as caught:
        lessons.read(tmp_path / name)
    assert name in str(caught.value)


def test_a_script_in_a_lesson_is_text() -> None:
    assert lessons.inline("<script>alert(1)</script>") == "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert "<img" not in lessons.blocks("a <img src=x onerror=y>")


def test_the_file_of_all_is_written_when_something_changed(tmp_path) -> None:
    (tmp_path / lessons.FOLDER).mkdir(parents=True)
    for number, name in enumerate(("01-b.md", "02-a.md")):
        (tmp_path / lessons.FOLDER / name).write_text(GOOD)
        assert len(lessons.build(tmp_path)) == len(LANGUAGES), number
    assert not lessons.build(tmp_path)
    assert [lesson["id"] for lesson in lessons.lessons(tmp_path)] == ["b", "a"]


GERMAN = GOOD
for english, german in zip(lessons.SECTIONS["en"], lessons.SECTIONS["de"], strict=True):
    GERMAN = GERMAN.replace(english, german)


@pytest.fixture
def translated(tmp_path):
    """A folder with a lesson in German too, and one that is in English alone; writes the German."""

    def write(text: str) -> list[dict[str, str]]:
        folder = tmp_path / lessons.FOLDER
        (folder / "de").mkdir(parents=True)
        for name in ("01-a.md", "02-b.md"):
            (folder / name).write_text(GOOD)
        (folder / "de" / "01-a.md").write_text(text)
        return lessons.lessons(tmp_path, "de")

    return write


def test_a_lesson_is_in_english_where_nobody_has_translated_it(translated) -> None:
    found = translated(GERMAN.replace("One & two", "Eins & zwei"))
    assert [(lesson["id"], lesson["language"]) for lesson in found] == [("a", "de"), ("b", "en")]
    assert "Eins &amp; zwei" in found[0]["text"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("lr=0.1", "lr=0,1", r"expected `lr=0\.1&epochs=1`, received `lr=0,1&epochs=1`"),
        ("- A lot\n", "- A lot\n- More\n", "expected 2 answers, received 3"),
        (lessons.SECTIONS["de"][2], "Was passierte", "expected the sections"),
    ],
)
def test_a_translation_that_is_another_lesson_is_named(translated, old, new, said) -> None:
    with pytest.raises(lessons.LessonError, match=f"de/01-a.md: {said}"):
        translated(GERMAN.replace(old, new))


def figures(text: str, point: str) -> Counter[str]:
    """The numbers of a text, without the sign that groups thousands; its decimals have a point."""
    grouped = "," if point == "." else "."
    found = re.findall(r"\d[\d.,]*\d|\d", html.unescape(re.sub(r"<[^>]+>", "", text)))
    return Counter(number.replace(grouped, "").replace(point, ".") for number in found)


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
@pytest.mark.parametrize("place", range(len(LESSONS)), ids=[each["id"] for each in LESSONS])
def test_a_translation_has_the_figures_and_the_page_s_names_of_its_lesson(place, language) -> None:
    english, theirs = LESSONS[place], lessons.lessons(language=language)[place]
    texts = catalogue.read(language)
    assert theirs["language"] == language
    for part in ("text", "look", "happened"):
        assert figures(theirs[part], texts["."]) == figures(english[part], "."), part
        named = re.findall(r"<(?:b|em)>(.+?)</", english[part])
        for name in set(named) & set(texts):
            assert texts[name] in theirs[part], name
    assert len(theirs["text"].split()) < 1.4 * len(english["text"].split())
