"""Options that the page has set for the data in use, which go back when other data come."""


class Lent:
    """What was set, and what was there before; what somebody has chosen since is theirs.

    Args:
        rows: of the page before a reload.

    Attributes:
        rows: by name: as it was, as it was set. JSON can hold them where it can hold the values.
    """

    def __init__(self, rows=None):
        self.rows = {name: tuple(map(_read, row)) for name, row in (rows or {}).items()}

    def set(self, values, **changed):
        """Return options with some changed."""
        self.rows.update({name: (values[name], changed[name]) for name in changed})
        return dict(values, **changed)

    def give_back(self, values):
        """Return options as they were before `set`, but for those that are others by now."""
        former = {name: row[0] for name, row in self.rows.items() if values[name] == row[1]}
        self.forget()
        return dict(values, **former)

    def forget(self, *_):
        """Let all options be as they are: a link decides them."""
        self.rows.clear()


def _read(value):
    """Return a value as settings have it: JSON makes lists of the pairs that layers are."""
    return [tuple(layer) for layer in value] if isinstance(value, list) else value
