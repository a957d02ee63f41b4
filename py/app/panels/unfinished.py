"""A run that a reload, a crash or a closed tab cut short: its network is back, and may go on."""

from app.page import dom, numbers, status
from app.state import architectures, settings


class Recovery:
    """The offer to continue a run."""

    def __init__(self, studio, options, training, network):
        self.studio = studio
        self.options = options
        self.training = training
        self.network = network
        self.left = None
        dom.click("continue-run", self.go_on)
        dom.click("discard-run", self.discard)

    async def restore(self):
        """Take up the network of the run that was cut short last, if there is one."""
        runs = self.studio.lab.runs
        try:
            left = await runs.unfinished()
            model = await runs.take(left["name"]) if left else None
        except Exception as error:  # no storage, or one that lost something: start without it
            status.say("No earlier run could be taken up: " + str(error))
            return
        if left:
            await self._adopt(model, left)
            self._offer(left)

    async def _adopt(self, model, left):
        values = settings.from_hash(left["hash"])
        values["hide"] = self.options["hide"]
        if left["rate"]:  # it may have been moved in the course of the run
            values["lr"] = left["rate"]
        layers = None
        if left["loaded"]:  # from a file: what it is made of is known to the worker only
            values["preset"], values["layers"] = self.options["preset"], self.options["layers"]
        else:
            layers = values["layers"] or architectures.layers_of(values["preset"])
            self.network.layers = layers
        await self.studio.adopt(model, layers, left["trained"] + len(left["rows"]))
        self.options.adopt(values)

    def _offer(self, left):
        self.left = left
        self.training.replaces = left["name"]
        dom.find("unfinished-what").textContent = _words(left)
        dom.find("unfinished").hidden = False
        status.say("A run was cut short. Its network is back.")

    async def go_on(self):
        """Continue the run, with its options, to its last epoch."""
        left, data = self.left, self.studio.data
        if left is None or self.training.running:
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
            await self.studio.lab.runs.forget_checkpoint(left["name"])
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
        words += f" The page is a newer one: epoch {done + 1} begins anew."
    return words
