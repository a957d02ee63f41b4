"""Rows of HTML tables."""

from app.page import dom


def heading(*names):
    """Return a row of column headings; all but the first are above numbers."""
    line = dom.make("tr")
    for index, name in enumerate(names):
        line.append(dom.make("th", name, scope="col", class_="number" if index else None))
    return line


def row(head, *cells):
    """Return a row: a heading (text or a `th`), then numbers as texts, or elements to wrap."""
    line = dom.make("tr")
    line.append(dom.make("th", head, scope="row") if isinstance(head, (str, int)) else head)
    for cell in cells:
        line.append(_cell(cell))
    return line


def plain(texts, numbers_from, **attributes):
    """Return a row of texts without a heading; those from an index on are numbers."""
    line = dom.make("tr", **attributes)
    for index, text in enumerate(texts):
        line.append(dom.make("td", text, class_="number" if index >= numbers_from else None))
    return line


def _cell(content):
    if isinstance(content, (str, int)):
        return dom.make("td", content, class_="number")
    if content.tagName == "TD":
        return content
    cell = dom.make("td")
    cell.append(content)
    return cell
