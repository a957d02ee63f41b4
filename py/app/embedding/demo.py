"""What a page that frames this one may do with it: the buttons, and a few things beside them."""

import asyncio

import farcall
import js

from app.page import dom, status
from app.state import settings

PIXELS = 28 * 28
POLL = 0.02

# 784 numbers as the network takes them; null where one is no shade from 0 to 255.
_shades = js.Function.new(
    "numbers",
    """const image = Float32Array.from(numbers, (shade) => shade / 255);
return image.every((shade) => shade >= 0 && shade <= 1) ? image : null""",
)


@farcall.exposed(
    "configure",
    "options",
    "state",
    "follow",
    "unfollow",
    "train",
    "pause",
    "resume",
    "stop",
    "step",
    "reset",
    "predict",
    "read",
    "model",
)
class Demo:
    """The page as an object. What needs the network waits until the page has started.

    Raises:
        RuntimeError: by any method, when the page failed, with the page's own words.
    """

    def __init__(self, stage):
        self._stage = stage
        self._followers = []

    # -- what it is doing -------------------------------------------------------------------

    def state(self):
        """{phase, epoch, epochs, batch, batches, loss, accuracy, val_loss, val_accuracy}."""
        training = self._stage.training
        found = {"phase": status.current_phase()}
        logs = training.latest if training.run else None
        if logs:
            found.update(
                epoch=int(logs["epoch"]) + 1,
                epochs=training.total_epochs,
                batch=int(logs["batch"]),
                batches=int(logs["batches"]),
                loss=_finite(logs["loss"]),
                accuracy=_finite(logs["accuracy"]),
            )
        if logs and training.run["epochs"]:
            last = training.run["epochs"][-1]
            for name in ("val_loss", "val_accuracy"):
                found[name] = _finite(last[name])
        return found

    def follow(self, callback):
        """Call `callback(state)` whenever the state changes, at most five times a second."""
        self._followers.append(callback)
        callback(self.state())

    def unfollow(self):
        """Call nobody any more."""
        self.forget()

    def tell(self, state):
        for callback in list(self._followers):
            try:
                callback(state)
            except Exception:  # Its owner has let go of it.
                self._followers.remove(callback)

    def forget(self):
        self._followers = []

    async def _ready(self):
        while status.current_phase() == "loading":
            await asyncio.sleep(POLL)
        if status.current_phase() == "error":
            what = dom.find("failure-what").textContent
            raise RuntimeError(dom.find("failure-title").textContent + ": " + what)

    # -- options ----------------------------------------------------------------------------

    def options(self):
        """Every option's name and value."""
        return dict(self._stage.options.values)

    async def configure(self, options=None, **more):
        """Set options by name; all or, where one is wrong, none.

        Raises:
            ValueError: no such option, or not a value for it: expected, received.
            RuntimeError: another network while a run is in progress.
        """
        wanted = dict(options or {}, **more)
        values = {name: settings.value(name, given) for name, given in wanted.items()}
        if "preset" in values and "layers" not in values:
            values["layers"] = None
        await self._ready()
        self._refuse_network(values)
        self._stage.options.adopt(dict(self._stage.options.values, **values))
        await self._rebuilt()

    def _refuse_network(self, values):
        if self._stage.training.running and ("preset" in values or "layers" in values):
            raise RuntimeError("a run is in progress: stop it before you change the network")

    async def _rebuilt(self):
        """Wait for the network that the options ask for."""
        studio, network = self._stage.studio, self._stage.network
        while studio.layers is not None and studio.layers != network.layers:
            if dom.root.dataset.network == "wrong":
                raise ValueError("layers: " + dom.find("status").textContent)
            await self._ready()
            await asyncio.sleep(POLL)

    # -- training ---------------------------------------------------------------------------

    async def train(self, progress=None):
        """Train as the options say; returns the epochs' figures: a list of dicts.

        Args:
            progress: called with the state while the run goes on, and once when it is over.

        Raises:
            RuntimeError: a run is in progress already, or this one could not begin.
        """
        await self._ready()
        training = self._stage.training
        if training.running:
            raise RuntimeError("a run is in progress: stop it, or wait until it is over")
        before = training.run
        if progress is not None:
            self._followers.append(progress)
        try:
            await self._run(training.train)
            if progress is not None:
                progress(self.state())
        finally:
            if progress is not None:
                self._followers.remove(progress)
        if training.run is before:
            raise RuntimeError(dom.find("failure-what").textContent)
        return training.run["epochs"]

    async def _run(self, action):
        """Do what a button does; what fails is shown here as well."""
        try:
            await action()
        except Exception as error:
            dom.handler_of_failures[0](error)
            raise

    async def pause(self):
        """Hold the run; does nothing when there is none."""
        training = self._stage.training
        if training.running and not training.paused:
            await training.pause()

    async def resume(self):
        """Go on with a run that was paused."""
        training = self._stage.training
        if training.running and training.paused:
            await training.pause()

    async def stop(self):
        """End the run after the batch in progress; what it learned stays."""
        await self._stage.training.stop()
        while self._stage.training.running:
            await asyncio.sleep(POLL)

    async def step(self):
        """Train one batch."""
        await self._ready()
        await self._run(self._stage.training.step)

    async def reset(self):
        """Begin again with fresh weights from the seed."""
        await self._ready()
        await self._run(self._stage.training.reset)

    # -- the network ------------------------------------------------------------------------

    async def predict(self, pixels):
        """What the network makes of an image: {digit, confidence, probabilities}.

        Args:
            pixels: 28 x 28 shades row by row, 0 for paper and 255 for ink: bytes, an array, a list.

        Raises:
            ValueError: not 784 shades.
        """
        await self._ready()
        answer = await self._stage.studio.model.predict(_image(pixels))
        return _verdict(answer.tolist()[0])

    async def read(self, rgba, width):
        """What the network makes of a drawing: as `predict`, or None when nothing is drawn.

        Args:
            rgba: bytes of a canvas' ImageData; its alpha is the ink.
            width: pixels in a row.
        """
        await self._ready()
        copy = js.Uint8Array.new(_javascript(rgba))
        answer = await self._stage.studio.read_drawing(copy, width)
        return None if answer is None else _verdict(answer["probabilities"])

    async def model(self, format="npz"):
        """The network as a file: bytes, in a format of nn.io (npz, safetensors, tfjs)."""
        await self._ready()
        return await self._stage.studio.engine.nn.io.save(self._stage.studio.model, format)


def _finite(number):
    """The number, or None for what JSON cannot say: a run that diverged."""
    return number if number is not None and abs(number) < float("inf") else None


def _javascript(values):
    """A typed array or an array of JavaScript's with these numbers."""
    if isinstance(values, farcall.Array):
        return values.js
    if isinstance(values, (list, tuple, bytes, bytearray)):  # iterating leaks on MicroPython
        return dom.record(list(values))
    return js.Uint8Array.new(values)


def _image(pixels):
    numbers = _javascript(pixels)
    if numbers.length != PIXELS:
        raise ValueError(f"expected 784 shades, 28 rows of 28; received {numbers.length}")
    image = _shades(numbers)
    if image is None:
        raise ValueError("expected shades from 0 to 255; received others among the 784")
    return farcall.array(image, (1, 28, 28, 1))


def _verdict(shares):
    confidence = max(shares)
    return {
        "digit": shares.index(confidence),
        "confidence": confidence,
        "probabilities": list(shares),
    }
