"""The form that writes the lines of an embed: panels, options, size, theme."""

import js

from app.language import tr
from app.page import clipboard, dom, fields
from app.state import embed_code, settings


class EmbedForm:
    """The form in the fold "Embed".

    Args:
        page: the page with its panels.
    """

    def __init__(self, page):
        self.options = page.options
        self.boxes = {}
        form = dom.find("embed-form")
        self.compact = self._field(form, tr("Compact"), type="checkbox")
        self.config = self._field(form, tr("With the present options"), type="checkbox")
        self.config.checked = True
        self.height = self._field(form, tr("Height in pixels, if not as high as its content"))
        self.height.size = 5
        self.theme = dom.make("select")
        for name in embed_code.THEMES:
            self.theme.append(dom.make("option", name, value=name))
        label = dom.make("label", tr("Theme"), class_="field")
        label.append(self.theme)
        form.append(label)
        group = dom.make("fieldset", class_="row")
        group.append(dom.make("legend", tr("Leave out")))
        for name in embed_code.PANELS:
            self.boxes[name] = self._field(group, name, type="checkbox")
        self.wrong = dom.make("small", class_="wrong", role="alert", id="embed-wrong")
        copy = dom.make("button", tr("Copy these lines"), type="button", class_="quiet")
        dom.on(copy, "click", self._copy)
        form.append(group, self.wrong, copy)
        dom.on(form, "input", lambda _: self.open())
        dom.on(form, "submit", lambda event: event.preventDefault(), passive=False)

    def _field(self, form, label, **attributes):
        box = dom.make("label", class_="field check")
        control = dom.make("input", **attributes)
        box.append(control, dom.make("span", label))
        form.append(box)
        return control

    def open(self):
        """Write the lines that the form says now."""
        height = problem = ""
        try:
            height = embed_code.length(self.height.value)
        except ValueError as error:
            problem = tr("Height: {error}", error=error)
        fields.refuse(self.height, self.wrong, problem)
        values = dict(self.options.values, hide=())
        config = settings.to_hash(values) if self.config.checked else ""
        hide = [name for name, box in self.boxes.items() if box.checked]
        base = js.URL.new(".", js.document.baseURI).href
        words = embed_code.text(base, config, hide, self.compact.checked, self.theme.value, height)
        dom.set_text("embed-code", words)

    async def _copy(self, _):
        code = dom.find("embed-code")
        await clipboard.copy(code.textContent, code, tr("The lines are copied."))
