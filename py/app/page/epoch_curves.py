"""The curves of a run by its epochs: errors and losses, of training and of test."""

from app.language import tr
from app.page import numbers
from app.page.chart import Chart

_SERIES = (tr("Training"), "blue", 2.5), (tr("Test"), "rust", 2)
LEAST = 0.2  # percent: an error of none has no place on a log scale


class EpochCurves:
    """Two charts that share their epochs.

    Args:
        error: identifier of the element of the errors' chart.
        loss: likewise, of the losses'.
        sync: a name, of these two charts alone.
    """

    def __init__(self, error, loss, sync):
        self._error = Chart(error, _series(numbers.points), sync=sync)
        self._loss = Chart(loss, _series(numbers.loss), sync=sync)
        self._charts = (self._error, self._loss)
        for chart in self._charts:
            chart.label = tr("epochs")
            chart.points = False
        self.clear()

    def clear(self, amounts=False):
        """Remove all points.

        Args:
            amounts: whether the errors to come are amounts, on a plain scale, or shares of what is
                right: those are drawn as what is wrong in percent, by powers of ten.
        """
        self._amounts = amounts
        self._error.log = not amounts
        self._error.reach = None if amounts else (LEAST, 100)
        self._error.series = _series(_amount if amounts else numbers.points)
        for chart in self._charts:
            chart.clear()
        self.rebuild()

    def add(self, epoch, losses, errors):
        """Add an epoch; `refresh` draws it.

        Args:
            epoch: its number.
            losses: of training and of test, None where one is not known.
            errors: likewise, see `clear`.
        """
        self._loss.add(epoch, *losses)
        if errors[0] is not None:
            self._error.add(epoch, *[self._drawn(error) for error in errors])

    def _drawn(self, error):
        if error is None or self._amounts:
            return error
        return max(LEAST, 100 * (1 - error))

    def refresh(self):
        """Draw what was added."""
        for chart in self._charts:
            chart.refresh()

    def rebuild(self):
        """Make the charts again, after `clear` or a change of theme."""
        for chart in self._charts:
            chart.rebuild()


def _amount(value):
    return numbers.local(numbers.significant(value))


def _series(state):
    return [(label, colour, width, state) for label, colour, width in _SERIES]
