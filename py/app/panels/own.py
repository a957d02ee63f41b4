"""The panel of classes made on the page, by camera, files and drawing, and answered live.

It is loaded when somebody opens it. The worker keeps the pictures (`lab.own`); here are their
thumbnails. Train takes the classes over as the data; from then on the camera is answered live.
"""

import asyncio

import js

from app.language import key, plural, tr
from app.page import dom, fields, images, numbers, status
from app.page.latest import Latest
from app.page.pad import SENT

SIDE = 96  # as in app.lab.own
NAME = key("Your classes")
PAUSE = 0.1  # seconds between two pictures that are recorded
SOON = 0.06  # seconds at least between two answers
_camera = dom.evaluate(__file__, "own.js")
_LEFT = """
<div class="row spread">
<h2 id="own-title" tabindex="-1">Your classes</h2>
<button id="own-close" type="button" class="quiet">Back to digits</button></div>
<p class="note">Name each class and give it pictures: ten are a good start.
A press on a picture deletes it. All stay in this browser until you delete them.</p>
<div id="own-list"></div>
<label class="field" for="own-network"><span>Learn from</span><select id="own-network">
<option value="">the pictures</option>
<option value="features">EfficientNet-Lite0's view, 5 MB</option></select></label>
<div class="row spread"><button id="own-add" type="button">Add a class</button>
<small id="own-count"></small>
<button id="own-undo" type="button" class="quiet" data-then="own-title" disabled>Undo</button>
<button id="own-forget" type="button" class="quiet">Delete all</button></div>
<input id="own-files" type="file" multiple hidden accept="image/*" aria-label="Pictures">
"""
_RIGHT = """
<h2>Live answer</h2><small id="own-rate"></small>
<button id="own-camera" type="button">Start the camera</button><small>Stays on this device</small>
"""
_STEPS = """
<li>Give each class its pictures.</li><li>Press Train.</li>
<li>Hold something in front of the camera.</li>
"""
_DRAWING = """
<button id="own-keep" type="button" class="primary">Keep</button>
<button id="own-done" type="button">Done</button>
"""


class Camera:
    """The camera: off, or on and shown.

    Args:
        ended: called when it ended by itself.
    """

    def __init__(self, ended):
        self.on = False
        self._ended = ended
        self._parts = _camera(SIDE, dom.call(self._gone))
        self.video = self._parts.video

    async def start(self):
        """Switch it on; return whether it is."""
        if not self.on:
            if not images.legible():
                return False
            problem = await self._parts.start()
            if problem:
                status.say(problem)
                return False
            self._show(True)
        return True

    def stop(self):
        """Switch it off, or take back that it was asked for."""
        self._parts.stop()
        self._show(False)

    def grab(self):
        """Return the picture of now as RGBA bytes; None where there is none yet."""
        return self._parts.grab() if self.on else None

    def _show(self, on):
        self.on = on
        self.video.classList.toggle("on", on)
        dom.set_text("own-camera", tr("Stop the camera") if on else tr("Start the camera"))

    def _gone(self, *_):
        self._show(False)
        self._ended()


class Live:
    """The camera and what is made of it: the network's answer, and pictures of a class.

    Args:
        panel: the mode.
    """

    def __init__(self, panel):
        self.panel = panel
        self.client = panel.client
        self.draw = panel.draw
        self.recording = None  # the number of the class that is recorded
        self.camera = Camera(lambda: status.say(tr("The camera has ended.")))
        dom.document.querySelector("#draw > .out .live-head").after(self.camera.video)
        dom.click("own-camera", self._press)
        dom.on(js.window, "pagehide", lambda _: self.stop())

    async def _press(self):
        if self.camera.on:
            self.stop()
        else:
            await self._start()

    async def _start(self):
        """Switch the camera on, and answer it; return whether it is on."""
        if not self.camera.on:
            if not await self.camera.start():
                return False
            dom.spawn(self._answer())
        return True

    def stop(self):
        """Switch the camera off."""
        self.recording = None
        self.draw.live = False
        self.camera.stop()

    async def record(self, number, button):
        """Take pictures of a class while its button is held."""
        if self.recording is not None:
            return
        self.recording = number
        if not await self._start():
            self.recording = None
            return
        button.toggleAttribute("data-on", True)
        while self.recording == number and self.camera.on:
            began, pixels = dom.now(), self.camera.grab()
            if pixels is not None and not await self.panel.add(number, pixels):
                break
            await asyncio.sleep(max(0, PAUSE - (dom.now() - began)))
        self.recording = None
        button.toggleAttribute("data-on", False)

    def release(self):
        """End what is recorded."""
        self.recording = None

    async def _answer(self):
        """Show what the network makes of the camera, as often as it can be read."""
        rate = 0.0
        while self.camera.on:
            began = dom.now()
            read = await self._look()
            await asyncio.sleep(max(0, SOON - (dom.now() - began)) if read else PAUSE)
            if read:
                rate += (1 / max(dom.now() - began, SOON) - rate) * (0.1 if rate else 1)
            dom.set_text("own-rate", tr("{rate} a second", rate=int(rate)) if read else "")
        self.draw.live = False
        dom.set_text("own-rate", "")

    async def _look(self):
        """Have the network read one picture; return whether it did."""
        client, model = self.client, self.client.model
        pixels = None if dom.document.hidden or not self.panel.answering else self.camera.grab()
        if pixels is None or model is None or client.replacing.locked():
            self.draw.live = False
            return False
        self.draw.live = True
        async with client.building:  # no other network takes its place meanwhile
            if model is not client.model:
                return False
            report = await client.lab.own.look(model, pixels)
        self.draw.show_live(report)
        return True


class Cards:
    """The list of classes: a name, thumbnails and three buttons each.

    Args:
        panel: what the buttons do, a method for each.
    """

    def __init__(self, panel):
        self.panel = panel
        self.counts = {}

    def show(self, listing):
        """Show all classes."""
        self.counts = {c["number"]: len(c["pictures"]) for c in listing["classes"]}
        number, place = _focused()
        dom.fill(dom.find("own-list"), [self._card(c) for c in listing["classes"]])
        if number in self.counts:
            _controls(self.find(number))[place].focus()
        dom.enable("own-undo", when=listing["undo"])
        for number in self.counts:
            self._count(number)

    def add(self, number, picture):
        """Show one more picture of a class."""
        card = self.find(number)
        if card is None:
            return
        thumbs = card.querySelector(".thumbs")
        thumbs.append(self._thumb(number, picture))
        thumbs.scrollTop = thumbs.scrollHeight
        self.counts[number] += 1
        self._count(number)

    def find(self, number):
        """Return the card of a class."""
        return dom.document.querySelector(f'.class[data-number="{number}"]')

    def wrong(self, number, words):
        """Say in the card of a class what is wrong with its pictures."""
        dom.find(f"class-{number}-wrong").textContent = words

    def refuse(self, number, words):
        """Say under the name of a class what is wrong with it, '' where nothing is."""
        field = self.find(number).querySelector("input")
        fields.refuse(field, dom.find(f"class-{number}-wrong"), words)

    def rename(self, number, name):
        """Name a class' card and its button."""
        card = self.find(number)
        card.setAttribute("aria-label", name)
        card.querySelector(".quiet").setAttribute("aria-label", tr("Delete {name}", name=name))

    def _count(self, number):
        count = self.counts[number]
        self.find(number).querySelector("small").textContent = _pictures(count)
        dom.set_text("own-count", _pictures(sum(self.counts.values())))

    def _card(self, one):
        number, name = one["number"], one["name"]
        card = dom.make("div", class_="class", role="group", data_number=number, aria_label=name)
        head = dom.make("div", class_="row spread")
        called = tr("Name of the class")
        field = dom.make("input", type="text", dir="auto", aria_label=called, maxlength=40)
        field.value = name
        dom.on(field, "change", lambda event: self.panel.rename(number, event.target))
        gone = dom.make(
            "button", "×", type="button", class_="quiet", aria_label=tr("Delete {name}", name=name)
        )
        dom.press(gone, lambda: self.panel.remove_class(number))
        head.append(field, dom.make("small"), gone)
        thumbs = dom.make("div", class_="thumbs")
        for picture in one["pictures"]:
            thumbs.append(self._thumb(number, picture))
        card.append(
            head,
            dom.make("p", class_="wrong", role="alert", id=f"class-{number}-wrong"),
            thumbs,
            self._buttons(number),
        )
        dom.on(card, "dragover", lambda event: _over(event, card, True), passive=False)
        dom.on(card, "dragleave", lambda event: _over(event, card, False), passive=False)
        dom.on(card, "drop", lambda event: self._dropped(event, card, number), passive=False)
        return card

    def _buttons(self, number):
        row = dom.make("div", class_="row")
        hold = dom.make("button", tr("Hold to record"), type="button", class_="record")
        for event in ("pointerdown", "keydown"):
            dom.on(hold, event, lambda event: self._hold(event, number, hold), passive=False)
        for event in ("pointerup", "pointercancel", "lostpointercapture", "keyup", "blur"):
            dom.on(hold, event, lambda _: self.panel.live.release())
        dom.on(hold, "contextmenu", lambda event: event.preventDefault(), passive=False)
        row.append(hold)
        for words, action in (
            (tr("Draw"), self.panel.drawing.begin),
            (tr("Files"), self.panel.choose),
        ):
            button = dom.make("button", words, type="button")
            dom.on(button, "click", lambda _, action=action: action(number))
            row.append(button)
        return row

    def _hold(self, event, number, button):
        if event.type == "keydown" and (event.repeat or event.key not in (" ", "Enter")):
            return None
        if event.type == "keydown":
            event.preventDefault()
        else:
            button.setPointerCapture(event.pointerId)  # pictures above it move it away
        return self.panel.live.record(number, button)

    def _thumb(self, number, picture):
        button = dom.make(
            "button", type="button", title=tr("Delete"), aria_label=tr("Delete the picture")
        )
        canvas = dom.make("canvas", aria_hidden="true", class_="in-colour")
        button.append(images.paint(canvas, picture["rgba"], False))
        which = picture["number"]
        dom.press(button, lambda: self.panel.remove(number, which))
        return button

    def _dropped(self, event, card, number):
        _over(event, card, False)
        event.stopPropagation()
        return self.panel.take(number, dom.files(event.dataTransfer))


class Drawing:
    """The pad in place of the classes, to draw pictures of one of them.

    Args:
        panel: the mode.

    Attributes:
        target: the number of the class that is drawn, None while none is.
    """

    def __init__(self, panel):
        self.panel = panel
        self.draw = panel.draw
        self.target = None
        dom.click("own-keep", self.keep)
        dom.click("own-done", self.end)

    def begin(self, number):
        """Show the pad."""
        self.target = number
        self.draw.live = False
        self.draw.clear()
        name = self.panel.cards.find(number).querySelector("input").value
        dom.set_text("own-keep", tr("Keep as {name}", name=name))
        self.panel.follow()
        dom.find("pad").focus(dom.record({"preventScroll": True}))

    async def keep(self):
        """Add the drawing to its class, and clear the pad."""
        if self.draw.pad.empty:
            status.say(tr("Draw something first."))
            return
        if not images.legible():
            return
        pixels, number = self.draw.pad.pixels(), self.target
        self.draw.clear()
        if await self.panel.add(number, pixels, SENT):
            status.say(tr("Kept: {pictures}.", pictures=_pictures(self.panel.cards.counts[number])))

    def end(self):
        """Show the classes again."""
        self.target = None
        self.draw.clear()
        self.panel.follow()


class Classes:
    """What is done with the classes: each change is shown, and kept in this browser.

    Args:
        client: the engine.
    """

    def __init__(self, client):
        self.client = client
        self.changed = True  # whether the classes are others than those that were taken over
        self.wanting = None  # the number of the class that files are chosen for
        self.keeping = Latest(self._keep)
        self.cards = Cards(self)
        for name, handler in (
            ("add", self.add_class),
            ("undo", self.undo),
            ("forget", self.remove_all),
        ):
            dom.click("own-" + name, handler)
        dom.on("own-files", "change", self._chosen)
        dom.on("own-network", "change", lambda _: self._choose_network())

    # -- classes ----------------------------------------------------------------------------

    @property
    def features(self):
        """Whether a network learns from features of the pictures."""
        return dom.find("own-network").value == "features"

    async def _two(self, listing):
        """Return the listing once there are two classes at least."""
        while len(listing["classes"]) < 2:
            listing = await self.client.lab.own.add_class()
        return listing

    async def _show(self, listing):
        self._changed()
        self.cards.show(listing)

    def _changed(self):
        self.changed = True
        self.keeping.ask()

    async def _keep(self):
        """Have the browser keep the classes as they are now."""
        problem = await self.client.lab.own.save(self.features)
        if problem:
            status.notice_once(
                "classes",
                tr("These classes cannot be kept in this browser"),
                problem,
                tr("They are here until the page is closed. Save project keeps them in a file."),
            )

    async def add_class(self):
        """Add a class, and put the focus into its name."""
        try:
            listing = await self.client.lab.own.add_class()
        except Exception as error:
            status.say(_words(error))
            return
        await self._show(listing)
        field = self.cards.find(listing["classes"][-1]["number"]).querySelector("input")
        field.focus()
        field.select()

    async def rename(self, number, field):
        """Take another name; a wrong one is said under it, and the last good one counts."""
        try:
            field.value = await self.client.lab.own.rename(number, field.value)
        except Exception as error:
            self.cards.refuse(number, _words(error))
            return
        self._changed()
        self.cards.refuse(number, "")
        self.cards.rename(number, field.value)

    async def remove_class(self, number):
        """Delete a class; Undo brings it back."""
        await self._show(await self.client.lab.own.remove_class(number))
        self._deleted(tr("The class is deleted. Undo brings it back."))

    async def remove_all(self):
        """Delete all classes, here and in what this browser keeps; Undo brings them back."""
        await self._show(await self._two(await self.client.lab.own.remove_all()))
        self._deleted(tr("All classes are deleted. Undo brings them back."))

    async def remove(self, number, picture):
        """Delete a picture; Undo brings it back."""
        await self._show(await self.client.lab.own.remove(number, picture))
        self._deleted(tr("The picture is deleted. Undo brings it back."))

    def _deleted(self, what):
        dom.find("own-undo").focus()
        status.say(what)

    async def undo(self):
        """Bring back what was deleted last."""
        await self._show(await self.client.lab.own.undo())
        status.say(tr("What was deleted is back."))

    def _choose_network(self):
        self._changed()
        if dom.find("own-network").value:
            words = tr("A network that knows a million photographs looks at them: ten are enough.")
        else:
            words = tr("A network learns to see from these pictures alone.")
        status.say(words + " " + tr("Press Train."))

    # -- files and drawings -----------------------------------------------------------------

    def choose(self, number):
        """Ask for files of a class."""
        self.wanting = number
        dom.find("own-files").click()

    async def _chosen(self, event):
        await self.take(self.wanting, dom.files(event.target.files))
        event.target.value = ""

    async def take(self, number, given):
        """Add files to a class.

        Args:
            number: of the class.
            given: a promise as `dom.files` returns it.
        """
        files = await given
        if not files.title:
            self.cards.wrong(number, tr("There is no file in it."))
            return
        try:
            listing = await self.client.lab.own.add_files(
                number, list(files.names), list(files.urls)
            )
        finally:
            files.free()
        await self._show(listing)
        if number in self.cards.counts:  # else the class was deleted meanwhile
            self.cards.wrong(number, listing["refused"])

    async def add(self, number, pixels, drawn=0):
        """Add a picture to a class; return whether there was room.

        Args:
            number: of the class.
            pixels: of the camera, or of the pad.
            drawn: pixels in a row of the pad.
        """
        lab = self.client.lab.own
        try:
            picture = await (lab.draw(number, pixels, drawn) if drawn else lab.add(number, pixels))
        except Exception as error:
            self.cards.wrong(number, _words(error))
            return False
        self._changed()
        self.cards.add(number, picture)
        return True


class Own(Classes):
    """The mode: the classes in place of the pad, the camera above the answer.

    Args:
        client: the engine.
        training: the training panel, whose Train takes the classes over.
        data: the data panel.
        draw: the panel of the pad and the answer.
    """

    def __init__(self, client, training, data, draw):
        _build()
        super().__init__(client)
        self.data = data
        self.draw = draw
        self.opened = False
        self.live = Live(self)
        self.drawing = Drawing(self)
        training.prepare = self.prepare
        client.listen(self.follow)
        dom.click("own-close", self.close)

    # -- the mode ---------------------------------------------------------------------------

    async def open(self):
        """Show the classes, those of an earlier visit too; there are two empty ones at first."""
        await self._open()
        dom.find("own-title").focus(dom.record({"preventScroll": True}))
        dom.document.querySelector(".stage").scrollIntoView()
        status.say(tr("Give each class some pictures, then press Train."))

    async def restore(self):
        """Show the classes of an earlier visit, and train on them; return whether there are any."""
        await self._open()
        if any(self.cards.counts.values()):
            return await self.prepare()
        self.leave()
        return False

    async def _open(self):
        self.opened = True
        dom.root.dataset.mode = "own"
        dom.find("own").hidden = False
        self.follow()
        listing = await self.client.lab.own.restore()
        dom.find("own-network").value = "features" if listing["features"] else ""
        self.cards.show(await self._two(listing))

    async def close(self):
        """Go back to the pad and to its digits; the camera stops."""
        if self.taken:
            await self.data.restore()
        self.leave()

    def leave(self):
        """Show the pad again where the data are others than the classes; else a run is under way,
        as is said."""
        if not self.opened or self.taken:
            return
        self.drawing.end()
        self.opened = False
        self.live.stop()
        dom.root.removeAttribute("data-mode")
        dom.root.removeAttribute("data-own")
        dom.find("own").hidden = True
        self.draw.clear()

    @property
    def taken(self):
        """Whether the data are these classes."""
        return self.client.data["name"] == NAME

    @property
    def answering(self):
        """Whether the network answers the camera: it knows the classes, the pad is free."""
        return self.opened and self.taken and self.drawing.target is None

    def follow(self):
        """Show the part of the mode that is in use."""
        if self.opened:
            dom.root.dataset.own = "answering" if self.taken else "waiting"
            drawing = self.drawing.target is not None
            dom.root.toggleAttribute("data-drawing", drawing)

    async def prepare(self):
        """Before a run: take the classes over as the data; return whether training can begin."""
        if not self.opened or (self.taken and not self.changed):
            return True
        self.changed = False
        if self.features:
            status.say(tr("EfficientNet-Lite0 looks at the pictures…"))
        try:
            await self.client.lab.own.use(self.features)
        except Exception as error:
            self.changed = True
            status.say(_words(error))
            return False
        await self.data.adopt()
        self.follow()
        return True


def _build():
    """Put the parts of the mode where the pad and the bars are."""
    link = dom.make("link", rel="stylesheet", href="./static/own.css")
    dom.document.head.append(link)
    dom.put(dom.find("own"), _LEFT)
    steps = dom.make("ol", class_="own-steps voice")
    dom.put(steps, _STEPS)
    dom.find("own").after(steps)
    out = dom.document.querySelector("#draw > .out")
    head = dom.make("div", class_="own-only live-head row spread")
    dom.put(head, _RIGHT)
    out.prepend(head)
    tools = dom.make("div", class_="own-only row")
    dom.put(tools, _DRAWING)
    dom.document.querySelector("#draw .tools").append(tools)


def _focused():
    """Return which class has the focus, and which of its controls; (None, 0) where none has."""
    active = dom.document.activeElement
    card = active and active.closest(".class")
    if not card:
        return None, 0
    controls = _controls(card)
    found = [place for place in range(controls.length) if controls[place].isSameNode(active)]
    return int(card.dataset.number), found[0] if found else 0


def _controls(card):
    """Return the controls of a class but for its pictures."""
    return card.querySelectorAll("input, .row > button")


def _over(event, card, inside):
    event.preventDefault()
    card.classList.toggle("over", inside)


def _pictures(count):
    return plural(count, "{count} picture", "{count} pictures", count=numbers.count(count))


def _words(error):
    return str(error).split("\n")[0]
