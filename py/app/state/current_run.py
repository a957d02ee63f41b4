"""The training run in progress: its place, its clock, its epochs, and what it came to in words."""

import asyncio

from app.language import tr
from app.page import dom, numbers
from app.state import settings


class CurrentRun:
    """One run, from its first batch or from the checkpoint that it continues.

    Args:
        number: of the run.
        options: the settings.
        images: that an epoch learns from.
        left: what `Unfinished` knows of a run that is continued.
        continues: number of the run whose weights this one goes on with, words where there is
            none, 0: from fresh ones.

    Attributes:
        record: as the history keeps it: number, epochs, options, link.
        latest: logs of the last batch.
        started: set with the first batch, or when none will come; the worker forgets what is asked
            of a run that it has not begun.
        diverged: where the loss was no number any more, '' if it is one.
        over: whether the run has come to its end.
    """

    def __init__(self, number, options, images, left=None, continues=0):
        done = left["rows"] if left else []
        self.epochs = options["epochs"]
        self.size = options["batch"]
        self.images = images
        self.batches = -(-images // self.size)
        self.first = len(done)
        self.done = self.first * self.batches + (left["batch"] if left else 0)
        self.resumed = left is not None and left["exact"]
        self.latest = None
        self.started = asyncio.Event()
        self.stopped = self.over = self.cut_short = False
        self.diverged = ""
        self._began = self._epoch_began = dom.now()
        self._held = None
        self.record = {
            "number": left["number"] if left else number,
            "epochs": list(done),
            "options": dict(options.values, layers=None, hide=None),
            "link": settings.to_hash(options.values),
            "continues": left.get("continues", 0) if left else continues,
        }

    @property
    def rows(self):
        """The figures of the finished epochs."""
        return self.record["epochs"]

    def hold(self):
        """Stop the clock: time in a pause is not time of the run."""
        self._held = dom.now()

    def go_on(self):
        """Start the clock again."""
        pause = dom.now() - self._held
        self._began += pause
        self._epoch_began += pause
        self._held = None

    @property
    def held(self):
        """Whether the run is paused."""
        return self._held is not None

    @property
    def elapsed(self):
        """Seconds since the run began, pauses left out."""
        return (self._held if self.held else dom.now()) - self._began

    @property
    def total(self):
        """Images to learn from in all epochs."""
        return self.epochs * self.images

    def seen(self, steps):
        """Return how many images so many batches have."""
        return min(steps * self.size, self.total)

    def took(self, batch, logs):
        """Note a batch; return whether its loss is the first that is no number."""
        self.latest = logs
        if self.diverged or abs(logs["batch_loss"]) < float("inf"):
            return False
        self.diverged = tr(
            "batch {batch} of epoch {epoch}", batch=batch + 1, epoch=int(logs["epoch"]) + 1
        )
        return True

    def finish_epoch(self, epoch, logs):
        """Note a finished epoch; return its row in the history."""
        now = dom.now()
        row = {name: logs.get(name) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        row["epoch"] = epoch + 1
        row["seconds"] = round(now - self._epoch_began, 3)
        self._epoch_began = now
        self.rows.append(row)
        return row

    def outcome(self, following=""):
        """Return what the run came to, in a sentence, and what to do now in another."""
        done, total = len(self.rows), self.epochs
        if self.diverged:
            return tr("Stopped: the loss is not a number since {diverged}.", diverged=self.diverged)
        if self.stopped and self.cut_short:
            words = tr(
                "Stopped in epoch {epoch} of {total}, at batch {batch} of {batches}",
                epoch=done + 1,
                total=total,
                batch=int(self.latest["batch"]),
                batches=int(self.latest["batches"]),
            )
        elif self.stopped:
            words = tr("Stopped after epoch {done} of {total}", done=done, total=total)
        elif done < total:
            words = tr(
                "Stopped early after epoch {done} of {total}, the test loss falls no more",
                done=done,
                total=total,
            )
        else:
            words = tr("Done: epoch {done} of {total}", done=done, total=total)
        if done and self.rows[-1]["val_accuracy"] is not None:
            share = numbers.percent(self.rows[-1]["val_accuracy"])
            words += ", " + tr("{share} of the test images right", share=share)
        return f"{words}. {following}".strip()
