"""What the lessons say happens, and what the Keras script reaches: trained here, by nn and Keras.

Each lesson of docs/lessons has a claim below, which is asked of the runs of three seeds.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from app.lab.images.mnist import Mnist, scaled
from app.lab.images.shortcut import with_shortcut
from app.lab.network import Network
from app.lab.training import Training
from app.state import architectures, keras_code, settings
from nn import kernels

from tools import lessons
from tools.serve import ROOT

SEEDS = (1, 2, 3)
POINTS = 0.003  # of accuracy, between the medians of the page and of Keras
KERAS = "preset=seed&subset=10000&epochs=3"
DATA = ROOT / "static/vendor"


@dataclass
class Run:
    """What a link's training gives."""

    model: Any
    losses: list[float]  # of the batches
    epochs: list[dict[str, float]]
    test: Any

    @property
    def wrong(self) -> float:
        """The share of the test images that are read wrong after the last epoch."""
        return 1 - self.epochs[-1]["val_accuracy"]

    @property
    def labels(self) -> Any:
        """The digits of the test images."""
        return self.test.y

    @property
    def answers(self) -> Any:
        """What the network says to the test images."""
        return asyncio.run(self.model.predict(scaled(self.test.x))).argmax(1)

    def each(self, figure: str) -> list[float]:
        """Return a figure of each epoch."""
        return [epoch[figure] for epoch in self.epochs]


Train = Callable[..., Run]  # by a link's options, and what is changed of them


def first_training(link: str, train: Train) -> bool:
    """More than 90 %, and most of the fall within 40 batches."""
    run = train(link)
    fall = run.losses[0] - statistics.mean(run.losses[-20:])
    return run.wrong < 0.1 and run.losses[0] - statistics.mean(run.losses[40:50]) > 0.6 * fall


def learning_rate(link: str, train: Train) -> bool:
    """The loss jumps to several times the first, and stays at that of guessing; 0.001 learns."""
    run, usual = train(link), train(link, lr=0.001)
    stays = 2.2 < statistics.mean(run.losses[-20:]) < 2.5
    jumps = max(run.losses[:20]) > 3 * run.losses[0]
    return jumps and stays and run.wrong > 0.85 and usual.wrong < 0.15


def over_fitting(link: str, train: Train) -> bool:
    """All training images are right, 15 in 100 test images wrong, and the test loss rises again."""
    run = train(link)
    lowest = int(np.argmin(run.each("val_loss")))
    by_heart = run.each("accuracy").index(1.0)
    rises = run.each("val_loss")[-1] > min(run.each("val_loss"))
    return 10 <= lowest <= 20 and 12 <= by_heart <= 20 and 0.13 < run.wrong < 0.19 and rises


def augmentation(link: str, train: Train) -> bool:
    """The changes help on the test images, and not on the training images."""
    changed, plain = train(link), train(link, shift=0, rotate=0)
    harder = changed.each("accuracy")[-1] < plain.each("accuracy")[-1]
    return harder and changed.wrong < 0.09 and 0.08 < plain.wrong < 0.13


def too_little_data(link: str, train: Train) -> bool:
    """As many images seen, of more different ones: better on the test, worse in training."""
    few, many = train(link), train(link, subset=10000, epochs=3)
    surer = few.each("accuracy")[-1] > 0.97 > many.each("accuracy")[-1]
    return surer and 0.06 < few.wrong < 0.09 and 0.04 < many.wrong < 0.06


def shortcut(link: str, train: Train) -> bool:
    """Nearly all training images are right, half of the test images, fewer after each epoch."""
    run, plain = train(link), train(link, data="mnist")
    learned, read = run.each("accuracy")[-1], run.each("val_accuracy")
    answers = run.answers
    dark = np.mean(answers[answers != run.labels] < 5)
    falls = read[0] > read[1] > read[2]
    return bool(
        learned > 0.95 and 0.4 < run.wrong < 0.6 and falls and dark > 0.9 and plain.wrong < 0.07
    )


def softmax(link: str, train: Train) -> bool:
    """A filled square is surely a digit; whatever comes in, the shares add up to one."""
    model = train(link).model
    square = np.zeros((1, 28, 28, 1), np.float32)
    square[0, 5:23, 6:22] = 1
    noise = np.random.default_rng(1).random((100, 28, 28, 1), np.float32)
    answers = asyncio.run(model.predict(np.concatenate([square, noise])))
    sure = answers[0].argmax() in (0, 8) and answers[0].max() > 0.7
    return bool(sure and np.allclose(answers.sum(1), 1, atol=1e-5))


def convolution(link: str, train: Train) -> bool:
    """Fewer weights, fewer mistakes."""
    run, plain = train(link), train(link, preset="mlp")
    counts = [sum(w.size for w in each.model.get_weights()) for each in (run, plain)]
    return counts == [53866, 397510] and run.wrong < plain.wrong and 0.04 < run.wrong < 0.06


def own_classes(link: str, train: Train) -> bool:
    """Its claim is tested in a browser: tests/browser/test_page_own.py."""
    return bool(link)


CLAIMS: dict[str, Callable[[str, Train], bool]] = {
    "first-training": first_training,
    "learning-rate": learning_rate,
    "over-fitting": over_fitting,
    "augmentation": augmentation,
    "too-little-data": too_little_data,
    "shortcut": shortcut,
    "softmax": softmax,
    "convolution": convolution,
    "own-classes": own_classes,
}


def check() -> bool:
    """Whether every lesson's claim holds for each seed, and Keras reaches what the page reaches."""
    kernels.load()
    mnist = Mnist()
    asyncio.run(mnist.load(_read))
    sound = True
    for lesson in lessons.lessons():
        for seed in SEEDS:
            kept = CLAIMS[lesson["id"]](lesson["link"], _trainer(mnist, seed))
            _say(f"lesson {lesson['id']}, seed {seed}: {'true' if kept else 'NOT TRUE'}")
            sound &= kept
    return _against_keras(mnist) and sound


def _trainer(mnist: Mnist, seed: int) -> Train:
    return lambda link, **more: _run(mnist, dict(settings.from_hash(link), seed=seed, **more))


def _run(mnist: Mnist, options: dict[str, Any]) -> Run:
    layers = options["layers"] or architectures.layers_of(options["preset"])
    model = Network().build(layers, options["seed"], options["l2"])
    train, test = mnist.original
    if options["data"] == "shortcut":
        train = with_shortcut(train)
    mnist.use("MNIST", train, test)
    run = Run(model, [], [], test)
    how = {"seed": options["seed"], "done": 0, "first": 0, "resume": False}
    fit = Training(mnist).fit(
        model,
        options,
        how,
        lambda _, logs: run.losses.append(float(logs["batch_loss"])),
        lambda _, logs: run.epochs.append(
            {name: float(logs[name]) for name in ("accuracy", "val_accuracy", "val_loss")}
        ),
    )
    asyncio.run(fit)
    return run


async def _read(path: str) -> bytes:
    return (DATA / path).read_bytes()


# Keras' loader asks the network for MNIST; here are the files of this page.
_LOADER = """
import gzip, numpy
def _load():
    found = []
    for kind in ("train", "t10k"):
        for name, start in (("images-idx3", 16), ("labels-idx1", 8)):
            with gzip.open(f"{folder}/{{kind}}-{{name}}-ubyte.gz") as file:
                found.append(numpy.frombuffer(file.read(), numpy.uint8, offset=start))
    return (found[0].reshape(-1, 28, 28), found[1]), (found[2].reshape(-1, 28, 28), found[3])
keras.datasets.mnist.load_data = _load
"""


def _against_keras(mnist: Mnist) -> bool:
    """Whether the medians of three seeds are close: the script's in a process of its own."""
    data = {"name": "MNIST", "train": 60000, "shape": [28, 28, 1]}
    ours, theirs = [], []
    for seed in SEEDS:
        options = dict(settings.from_hash(KERAS), seed=seed)
        text = keras_code.text(architectures.layers_of(options["preset"]), options, data)
        text = text.replace(
            "import numpy as np\n",
            "import numpy as np\n" + _LOADER.format(folder=DATA / "mnist"),
            1,
        )
        text = text.replace("print(history.history)", "print(history.history['val_accuracy'][-1])")
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "farcall_run.py")
            program.write_text(text)
            done = subprocess.run(
                [sys.executable, program],
                env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
                capture_output=True, text=True, check=True,
            )  # fmt: skip
        theirs.append(float(done.stdout.split()[-1]))
        ours.append(1 - _run(mnist, options).wrong)
    gap = abs(statistics.median(ours) - statistics.median(theirs))
    _say(f"page {ours}, Keras {theirs}: medians {100 * gap:.2f} points apart of {100 * POINTS}")
    return gap <= POINTS


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
