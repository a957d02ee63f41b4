"""The augmentation panel: random changes of training images, and a preview of them."""

from app.language import tr
from app.page import dom, images
from app.page.latest import Latest
from app.state import settings

COLUMNS, ROWS = 10, 3
# name: (label, unit, strength when it is switched on for the first time)
_SWITCHES = (
    ("shift", tr("Shift"), " px", 2),
    ("rotate", tr("Rotate"), "°", 12),
    ("zoom", tr("Zoom"), " %", 10),
    ("noise", tr("Noise"), " %", 15),
)


class Augmentation:
    """Four switches with their strengths, and samples of what the network will see."""

    def __init__(self, client, options):
        self.client = client
        self.options = options
        self.strengths = {name: first for name, _, _, first in _SWITCHES}
        self.controls = {}
        self._preview = Latest(self._show_samples)
        box = dom.find("changes")
        for name, label, unit, _ in _SWITCHES:
            box.append(self._row(name, label, unit))
            options.listen(name, lambda _, name=name: self._changed(name))
        dom.click("more-changes", self._preview.ask)
        for name in settings.CHANGES:
            self._show(name)

    def _row(self, name, label, unit):
        row = dom.make("div", class_="switch row")
        words = dom.make("label", class_="field check", for_=f"option-{name}-on")
        switch = dom.make("input", type="checkbox", role="switch", id=f"option-{name}-on")
        words.append(switch, dom.make("span", label))
        _, _, _, high = settings.TABLE[name]
        slider = dom.make(
            "input", type="range", id="option-" + name, min=1, max=high, step=1,
            aria_label=tr("{label}: strength", label=label)
        )  # fmt: skip
        value = dom.make("output", for_="option-" + name)
        dom.on(switch, "change", lambda _: self._switched(name))
        dom.on(slider, "input", lambda _: self.options.set(name, int(slider.value)))
        self.controls[name] = (switch, slider, value, unit)
        row.append(words, slider, value)
        return row

    def _switched(self, name):
        on = self.controls[name][0].checked
        self.options.set(name, self.strengths[name] if on else 0)

    def _changed(self, name):
        self._show(name)
        self._preview.ask()

    def _show(self, name):
        switch, slider, output, unit = self.controls[name]
        value = self.options[name]
        if value:
            self.strengths[name] = value
        switch.checked = bool(value)
        slider.disabled = not value
        slider.value = str(self.strengths[name])
        words = f"±{value}{unit}" if name != "noise" else f"{value}{unit}"
        slider.setAttribute("aria-valuetext", words)
        output.textContent = words if value else tr("off")
        some = [label for name, label, _, _ in _SWITCHES if self.options[name]]
        dom.set_text("changes-note", ", ".join(some))

    async def preview(self):
        """Show some images as they are and as they may be changed."""
        await self._preview.now()

    async def _show_samples(self):
        choice = self.options.changes()
        some = any(choice.values()) and self.client.data_ready
        dom.find("changed").hidden = not some
        if not some:
            return
        found = await self.client.lab.augmentation.samples(choice, COLUMNS, ROWS)
        canvas = dom.find("changed-samples")
        images.paint(canvas, found["rgba"])
        names = ", ".join(found["names"])
        words = tr("A {names}: each as it is, then nine ways in which it may arrive", names=names)
        canvas.setAttribute("aria-label", words)
