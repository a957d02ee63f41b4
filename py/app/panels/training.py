"""Step 3: train, pause, step, stop, reset; the figures and the curves.

The engine calls `on_batch` after every batch, 100 times a second and more. It only notes numbers:
the figures are written and the curves drawn once a frame at most.
"""

import json

import js

from app.page import dom, numbers, status
from app.page.chart import Chart, Thinner
from app.page.title import Tab
from app.state import memory_budget, run_history, settings

# Figures that change faster than this are a blur; it leaves most frames free for the drawing.
REDRAW = 0.08
_CURVES = "farcall-curves"
FIGURES = (
    "epoch",
    "batch",
    "images_per_second",
    "learning_rate",
    "elapsed",
    "eta",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
)


class Training:
    """The run in progress and the buttons that steer it."""

    def __init__(self, studio, options, record):
        self.studio = studio
        self.options = options
        self.record = record
        self.loss = Chart("loss-chart", _curves(numbers.loss), sync="run")
        self.accuracy = Chart("accuracy-chart", _curves(numbers.points), sync="run")
        self.accuracy.most = 100
        self.charts = (self.loss, self.accuracy)
        self.tab = Tab()
        self.glance = None
        self.running = False
        self.paused = False
        self.run = None
        self.over = True  # whether the run came to its end
        self.latest = None
        self.replaces = None  # the checkpoint of a run that was cut short: gone with the next run
        self.kept = True  # whether the browser keeps what a run has learned so far
        for name, handler in (
            ("train", self._pressed),
            ("pause", self.pause),
            ("step", self.step),
            ("stop", self.stop),
            ("reset", self.reset),
        ):
            dom.click(name, handler)
        options.listen("log", self._scale)
        options.listen("lr", lambda value: dom.spawn(self._live_rate(value)))
        options.listen("smoothing", lambda _: dom.next_frame("smoothing", self._smooth_again))
        self.loss.log = options["log"]
        self._fresh_curves()
        dom.on(dom.js.window, "pagehide", lambda _: self._keep_curves())

    def ready(self):
        """The network can be trained now."""
        self.running = self.paused = False
        status.phase("ready")
        dom.enable("train", "step", "reset", "save", "load", "download", "analyse")
        dom.enable("pause", "stop", when=False)
        dom.find("pause").textContent = "Pause"

    def locked(self):
        return self.running

    # -- buttons ----------------------------------------------------------------------------

    def _pressed(self):
        """Train; where the curves are below what is in view, as on a phone, go there."""
        box = self.loss.element.getBoundingClientRect()
        away = box.top > js.innerHeight or box.bottom < 0
        narrow = js.matchMedia("(max-width: 44rem)").matches and not self.options.frame["embed"]
        if away and narrow:
            dom.find("training").scrollIntoView()
        return self.train()

    async def train(self, left=None):
        """Run all epochs, or those that are left of a run that was cut short.

        Args:
            left: what `Recovery` knows of that run.
        """
        await self.studio.settled()
        if self.running or self.studio.model is None or not self._affordable():
            return
        self._begin(left)
        try:
            await self._fit()
        except MemoryError as error:
            self._settle()
            self._too_large(str(error) or "The worker's memory is full.")
            return
        finally:
            self._settle()
        self._end()

    def _affordable(self):
        """Refuse what no browser can hold before it takes the worker down."""
        need = memory_budget.step_bytes(self.studio.rows, self.options["batch"])
        if need <= memory_budget.LIMIT:
            return True
        size, limit = numbers.size(need), numbers.size(memory_budget.LIMIT)
        self._too_large(f"A batch of it needs {size}, a browser gives {limit} at most.")
        return False

    def _too_large(self, what):
        status.notice(
            "This is too large for the memory",
            what,
            "Nothing is lost. Take a smaller batch, or fewer and smaller layers, and train again.",
        )

    def _settle(self):
        """Whatever happened, the page is at rest; a dead worker stays an error."""
        self.running = False
        if status.current_phase() != "error":
            self.ready()

    async def stop(self):
        if self.running:
            self.stopped = True
            dom.enable("stop", "pause", when=False)
            await self.studio.model.stop()

    async def pause(self):
        if not self.running:
            return
        model = self.studio.model
        if self.paused:
            await model.resume()
        else:
            await model.pause()
        self.paused = not self.paused
        self._hold()
        status.phase("paused" if self.paused else "training")
        dom.find("pause").textContent = "Resume" if self.paused else "Pause"
        status.say("Paused." if self.paused else "Training…")
        self.rate = run_history.Rate()

    def _hold(self):
        """Time in a pause is not time of the run."""
        if self.paused:
            self.held = dom.now()
            return
        self.began += dom.now() - self.held
        self.epoch_began += dom.now() - self.held

    async def step(self):
        """Train one batch and show what it did."""
        await self.studio.settled()
        if self.running or self.studio.model is None:
            return
        self.running = True
        dom.enable("step", "train", when=False)
        try:
            await self.studio.compile()
            logs = await self.studio.lab.step(self.studio.model, self.options["batch"])
        finally:
            self._settle()
        dom.write("loss", numbers.loss(logs["loss"]))
        dom.write("accuracy", numbers.percent(logs["accuracy"]))
        self.steps += 1
        self._add(logs["loss"], 100 * logs["accuracy"])
        for chart in self.charts:
            chart.refresh()
        status.say(f"One batch of {self.options['batch']}: loss {numbers.loss(logs['loss'])}.")
        self.studio.changed()

    async def reset(self):
        if self.running:
            return
        await self.studio.begin_again()
        for name in FIGURES:
            dom.write(name, numbers.DASH)
        dom.find("progress").value = 0
        dom.find("advice").hidden = True
        self._fresh_curves()
        for chart in self.charts:
            chart.rebuild()
        status.say("A new network, not trained yet.")

    def _fresh_curves(self):
        self.steps = 0
        self.thinner = Thinner(1)
        self._smoothers()
        for chart in self.charts:
            chart.clear()

    def _smoothers(self):
        self.smooth = [run_history.Smoother(self.options["smoothing"]) for _ in self.charts]

    def _smooth_again(self):
        """The slider moved: the smooth curves anew from the batches, those to come included."""
        self._smoothers()
        for chart, smooth in zip(self.charts, self.smooth):
            batches = chart.column(1)
            chart.replace(2, [None if value is None else smooth(value) for value in batches])
            chart.refresh()

    # -- a run ------------------------------------------------------------------------------

    def _keep_curves(self):
        """What a reload would take from a run that can be continued."""
        if self.run and not self.over:  # the worker may be gone by now, and the run with it
            which = [self.run["number"], self.run["link"]]
            dom.remember(_CURVES, json.dumps([which, self._points()]))

    def _points(self):
        return [chart.text() for chart in self.charts]

    def _former_curves(self, left):
        """The points of a run that was cut short: still here, or kept; None when neither."""
        if left is None:
            return None
        if self.run and self.run["number"] == left["number"]:
            return self._points()
        which, points = json.loads(dom.recall(_CURVES) or "[0, null]")
        return points if which == [left["number"], left["hash"]] else None

    def _begin(self, left):
        options = self.options
        self.running = True
        done = left["rows"] if left else []
        self.first = len(done)
        self.total_epochs = options["epochs"]
        self.images = min(options["subset"], self.studio.data["train"])
        self.batches = -(-self.images // options["batch"])
        former = self._former_curves(left)
        self._fresh_curves()
        self.thinner = Thinner(self.total_epochs * self.batches)
        self.rate = run_history.Rate()
        self.began = self.epoch_began = dom.now()
        self.drawn = 0.0
        self.steps = self.first * self.batches + (left["batch"] if left else 0)
        self.resumed = left is not None and left["exact"]
        self.mean = (left["batch"] * options["batch"], left["mean"]) if left else (0, 0.0)
        self.latest = None
        self.stopped = self.over = False
        self.nan = ""
        self.run = {
            "number": left["number"] if left else self.record.next_number(),
            "epochs": list(done),
            "options": dict(options.values, layers=None, hide=None),
            "link": settings.to_hash(options.values),
        }
        if former:
            for chart, text in zip(self.charts, former):
                chart.restore(text, self.steps + 0.5)
            self._smooth_again()
        else:
            for row in done:
                self._mark_epoch(row, row["epoch"] * self.batches)
        if left:
            self.record.resume(left["number"], done)
        dom.find("unfinished").hidden = True
        status.phase("training")
        status.say("Training…")
        dom.enable("train", "step", "reset", "load", "analyse", when=False)
        dom.enable("pause", "stop")
        dom.find("advice").hidden = True
        dom.find("progress").value = 0

    async def _fit(self):
        options = self.options
        studio = self.studio
        await studio.compile()
        rate = studio.lab.schedule(options["schedule"], options["lr"], self.steps)
        callbacks = [rate, self._checkpoints()]
        if options["patience"]:
            callbacks.append(
                studio.engine.nn.callbacks.EarlyStopping(
                    monitor="val_loss", patience=options["patience"], restore_best_weights=True
                )
            )
        await studio.model.fit(
            studio.lab.training_set(options["subset"], options.changes(), options["seed"]),
            validation_data=studio.test_set,
            epochs=self.total_epochs,
            batch_size=options["batch"],
            seed=options["seed"] + studio.trained,
            resume=self.resumed,  # from where the checkpoint was made, to the bit
            initial_epoch=0 if self.resumed else self.first,
            callbacks=callbacks,
            on_batch_end=self.on_batch,
            on_epoch_end=self.on_epoch,
        )

    def _checkpoints(self):
        studio = self.studio
        about = {
            "number": self.run["number"],
            "hash": self.run["link"],
            "epochs": self.total_epochs,
            "trained": studio.trained - self.first,
            "loaded": studio.layers is None,
            "data": studio.data["name"],
            "images": studio.data["train"],
        }
        replaces, self.replaces = self.replaces, None
        self.kept = True
        return studio.lab.runs.checkpoints(
            about, list(self.run["epochs"]), self._not_kept, replaces
        )

    def _not_kept(self, reason):
        """The browser stores nothing: the run goes on, and leaving the page asks first."""
        self.kept = False
        status.notice_once(
            "storage",
            "Nothing can be kept in this browser now",
            reason,
            "Training goes on. Use Download to keep a network, Export to keep the runs.",
        )

    def on_batch(self, batch, logs):
        """Called by the engine, in its worker, after every batch."""
        self.steps += 1
        self.latest = logs
        loss = logs["batch_loss"]
        accuracy = 100 * self._own_accuracy(batch, logs)
        self._add(loss, accuracy)
        if loss != loss and not self.nan:
            dom.spawn(self._diverged(batch, logs))
        now = dom.now()
        if now - self.drawn >= REDRAW:
            self.drawn = now
            dom.next_frame("training", self._show)
            if self.tab.hidden:  # no frame is drawn: the title tells
                self.tab.tell(numbers.percent(self.steps / (self.total_epochs * self.batches), 0))

    def _add(self, *values):
        """One more batch: its loss and its accuracy, in percent."""
        values = self.thinner(*values)
        if values is None:
            return
        for chart, smooth, value in zip(self.charts, self.smooth, values):
            if value == value:  # what is not a number has no place on a curve
                chart.add(self.steps, value, smooth(value), None)

    async def _diverged(self, batch, logs):
        """Nothing follows a loss that is not a number: end the run and say so."""
        self.nan = f"batch {batch + 1} of epoch {int(logs['epoch']) + 1}"
        dom.write("advice", run_history.NOT_A_NUMBER, dom.find("advice"))
        dom.find("advice").hidden = False
        await self.stop()

    def _own_accuracy(self, batch, logs):
        """The engine states the epoch's mean, as Keras does; the curve wants the batch itself."""
        seen, mean = self.mean if batch else (0, 0.0)
        total = seen + logs["size"]
        self.mean = (total, logs["accuracy"])
        return (logs["accuracy"] * total - mean * seen) / logs["size"]

    def on_epoch(self, epoch, logs):
        """An epoch ended: its figures, and a point on the test curves."""
        if self._cut_short():
            self.studio.changed()
            return
        now = dom.now()
        row = {name: logs.get(name) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        row["epoch"] = epoch + 1
        row["seconds"] = round(now - self.epoch_began, 3)
        self.epoch_began = now
        self.run["epochs"].append(row)
        self._mark_epoch(row, self.steps)
        dom.next_frame(f"epoch {epoch}", lambda: self._show_epoch(row))
        dom.next_frame("training", self._show)
        self.studio.trained += 1
        self.studio.changed()

    def _mark_epoch(self, row, step):
        self.loss.add(step + 0.5, None, None, row.get("val_loss"))
        self.accuracy.add(step + 0.5, None, None, run_history.points(row.get("val_accuracy")))

    def _cut_short(self):
        """Stop ends a run in the middle of an epoch: its means are of a part of the images."""
        return self.latest is not None and self.latest["batch"] < self.latest["batches"]

    def _show(self):
        if self.latest is None:
            return
        logs = self.latest
        done = self.steps
        total = self.total_epochs * self.batches
        seen = min(done * self.options["batch"], self.total_epochs * self.images)
        rate = self.rate(dom.now(), seen)
        dom.write("epoch", f"{int(logs['epoch']) + 1}/{self.total_epochs}")
        dom.write("batch", f"{int(logs['batch'])}/{int(logs['batches'])}")
        dom.write("images_per_second", numbers.count(rate) if rate else numbers.DASH)
        dom.write("learning_rate", numbers.rate(logs["learning_rate"]))
        dom.write("elapsed", numbers.clock(dom.now() - self.began))
        dom.write("eta", numbers.remaining(seen, self.total_epochs * self.images, rate))
        dom.write("loss", numbers.loss(logs["loss"]))
        dom.write("accuracy", numbers.percent(logs["accuracy"]))
        dom.find("progress").value = done / total
        for chart in self.charts:
            chart.refresh()

    def _show_epoch(self, row):
        if row["val_loss"] is not None:
            dom.write("val_loss", numbers.loss(row["val_loss"]))
            dom.write("val_accuracy", numbers.percent(row["val_accuracy"]))
        words = run_history.NOT_A_NUMBER if self.nan else run_history.advice(self.run["epochs"])
        dom.find("advice").hidden = not words
        dom.write("advice", words, dom.find("advice"))
        self.record.add_epoch(self.run, row)
        if self.glance is None:
            from app.panels.glance import Glance  # the page begins without it

            self.glance = Glance(self.studio)

    def _end(self):
        self.over = True
        self._show()
        dom.write("eta", numbers.DASH)
        if self.run["epochs"]:
            self.record.finish(self.run)
        words = self._outcome()
        status.say(words)
        self.tab.end(words.split(",")[0])

    def _outcome(self):
        """The run in a sentence."""
        done, total = len(self.run["epochs"]), self.total_epochs
        if self.nan:
            return f"Stopped: the loss is not a number since {self.nan}."
        if self.stopped and self._cut_short():
            batch = f"batch {int(self.latest['batch'])} of {int(self.latest['batches'])}"
            words = f"Stopped in epoch {done + 1} of {total}, at {batch}"
        elif self.stopped:
            words = f"Stopped after epoch {done} of {total}"
        elif done < total:
            words = f"Stopped early after epoch {done} of {total}, the test loss falls no more"
        else:
            words = f"Done: {done} of {total} epochs"
        if done and self.run["epochs"][-1]["val_accuracy"] is not None:
            share = numbers.percent(self.run["epochs"][-1]["val_accuracy"])
            words += f", {share} of the test images right"
        return words + ". Draw a digit."

    # -- options that act at once -----------------------------------------------------------

    async def _live_rate(self, value):
        if self.running:
            await self.studio.lab.set_rate(self.studio.model, value)

    def _scale(self, value):
        self.loss.log = value
        self.loss.rebuild()


def _curves(state):
    return (
        ("Batch", "faint", 1, state),
        ("Smooth", "train", 2, state),
        ("Test", "val", 2, state),
    )
