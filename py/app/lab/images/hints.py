"""Warnings about a data set: classes with few images, images that occur twice, files left out."""

from __future__ import annotations

from nn.data import Dataset

from app.lab.images.import_data import PICTURES, Left
from app.language import grouped, plural, tr

UNEVEN = 4  # a class with so many times fewer images than another one is called rare
NAMED = 3  # kinds of files, and files, that a hint names


def left_out(left: Left) -> list[str]:
    """Return a sentence about files that were left out, and one about pictures, if any were."""
    said = []
    if left.kinds:
        total = sum(left.kinds.values())
        named = [f"{grouped(count)} {kind}" for kind, count in left.kinds.items()]
        said.append(
            plural(
                total,
                "A file was left out: {kinds}. A class is a folder of pictures: {endings}.",
                "{count} files were left out: {kinds}. A class is a folder of pictures: {endings}.",
                count=grouped(total),
                kinds=some(named),
                endings=", ".join(PICTURES),
            )
        )
    if left.unread:
        said.append(
            plural(
                len(left.unread),
                "A picture cannot be read and was left out: {names}. {why}",
                "{count} pictures cannot be read and were left out: {names}. {why}",
                count=grouped(len(left.unread)),
                names=some(list(left.unread)),
                why=next(iter(left.unread.values())),
            )
        )
    return said


def some(names: list[str]) -> str:
    """Return the first names in a row, with a sign where there are more."""
    return ", ".join([*names[:NAMED], "…"] if len(names) > NAMED else names)


def hints(train: Dataset, test: Dataset) -> list[str]:
    """Return warnings about class imbalance and duplicate images, in sentences."""
    return [*_balance(train), *_repeats(train, test)]


def _balance(train: Dataset) -> list[str]:
    counts = train.class_counts()
    names = [str(name) for name in train.class_names or range(len(counts))]
    most, least = max(counts), min(counts)
    if not least:
        return [tr("Class {name} has no training image.", name=names[counts.index(0)])]
    if most < UNEVEN * least:
        return []
    rare, common = names[counts.index(least)], names[counts.index(most)]
    return [
        tr(
            "Class {common} has {most:.0f} times the images of class {rare}: a "
            "network may learn to prefer it.",
            common=common,
            most=most / least,
            rare=rare,
        )
    ]


def _repeats(train: Dataset, test: Dataset) -> list[str]:
    seen = [hash(image.tobytes()) for image in train.x]
    distinct = set(seen)
    shared = sum(hash(image.tobytes()) in distinct for image in test.x)
    found = []
    if len(distinct) < len(seen):
        found.append(
            tr(
                "Training images that are copies of others: {count}.",
                count=grouped(len(seen) - len(distinct)),
            )
        )
    if shared:
        found.append(
            tr(
                "Test images that are among the training images: {shared}. The test accuracy "
                "says more than is true.",
                shared=grouped(shared),
            )
        )
    return found
