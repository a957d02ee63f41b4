"""The curves of a run: loss and error of batches, smoothed, with a point for each epoch."""

from app.language import tr
from app.page import numbers
from app.page.chart import Chart, Thinner
from app.page.smoothing import Smoother

ERRORS = (0.2, 100)  # percent: an error of none has no place on a log scale
OPENING = (0.1, 200)  # of a run, and batches: after it the scale leaves out how high it was


class Curves:
    """Two charts that share their steps.

    Args:
        smoothing: weight of the past in the smooth curves.
        log: whether losses are drawn by powers of ten.
    """

    def __init__(self, smoothing, log):
        self.loss = Chart("loss-chart", _series(numbers.loss), sync="run")
        self.error = Chart("accuracy-chart", _series(numbers.points), sync="run")
        self.loss.log = log
        self.error.log = True
        self.charts = (self.loss, self.error)
        self.smoothing = smoothing
        self.clear()

    def clear(self, batches=1):
        """Remove all points; the next run has so many batches."""
        self._thinner = Thinner(batches)
        self._smoothers = [Smoother(self.smoothing) for _ in self.charts]
        self._opening = min(OPENING[0] * batches, OPENING[1])
        self._lowest, self._highest = ERRORS[1], 0.0
        self.error.reach = ERRORS
        for chart in self.charts:
            chart.clear()

    def _reach(self, step, error):
        """Let the scale of the errors hold all that were seen after the opening of the run."""
        self._lowest = min(self._lowest, error)
        if step > self._opening:
            self._highest = max(self._highest, error)
        if self._highest:
            self.error.reach = (max(ERRORS[0], 0.8 * self._lowest), min(100, 1.5 * self._highest))

    def add_batch(self, step, loss, accuracy):
        """Add the loss and the accuracy (0 to 1) of a batch; `refresh` draws them."""
        values = self._thinner(loss, _error(accuracy))
        if values is None:
            return
        for chart, smooth, value in zip(self.charts, self._smoothers, values):
            if value == value:  # NaN has no place on a curve
                smoothed = smooth(value)
                chart.add(step, value, smoothed, None)
                if chart is self.error:
                    self._reach(step, smoothed)

    def add_epoch(self, step, row):
        """Add the test loss and accuracy of an epoch."""
        share = row.get("val_accuracy")
        self.loss.add(step + 0.5, None, None, row.get("val_loss"))
        error = None if share is None else _error(share)
        self.error.add(step + 0.5, None, None, error)
        if error is not None:
            self._reach(step, error)

    def smooth(self, smoothing):
        """Compute the smooth curves again with another weight."""
        self.smoothing = smoothing
        self._smoothers = [Smoother(smoothing) for _ in self.charts]
        for chart, smooth in zip(self.charts, self._smoothers):
            batches = chart.column(1)
            smoothed = [None if value is None else smooth(value) for value in batches]
            chart.replace(2, smoothed)
            if chart is self.error:
                for step, value in zip(chart.column(0), smoothed):
                    if value is not None:
                        self._reach(step, value)
            chart.refresh()

    def points(self):
        """Return all points, for `restore`."""
        return [chart.text() for chart in self.charts]

    def restore(self, points, step):
        """Show the points of a run up to a step."""
        for chart, text in zip(self.charts, points):
            chart.restore(text, step + 0.5)
        self.smooth(self.smoothing)

    def scale(self, log):
        """Draw losses by powers of ten, or not."""
        self.loss.log = log
        self.loss.rebuild()

    def refresh(self):
        """Draw what was added."""
        for chart in self.charts:
            chart.refresh()

    def rebuild(self):
        """Make the charts again, after `clear` or a change of theme."""
        for chart in self.charts:
            chart.rebuild()


def _error(accuracy):
    """Return the error in percent of an accuracy from 0 to 1, as the log scale shows it."""
    return max(ERRORS[0], 100 * (1 - accuracy))


def _series(state):
    return (
        (tr("Batch"), "faint", 1, state),
        (tr("Smooth"), "blue", 2.5, state),
        (tr("Test"), "rust", 2, state),
    )
