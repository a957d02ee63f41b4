"""The parts that a reader may ask for, by name."""

from app.teaching.code import Code
from app.teaching.lesson import Lesson

_CLASSES = {"code": Code, "lesson": Lesson}


def make(name, page):
    """Return a new part of this name."""
    return _CLASSES[name](page)
