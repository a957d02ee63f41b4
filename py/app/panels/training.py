"""The training panel: train, pause, step, stop, reset; the figures and the curves of a run.

The engine calls `on_batch` after every batch, 100 times a second and more. It only notes numbers:
the figures are written and the curves drawn once a frame at most.
"""

import json

import js

from app.language import key, tr
from app.page import dom, figures, numbers, status
from app.page.curves import Curves
from app.page.title import Title
from app.state import memory_budget, run_history
from app.state.current_run import CurrentRun

# Figures that change faster cannot be read; most frames stay free for the drawing.
REDRAW = 0.08
_CURVES = "farcall-curves"
# Name of the data: what can be done with a network that has learned them.
_FOLLOWING = {
    "MNIST": tr("Draw a digit."),
    key("MNIST with a shortcut"): tr("Draw a digit."),
    key("Your classes"): tr("Hold something in front of the camera."),
}
# State of the page: buttons that it enables, and buttons that it disables.
_BUTTONS = {
    "ready": (
        ("train", "step", "reset", "save", "load", "download", "analyse", "search-start"),
        ("pause", "stop"),
    ),
    "training": (("pause", "stop"), ("train", "step", "reset", "load", "analyse")),
    "paused": (("pause", "stop", "step"), ()),
    "stopping": ((), ("pause", "stop")),
    "stepping": ((), ("train", "step")),
    "measuring": ((), ("train", "step", "reset", "analyse")),
    "joined": ((), ("train", "step", "reset", "load", "analyse")),
    "failed": ((), ("train", "pause", "step", "stop", "reset", "save", "load", "download")),
}


class Progress:
    """What the page shows of a run: figures, curves, title, advice, epochs.

    Args:
        client: the engine.
        options: the settings.
        history: the panel that lists the epochs.
        state: of the page.

    Attributes:
        run: the run in progress or the last one; None before the first.
        begun: called with the first batch of each run.
    """

    def __init__(self, client, options, history, state):
        self.client = client
        self.options = options
        self.history = history
        self.state = state
        self._network = None  # whose figures and curves are shown
        self.curves = Curves(options["smoothing"], options["log"])
        self.steps = 0  # batches that the curves show
        self.title = Title()
        self.glance = None
        self.run = None
        self.begun = lambda: None
        self.drawn = 0.0
        self._epochs = []  # figures of those that no frame has shown yet
        options.listen("log", self.curves.scale)
        options.listen("smoothing", lambda _: dom.next_frame("smoothing", self._smooth))
        dom.on(js.window, "pagehide", lambda _: self._keep_curves())
        client.listen(self._follow)

    def begin(self, left):
        """Show a run from its first batch, or from the place where it was cut short."""
        former = self._former_curves(left)
        images = min(self.options["subset"], self.client.data["train"])
        number, before = self.history.next_number(), _before(self.client)
        run = self.run = CurrentRun(number, self.options, images, left, before)
        self.drawn = 0.0
        self._epochs.clear()
        self.steps = run.done
        self.curves.clear(run.epochs * run.batches)
        if former:
            self.curves.restore(former, self.steps)
        else:
            for row in run.rows:
                self.curves.add_epoch(row["epoch"] * run.batches, row)
        if left:
            self.history.resume(left["number"], run.rows)
        self.history.begin(run.record)
        dom.find("advice").hidden = True
        dom.find("progress").value = 0

    def _follow(self):
        """Clear the figures and curves of another network, but for one that this run trained."""
        client = self.client
        dom.root.toggleAttribute("data-trained", client.learned)  # the button: "Train further"
        if self.state.busy or client.model is self._network:
            return
        self._network = client.model
        if self.steps and not (self.run and self.run.record["number"] == client.run):
            self.clear()

    def clear(self):
        """Show that nothing is learned yet."""
        figures.clear()
        dom.find("advice").hidden = True
        self.steps = 0
        self.curves.clear()
        self.curves.rebuild()

    def add_step(self, logs):
        """Show a single batch."""
        self._network = self.client.model
        figures.show_means(logs)
        self._add(logs["loss"], logs["accuracy"])
        self.curves.refresh()

    def on_batch(self, batch, logs):
        """Note a batch; the engine calls this from its worker."""
        run = self.run
        if run.latest is None:
            run.started.set()
            self.begun()
        self._add(logs["batch_loss"], logs["batch_accuracy"])
        if run.took(batch, logs):
            self._advise(run_history.not_a_number(*self._pace()))
        now = dom.now()
        if run.held or now - self.drawn >= REDRAW:  # in a pause no batch follows that would show it
            self.drawn = now
            dom.next_frame("training", self.show)
            if self.title.hidden:  # no frame is drawn
                self.title.show(numbers.percent(run.seen(self.steps) / run.total, 0))

    def on_epoch(self, epoch, logs):
        """Note a finished epoch; the engine calls this from its worker."""
        row = self.run.finish_epoch(epoch, logs)
        self.curves.add_epoch(self.steps, row)
        self._epochs.append(row)
        dom.next_frame(f"epoch {epoch}", self._show_epoch)
        dom.next_frame("training", self.show)
        self.client.trained += 1
        self.client.accuracy = row["val_accuracy"]
        self.client.changed()

    def _add(self, loss, accuracy):
        self.steps += 1
        self.curves.add_batch(self.steps, loss, accuracy)

    def show(self):
        """Show the latest batch."""
        run = self.run
        if run.latest is not None:
            seen = run.seen(self.steps)
            figures.show_batch(run.latest, run.epochs, run.elapsed, seen, run.total)
            self.curves.refresh()

    def _show_epoch(self):
        """Show the first epoch that is not shown yet."""
        if not self._epochs:
            return
        row = self._epochs.pop(0)
        figures.show_test(row)
        if row["val_accuracy"] is not None and not self.run.over:
            right = numbers.percent(row["val_accuracy"])
            words = tr("Epoch {epoch} of {epochs}: {right} of the test images are right.")
            status.say(words.format(epoch=row["epoch"], epochs=self.run.epochs, right=right))
        if not self.run.diverged:
            classes = len(self.client.data["names"])
            self._advise(run_history.advice(self.run.rows, classes, *self._pace()))
        self.history.add_epoch(self.run.record, row)
        if self.glance is None:
            from app.panels.glance import Glance  # not needed at the start

            self.glance = Glance(self.client)

    def _pace(self):
        return self.options["lr"], self.options["optimizer"]

    def _advise(self, words):
        dom.find("advice").hidden = not words
        dom.set_text("advice", words)

    async def save(self):
        """Save the run in the history; `end` follows."""
        if self.run.rows:
            await self.history.save(self.run.record)

    def end(self):
        """Show that the run is over, and all of it, though no frame may have come since."""
        run = self.run
        run.over = True
        while self._epochs:
            self._show_epoch()
        self.show()
        dom.write("eta", numbers.DASH)
        self.history.end()
        if run.cut_short:
            self.client.changed()
        words = run.outcome(_FOLLOWING.get(self.client.data["name"], tr("Try a test image.")))
        status.say(words)
        self.title.end(words.split(",")[0])

    def _keep_curves(self):
        """Keep the curves of a run that can be continued after a reload."""
        if self.run and not self.run.over:  # the worker may be gone by now, and the run with it
            which = [self.run.record["number"], self.run.record["link"]]
            dom.remember(_CURVES, json.dumps([which, self.curves.points()]))

    def _former_curves(self, left):
        """Return the points of a run that was cut short: still here, or kept; else None."""
        if left is None:
            return None
        if self.run and self.run.record["number"] == left["number"]:
            return self.curves.points()
        which, points = json.loads(dom.recall(_CURVES) or "[0, null]")
        return points if which == [left["number"], left["hash"]] else None

    def _smooth(self):
        self.curves.smooth(self.options["smoothing"])


class Training:
    """The buttons that control a run, and what they show.

    Args:
        client: the engine.
        options: the settings.
        history: the panel that lists the epochs.
        state: of the page.

    Attributes:
        progress: what is shown of the run in progress, or of the last one.
        kept: whether the browser saves what the run has learned.
        problem: why the last run could not begin or go on, in words.
        ready: a coroutine function that waits for what a run needs beside the engine.
        prepare: a coroutine function that is called first, while nothing is replaced; a run
            begins if it returns True.
    """

    def __init__(self, client, options, history, state):
        self.client = client
        self.options = options
        self.state = state
        self.progress = Progress(client, options, history, state)
        self.kept = True
        self.problem = ""
        self.ready = self.prepare = None
        for name in ("train", "pause", "step", "stop", "reset"):
            dom.click(name, getattr(self, name))
        options.listen("lr", lambda value: dom.spawn(self._live_rate(value)))
        state.listen(self._buttons)

    @property
    def run(self):
        """The run in progress or the last one; None before the first."""
        return self.progress.run

    # -- buttons ----------------------------------------------------------------------------

    def _buttons(self, state):
        on, off = _BUTTONS.get(state, ((), ()))
        dom.enable(*on)
        dom.enable(*off, when=False)
        word = tr("Resume") if state == "paused" else tr("Pause")
        dom.write("pause", word, dom.document.querySelector("#pause > span"))

    async def train(self, left=None):
        """Run all epochs, or those that are left of a run that was cut short.

        Args:
            left: what `Unfinished` knows of that run.
        """
        if self.state.busy or not await self._begin(left):
            return
        status.say(tr("Training…"))
        try:
            await self._fit()
            await self.progress.save()  # a page may be left as soon as it is ready
        except MemoryError as error:
            self._too_large(str(error) or tr("The worker's memory is full."))
            return
        finally:
            self.run.started.set()
            self.state.rest()
        self.progress.end()

    async def _begin(self, left):
        """Wait for data or a network that are just replaced; return whether a run began."""
        async with self.client.replacing as free:
            if not free or (self.prepare is not None and not await self.prepare()):
                return False
            await self.client.settled()
            if self.state.busy or self.client.model is None or not self._affordable():
                return False
            self.progress.begin(left)
            self.state.enter("training")
            return True

    def _affordable(self):
        """Refuse what no browser can hold before it takes the worker down."""
        self.problem = ""
        need = memory_budget.step_bytes(self.client.rows, self.options["batch"])
        if need <= memory_budget.LIMIT:
            return True
        size, limit = numbers.size(need), numbers.size(memory_budget.LIMIT)
        self._too_large(
            tr(
                "A batch of it needs {size}, a browser gives {limit} at most.",
                size=size,
                limit=limit,
            )
        )
        return False

    def _too_large(self, what):
        self.problem = what
        _refuse(what)

    async def stop(self):
        """End the run after the batch in progress."""
        if self.state.name in ("training", "paused"):
            self.run.stopped = True
            self.state.enter("stopping")
            await self.run.started.wait()
            await self.client.model.stop()

    async def pause(self):
        """Pause the run, or go on with it."""
        if self.state.name == "training":
            await self.run.started.wait()
        if self.state.name == "training":
            await self.client.model.pause()
            if self.state.name == "training":  # not stopped meanwhile
                self.run.hold()
                self.state.enter("paused")
                dom.next_frame("training", self.progress.show)
                status.say(tr("Paused."))
        elif self.state.name == "paused":
            await self.client.model.resume()
            if self.state.name == "paused":
                self.run.go_on()
                self.state.enter("training")
                status.say(tr("Training…"))

    async def step(self):
        """Train one batch and show what it did; a paused run stays paused after it."""
        client = self.client
        if self.state.name == "paused":
            await client.lab.training.advance(client.model)
            return
        async with client.replacing as free:
            await client.settled()
            if not free or self.state.busy or client.model is None:
                return
            self.state.enter("stepping")
        try:
            await client.before_training()
            await client.lab.training.compile(client.model, client.decisive())
            logs = await client.lab.training.step(client.model, self.options["batch"])
        finally:
            self.state.rest()
        self.progress.add_step(logs)
        status.say(
            tr(
                "One batch of {batch}: loss {loss}.",
                batch=self.options["batch"],
                loss=numbers.loss(logs["loss"]),
            )
        )
        client.changed()

    async def reset(self):
        """Begin again with fresh weights."""
        async with self.client.replacing as free:
            if free:
                await self.client.begin_again()
                status.say(tr("A new network, not trained yet."))

    # -- a run ------------------------------------------------------------------------------

    async def _fit(self):
        client, run = self.client, self.run
        await self.ready()
        await client.before_training()
        client.run = run.record["number"]
        if run.stopped:
            return
        place = {
            "seed": self.options["seed"] + client.trained,
            "done": run.done,
            "first": run.first,
            "resume": run.resumed,
        }
        run.cut_short = await client.lab.training.fit(
            client.model,
            client.decisive(),
            place,
            self.progress.on_batch,
            self.progress.on_epoch,
            self._checkpoints(),
        )

    def _checkpoints(self):
        about, rows = _about(self.client, self.run), list(self.run.rows)
        self.kept = True
        return self.client.lab.unfinished.checkpoints(about, rows, self._not_kept)

    def _not_kept(self, reason):
        """The browser stores nothing: the run goes on, and leaving the page asks first."""
        self.kept = False
        status.notice_once(
            "storage",
            tr("Nothing can be kept in this browser now"),
            reason,
            tr("Training goes on. Use Download to keep a network, Export to keep the runs."),
        )

    async def _live_rate(self, value):
        if self.state.under_way:
            await self.client.lab.training.set_rate(self.client.model, value)


def _before(client):
    """Return whose weights a run goes on with: a run's number, words, or 0 for fresh ones."""
    return client.run or (key("a trained network") if client.learned else 0)


def _about(client, run):
    """Return what is kept of a run, to go on with it."""
    return {
        "number": run.record["number"],
        "hash": run.record["link"],
        "epochs": run.epochs,
        "continues": run.record["continues"],
        "trained": client.trained - run.first,
        "loaded": client.layers is None,
        "data": client.data["name"],
        "images": client.data["train"],
        "shape": client.data["shape"],
    }


def _refuse(what):
    status.notice(
        tr("This is too large for the memory"),
        what,
        tr("Nothing is lost. Take a smaller batch, or fewer and smaller layers, and train again."),
    )
