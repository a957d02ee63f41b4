"""The network panel: the architecture as a choice, a table, an editor and Python code."""

import json

from app.language import tr
from app.page import dom, fields, numbers, status, table
from app.panels.options import script
from app.state import architectures, settings
from app.state.architectures import LayerError
from app.state.lent import Lent


class Editor:
    """The list of layers with a field for each argument.

    Args:
        change: a coroutine function that takes other layers.
    """

    def __init__(self, change):
        self.change = change
        self.layers = []
        for kind in architectures.FIELDS:
            dom.find("new-layer").append(dom.make("option", kind, value=kind))
        dom.click("add-layer", self._add)

    def show(self, layers):
        """Show the layers with their fields."""
        self.layers = layers
        items = [self._item(index, *layer) for index, layer in enumerate(layers)]
        dom.fill(dom.find("layers"), items)

    def _item(self, index, kind, arguments):
        item = dom.make("li")
        head = dom.make("div", class_="row")
        head.append(dom.make("b", kind))
        for label, sign, handler in (
            (tr("Move layer {index} up", index=index + 1), "↑", lambda: self._move(index, -1)),
            (tr("Move layer {index} down", index=index + 1), "↓", lambda: self._move(index, 1)),
            (tr("Remove layer {index}", index=index + 1), "×", lambda: self._remove(index)),
        ):
            button = dom.make("button", sign, type="button", class_="quiet", aria_label=label)
            dom.on(button, "click", lambda _, handler=handler: handler())
            head.append(button)
        row = dom.make("div", class_="row")
        for name in architectures.FIELDS[kind]:
            row.append(self._field(index, kind, name, arguments))
        item.append(head, row, dom.make("p", class_="wrong", id=f"layer-{index}-wrong"))
        return item

    def _field(self, index, kind, name, arguments):
        expected, low, high, default = architectures.FIELDS[kind][name]
        label = dom.make("label", name.replace("_", " "))
        if isinstance(expected, tuple):
            control = dom.make("select")
            for choice in expected:
                control.append(dom.make("option", choice, value=choice))
        else:
            control = fields.number(low, high, 1 if expected == "int" else 0.05)
        value = arguments.get(name, default)
        if name == "activation" and name not in arguments:
            value = "linear"
        control.value = numbers.local(str(value))
        dom.on(control, "change", lambda _: self._edit(index, name, control))
        label.append(control)
        return label

    def mark(self, index, message):
        """Say what is wrong with a layer."""
        items = dom.find("layers").children
        if index >= items.length:
            return
        item = items[index]
        item.setAttribute("data-wrong", "")
        item.querySelector(".wrong").textContent = message
        status.say(tr("Layer {index}: {message}", index=index + 1, message=message))
        dom.find("editor").open = True

    async def _add(self):
        kind = dom.find("new-layer").value
        layers = list(self.layers)
        # The last layer gives the probabilities: others are inserted before it.
        layers.insert(max(len(layers) - 1, 0), architectures.new_layer(kind))
        await self.change(layers)

    async def _remove(self, index):
        await self.change([layer for place, layer in enumerate(self.layers) if place != index])

    async def _move(self, index, by):
        layers = list(self.layers)
        if 0 <= index + by < len(layers):
            layers[index], layers[index + by] = layers[index + by], layers[index]
            await self.change(layers)

    async def _edit(self, index, name, control):
        kind, arguments = self.layers[index]
        try:
            value = architectures.read_field(kind, name, control.value, numbers.plain)
        except ValueError as error:
            self.mark(index, str(error))
            fields.refuse(control, dom.find(f"layer-{index}-wrong"), str(error))
            return
        layers = list(self.layers)
        layers[index] = (kind, dict(arguments, **{name: value}))
        await self.change(layers)


class Network:
    """The panel.

    Args:
        client: the engine.
        options: the settings.
        state: of the page.

    Attributes:
        layers: as they are in the editor.
        problem: why they make no network, '' where they do.
        listing: shows the program that does the same elsewhere.
    """

    def __init__(self, client, options, state):
        self.client = client
        self.options = options
        self.state = state
        self.problem = ""
        self.rows = None  # of the table
        self._lent = Lent(json.loads(script.lent("network")))
        if (options["layers"], options["preset"]) == (None, architectures.DEFAULT):
            # After a reload the address may have layers that read no images: they are left out.
            options.values.update({name: row[0] for name, row in self._lent.rows.items()})
        self.layers = self._chosen(options)
        self._rebuilding = None
        self.listing = lambda: None
        self.editor = Editor(self._change)
        self._choices()
        dom.on("code-panel", "toggle", lambda event: _widen(event.target.open))
        dom.on("preset", "change", lambda event: self._preset(event.target.value))
        for name in settings.TABLE:
            options.listen(name, lambda _: self.code())
        options.listen("preset", lambda _: self._follow())
        options.listen("layers", lambda _: self._follow())
        client.listen(self._show_model)
        options.listen("link", self._lent.forget)
        options.listen("link", lambda _: dom.spawn(self._begin()))
        self.plan()

    def _chosen(self, values):
        own = values["layers"]
        layers = own if own is not None else architectures.layers_of(values["preset"])
        return architectures.fitted(layers, len(self.client.data["names"]))

    def _choices(self):
        select = dom.find("preset")
        for name, (label, _) in architectures.PRESETS.items():
            select.append(dom.make("option", label, value=name))
        select.append(dom.make("option", tr("Your own"), value="custom"))

    # -- changes ----------------------------------------------------------------------------

    async def _preset(self, name):
        if not self._free():
            return
        if name == "custom":
            dom.find("editor").open = True
            await self._change(self.layers)
        else:
            values = dict(self.options.values, layers=None, preset=name)
            # What was set for the former network goes back, unless it was changed since.
            former = architectures.TRAINED_WITH.get(self.options["preset"], {})
            for key in former:
                if values[key] == former[key]:
                    values[key] = settings.TABLE[key][1]
            values.update(architectures.TRAINED_WITH.get(name, {}))
            self.options.adopt(values)

    def _follow(self):
        """Build the network again after a change of the settings, here or in the address."""
        layers = self._chosen(self.options)
        if layers != self.layers or not self.client.layers:
            self.layers = layers
            self._rebuilding = dom.spawn(self._rebuild())
        self.plan()

    async def replace(self):
        """Build another network: the data are others."""
        values = self._lent.give_back(self.options.values)
        self.layers = self._chosen(values)
        others = not self.plan()  # they were for larger images, or for features
        if others:
            flat = len(self.client.data["shape"]) == 1
            layers = architectures.HEAD if flat else None
            preset = "custom" if flat else architectures.DEFAULT
            values = self._lent.set(values, layers=layers, preset=preset)
            self.layers = self._chosen(values)
        script.lend("network", json.dumps(self._lent.rows))
        if values != self.options.values:
            self.options.adopt(values)
        if others:
            self.plan()
        await self.client.build(self.layers)

    async def _begin(self):
        """Begin with fresh weights, as a link does."""
        await self.client.settled()  # other layers are being built already
        if self.client.learned or self.client.layers != self.layers:
            await self._rebuild()

    def _free(self):
        """Whether nothing is in progress; shows what is in use again if something is."""
        if not self.state.free():
            self.plan()
            return False
        return True

    async def _change(self, layers):
        if not self._free():
            return
        self.layers = layers
        if self.plan():  # else the last ones that make a network stay in use and in the address
            self.options.values["preset"] = "custom"
            fitted = architectures.fitted(layers, architectures.CLASSES)  # as links have them
            self.options.set("layers", [(kind, dict(arguments)) for kind, arguments in fitted])
            await self._rebuild()

    async def _rebuild(self):
        if self.client.engine is None or self.state.busy or not self.plan():
            return
        await self.client.build(self.layers)
        status.say(tr("A new network, not trained yet."))

    async def rebuilt(self):
        """Wait until the network in use is the one that the settings describe.

        Raises:
            ValueError: they describe none.
        """
        if self.client.layers is None or self.client.layers == self.layers:
            return
        if not self.problem and self._rebuilding is not None:
            await self._rebuilding
        if self.problem:
            raise ValueError("layers: " + self.problem)

    # -- views ------------------------------------------------------------------------------

    def plan(self):
        """Show the layers; return whether they make a network."""
        dom.find("preset").value = (
            "custom" if self.options["layers"] is not None else self.options["preset"]
        )
        self.editor.show(self.layers)
        self.code()
        try:
            data = self.client.data
            rows = architectures.plan(self.layers, len(data["names"]), tuple(data["shape"]))
        except LayerError as error:
            self.editor.mark(error.index, str(error))
            self.problem = tr("Layer {index}: {error}", index=error.index + 1, error=error)
            dom.set_text("network-note", tr("Not a network yet"))
            dom.root.dataset.network = "wrong"
            return False
        self.problem = ""
        dom.root.dataset.network = "right"
        self._table([("", kind, shape, count) for kind, shape, count in rows])
        return True

    def _show_model(self):
        """Show the table as the engine states it."""
        if self.rows is self.client.rows:  # training changes no row
            return
        if self.client.layers not in (None, self.layers):  # others are being built already
            return
        self.rows = self.client.rows
        self.code()
        self._table([(name, kind, shape, count) for name, kind, shape, count in self.client.rows])

    def _table(self, rows):
        body = dom.document.querySelector("#summary tbody")
        lines = []
        for number, (name, kind, shape, count) in enumerate(rows, 1):
            head = dom.make("th", f"{number} {kind}", scope="row", title=name or None)
            side = dom.make("td", numbers.shape(shape))
            lines.append(table.row(head, side, numbers.count(count)))
        dom.fill(body, lines)
        total = numbers.count(sum(row[3] for row in rows))
        dom.set_text("total-params", total)
        dom.set_text("network-note", tr("{count} parameters", count=total))

    def code(self):
        """Show the program that does the same elsewhere, if it is in view."""
        self.listing()


def _widen(opened):
    """Give an open program the whole width: its lines are longer than a shelf."""
    dom.find("network").classList.toggle("whole", opened)
