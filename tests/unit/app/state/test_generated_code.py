"""The program in view: Python for every choice, and nothing that decides a curve left out."""

import ast
from typing import Any

import pytest
from app.state import architectures, generated_code, settings

MNIST = {"name": "MNIST", "train": 60000, "shape": [28, 28, 1]}
# What is seen of a run and of the page decides no curve.
SHOWN = {"smoothing", "log", "metric", "hide", "lesson", "lang"}
OTHER: dict[str, Any] = {
    "subset": 5000, "optimizer": "SGD", "lr": 0.05, "schedule": "cosine", "batch": 64, "epochs": 2,
    "l2": 0.001, "patience": 3, "shift": 2, "rotate": 12, "zoom": 10, "noise": 15, "seed": 7,
    "device": "auto", "cores": 2,
}  # fmt: skip


def text(preset: str = "seed", data: Any = MNIST, **options: Any) -> str:
    values = dict(settings.defaults(), **options)
    return generated_code.text(architectures.layers_of(preset), values, data)


@pytest.mark.parametrize("preset", architectures.PRESETS)
@pytest.mark.parametrize("options", [{}, OTHER], ids=["plain", "all"])
def test_is_python(preset: str, options: dict[str, Any]) -> None:
    ast.parse(text(preset, **options))
    assert max(map(len, text(preset, **options).splitlines())) <= 100


@pytest.mark.promise(
    "The page: architecture",
    "The program that does the same elsewhere: to copy, complete, and with the page's "
    "curve on CPython",
)
@pytest.mark.parametrize("name", sorted({*settings.DECISIVE} - {"data"}))
def test_every_option_that_decides_a_curve_is_in_it(name: str) -> None:
    assert text(**{name: OTHER[name]}) != text()


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_what_is_only_shown_is_not(name: str) -> None:
    other = {
        "smoothing": 0.5,
        "log": True,
        "metric": "loss",
        "lang": "de",
        "hide": ("data",),
        "lesson": "softmax",
    }[name]
    assert text(**{name: other}) == text()


def test_a_network_from_a_file_comes_from_a_file() -> None:
    values = dict(settings.defaults(), l2=0.001, seed=4)
    found = generated_code.text(None, values, MNIST, trained=3)
    ast.parse(found)
    assert "nn.io.load(" in found
    assert "Sequential" not in found
    assert "variable.regularizer = nn.regularizers.L2(0.001)" in found
    assert "seed=7," in found, "the page draws on from where it was"


def test_says_what_of_the_data_is_not_there() -> None:
    assert "pets.zip" in text(data={"name": "pets.zip", "train": 12, "shape": [64, 64, 3]})
    assert "nn.Input((64, 64, 3))" in text(data={"name": "a.zip", "train": 1, "shape": [64, 64, 3]})
    assert "3 drawings of yours" in text(data=dict(MNIST, train=60003))
