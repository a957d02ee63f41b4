"""The example's client: what leaves a device is clipped and noisy where the federation asks."""

import asyncio
import math
import re
import tomllib
from types import SimpleNamespace

import nn
import numpy as np
import pytest
from federation import NetworkMismatchError
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.supercore.task_identity import TaskIdentity
from nn import federated

from tests.support import flower

CONFIG = {"learning-rate": 0.1, "epochs": 1, "server-round": 1}


@pytest.fixture(scope="module")
def task():
    return flower.task()


@pytest.fixture
def device(task):
    nn.set_random_seed(1)
    layers = [nn.Flatten(), nn.Dense(32, activation="relu"), nn.Dense(10, activation="softmax")]
    model = nn.Sequential([nn.Input((28, 28, 1)), *layers])
    rng = np.random.default_rng(0)
    images = nn.Dataset(rng.random((100, 28, 28, 1), np.float32), rng.integers(0, 10, 100))
    return task.Device(model, images, images)


def trained(device, sent, **config):
    return asyncio.run(device.train(sent, CONFIG | config))[0]


def distance(arrays, others):
    return federated.update_norm([a - b for a, b in zip(arrays, others, strict=True)])


def test_an_update_is_clipped_to_the_norm(device):
    sent = device.model.get_weights()
    assert distance(trained(device, sent), sent) > 0.05
    clipped = trained(device, sent, **{"clipping-norm": 0.01})
    assert distance(clipped, sent) == pytest.approx(0.01, rel=1e-3)


def test_noise_has_the_deviation_that_was_asked_for_and_is_new_each_time(device):
    sent = device.model.get_weights()
    settings = {"clipping-norm": 0.01, "noise-multiplier": 50.0}
    one, two = (trained(device, sent, **settings) for _ in range(2))
    numbers = sum(array.size for array in sent)
    assert distance(one, sent) == pytest.approx(0.5 * numbers**0.5, rel=0.05)
    assert distance(one, two) == pytest.approx(0.5 * (2 * numbers) ** 0.5, rel=0.05)


WRONG = {
    "epochs": [0, -1, 10**9, 1.0, "2", True, [1, 2]],
    "server-round": [-1, 1.5, math.nan, 2**70, "1"],
    "learning-rate": [-0.1, math.nan, math.inf, 1e300, "0.1", True, [0.1]],
    "proximal-mu": [-1.0, math.nan, math.inf, "0.1", [0.1]],
    "clipping-norm": [-1.0, math.nan, math.inf, "0.1", [0.1]],
    "noise-multiplier": [-1.0, math.nan, math.inf, 1e300, "0.1", [0.1]],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_setting_that_is_wrong_is_refused_by_name_and_nothing_changes(device, name):
    before = device.model.get_weights()
    for value in WRONG[name]:
        with pytest.raises(
            ValueError, match=f"{name}: expected .*, received {re.escape(repr(value))}$"
        ):
            trained(device, [array + 1 for array in before], **{name: value})
    assert distance(device.model.get_weights(), before) == 0


def test_noise_without_a_norm_would_not_protect_and_is_refused(device):
    with pytest.raises(ValueError, match="expected a clipping-norm"):
        trained(device, device.model.get_weights(), **{"noise-multiplier": 1.0})


@pytest.mark.parametrize("wanted", ["abc", 3, [1, 2], [b"a"]])
def test_classes_that_are_no_names_are_refused_as_those_of_another_federation(device, wanted):
    device.train_set.class_names = tuple("0123456789")
    with pytest.raises(ValueError, match=r"expected images of the classes .*this device has 0, 1"):
        trained(device, device.model.get_weights(), classes=wanted)


def test_one_step_of_fedprox_is_gradient_descent_on_its_loss(device, task, monkeypatch):
    """One batch from the weights sent has no pull; two have mu times the way of the first."""
    monkeypatch.setattr(task, "BATCH", 50)
    sent, rate, mu = device.model.get_weights(), 0.1, 0.5
    steps = []

    class Steps(task.Proximal):
        def on_train_batch_end(self, batch, logs=None):
            plain = self.model.get_weights()
            super().on_train_batch_end(batch, logs)
            steps.append((self.before, plain, self.model.get_weights()))

    monkeypatch.setattr(task, "Proximal", Steps)
    trained(device, sent, **{"proximal-mu": mu})
    (before, plain, after), (second, moved, pulled) = steps
    for place, start in enumerate(sent):
        np.testing.assert_array_equal(before[place], start)
        np.testing.assert_array_equal(after[place], plain[place])
        want = moved[place] - np.float32(rate * mu) * (second[place] - start)
        np.testing.assert_allclose(pulled[place], want, rtol=1e-6)


def test_another_network_is_refused_with_both_shapes(device):
    sent = [np.zeros((3, 3), np.float32)]
    with pytest.raises(NetworkMismatchError, match=r"\(784, 32\).*another, shapes \(3, 3\)"):
        trained(device, sent)


@pytest.mark.parametrize("spoilt", [math.nan, -math.inf, 1e300])
def test_numbers_that_the_network_cannot_hold_are_refused_by_name(device, spoilt):
    before = device.model.get_weights()
    sent = [array.astype(np.float64) for array in before]
    sent[1][0] = spoilt
    for asked in (lambda: trained(device, sent), lambda: asyncio.run(device.evaluate(sent))):
        with pytest.raises(
            ValueError, match=r"array 1, float64\(32,\): expected numbers that floa"
        ):
            asked()
    assert distance(device.model.get_weights(), before) == 0


def test_another_precision_of_the_same_network_is_taken(device):
    sent = [array.astype(np.float64) for array in device.model.get_weights()]
    assert [array.dtype for array in trained(device, sent)] == [np.float32] * len(sent)


def test_thirty_devices_have_shares_of_their_own(task):
    data = nn.Dataset(np.arange(60_000), np.arange(60_000))
    seen = set()
    for number in (*range(29), 29 + 30 * 10**16):  # the number of a node of Flower will do
        train, test = task.share(data, number)
        assert (len(train), len(test)) == (1800, 200)
        seen |= {*train.x, *test.x}
    assert len(seen) == 60_000


@pytest.mark.parametrize("name", ["FedAvg", "FedProx", "FedAdam", "FedMedian", "Krum"])
def test_the_strategies_of_the_documents_run_by_name_and_a_bad_reply_changes_nothing(
    task, name, monkeypatch
):
    """`flwr run ... --run-config 'strategy="Krum"'`: a round of four replies, one of them NaN."""
    from learn import server_app

    for one in ("_task_id", "_run_id", "_node_id"):  # of a server app's process
        monkeypatch.setattr(TaskIdentity, one, 1)
    text = (flower.APP / "pyproject.toml").read_text()
    settings = tomllib.loads(text)["tool"]["flwr"]["app"]["config"]
    guarded = server_app.strategy(settings | {"strategy": name, "proximal-mu": 0.5})
    assert type(guarded.strategy).__name__ == name
    sent = [array * 0 for array in task.network().get_weights()]
    arrays = ArrayRecord(sent)
    grid = SimpleNamespace(get_node_ids=lambda: [1, 2, 3, 4])
    asked = list(guarded.configure_train(1, arrays, ConfigRecord(), grid))
    assert len(asked) == 4
    assert asked[0].content["config"].get("proximal-mu") == (0.5 if name == "FedProx" else None)
    replies = []
    for message, added in zip(asked, (0.001, 0.001, 0.001, np.nan), strict=True):
        trained = ArrayRecord([array + np.float32(added) for array in sent])
        metrics = MetricRecord({"num-examples": 10, "loss": 0.5})
        replies.append(Message(RecordDict({"arrays": trained, "metrics": metrics}),
                               reply_to=message))  # fmt: skip
    made, _ = guarded.aggregate_train(1, replies)
    assert [reason for _, _, reason in guarded.dropped] == ["array 0: not finite"]
    assert all(np.isfinite(array).all() and array.any() for array in made.to_numpy_ndarrays())
