"""The Keras script and the notebook make the page's run: its first weights, batches and losses."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import warnings
from typing import Any

import numpy as np
import pytest
from app.lab.images.mnist import Mnist
from app.lab.network import Network
from app.lab.training import Training
from app.state import architectures, generated_code, keras_code, settings
from nn.data import Dataset

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
with warnings.catch_warnings():  # of their own dependencies, while they are imported
    warnings.simplefilter("ignore")
    import keras

MNIST = {"name": "MNIST", "train": 60000, "shape": [28, 28, 1]}
EVERY = "Conv2D,filters:3,kernel_size:5,strides:3;BatchNormalization;AveragePooling2D,pool_size:2;"
EVERY += "Rescaling,scale:2.0;Flatten;Dense,units:9,activation:tanh;"
EVERY += "Dense,units:10,activation:softmax"
CHOICE: dict[str, Any] = {
    "l2": 0.01, "optimizer": "SGD", "lr": 0.05, "schedule": "cosine", "subset": 70, "seed": 9,
    "batch": 35, "epochs": 2,
}  # fmt: skip
OTHER: dict[str, Any] = {
    "subset": 5000, "optimizer": "SGD", "lr": 0.05, "schedule": "step", "batch": 64, "epochs": 2,
    "l2": 0.001, "patience": 3, "shift": 2, "rotate": 12, "zoom": 10, "noise": 15, "seed": 7,
}  # fmt: skip


def images(count: int, seed: int) -> Dataset:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (count, 28, 28, 1), dtype=np.uint8)
    return Dataset(pixels, random.integers(0, 10, count).astype(np.uint8))


async def on_the_page(train: Dataset, test: Dataset, values: dict[str, Any]) -> list[float]:
    """Return the losses of the page's batches."""
    losses: list[float] = []
    mnist = Mnist()
    mnist.use("MNIST", train, test)
    model = Network().build(values["layers"], values["seed"], values["l2"])
    run = {"seed": values["seed"], "done": 0, "first": 0, "resume": False}
    await Training(mnist).fit(
        model, values, run, lambda _, logs: losses.append(logs["batch_loss"]), lambda *_: None
    )
    return losses


class Watched(keras.callbacks.Callback):
    """Notes the loss of each batch: Keras gives the mean of those so far."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        before = sum(self.losses[len(self.losses) - batch :]) if batch else 0.0
        self.losses.append(logs["loss"] * (batch + 1) - before)


@pytest.mark.promise(
    "The page: architecture",
    "The run as a Keras script and a notebook, with the page's first weights and order of images",
)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_script_s_batches_have_the_page_s_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    values = dict(settings.defaults(), layers=architectures.decode(EVERY), **CHOICE)
    train, test = images(100, 1), images(35, 2)
    sets = (train.x[..., 0], train.y), (test.x[..., 0], test.y)
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: sets)
    watched = Watched()
    text = keras_code.text(values["layers"], values, MNIST)
    text = text.replace("    callbacks=[", "    verbose=0, callbacks=[watched,")
    exec(text.replace("print(history.history)", ""), {"watched": watched})
    losses = asyncio.run(on_the_page(train, test, values))
    assert watched.losses[0] == pytest.approx(losses[0], abs=1e-5)
    assert len(losses) == 4
    np.testing.assert_allclose(watched.losses, losses, atol=1e-4)


@pytest.mark.parametrize("preset", architectures.PRESETS)
@pytest.mark.parametrize("options", [{}, OTHER], ids=["plain", "all"])
def test_script_and_notebook_are_the_same_program(preset: str, options: dict[str, Any]) -> None:
    values = dict(settings.defaults(), **options)
    run = (architectures.layers_of(preset), values, MNIST)
    text = keras_code.text(*run)
    ast.parse(text)
    assert max(map(len, text.splitlines())) <= 100
    made = json.loads(keras_code.notebook("https://demo.example/#seed=7", *run))
    assert made["nbformat"] == 4
    kinds = [cell["cell_type"] for cell in made["cells"]]
    assert kinds == ["markdown", *["code"] * (len(kinds) - 1)]
    joined = "\n".join("".join(cell["source"]) + "\n" for cell in made["cells"][1:])
    assert joined == text
    said = "".join(made["cells"][0]["source"])
    assert "https://demo.example/#seed=7" in said
    assert ("in its own way" in said) == bool(options or preset == "deep")


@pytest.mark.parametrize("name", sorted(OTHER))
def test_every_option_that_decides_a_curve_is_in_the_script(name: str) -> None:
    layers = architectures.layers_of("seed")
    plain = settings.defaults()
    other = dict(plain, **{name: OTHER[name]})
    assert keras_code.text(layers, other, MNIST) != keras_code.text(layers, plain, MNIST)


@pytest.mark.parametrize("name", [name for name, _ in keras_code._CHANGES])
def test_a_change_of_images_is_a_layer_of_keras(name: str) -> None:
    values = dict(settings.defaults(), **{name: 10})
    scope: dict[str, Any] = {"keras": keras, "np": np, "SEED": 1}
    exec(keras_code.cells(architectures.layers_of("small"), values, MNIST)[2], scope)
    assert len(scope["model"].layers) == 1 + len(architectures.layers_of("small"))


def test_what_keras_has_not_is_said() -> None:
    values = settings.defaults()
    assert "pets.zip" in keras_code.text([], values, dict(MNIST, name="pets.zip"))
    assert "fashion_mnist" in keras_code.text([], values, dict(MNIST, name="Fashion-MNIST"))
    light = keras_code.text([], values, dict(MNIST, name=generated_code.SHORTCUT))
    assert "np.maximum(images, 12 * labels[:, None, None])" in light
    assert "load_model(" in keras_code.text(None, values, MNIST)
    assert "default_rng(4)" in keras_code.text(None, values, MNIST, 3)
    assert "3 drawings" in keras_code.text([], values, dict(MNIST, train=60003))
