"""What is known of a run of the playground: its figures, its words and its curves."""

from app.language import tr
from app.page import dom, numbers
from app.page.epoch_curves import EpochCurves


class Record:
    """The epochs of one network.

    Attributes:
        last: epoch, loss, test loss, accuracy and test accuracy; None before the first epoch.
    """

    def __init__(self):
        self.last = None
        self._since = (0.0, 0)  # seconds and epoch, for the speed
        self._curves = EpochCurves("error-chart", "loss-chart", "run")

    def clear(self, about, regression):
        """Begin with another network.

        Args:
            about: what the worker says of it.
            regression: whether values are learned, not classes.
        """
        self.last = None
        self._curves.clear()
        dom.find("error").hidden = regression
        for name in ("loss", "val_loss", "val_accuracy", "epoch", "speed"):
            dom.write(name, numbers.DASH)
        dom.write("params", numbers.count(about["params"]))
        dom.set_text(
            "data-note",
            tr("{train} to learn, {test} to test", train=about["train"], test=about["test"]),
        )

    def rebuild(self):
        """Make the charts again, after a change of theme."""
        self._curves.rebuild()

    def start(self):
        """Measure the speed from now on."""
        self._since = (dom.now(), self.last[0] if self.last else 0)

    def add(self, rows, last):
        """Show further epochs, and the figures of the last one."""
        for epoch, loss, val_loss, accuracy, val_accuracy in rows:
            self._curves.add(epoch, (loss, val_loss), (accuracy, val_accuracy))
        self.last = last
        self._curves.refresh()
        epoch, loss, val_loss, _, val_accuracy = last
        dom.write("epoch", numbers.count(epoch))
        dom.write("loss", numbers.loss(loss))
        if val_loss is not None:
            dom.write("val_loss", numbers.loss(val_loss))
        if val_accuracy is not None:
            dom.write("val_accuracy", numbers.percent(val_accuracy))
        began, first = self._since
        if epoch > first + 1 and dom.now() > began + 0.2:
            dom.write("speed", numbers.count((epoch - first) / (dom.now() - began)))

    def words(self):
        """Return how good the network is, in a sentence."""
        epoch, loss, val_loss, accuracy, val_accuracy = self.last
        epoch = numbers.count(epoch)
        if loss != loss:
            return tr(
                "Epoch {epoch}: the loss is no number any more. Try a smaller learning rate.",
                epoch=epoch,
            )
        if accuracy is None:
            words = (
                tr("Epoch {epoch}: the mean squared error is {loss}.")
                if val_loss is None
                else tr(
                    "Epoch {epoch}: the mean squared error is {loss}, of the test points {tested}."
                )
            )
            tested = None if val_loss is None else numbers.loss(val_loss)
            return words.format(epoch=epoch, loss=numbers.loss(loss), tested=tested)
        words = (
            tr("Epoch {epoch}: {right} of the points are right.")
            if val_accuracy is None
            else tr("Epoch {epoch}: {right} of the test points are right.")
        )
        right = accuracy if val_accuracy is None else val_accuracy
        return words.format(epoch=epoch, right=numbers.percent(right))
