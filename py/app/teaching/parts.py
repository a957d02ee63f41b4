"""The parts that a reader may ask for, by name."""

from app.teaching.code import Code

_CLASSES = {"code": Code}


def make(name, page):
    """Return a new part of this name."""
    return _CLASSES[name](page)
