"""The parts that a reader may ask for, by name."""

from app.teaching.code import Code
from app.teaching.data_sets import DataSets
from app.teaching.embed_form import EmbedForm
from app.teaching.lesson import Lesson
from app.teaching.numbers_explained import NumbersExplained
from app.teaching.project import Project
from app.teaching.web_page import WebPage

_CLASSES = {
    "code": Code,
    "data_sets": DataSets,
    "embed_form": EmbedForm,
    "lesson": Lesson,
    "numbers_explained": NumbersExplained,
    "project": Project,
    "web_page": WebPage,
}


def make(name, page):
    """Return a new part of this name."""
    return _CLASSES[name](page)
