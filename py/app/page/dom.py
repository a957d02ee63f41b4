"""The document: find elements, write texts, listen to events, draw once a frame.

Two rules of MicroPython shape this module. A Python exception in a function called by JavaScript
ends as an uncaught error of the page, so `on` and `spawn` hand it to `failed`. And a JavaScript
function costs some microseconds a call, so `write` touches the document only where a text changed.
"""

import asyncio
import json
from collections import OrderedDict

import js
from pyscript import document, ffi

BUDGET = 0.004  # seconds: a quarter of a frame at 60 Hz; what is one job's more, and the browser's
# own work for it, have the rest
root = document.documentElement
_written = {}
_jobs = OrderedDict()  # in order of request, which MicroPython's dict does not keep
_asked = [False]
_pressed = [False]
_handlers = []


def evaluate(module, name):
    """Return the value of the expression in a .js file beside a module, given its `__file__`."""
    with open(module.rpartition("/")[0] + "/" + name) as file:
        return js.eval(file.read())


script = evaluate(__file__, "dom.js")
files = script.files  # a promise of {names, urls, title, free} of files, or of what was dropped
_text = script.write


def find(identifier):
    """Return the element with this id."""
    return document.getElementById(identifier)


def output(name):
    """Return the <output> with this name."""
    return document.querySelector('output[name="' + name + '"]')


def write(key, text, element=None):
    """Set the text of an output (by name), touching the document only when it changes."""
    if _written.get(key) == text:
        return
    _written[key] = text
    _text(element or output(key), text)


def set_text(identifier, text):
    """Set the text of the element with this id, touching the document only when it changes."""
    key = "#" + identifier
    if _written.get(key) != text:
        _written[key] = text
        _text(find(identifier), text)


def make(tag, text="", **attributes):
    """Return a new element. Write `class_` and `for_` for `class` and `for`; `_` becomes `-`."""
    element = document.createElement(tag)
    if text != "":
        element.textContent = str(text)
    for name, value in attributes.items():
        if value is not None:
            element.setAttribute(name.rstrip("_").replace("_", "-"), str(value))
    return element


def fill(parent, children):
    """Replace the children of an element."""
    parent.replaceChildren()
    for child in children:
        parent.append(child)
    return parent


def escape(text):
    """Return a text as HTML shows it."""
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def put(element, html):
    """Replace what an element holds by HTML, whose style attributes any policy allows.

    Its texts are put in the page's language, as those of index.html are.
    """
    script.put(element, html)


def record(value):
    """Return a plain JavaScript object made from dicts, lists, numbers and texts."""
    return js.JSON.parse(json.dumps(value))


def failed(error):
    """Handle an exception that no panel caught; `app.page_app` replaces this."""
    raise error


handler_of_failures = [failed]


async def _guarded(coroutine):
    try:
        await coroutine
    except Exception as error:
        handler_of_failures[0](error)


def unique():
    """Return a name that nothing else has."""
    return str(js.Math.random())[2:] + str(js.Math.random())[2:]


def recall(key):
    """Return what `remember` stored on an earlier visit, or None."""
    return script.recall(key)


def remember(key, text):
    """Store a text for later visits, if the browser allows it."""
    script.remember(key, text)


def spawn(coroutine):
    """Run a coroutine as a task; exceptions are shown on the page."""
    return asyncio.create_task(_guarded(coroutine))


def call(function):
    """Return a function for JavaScript to call; its exceptions are shown on the page."""

    def guarded(*arguments):
        try:
            result = function(*arguments)
        except Exception as error:
            handler_of_failures[0](error)
            return
        if hasattr(result, "send"):
            spawn(result)

    proxy = ffi.create_proxy(guarded)
    _handlers.append(proxy)
    return proxy


def call_value(function):
    """Return a function whose result JavaScript uses; it must not raise.

    The result is kept until the next call: MicroPython may collect garbage when a call that came
    from JavaScript ends, and an object that only the result held arrives there as `undefined`.
    """
    kept = [None]

    def keeping(*arguments):
        kept[0] = function(*arguments)
        return kept[0]

    proxy = ffi.create_proxy(keeping)
    _handlers.append(proxy)
    return proxy


def on(element, event, handler, passive=True):
    """Call `handler(event)` on an event of an element (or of the element with this id)."""
    target = find(element) if isinstance(element, str) else element
    target.addEventListener(event, call(handler), record({"passive": passive}))


def click(identifier, handler):
    """Call `handler()` when a button is pressed."""
    on(identifier, "click", lambda _: handler())


def press(element, handler):
    """Await `handler()` when a button is pressed that changes a list: not at the second press of a
    double click, which may meet another item, nor while another such press is under way."""

    async def once(event):
        if event.detail > 1 or _pressed[0]:
            return
        _pressed[0] = True
        try:
            await handler()
        finally:
            _pressed[0] = False

    on(element, "click", once)


def unfold(identifier):
    """Open or close what a button controls."""
    button = find(identifier)
    opened = button.getAttribute("aria-expanded") == "true"
    button.setAttribute("aria-expanded", "false" if opened else "true")


def enable(*identifiers, when=True):
    """Enable or disable buttons."""
    for identifier in identifiers:
        find(identifier).disabled = not when


def _draw(_):
    """Run the jobs of this frame; when their share is over, the rest waits for the next frame."""
    _asked[0] = False
    waiting = list(_jobs.items())
    _jobs.clear()
    deadline = now() + BUDGET
    done = 0
    for _, job in waiting:
        if done and now() > deadline:
            break
        done += 1
        try:
            job()
        except Exception as error:
            handler_of_failures[0](error)
    for name, job in waiting[done:]:
        _jobs.setdefault(name, job)
    if _jobs:
        _ask()


_frame = ffi.create_proxy(_draw)


def _ask():
    if not _asked[0]:
        _asked[0] = True
        js.requestAnimationFrame(_frame)


def next_frame(name, job):
    """Run `job()` before one of the next paints; a later job of the same name replaces it."""
    _jobs[name] = job
    _ask()


def now():
    """Return seconds since the page was opened."""
    return js.performance.now() / 1000


def colour(name):
    """Return a colour of the style sheet (a custom property) in the current theme."""
    probe = find("colour-probe")
    probe.style.color = "var(--" + name + ")"
    return js.getComputedStyle(probe).color


def channels(name):
    """Return [red, green, blue] of a colour of the style sheet in the current theme."""
    text = colour(name)
    inside = text[text.index("(") + 1 : text.index(")")]
    return [int(float(part)) for part in inside.replace(",", " ").split()[:3]]


def rem():
    """Return the root font size in pixels; charts scale with it."""
    return float(js.getComputedStyle(root).fontSize[:-2])


def save_as(url, filename):
    """Download the content of an address as a file of this name."""
    link = make("a", href=url, download=filename)
    document.body.append(link)
    link.click()
    link.remove()


def save_text(text, kind, filename):
    """Download a text as a file of this name."""
    blob = js.Blob.new(ffi.to_js([text]), record({"type": kind}))
    url = js.URL.createObjectURL(blob)
    save_as(url, filename)
    js.setTimeout(call(lambda *_: js.URL.revokeObjectURL(url)), 10000)
