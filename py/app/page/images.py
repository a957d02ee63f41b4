"""Pictures from the worker on canvases: RGBA whose alpha is the ink, in the theme's colour."""

import js

from app.language import tr
from app.page import dom, status

in_colour = [False]  # whether the data's pictures have colours of their own
_legible = [False]


def legible():
    """Return whether the browser gives back what is drawn on a canvas; where not, that is said."""
    if not _legible[0]:
        _legible[0] = dom.script.legible()
        if not _legible[0]:
            status.say(
                tr(
                    "This browser lets no page read pictures, so that none can track you by "
                    "them. Allow it for this site (an icon in the address bar), then try again."
                )
            )
    return _legible[0]


def paint(canvas, rgba, tint=True):
    """Put RGBA bytes on a canvas of their size, by default in the theme's ink."""
    height, width = rgba.shape[0], rgba.shape[1]
    canvas.width = width
    canvas.height = height
    context = canvas.getContext("2d")
    bytes_ = js.Uint8ClampedArray.new(rgba.js.buffer, rgba.js.byteOffset, width * height * 4)
    context.putImageData(js.ImageData.new(bytes_, width, height), 0, 0)
    canvas.classList.toggle("in-colour", in_colour[0])
    if tint:
        recolour(canvas)
    return canvas


def recolour(canvas):
    """Give the picture on a canvas the theme's ink; its alpha stays."""
    if canvas.classList.contains("in-colour"):
        return
    context = canvas.getContext("2d")
    context.globalCompositeOperation = "source-in"
    context.fillStyle = dom.colour("ink")
    context.fillRect(0, 0, canvas.width, canvas.height)
    context.globalCompositeOperation = "source-over"


def tile(rgba, words, name, tint=True):
    """Return a list item with a picture, and words below it."""
    item = dom.make("li")
    canvas = dom.make("canvas", role="img", aria_label=name)
    if tint:
        canvas.className = "tinted"
    item.append(paint(canvas, rgba, tint), *words)
    return item
