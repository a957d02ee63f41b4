"""Warnings about a data set: classes with few images, images that occur twice."""

from __future__ import annotations

from nn.data import Dataset

UNEVEN = 4  # a class with so many times fewer images than another one is called rare


def hints(train: Dataset, test: Dataset) -> list[str]:
    """Return warnings about class imbalance and duplicate images, in sentences."""
    return [*_balance(train), *_repeats(train, test)]


def _balance(train: Dataset) -> list[str]:
    counts = train.class_counts()
    names = [str(name) for name in train.class_names or range(len(counts))]
    most, least = max(counts), min(counts)
    if not least:
        return [f"Class {names[counts.index(0)]} has no training image."]
    if most < UNEVEN * least:
        return []
    rare, common = names[counts.index(least)], names[counts.index(most)]
    return [
        f"Class {common} has {most / least:.0f} times the images of class {rare}: "
        "a network may learn to prefer it."
    ]


def _repeats(train: Dataset, test: Dataset) -> list[str]:
    seen = [hash(image.tobytes()) for image in train.x]
    distinct = set(seen)
    shared = sum(hash(image.tobytes()) in distinct for image in test.x)
    found = []
    if len(distinct) < len(seen):
        found.append(f"{len(seen) - len(distinct):,} training images are copies of others.")
    if shared:
        found.append(
            f"{shared:,} test images are among the training images: "
            "the test accuracy says more than is true."
        )
    return found
