"""The page's texts in the reader's language; the English text is the key, as in gettext.

`tr("Trained {epochs} epochs", epochs=5)`: tools/catalogue.py finds every such text, and
static/languages has a file a language. The page fetches one before its first module of panels, so
a table of texts may be made when a module is imported; the worker gets it later, and must ask for
each text when it is used. Pure Python for CPython, MicroPython and Pyodide.
"""

LANGUAGES = ("en", "de")
table = {}  # type: dict[str, str]


def use(texts: "dict[str, str]") -> None:
    """Take the texts of a language: by their English texts. None: English."""
    table.clear()
    table.update(texts)


def tr(english: str, **values: object) -> str:
    """Return a text in the reader's language; English where that has none.

    Args:
        english: the text in English, which is the key.
        values: of its placeholders, if it has any.
    """
    found = table.get(english, english)
    return found.format(**values) if values else found


def grouped(number: int) -> str:
    """Return a whole number with its thousands grouped as the language does."""
    return f"{number:,}".replace(",", tr(","))


def key(text: str) -> str:
    """Return the text as it is, and name it to the catalogue: `tr` gets it where it is shown."""
    return text


def plural(amount: float, one: str, other: str, **values: object) -> str:
    """Return the text for one, or the one for any other number, as `tr` does."""
    return tr(one if amount == 1 else other, **values)
