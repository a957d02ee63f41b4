"""What each number is: its line beside it when it is pressed, and a list of all in the footer."""

from app.page import dom, status
from app.state import what_is

# Beside the number, or below it where there is room; the browser closes it.
_show = dom.evaluate(__file__, "numbers_explained.js")


class NumbersExplained:
    """The lines of `app.state.what_is` on the page.

    Args:
        page: the page with its panels.
    """

    def __init__(self, page):
        self.pressed = None
        self.note = dom.make("p", id="what-is", popover="auto", role="status")
        dom.document.body.append(self.note)

    def open(self):
        """Fill the list of all numbers."""
        box = dom.find("numbers")
        if box.children.length:
            return
        for label, line in what_is.FIGURES.values():
            pair = dom.make("div")
            term = dom.make("dt")
            term.append(dom.make("b", label))
            pair.append(term, dom.make("dd", line))
            box.append(pair)

    def tell(self, element):
        """Say what the number in an element is."""
        line = what_is.line(key(element))
        if line:
            self.note.textContent = line
            if not _show(self.note, element):  # a browser without popovers
                status.say(line)


def key(element):
    """Return the name by which `what_is` knows the number in an output, a column or a figure."""
    output = element.querySelector("output") or element
    names = (output.getAttribute("name"), output.id, output.getAttribute("for"))
    for name in names:
        if name:
            return name
    return output.textContent
