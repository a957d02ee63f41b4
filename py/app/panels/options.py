"""The options panel: a form made from the table of settings; the values are in the URL."""

import js

from app.language import plural, tr
from app.page import clipboard, dom, fields, numbers
from app.state import architectures, settings

_CHOICES = {
    "optimizer": settings.TABLE["optimizer"][3],
    "schedule": settings.TABLE["schedule"][3],
    "batch": (16, 32, 64, 128, 256, 512),
    "device": settings.TABLE["device"][3],
}
_LABELS = {
    "cpu": "CPU",
    "gpu": "GPU",
    "auto": tr("Auto"),
    "constant": tr("constant"),
    "cosine": tr("cosine"),
    "step": tr("step"),
}
# The place of each field: the line below the bar, its fold, or the curves.
_PLACES = (
    (
        "options",
        (("lr", tr("Learning rate")), ("batch", tr("Batch size")), ("epochs", tr("Epochs"))),
    ),
    (
        "more-options",
        (
            ("optimizer", tr("Optimizer")),
            ("schedule", tr("Schedule")),
            ("l2", tr("L2 penalty")),
            ("patience", tr("Stop early after")),
            ("seed", tr("Seed")),
            ("device", tr("Device")),
            ("cores", tr("Cores")),
        ),
    ),
    ("chart-options", (("smoothing", tr("Smoothing")), ("log", tr("Log scale")))),
)
_RANGES = {"smoothing": (0, 0.99, 0.01)}
_NUMBERS = {
    "epochs": (1, 100, 1),
    "seed": (0, 999999, 1),
    "l2": (0, 0.1, 0.0001),
    "patience": (0, 20, 1),
    "cores": settings.TABLE["cores"][2:] + (1,),
    "table-epochs": settings.TABLE["table-epochs"][2:] + (1,),
}


# The page writes its options into the address; what it wrote is no link, even after a reload.
script = dom.evaluate(__file__, "options.js")


class Options:
    """The values of all settings, and the listeners to their changes.

    Attributes:
        link: whether the page was opened by a link that decides a curve.
        free: returns whether a link may be opened now.
    """

    def __init__(self):
        self.values = settings.from_hash(js.location.hash)
        self.link = settings.decides(js.location.hash) and not script.isOwn()
        self.free = lambda: True
        query = js.URLSearchParams.new(js.location.search)
        self.frame = settings.framed(lambda name: query.get(name))
        self.listeners = {}
        self.fields = {}
        self.labels = {}
        for place, rows in _PLACES:
            box = dom.find(place)
            fold = box.querySelector("details")
            for name, label in rows:
                self.add_field(name, label, box, fold)
        dom.on("options", "submit", lambda event: event.preventDefault(), passive=False)
        dom.click("options-fold", lambda: dom.unfold("options-fold"))
        dom.click("copy-link", self._copy_link)
        dom.on(js.window, "hashchange", lambda _: self._from_address())
        _summarise(self.values)
        self.apply_hidden()

    async def _copy_link(self):
        shown, address = dom.find("link"), self.address()
        shown.textContent = address
        await clipboard.copy(address, shown, tr("The link is copied."))

    def address(self):
        """Return the page's address with every option, so that it decides a curve."""
        address = js.location.href
        if settings.decides(js.location.hash):
            return address
        return address.split("#")[0] + "#" + settings.to_link(self.values)

    def __getitem__(self, name):
        return self.values[name]

    def changes(self):
        """Return the changes of training images as the worker takes them: strength by name."""
        return {name: self.values[name] for name in settings.CHANGES}

    def listen(self, name, listener):
        """Call `listener(value)` whenever a setting changes."""
        self.listeners.setdefault(name, []).append(listener)

    def set(self, name, value):
        """Change a setting; does nothing where it has this value."""
        if self.values[name] == value:
            return
        if name == "data":
            self.set("target", "")  # a column of other data
        self.values[name] = value
        _summarise(self.values)
        self._to_address()
        for listener in self.listeners.get(name, ()):
            listener(value)

    def _to_address(self):
        text = settings.to_hash(self.values)
        address = js.location.pathname + js.location.search + ("#" + text if text else "")
        script.write(address)

    def _from_address(self):
        """Take a link that is opened in this page: where it decides a curve, it begins afresh."""
        link = settings.decides(js.location.hash)
        if link and not self.free():
            self._to_address()
            return
        self._take(settings.from_hash(js.location.hash))
        self.apply_hidden()
        for listener in self.listeners.get("link", ()) if link else ():
            listener(None)

    def adopt(self, values):
        """Change several settings, and show them in the address."""
        self._take(values)
        self._to_address()

    def _take(self, values):
        """Set all values before the listeners are called: each may read all."""
        for name in self.fields:  # these values are good; what was typed before them is gone
            if name in _NUMBERS:
                self._refuse(name, "")
                self._show(name)
        changed = [n for n in values if values[n] != self.values[n] and n != "lang"]  # a reload's
        for name in changed:
            self.values[name] = values[name]
        _summarise(self.values)
        for name in changed:
            self._show(name)
            for listener in self.listeners.get(name, ()):
                listener(values[name])

    def apply_hidden(self):
        """Hide the panels that the address or the framing page hides."""
        hidden = settings.hidden(self.values["hide"], self.frame)
        for identifier in settings.PANELS:
            dom.find(identifier).hidden = identifier in hidden
        script.showRest()

    # -- the form ---------------------------------------------------------------------------

    def add_field(self, name, label, box, following):
        """Put a setting's field into a part of the page, before another element of it."""
        self.labels[name] = label
        box.insertBefore(self._field(name, label), following)

    def _field(self, name, label):
        identifier = "option-" + name
        checkbox = settings.TABLE[name][0] == "bool"
        field = dom.make("label", for_=identifier, class_="field check" if checkbox else "field")
        words = dom.make("span", label)
        control = self._control(name, identifier)
        field.append(*((control, words) if checkbox else (words, control)))
        if name in ("lr", "smoothing"):
            field.append(dom.make("output", id=identifier + "-value"))
        if name in _NUMBERS:
            field.append(dom.make("small", class_="wrong", id=identifier + "-wrong", role="alert"))
        self.fields[name] = control
        dom.on(
            control, "input" if control.type == "range" else "change", lambda _: self._changed(name)
        )
        self._show(name, field)
        return field

    def _control(self, name, identifier):
        if name in _CHOICES:
            control = dom.make("select", id=identifier)
            for choice in _CHOICES[name]:
                control.append(dom.make("option", _LABELS.get(choice) or str(choice), value=choice))
            return control
        if settings.TABLE[name][0] == "bool":
            return dom.make("input", id=identifier, type="checkbox")
        if name == "lr":
            return dom.make("input", id=identifier, type="range", min=0, max=100, step=1)
        if name in _NUMBERS:
            return fields.number(*_NUMBERS[name], id=identifier)
        low, high, step = _RANGES[name]
        return dom.make("input", id=identifier, type="range", min=low, max=high, step=step)

    def _changed(self, name):
        control = self.fields[name]
        if control.type == "checkbox":
            self.set(name, control.checked)
        elif name == "lr":
            self.set(name, settings.learning_rate(float(control.value)))
        else:
            self._read(name, control)
        self._show(name)

    def _read(self, name, control):
        try:
            text = control.value
            value = settings.read(name, numbers.plain(text) if name in _NUMBERS else text)
        except ValueError:
            good = numbers.local(settings.write(name, self[name]))
            words = tr(
                "{label}: {expected}. {good} is used.",
                label=self.labels[name],
                expected=settings.expected(name),
                good=good,
            )
            self._refuse(name, words)
            return
        if name in _NUMBERS:
            self._refuse(name, "")
        self.set(name, value)

    def _refuse(self, name, words):
        """Say under a field what is wrong with it; its last good value is used meanwhile."""
        fields.refuse(self.fields[name], dom.find("option-" + name + "-wrong"), words)

    def _show(self, name, field=None):
        control = self.fields.get(name)
        if control is None:
            return
        value = self.values[name]
        if control.type == "checkbox":
            control.checked = value
        elif name == "lr":
            control.value = str(settings.slider(value))
            control.setAttribute("aria-valuetext", numbers.local(f"{value:g}"))
        elif control.getAttribute("aria-invalid") != "true":  # what was typed stays in view
            text = settings.write(name, value)
            control.value = numbers.local(text) if name in _NUMBERS else text
            if name in _CHOICES and control.value != text:  # from a link
                control.append(dom.make("option", text, value=text))
                control.value = text
        shown = (field or control.parentElement).querySelector("output")
        if shown:
            shown.textContent = numbers.local(f"{value:g}")


def _summarise(values):
    """Say in one line what the options are: a phone shows no more until it is pressed."""
    named, _ = architectures.PRESETS.get(values["preset"], (tr("your own layers"), None))
    words = plural(
        values["epochs"],
        "Options: {network}, rate {rate}, batch {batch}, {epochs} epoch",
        "Options: {network}, rate {rate}, batch {batch}, {epochs} epochs",
        network=tr("your own layers") if values["layers"] else named,
        rate=numbers.local(f"{values['lr']:g}"),
        batch=values["batch"],
        epochs=values["epochs"],
    )
    dom.set_text("options-fold", words)
