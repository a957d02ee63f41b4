"""The object that a framing page may use: the buttons, the options, the network."""

import asyncio

import farcall
import js

from app.page import dom
from app.state import settings

# Numbers as the network takes them; null if one is no shade from 0 to 255.
_shades = dom.evaluate(__file__, "demo.js")
HEARD = 5  # seconds that a callback has to answer


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
    """The page as an object. Methods that need the network wait until the page has started.

    Raises:
        RuntimeError: by any method, if the page failed, with the page's own message.
    """

    def __init__(self, page):
        self._page = page
        self._followers = []

    # -- what it is doing -------------------------------------------------------------------

    def state(self):
        """{phase, epoch, epochs, batch, batches, loss, accuracy, val_loss, val_accuracy}."""
        run = self._page.training.run
        found = {"phase": self._page.state.phase}
        logs = run.latest if run else None
        if logs:
            found.update(
                epoch=int(logs["epoch"]) + 1,
                epochs=run.epochs,
                batch=int(logs["batch"]),
                batches=int(logs["batches"]),
                loss=_finite(logs["loss"]),
                accuracy=_finite(logs["accuracy"]),
            )
        if logs and run.rows:
            for name in ("val_loss", "val_accuracy"):
                found[name] = _finite(run.rows[-1][name])
        return found

    def follow(self, callback):
        """Call `callback(state)` whenever the state changes, at most five times a second."""
        self._followers.append(callback)
        callback(self.state())

    def unfollow(self):
        """End all calls that `follow` asked for."""
        self.forget()

    def tell(self, state):
        """Call the followers."""
        for callback in list(self._followers):
            try:
                callback(state)
            except Exception:  # its owner has released it
                self._followers.remove(callback)

    def forget(self):
        """Forget the followers."""
        self._followers = []

    # -- options ----------------------------------------------------------------------------

    def options(self):
        """Return every option's name and value."""
        return dict(self._page.options.values)

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
        await self._page.state.started()
        self._refuse_network(values)
        self._page.options.adopt(dict(self._page.options.values, **values))
        await self._page.network.rebuilt()
        await self._page.state.started()

    def _refuse_network(self, values):
        if self._page.state.busy and ("preset" in values or "layers" in values):
            raise RuntimeError("a run is in progress: stop it before you change the network")

    # -- training ---------------------------------------------------------------------------

    async def train(self, progress=None):
        """Train as the options say; returns the epochs' figures: a list of dicts.

        Args:
            progress: called with the state while the run goes on, and once when it is over.

        Raises:
            RuntimeError: a run is in progress already, or this one could not begin.
        """
        await self._page.state.started()
        training = self._page.training
        if self._page.state.busy:
            raise RuntimeError("a run is in progress: stop it, or wait until it is over")
        before = training.run
        if progress is not None:
            self._followers.append(progress)
        try:
            await self._run(training.train)
        finally:
            if progress is not None:
                self._followers.remove(progress)
        if training.run is before:
            raise RuntimeError(training.problem)
        if progress is not None:
            await self._conclude(progress)
        return training.run.rows

    async def _conclude(self, progress):
        """Show the state after a run; Comlink's callbacks have a port of their own, so that an
        answer which did not wait for this call could come before it.
        """
        try:
            await asyncio.wait_for(progress(self.state()), HEARD)
        except Exception:  # it raised, or its owner has released it or is gone
            pass

    async def _run(self, action):
        """Do what a button does; errors are shown on this page too."""
        try:
            await action()
        except Exception as error:
            dom.handler_of_failures[0](error)
            raise

    async def pause(self):
        """Pause the run; does nothing when there is none."""
        if self._page.state.name == "training":
            await self._page.training.pause()

    async def resume(self):
        """Continue a run that was paused."""
        if self._page.state.name == "paused":
            await self._page.training.pause()

    async def stop(self):
        """End the run after the batch in progress; what it learned stays."""
        await self._page.training.stop()
        await self._page.state.until("ready")

    async def step(self):
        """Train one batch."""
        await self._page.state.started()
        await self._run(self._page.training.step)

    async def reset(self):
        """Begin again with fresh weights from the seed."""
        await self._page.state.started()
        await self._run(self._page.training.reset)

    # -- the network ------------------------------------------------------------------------

    async def predict(self, pixels):
        """Return the network's answer to an image: {digit, confidence, probabilities}.

        Args:
            pixels: 28 x 28 shades row by row, 0 for paper and 255 for ink: bytes, an array, a list;
                as many as the visitor's own images have where those are trained on.

        Raises:
            ValueError: not so many shades.
        """
        await self._page.state.started()
        client = self._page.client
        answer = await client.model.predict(_image(pixels, client.data["picture"]))
        return _verdict(answer.tolist()[0])

    async def read(self, rgba, width):
        """Return the answer to a drawing, as `predict`, or None when nothing is drawn.

        Args:
            rgba: bytes of a canvas' ImageData; its alpha is the ink.
            width: pixels in a row.
        """
        await self._page.state.started()
        client = self._page.client
        copy = js.Uint8Array.new(_javascript(rgba))
        answer = await client.lab.draw.read(client.model, copy, width)
        return None if answer is None else _verdict(answer["probabilities"])

    async def model(self, format="npz"):
        """Return the network as a file: bytes, in a format of nn.io (npz, safetensors, tfjs)."""
        await self._page.state.started()
        client = self._page.client
        return await client.engine.nn.io.save(client.model, format)


def _finite(number):
    """Return the number, or None for NaN and infinity, which JSON lacks."""
    return number if number is not None and abs(number) < float("inf") else None


def _javascript(values):
    """Return a JavaScript array or typed array with these numbers."""
    if isinstance(values, farcall.Array):
        return values.js
    if isinstance(values, (list, tuple, bytes, bytearray)):  # iterating leaks on MicroPython
        return dom.record(list(values))
    return js.Uint8Array.new(values)


def _image(pixels, shape):
    numbers, (rows, columns, channels) = _javascript(pixels), shape
    count = rows * columns * channels
    if numbers.length != count:
        size = f"{rows} rows of {columns * channels}"
        raise ValueError(f"expected {count} shades, {size}; received {numbers.length}")
    image = _shades(numbers)
    if image is None:
        raise ValueError(f"expected shades from 0 to 255; received others among the {count}")
    return farcall.array(image, (1, rows, columns, channels))


def _verdict(shares):
    confidence = max(shares)
    return {
        "digit": shares.index(confidence),
        "confidence": confidence,
        "probabilities": list(shares),
    }
