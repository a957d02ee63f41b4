"""The playground's options: fields, buttons and the address, which holds them all."""

import js

from app.language import plural, tr
from app.page import clipboard, dom, fields, numbers
from app.state import toys

_SHOWN = {"noise": "{} %", "test": "{} %"}
_write = dom.evaluate(__file__, "form.js")


class Form:
    """The values of all options; each element with `data-option` shows one and changes it.

    Args:
        changed: called after each change: a new network begins.
        seen: called after a change of what is only shown.
    """

    def __init__(self, changed, seen):
        self.changed = changed
        self.seen = seen
        self.values = toys.from_hash(js.location.hash)
        self._fields = {}
        for field in dom.document.querySelectorAll("[data-option]"):
            self._fields[field.dataset.option] = field
            dom.on(field, "input" if field.type == "range" else "change", self._edited)
        for option in dom.document.querySelectorAll("[data-option] option"):
            option.textContent = numbers.local(option.textContent)
        self._seed = fields.steps(self._fields["seed"], *toys.TABLE["seed"][2:], step=1)
        buttons = dom.document.querySelectorAll("[data-toy]")
        self._toys = [buttons[index] for index in range(buttons.length)]
        dom.on("toys", "click", self._chosen)
        dom.on("options", "submit", lambda event: event.preventDefault(), passive=False)
        dom.on(js.window, "hashchange", lambda _: self._opened())
        dom.click("new-points", lambda: self.set("seed", (self["seed"] + 1) % 1000000))
        dom.click("more-layers", lambda: self.set("hidden", self["hidden"] + self._another()))
        dom.click("fewer-layers", lambda: self.set("hidden", self["hidden"][:-1]))
        dom.click("options-fold", lambda: dom.unfold("options-fold"))
        dom.click("copy-link", self._copy)
        self._show()

    def __getitem__(self, name):
        return self.values[name]

    def set(self, name, value):
        """Change an option; does nothing where it has this value."""
        if self.values[name] != value:
            self.values[name] = value
            text = toys.to_hash(self.values)
            _write(js.location.pathname + js.location.search + ("#" + text if text else ""))
            self._show()
            (self.seen if name in toys.SHOWN else self.changed)()

    def change_units(self, layer, by):
        """Give a hidden layer one unit more (1) or less (-1)."""
        if layer >= len(self["hidden"]):  # taken away, and not drawn again yet
            return
        units = int(self["hidden"][layer]) + by
        if 1 <= units <= toys.UNITS:
            before, after = self["hidden"][:layer], self["hidden"][layer + 1 :]
            self.set("hidden", before + (str(units),) + after)

    def turn(self, feature):
        """Use a feature, or use it no longer; one at least is used."""
        used = [
            name for name in toys.FEATURES if (name in self["features"]) is not (name == feature)
        ]
        self.set("features", tuple(used) or self["features"])

    def _another(self):
        """The units of one more layer: as many as the last has."""
        return self["hidden"][-1:] or ("4",)

    def _opened(self):
        """Take a link that is opened in this page."""
        values = toys.from_hash(js.location.hash)
        if values != self.values:
            self.values = values
            self._show()
            self.changed()

    def _chosen(self, event):
        button = event.target.closest("button")
        if button is not None:
            self.set("toy", button.dataset.toy)

    def _edited(self, event):
        field = event.target
        name = field.dataset.option
        try:
            box = field.type == "checkbox"
            value = toys.read(name, "01"[field.checked] if box else field.value)
        except ValueError:  # the seed alone is typed; its last good value is used meanwhile
            self._refuse(tr("A whole number from 0 to 999999. {good} is used.", good=self[name]))
            return
        if name == "seed":
            self._refuse("")
        self.set(name, value)

    def _refuse(self, words):
        fields.refuse(self._seed, dom.find("seed-wrong"), words)

    def _show(self):
        for name, field in self._fields.items():
            text = toys.write(name, self[name])
            if field.type == "checkbox":
                field.checked = self[name]
                continue
            field.value = text
            if field.value != text:  # from a link
                field.append(dom.make("option", numbers.local(text), value=text))
                field.value = text
            if name in _SHOWN:
                dom.set_text(name + "-value", _SHOWN[name].format(text))
        for button in self._toys:
            own = button.dataset.toy == self["toy"]
            button.setAttribute("aria-pressed", "true" if own else "false")
        layers = len(self["hidden"])
        dom.write("layers", str(layers))
        dom.enable("more-layers", when=layers < toys.LAYERS)
        dom.enable("fewer-layers", when=layers > 0)
        own = self["toy"] == "own"
        dom.find("own").hidden = not own
        dom.enable("option-noise", "new-points", when=not own)
        units = ", ".join(self["hidden"]) or tr("no")
        words = plural(
            units == "1",
            "Options: {units} hidden unit, {activation}, rate {rate}",
            "Options: {units} hidden units, {activation}, rate {rate}",
            units=units,
            activation=self["activation"],
            rate=numbers.local(f"{self['lr']:g}"),
        )
        dom.set_text("options-fold", words)

    async def _copy(self):
        """Copy the address, which holds every option."""
        shown = dom.find("link")
        text = toys.to_hash(self.values) or "toy=" + self["toy"]
        shown.textContent = js.location.href.split("#")[0] + "#" + text
        await clipboard.copy(shown.textContent, shown, tr("The link is copied."))
