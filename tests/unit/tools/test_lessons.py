"""The lessons: Markdown that a teacher can edit, complete, each with a claim that is checked."""

import re

import pytest
from app.state import settings

from tests.soak import page
from tools import lessons

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
        assert lessons.build(tmp_path), number
    assert not lessons.build(tmp_path)
    assert [lesson["id"] for lesson in lessons.lessons(tmp_path)] == ["b", "a"]
