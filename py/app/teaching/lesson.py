"""A lesson beside the page: what to predict, what to look at, and what happened."""

import json

import js

from app.language import tr
from app.page import clipboard, dom, status
from app.panels.options import script
from app.state import settings

STYLE = "./static/lesson.css"


class Lesson:
    """The lessons, and the one that the address names.

    Args:
        page: the page with its panels.
    """

    def __init__(self, page):
        self.options = page.options
        self.state = page.state
        self.lessons = []
        self.box = dom.find("lesson")
        dom.document.head.append(dom.make("link", rel="stylesheet", href=STYLE))

    async def open(self):
        """Show the lesson that the address names, or the list of all; set its options."""
        if not self.lessons:
            response = await js.fetch(f"./static/vendor/lessons-{self.options['lang']}.json")
            if not response.ok:
                status.say(
                    tr(
                        "The lessons could not be fetched: the server said {status}.",
                        status=response.status,
                    )
                )
                return
            self.lessons = json.loads(await response.text())
        name = self.options["lesson"]
        found = [lesson for lesson in self.lessons if lesson["id"] == name]
        if found:
            self._show(found[0])
            if not settings.decides(js.location.hash):  # the short link: #lesson=learning-rate
                await self.state.started()
                self._begin(found[0])
        elif name:
            status.say(tr("There is no lesson “{name}”.", name=name))
            self.close()
        self.box.hidden = not found

    async def menu(self):
        """Show the list of lessons."""
        await self.open()
        if not self.lessons:
            return
        items = []
        for lesson in self.lessons:
            item = dom.make("li")
            item.append(self._button(lesson["title"], lambda lesson=lesson: self._begin(lesson)))
            items.append(item)
        self._fill(tr("Lessons"), "", [dom.fill(dom.make("ol"), items)])

    def close(self):
        """Go back to the page alone."""
        self.box.hidden = True
        self.options.set("lesson", "")

    def _begin(self, lesson):
        """Open a lesson as its link does: with its options and a fresh network."""
        link = f"#{lesson['link']}&lesson={lesson['id']}"
        if js.location.hash == link:  # no event follows
            js.window.dispatchEvent(js.Event.new("hashchange"))
        js.location.hash = link
        if self.options["lesson"] == lesson["id"]:  # likewise: the list of all is shown
            self._show(lesson)

    # -- the text ---------------------------------------------------------------------------

    def _show(self, lesson):
        number = self.lessons.index(lesson) + 1
        happened = dom.make("details")
        happened.append(dom.make("summary", tr("What happened")), _html(lesson, "happened"))
        parts = [
            _html(lesson, "text"),
            dom.make("h3", tr("First: what do you expect?")),
            self._choices(lesson),
            dom.make("h3", tr("Then press Train, and look")),
            _html(lesson, "look"),
            happened,
        ]
        following = self.lessons[number : number + 1]
        self._fill(
            lesson["title"],
            tr("{number} of {count}", number=number, count=len(self.lessons)),
            parts,
            *following,
        )

    def _fill(self, title, note, parts, following=None):
        fold = dom.make("details", open="")
        head = dom.make("summary")
        head.append(dom.make("h2", title, id="lesson-title"), dom.make("small", note))
        row = dom.make("div", class_="row")
        if following:
            row.append(self._button(tr("Next lesson"), lambda: self._begin(following)))
        if note:
            row.append(
                self._button(tr("All lessons"), self.menu),
                self._button(tr("Copy link"), self._copy),
            )
        row.append(self._button(tr("Close"), self.close))
        body = dom.make("div", class_="lesson-text")
        dom.fill(body, parts + [row])
        fold.append(head, body)
        dom.fill(self.box, [fold])
        self.box.hidden = False
        self.box.scrollTop = 0

    def _button(self, label, pressed):
        button = dom.make("button", label, type="button", class_="quiet")
        dom.on(button, "click", lambda _: pressed())
        return button

    def _choices(self, lesson):
        """Return the answers to choose from. The one that was chosen is kept in view, and with the
        page's place in the tab's history: it is there after a reload."""
        group = dom.make(
            "div", role="group", aria_label=tr("What do you expect?"), class_="choices"
        )
        for place, choice in enumerate(lesson["choices"]):
            name = f"{lesson['id']} {place}"
            button = dom.make("button", type="button", aria_pressed="false")
            button.lang = lesson["language"]
            dom.put(button, choice)
            dom.on(button, "click", lambda _, chosen=(group, button, name): _choose(*chosen))
            group.append(button)
            if script.lent("lesson") == name:
                _choose(group, button, name)
        return group

    async def _copy(self):
        address = self.options.address()
        await clipboard.copy(address, self.box, tr("The lesson's link is copied."))


def _html(lesson, part):
    box = dom.make("div", lang=lesson["language"])
    dom.put(box, lesson[part])
    return box


def _choose(group, chosen, name):
    buttons = group.children
    for index in range(buttons.length):
        buttons[index].setAttribute("aria-pressed", "false")
    chosen.setAttribute("aria-pressed", "true")
    script.lend("lesson", name)
