"""Warnings about a data set: classes with few images, images that occur twice."""

from __future__ import annotations

from nn.data import Dataset

from app.language import grouped, tr

UNEVEN = 4  # a class with so many times fewer images than another one is called rare


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
                "{count} training images are copies of others.",
                count=grouped(len(seen) - len(distinct)),
            )
        )
    if shared:
        found.append(
            tr(
                "{shared} test images are among the training images: the test accuracy "
                "says more than is true.",
                shared=grouped(shared),
            )
        )
    return found
