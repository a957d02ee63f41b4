"""Entry point of the page: MicroPython fetches its modules in one request and starts it.

What the controls need not wait for, and what not every page needs, are bundles of their own, which
whoever needs them has `unpack` fetch.

PyScript's own `[files]` asks for each module, or for an archive and 160 kB of JavaScript that
reads archives; a text passes from JavaScript to MicroPython quickly.
"""

import gc
import json
import os

import js

# A garbage collection takes 0.7 ms at 0.3 MB. By default there is one after each 16 kB of new
# objects, which took a third of this page's time in training.
gc.threshold(1 << 18)  # type: ignore[attr-defined]

BUNDLES = "./static/vendor/python/"  # path, NUL, source, NUL, path ...; see tools/bundle.py
folders = set()


async def unpack(name):
    """Write every module of a bundle where `import` looks for it."""
    url = BUNDLES + name
    response = await js.fetch(url)
    if not response.ok:
        raise OSError(f"{url}: expected the page's modules, the server answered {response.status}")
    parts = (await response.text()).split("\0")
    for path, source in zip(parts[::2], parts[1::2]):
        make_folders(path)
        with open(path, "w") as file:
            file.write(source)


def make_folders(path):
    names = path.split("/")[:-1]
    for depth in range(1, len(names) + 1):
        folder = "/".join(names[:depth])
        if folder not in folders:
            folders.add(folder)
            os.mkdir(folder)


await unpack("main.txt")

from app import language
from app.page import dom

if js.farcallLanguage != "en":  # static/boot.js fetches the texts
    language.use(json.loads(await js.farcallTexts))

dom.root.dataset.python = "MicroPython"
if dom.root.hasAttribute("data-playground"):
    await unpack("playground.txt")
    from app.panels.playground.page import PlaygroundPage

    dom.spawn(PlaygroundPage(unpack).start())
else:
    from app.page_app import PageApp

    dom.spawn(PageApp(unpack).start())
