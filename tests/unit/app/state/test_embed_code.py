"""The lines of an embed say what the form says, whatever that is."""

from html.parser import HTMLParser

import pytest
from app.state import embed_code, settings
from hypothesis import given
from hypothesis import strategies as st

PANELS = st.lists(st.sampled_from(settings.PANELS), unique=True)


class Tags(HTMLParser):
    """Collects tags with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def read(text: str) -> list[tuple[str, dict[str, str | None]]]:
    tags = Tags()
    tags.feed(text)
    tags.close()
    return tags.found


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "A form in the footer writes the lines of an embed: panels, options, size, theme",
)
@given(
    st.text(max_size=30).filter(lambda text: "\r" not in text),
    st.text(max_size=40).filter(lambda text: "\r" not in text),
    PANELS, st.booleans(), st.sampled_from(embed_code.THEMES), st.sampled_from(["", "720px"]),
)  # fmt: skip
def test_the_element_has_what_was_chosen(base, config, hide, compact, theme, height) -> None:
    text = embed_code.text(base, config, hide, compact, theme, height)
    [(script, source), (element, words)] = read(text)
    assert (script, element) == ("script", "farcall-demo")
    assert source == {"src": base + "static/embed.js", "defer": None}
    expected = {
        "compact": None if compact else False,
        "hide": ",".join(hide),
        "config": config,
        "theme": "" if theme == "auto" else theme,
        "height": height,
    }
    assert words == {name: value for name, value in expected.items() if value or value is None}


@pytest.mark.parametrize(
    ("text", "found"), [("", ""), ("  ", ""), ("720", "720px"), (" 200 ", "200px")]
)
def test_a_height_is_pixels_or_nothing(text: str, found: str) -> None:
    assert embed_code.length(text) == found


@pytest.mark.parametrize("text", ["x", "199", "4001", "1e3", "720px", "-720"])
def test_another_height_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected nothing, or 200 to 4000 pixels"):
        embed_code.length(text)
