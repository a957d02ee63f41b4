"""The unfinished panel: offers to continue a run that a reload or a crash cut short."""

from app.page import dom, numbers, status
from app.state import architectures, settings


class Unfinished:
    """The offer to continue a run.

    Args:
        client: the engine.
        options: the settings.
        training: the panel that continues the run.
        network: the panel that shows its layers.
    """

    def __init__(self, client, options, training, network):
        self.client = client
        self.options = options
        self.training = training
        self.network = network
        self.left = None
        dom.click("continue-run", self.go_on)
        dom.click("discard-run", self.discard)

    async def restore(self):
        """Load the network of the run that was cut short last, if there is one."""
        lab = self.client.lab.unfinished
        try:
            left = await lab.find()
            model = await lab.take(left["name"]) if left else None
        except Exception as error:  # no storage, or a damaged one: start without it
            status.say("No earlier run could be taken up: " + str(error))
            return
        if left:
            await self._adopt(model, left)
            self._offer(left)

    async def _adopt(self, model, left):
        values = settings.from_hash(left["hash"])
        values["hide"] = self.options["hide"]
        if left["rate"]:  # it may have been changed during the run
            values["lr"] = left["rate"]
        layers = None
        if left["loaded"]:  # from a file: only the worker knows its layers
            values["preset"], values["layers"] = self.options["preset"], self.options["layers"]
        else:
            layers = values["layers"] or architectures.layers_of(values["preset"])
            self.network.layers = layers
        await self.client.adopt(model, layers, left["trained"] + len(left["rows"]))
        self.options.adopt(values)

    def _offer(self, left):
        self.left = left
        self.training.replaces = left["name"]
        dom.set_text("unfinished-what", _words(left))
        dom.find("unfinished").hidden = False
        status.say("A run was cut short. Its network is back.")

    async def go_on(self):
        """Continue the run, with its options, to its last epoch."""
        left, data = self.left, self.client.data
        if left is None or self.training.state.busy:
            return
        if (data["name"], data["train"]) != (left["data"], left["images"]):
            count = numbers.count(left["images"])
            words = "add your drawings" if left["data"] == data["name"] else "open them"
            status.say(f"It learns from {left['data']}, {count} images: {words} again first.")
            return
        self.left = None
        await self.training.train(left)

    async def discard(self):
        """Forget the run and begin with fresh weights."""
        left, self.left = self.left, None
        dom.find("unfinished").hidden = True
        self.training.replaces = None
        if left is not None:
            await self.client.lab.unfinished.forget(left["name"])
        await self.training.reset()


def _words(left):
    done, total = len(left["rows"]), left["epochs"]
    if left["batch"]:
        words = f"Run {left['number']} was in epoch {done + 1} of {total}, at batch {left['batch']}"
    else:
        words = f"Run {left['number']} had done {done} of {total} epochs"
    share = left["rows"][-1].get("val_accuracy") if left["rows"] else None
    if share is not None:
        words += f", {numbers.percent(share)} of the test images right"
    words += ". What it had learned is back."
    if not left["exact"]:
        words += f" The page is a newer one: epoch {done + 1} begins again."
    if "device=" in left["hash"]:
        words += " On another device its last digits may differ."
    return words
