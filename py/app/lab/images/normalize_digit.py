"""From a drawing to an image as MNIST has them.

NIST's bilevel digits were "size normalized to fit in a 20x20 pixel box while preserving their
aspect ratio", with grey levels "as a result of the anti-aliasing", then "centered in a 28x28
image by
computing the center of mass of the pixels" (yann.lecun.com/exdb/mnist). A network trained on such
images reads a drawing best when it is made the same way.
"""

import numpy as np

SIDE = 28
SHAPE = (SIDE, SIDE, 1)
BOX = 20
# Anti-aliasing and a shaky pen leave faint specks: they must not stretch the box.
INK = 32

Image = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
Matrix = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def box(ink: Image) -> tuple[slice, slice] | None:
    """The rows and columns that hold ink, or None for an empty drawing."""
    rows = np.flatnonzero((ink >= INK).any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero((ink >= INK).any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def area_weights(source: int, target: int) -> Matrix:
    """(target, source): the share of each source pixel in each target pixel; rows sum to 1."""
    edges = np.arange(target + 1) * (source / target)
    pixels = np.arange(source)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (np.clip(covered, 0, None) / (source / target)).astype(np.float32)


def fit_box(ink: Image) -> Matrix:
    """Scale a cropped drawing to a longer side of 20 pixels, each the mean of what it covers."""
    height, width = ink.shape
    scale = BOX / max(height, width)
    rows, columns = (max(1, round(side * scale)) for side in (height, width))
    return area_weights(height, rows) @ ink.astype(np.float32) @ area_weights(width, columns).T


def corner(digit: Matrix) -> tuple[int, int]:
    """The row and column in 28 x 28 at which a digit's centre of mass is in the middle."""
    height, width = digit.shape
    mass = digit.sum()
    row = float((digit.sum(axis=1) @ np.arange(height)) / mass)
    column = float((digit.sum(axis=0) @ np.arange(width)) / mass)
    middle = (SIDE - 1) / 2
    top = min(max(round(middle - row), 0), SIDE - height)
    return top, min(max(round(middle - column), 0), SIDE - width)


def centre(digit: Matrix) -> Matrix:
    """Place a digit of at most 20 x 20 in 28 x 28 so that its centre of mass is in the middle."""
    height, width = digit.shape
    top, left = corner(digit)
    image = np.zeros((SIDE, SIDE), np.float32)
    image[top : top + height, left : left + width] = digit
    return image


def from_drawing(ink: Image) -> Image | None:
    """A drawing of any size as (28, 28) uint8 with ink 255, or None when nothing is drawn.

    Args:
        ink: (height, width) uint8, 0 for paper and 255 for ink.

    Raises:
        ValueError: for anything but a matrix of uint8.
    """
    if ink.ndim != 2 or ink.dtype != np.uint8:
        raise ValueError(f"expected a uint8 matrix, got {ink.dtype} of shape {ink.shape}")
    found = box(ink)
    if found is None:
        return None
    image = centre(fit_box(ink[found]))
    # Thin lines fade when they are averaged; MNIST's strokes reach full black.
    return np.rint(image * (255 / image.max())).astype(np.uint8)


def as_drawn(ink: Image, shape: tuple[int, ...]) -> Image | None:
    """A drawing as a picture of another shape: ink on paper; None when nothing is drawn.

    Args:
        ink: (height, width) uint8, 0 for paper and 255 for ink.
        shape: (h, w, 1) gives ink as (h, w), (h, w, 3) black on white.
    """
    if box(ink) is None:
        return None
    rows, columns = area_weights(ink.shape[0], shape[0]), area_weights(ink.shape[1], shape[1])
    small = np.rint(rows @ ink.astype(np.float32) @ columns.T).astype(np.uint8)
    return small if shape[2] == 1 else np.repeat(255 - small[..., None], 3, axis=2)


def frame(ink: Image) -> tuple[float, float, float, float] | None:
    """Where the 28 x 28 of `from_drawing` lie on a drawing: left, top, width, height as shares.

    None when nothing is drawn. Parts may lie outside of the drawing.
    """
    found = box(ink)
    if found is None:
        return None
    rows, columns = found
    scale = max(rows.stop - rows.start, columns.stop - columns.start) / BOX
    top, left = corner(fit_box(ink[found]))
    height, width = ink.shape
    x, y = columns.start - left * scale, rows.start - top * scale
    return x / width, y / height, SIDE * scale / width, SIDE * scale / height


def from_rgba(pixels: Image, width: int) -> Image:
    """The ink of a canvas: its alpha channel, (height, width) uint8."""
    if pixels.size % (4 * width):
        raise ValueError(f"expected rows of {width} RGBA pixels, got {pixels.size} bytes")
    return np.ascontiguousarray(pixels.reshape(-1, width, 4)[:, :, 3])
