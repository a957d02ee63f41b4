"""The program under "As Python" and the page's path in the worker make the same weights."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import nn
import numpy as np
import pytest
from app.lab.images.mnist import Mnist
from app.lab.images.shortcut import with_shortcut
from app.lab.network import Network
from app.lab.training import Training, schedule
from app.state import architectures, generated_code, settings
from nn.data import Dataset

SMALL = "Conv2D,filters:3,kernel_size:5,strides:3;BatchNormalization;Flatten;Dropout,rate:0.2;"
SMALL += "Dense,units:10,activation:softmax"
CHOICES: dict[str, dict[str, Any]] = {
    "as the page comes": {},
    "a cosine": {"schedule": "cosine", "optimizer": "SGD", "lr": 0.05},
    "thirds": {"schedule": "step", "optimizer": "RMSprop"},
    "a penalty": {"l2": 0.01, "optimizer": "AdamW", "schedule": "step"},
    "changed images": {"shift": 2, "rotate": 10, "zoom": 10, "noise": 10, "seed": 5},
    "part of the images": {"subset": 70, "batch": 33},
    "a shortcut": {"data": "shortcut", "subset": 90},
    "no GPU and no team": {"device": "gpu", "cores": 2},
    "early stopping": {"patience": 1, "lr": 0.5, "optimizer": "SGD", "epochs": 6},
}


def images(count: int, seed: int) -> Dataset:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (count, 28, 28, 1), dtype=np.uint8)
    return Dataset(pixels, random.integers(0, 10, count).astype(np.uint8))


@pytest.fixture
def mnist() -> Mnist:
    data = Mnist()
    data.use("MNIST", images(120, 1), images(40, 2))
    return data


def options(choice: dict[str, Any]) -> dict[str, Any]:
    values = dict(settings.defaults(), layers=architectures.decode(SMALL), batch=32, epochs=3)
    return values | choice


def ignore(number: int, logs: dict[str, Any]) -> None:
    """Nothing is shown here."""


async def on_the_page(mnist: Mnist, values: dict[str, Any]) -> Any:
    model = Network().build(values["layers"], values["seed"], values["l2"])
    run = {"seed": values["seed"], "done": 0, "first": 0, "resume": False}
    if values["data"] == "shortcut":
        mnist.use(generated_code.SHORTCUT, with_shortcut(mnist.train), mnist.test)
    await Training(mnist).fit(model, values, run, ignore, ignore)
    return model


def by_the_listing(mnist: Mnist, values: dict[str, Any]) -> Any:
    """Run the program with the images of this test in place of the files of MNIST."""
    name = {"mnist": "MNIST", "shortcut": generated_code.SHORTCUT}[values["data"]]
    text = generated_code.text(
        values["layers"], values, {"name": name, "train": 60000, "shape": [28, 28, 1]}
    )
    head, found, rest = text.partition("async def main():")
    assert found
    assert "    print(history.history)" in rest
    made: list[Any] = []
    sets = {"train": mnist.train, "t10k": mnist.test}
    program = head.split("def read(kind)")[0] + found + rest
    program = program.replace("    print(history.history)", "    made.append(model)")
    exec(program, {"read": sets.__getitem__, "made": made})
    return made[0]


@pytest.mark.parametrize(
    ("built", "who"), [(0.01, "1 worker"), (0.0, "1 worker: its penalty was changed")]
)
def test_a_team_trains_no_penalty_that_the_others_would_not_know(
    mnist: Mnist, built: float, who: str
) -> None:
    values = options({"cores": 2, "l2": 0.01, "epochs": 1})
    model = Network().build(values["layers"], values["seed"], built)
    run = {"seed": 1, "done": 0, "first": 0, "resume": False}
    asyncio.run(Training(mnist).fit(model, values, run, ignore, ignore))
    assert model.distribution == who
    assert nn.distribution.distribution() is None


@pytest.mark.parametrize("name", CHOICES)
def test_the_listing_makes_the_weights_that_the_page_makes(mnist: Mnist, name: str) -> None:
    values = options(CHOICES[name])
    listed = by_the_listing(mnist, values).get_weights()
    shown = asyncio.run(on_the_page(mnist, values)).get_weights()
    assert len(shown) == len(listed)
    for one, other in zip(shown, listed, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_a_network_from_a_file_learns_as_its_listing_says(
    mnist: Mnist, l2: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = options({"l2": l2, "schedule": "cosine"})
    content = nn.io.save(Network().build(values["layers"], 9), include_optimizer=False)
    monkeypatch.chdir(tmp_path)
    Path("farcall-model.npz").write_bytes(content)
    listed = by_the_listing(mnist, dict(values, layers=None)).get_weights()
    model = nn.io.load(content)
    run = {"seed": values["seed"], "done": 0, "first": 0, "resume": False}
    asyncio.run(Training(mnist).fit(model, values, run, ignore, ignore))
    for one, other in zip(model.get_weights(), listed, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["cosine", "step"])
@pytest.mark.parametrize("first", [1, 7, 1000])
def test_a_later_run_has_the_rates_of_the_first(kind: str, first: int) -> None:
    """An optimizer goes on counting its iterations from run to run; the schedule begins again."""
    for batches in (1, 2, 3, 10, 47):
        here, later = schedule(0.1, kind, batches), schedule(0.1, kind, batches, first)
        for step in range(batches):
            assert later(first + step) == here(step)


def test_the_rate_may_be_changed_during_a_run(mnist: Mnist) -> None:
    values = options({"schedule": "cosine", "optimizer": "SGD", "lr": 0.1})
    training, rates = Training(mnist), []

    def on_batch(number: int, logs: dict[str, Any]) -> None:
        rates.append(logs["learning_rate"])
        if len(rates) == 6:
            training.set_rate(model, 0.2)

    model = Network().build(values["layers"], 1)
    run = {"seed": 1, "done": 0, "first": 0, "resume": False}
    asyncio.run(training.fit(model, values, run, on_batch, ignore))
    cosine = nn.schedules.CosineDecay(1.0, 12)
    expected = [cosine(step) * (0.1 if step < 6 else 0.2) for step in range(12)]
    assert rates == pytest.approx(expected)
    assert training.rate == 0.2


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_a_loss_that_is_not_a_number_ends_the_run_in_the_middle_of_an_epoch(mnist: Mnist) -> None:
    values = options({"optimizer": "SGD", "lr": 1e30})
    model = Network().build(values["layers"], 1)
    run = {"seed": 1, "done": 0, "first": 0, "resume": False}
    epochs: list[int] = []
    losses: list[float] = []
    cut_short = asyncio.run(
        Training(mnist).fit(
            model,
            values,
            run,
            lambda number, logs: losses.append(logs["batch_loss"]),
            lambda number, logs: epochs.append(number),
        )
    )
    assert cut_short
    assert epochs == []
    assert len(losses) < 4
    assert not np.isfinite(losses[-1])
