"""Step 2: the architecture, as a choice, a table, an editor and Python code."""

import js

from app.page import dom, numbers, status
from app.state import architectures, settings
from app.state.architectures import LayerError


class Network:
    """The panel that decides what the network is."""

    def __init__(self, studio, options, locked):
        self.studio = studio
        self.options = options
        self.locked = locked
        self.layers = self._chosen()
        self._choices()
        dom.on("preset", "change", lambda event: self._preset(event.target.value))
        dom.click("add-layer", self._add)
        dom.click("copy-code", self._copy)
        dom.on("code-panel", "toggle", lambda _: self.code())
        for name in settings.TABLE:
            options.listen(name, lambda _: self.code())
        options.listen("preset", lambda _: self._follow())
        options.listen("layers", lambda _: self._follow())
        self.plan()

    def _chosen(self):
        own = self.options["layers"]
        return own if own is not None else architectures.layers_of(self.options["preset"])

    def _choices(self):
        select = dom.find("preset")
        for name, (label, _) in architectures.PRESETS.items():
            select.append(dom.make("option", label, value=name))
        select.append(dom.make("option", "Your own", value="custom"))
        for kind in architectures.FIELDS:
            dom.find("new-layer").append(dom.make("option", kind, value=kind))

    # -- changes ----------------------------------------------------------------------------

    async def _preset(self, name):
        if name == "custom":
            dom.find("editor").open = True
            await self._change(self.layers)
        else:
            more = architectures.TRAINED_WITH.get(name, {})
            self.options.adopt(dict(self.options.values, layers=None, preset=name, **more))

    def _follow(self):
        """The settings changed, here or in the address: rebuild from them."""
        layers = self._chosen()
        if layers != self.layers or not self.studio.layers:
            self.layers = layers
            dom.spawn(self._rebuild())
        self.plan()

    async def _change(self, layers):
        self.layers = layers
        self.options.values["preset"] = "custom"
        self.options.set("layers", [(kind, dict(arguments)) for kind, arguments in layers])
        if self.plan():
            await self._rebuild()

    async def _rebuild(self):
        if self.studio.engine is None or self.locked() or not self.plan():
            return
        await self.studio.build(self.layers)
        status.say("A new network, not trained yet.")

    async def _add(self):
        kind = dom.find("new-layer").value
        layers = list(self.layers)
        # The last layer gives the probabilities: what is added goes before it.
        layers.insert(max(len(layers) - 1, 0), architectures.new_layer(kind))
        await self._change(layers)

    async def _remove(self, index):
        await self._change([layer for place, layer in enumerate(self.layers) if place != index])

    async def _move(self, index, by):
        layers = list(self.layers)
        if 0 <= index + by < len(layers):
            layers[index], layers[index + by] = layers[index + by], layers[index]
            await self._change(layers)

    async def _edit(self, index, name, control):
        kind, arguments = self.layers[index]
        try:
            value = architectures.read_field(kind, name, control.value)
        except ValueError as error:
            self._mark(index, str(error))
            return
        layers = list(self.layers)
        layers[index] = (kind, dict(arguments, **{name: value}))
        await self._change(layers)

    # -- views ------------------------------------------------------------------------------

    def plan(self):
        """Show the layers as they are; True when they make a network."""
        dom.find("preset").value = (
            "custom" if self.options["layers"] is not None else self.options["preset"]
        )
        self._editor()
        self.code()
        try:
            rows = architectures.plan(self.layers)
        except LayerError as error:
            self._mark(error.index, str(error))
            dom.write("network-note", "Not a network yet", dom.find("network-note"))
            dom.root.dataset.network = "wrong"
            return False
        dom.root.dataset.network = "right"
        self._table([("", kind, shape, count) for kind, shape, count in rows])
        return True

    def show_model(self):
        """The table as the engine itself states it."""
        self.code()
        self._table([(name, kind, shape, count) for name, kind, shape, count in self.studio.rows])

    def _table(self, rows):
        body = dom.document.querySelector("#summary tbody")
        lines = []
        for name, kind, shape, count in rows:
            line = dom.make("tr")
            head = dom.make("th", kind, scope="row", title=name or None)
            line.append(
                head,
                dom.make("td", numbers.shape(shape)),
                dom.make("td", numbers.count(count), class_="number"),
            )
            lines.append(line)
        dom.fill(body, lines)
        total = numbers.count(sum(row[3] for row in rows))
        dom.write("total-params", total, dom.find("total-params"))
        dom.write("network-note", total + " parameters", dom.find("network-note"))

    def code(self):
        """The program that does the same elsewhere, while somebody looks at it."""
        if not dom.find("code-panel").open:
            return
        from app.state import generated_code  # the page begins without it

        studio = self.studio
        layers = None if studio.model is not None and studio.layers is None else self.layers
        words = generated_code.text(layers, self.options.values, studio.data, studio.trained)
        dom.write("code", words, dom.find("code"))

    async def _copy(self):
        try:
            await js.navigator.clipboard.writeText(dom.find("code").textContent)
        except Exception:  # No permission, no secure context: the code is there to be selected.
            js.getSelection().selectAllChildren(dom.find("code"))
            status.say("Copying is not allowed here: the code is selected, press Ctrl+C.")
            return
        status.say("The code is copied.")

    def _editor(self):
        items = [self._item(index, *layer) for index, layer in enumerate(self.layers)]
        dom.fill(dom.find("layers"), items)

    def _item(self, index, kind, arguments):
        item = dom.make("li")
        head = dom.make("div", class_="row")
        head.append(dom.make("b", kind))
        for label, sign, handler in (
            (f"Move layer {index + 1} up", "↑", lambda: self._move(index, -1)),
            (f"Move layer {index + 1} down", "↓", lambda: self._move(index, 1)),
            (f"Remove layer {index + 1}", "×", lambda: self._remove(index)),
        ):
            button = dom.make("button", sign, type="button", class_="quiet", aria_label=label)
            dom.on(button, "click", lambda _, handler=handler: handler())
            head.append(button)
        fields = dom.make("div", class_="row")
        for name in architectures.FIELDS[kind]:
            fields.append(self._field(index, kind, name, arguments))
        item.append(head, fields, dom.make("p", class_="wrong"))
        return item

    def _field(self, index, kind, name, arguments):
        expected, low, high, default = architectures.FIELDS[kind][name]
        label = dom.make("label", name.replace("_", " "))
        if isinstance(expected, tuple):
            control = dom.make("select")
            for choice in expected:
                control.append(dom.make("option", choice, value=choice))
        else:
            control = dom.make(
                "input", type="number", min=low, max=high, step=1 if expected == "int" else 0.05
            )
        value = arguments.get(name, default)
        control.value = str("linear" if name == "activation" and name not in arguments else value)
        dom.on(control, "change", lambda _: self._edit(index, name, control))
        label.append(control)
        return label

    def _mark(self, index, message):
        items = dom.find("layers").children
        if index >= items.length:
            return
        item = items[index]
        item.setAttribute("data-wrong", "")
        item.querySelector(".wrong").textContent = message
        status.say(f"Layer {index + 1}: {message}")
        dom.find("editor").open = True
