"""The fold "As Python": the run as a program of this engine or of Keras, and as a notebook."""

from app.language import tr
from app.page import clipboard, dom
from app.state import generated_code, keras_code


class Code:
    """The programs, of the layers and options that are chosen now.

    Args:
        page: the page with its panels.
    """

    def __init__(self, page):
        self.client = page.client
        self.options = page.options
        self.network = page.network
        self.network.listing = self.open
        dom.on("code-kind", "change", lambda _: self.open())
        dom.click("copy-code", self._copy)
        dom.click(
            "download-code", lambda: dom.save_text(self._text(), "text/x-python", "farcall_run.py")
        )
        dom.click("notebook", self._notebook)

    def open(self):
        """Show the program, if its fold is open."""
        if dom.find("code-panel").open:
            dom.set_text("code", self._text())

    def _run(self):
        client = self.client
        layers = None if client.model is not None and client.layers is None else self.network.layers
        return layers, self.options.values, client.data, client.trained

    def _text(self):
        module = keras_code if dom.find("code-kind").value == "keras" else generated_code
        return module.text(*self._run())

    async def _copy(self):
        code = dom.find("code")
        await clipboard.copy(code.textContent, code, tr("The code is copied."))

    def _notebook(self):
        text = keras_code.notebook(self.options.address(), *self._run())
        dom.save_text(text, "application/x-ipynb+json", "farcall-run.ipynb")
