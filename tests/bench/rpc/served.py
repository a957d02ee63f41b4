"""What every kind of worker here offers."""

import numpy as np

held = {}
LINE = '{0},"row {0}",{1:.6f},né\n'


def add(a, b):
    return a + b


def prepare(megabytes):
    held[megabytes] = np.random.default_rng(1).random(megabytes * 250_000, np.float32)
    return float(held[megabytes][-1])


def give(megabytes):
    return held[megabytes]


def prepare_text(characters):
    line = LINE.format(12345, 1 / 3)
    held["text", characters] = (line * (characters // len(line) + 1))[:characters]


def text(characters):
    """A CSV file's worth of text: quotes, line ends, a letter beyond ASCII in each line."""
    return held["text", characters]


def raw(count):
    return bytes(count)


def rows(count):
    """What a table's reader or a database gives."""
    return [{"id": i, "name": f"row {i}", "value": i * 0.5, "ok": i % 2 == 0} for i in range(count)]
