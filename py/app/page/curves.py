"""The curves of a run: loss and accuracy of batches, smoothed, with a point for each epoch."""

from app.page import numbers
from app.page.chart import Chart, Thinner
from app.page.smoothing import Smoother


class Curves:
    """Two charts that share their steps.

    Args:
        smoothing: weight of the past in the smooth curves.
        log: whether losses are drawn by powers of ten.
    """

    def __init__(self, smoothing, log):
        self.loss = Chart("loss-chart", _series(numbers.loss), sync="run")
        self.accuracy = Chart("accuracy-chart", _series(numbers.points), sync="run")
        self.accuracy.most = 100
        self.loss.log = log
        self.charts = (self.loss, self.accuracy)
        self.smoothing = smoothing
        self.clear()

    def clear(self, batches=1):
        """Remove all points; the next run has so many batches."""
        self._thinner = Thinner(batches)
        self._smoothers = [Smoother(self.smoothing) for _ in self.charts]
        for chart in self.charts:
            chart.clear()

    def add_batch(self, step, loss, accuracy):
        """Add the loss and the accuracy (0 to 1) of a batch; `refresh` draws them."""
        values = self._thinner(loss, 100 * accuracy)
        if values is None:
            return
        for chart, smooth, value in zip(self.charts, self._smoothers, values):
            if value == value:  # NaN has no place on a curve
                chart.add(step, value, smooth(value), None)

    def add_epoch(self, step, row):
        """Add the test loss and accuracy of an epoch."""
        share = row.get("val_accuracy")
        self.loss.add(step + 0.5, None, None, row.get("val_loss"))
        self.accuracy.add(step + 0.5, None, None, None if share is None else 100 * share)

    def smooth(self, smoothing):
        """Compute the smooth curves again with another weight."""
        self.smoothing = smoothing
        self._smoothers = [Smoother(smoothing) for _ in self.charts]
        for chart, smooth in zip(self.charts, self._smoothers):
            batches = chart.column(1)
            chart.replace(2, [None if value is None else smooth(value) for value in batches])
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


def _series(state):
    return (
        ("Batch", "faint", 1, state),
        ("Smooth", "train", 2, state),
        ("Test", "val", 2, state),
    )
