"""What a step settled for one batch holds for no other: a model that has trained learns from the
next batch what a fresh one with its weights and its optimizer's state learns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.usefixtures("native")

Change = Callable[[nn.Model], Any]
CLASSES = 3


def network() -> nn.Model:
    nn.set_random_seed(1)
    entry = nn.Input((6,), name="entry")
    hidden = nn.Dense(5, "relu", name="first")(entry)
    model = nn.Model(entry, nn.Dense(CLASSES, "softmax", name="last")(hidden))
    model.compile(nn.Adam(0.01), "sparse_categorical_crossentropy")
    return model


def sequential() -> nn.Model:
    """As `network`, of layers that may be taken off."""
    nn.set_random_seed(1)
    layers = [nn.Dense(5, "relu", name="first"), nn.Dense(CLASSES, "softmax", name="last")]
    model = nn.Sequential([nn.Input((6,)), *layers])
    model.compile(nn.Adam(0.01), "sparse_categorical_crossentropy")
    return model


def logits() -> nn.Model:
    """As `network`, but for the activation, which its loss computes."""
    nn.set_random_seed(1)
    entry = nn.Input((6,), name="entry")
    hidden = nn.Dense(5, "relu", name="first")(entry)
    model = nn.Model(entry, nn.Dense(CLASSES, name="last")(hidden))
    model.compile(nn.Adam(0.01), usual(model))
    return model


def of_numbers(activation: str) -> nn.Model:
    """As `network`, for labels that are numbers, or 0 and 1."""
    nn.set_random_seed(1)
    entry = nn.Input((6,), name="entry")
    hidden = nn.Dense(5, "relu", name="first")(entry)
    model = nn.Model(entry, nn.Dense(1, activation, name="last")(hidden))
    model.compile(nn.Adam(0.01), usual(model))
    return model


def linear() -> nn.Model:
    return of_numbers("linear")


def sigmoid() -> nn.Model:
    return of_numbers("sigmoid")


def one_hot() -> nn.Model:
    model = network()
    model.compile(nn.Adam(0.01), "categorical_crossentropy")
    return model


NETWORKS = [network, sequential, logits]
OF_NUMBERS = [linear, sigmoid]
ALL = [*NETWORKS, *OF_NUMBERS, one_hot]


def usual(model: nn.Model) -> nn.losses.Loss:
    """Return the loss of a network's outputs."""
    activation = model.layers[-1].last_activation
    if model.layers[-1].units == 1:
        kind = (
            nn.losses.BinaryCrossentropy if activation == "sigmoid" else nn.losses.MeanSquaredError
        )
        return kind()
    return nn.losses.SparseCategoricalCrossentropy(from_logits=activation == "linear")


def fitting(model: nn.Model, labels: Any) -> Any:
    """Return labels as the loss wants them: one-hot where it does."""
    if not isinstance(model.trainer.losses[0], nn.losses.CategoricalCrossentropy):
        return labels
    array = np.asarray(labels)
    return np.eye(CLASSES, dtype=array.dtype)[np.ravel(array).astype(int)]


def compiled(optimizer: Any, loss: Any = None, **more: Any) -> Change:
    return lambda model: model.compile(optimizer(), loss or usual(model), **more)


def frozen(compile_again: bool) -> Change:
    def change(model: nn.Model) -> None:
        model.get_layer("first").trainable = not model.get_layer("first").trainable
        if compile_again:
            model.compile(nn.Adam(0.01), usual(model))

    return change


def rebuilt(model: nn.Model) -> None:
    """Put one more layer on top, where that can be."""
    if isinstance(model, nn.Sequential):
        model.pop()
        model.add(nn.Dense(CLASSES, "softmax"))
        model.compile(nn.Adam(0.01), "sparse_categorical_crossentropy")


def shared(model: nn.Model) -> None:
    """Let another model pack the same layers, and train."""
    other = nn.Model(model.inputs, model.outputs)
    other.compile("sgd", usual(other))
    other.train_on_batch(np.ones((4, 6), np.float32), np.arange(4) % CLASSES)


def reduced(model: nn.Model) -> None:
    (loss,) = model.trainer.losses
    assert loss is not None
    loss.reduction = "sum"


CHANGES: dict[str, Change] = {
    "nothing": lambda model: None,
    "weights set": lambda model: model.set_weights([w * 0.5 for w in model.get_weights()]),
    "a variable assigned": lambda model: model.variables[0].assign(model.variables[0].value + 1),
    "compiled again": compiled(lambda: nn.Adam(0.01)),
    "another optimizer": compiled(lambda: nn.SGD(0.1, momentum=0.9)),
    "a decay": compiled(lambda: nn.Adam(0.01, weight_decay=0.1)),
    "another loss": compiled(lambda: nn.Adam(0.01), "mse"),
    "metrics": compiled(lambda: nn.Adam(0.01), metrics=["accuracy"]),
    "a metric of predictions": compiled(lambda: nn.Adam(0.01), metrics=["mse"]),
    "a factor of the loss": compiled(lambda: nn.Adam(0.01), loss_weights=0.5),
    "a layer frozen": frozen(True),
    "a layer frozen, not compiled": frozen(False),
    "a layer replaced": rebuilt,
    "another model of the same layers": shared,
    "another reduction": reduced,
    "another rate": lambda model: setattr(model.optimizer, "learning_rate", 0.3),
    "the optimizer's state set": lambda model: model.optimizer.set_state(
        model.optimizer.get_state()
    ),
    "predicted": lambda model: model.predict_on_batch(np.ones((2, 6), np.float32)),
    "evaluated": lambda model: model.test_on_batch(
        np.ones((7, 6), np.float32), fitting(model, np.zeros((7, 1)))
    ),
}


def batch(size: int = 8, dtype: Any = np.float32, labels: Any = np.int64) -> dict[str, Any]:
    random = np.random.default_rng(size)
    x, y = random.standard_normal((size, 6)).astype(dtype), random.integers(0, CLASSES, size)
    return {"x": x, "y": y.astype(labels)}


def changed(**ways: Callable[[Any], Any]) -> dict[str, Any]:
    return {name: ways.get(name, np.asarray)(value) for name, value in batch().items()}


def kept(array: Any) -> Any:
    array.flags.writeable = False
    return array


FORMS: dict[str, dict[str, Any]] = {
    "as before": batch(),
    **{
        f"labels of {t}": batch(labels=t) for t in ("i1", "u2", "i4", "u4", "u8", "f4", "f8", ">i8")
    },
    "columns first": changed(x=np.asfortranarray),
    "every second row": changed(x=lambda x: np.repeat(x, 2, 0)[::2]),
    "every second label": changed(y=lambda y: np.repeat(y, 2)[::2]),
    "labels in a column": changed(y=lambda y: y[:, None]),
    "labels to read only": changed(y=kept),
    "labels at an odd address": changed(
        y=lambda y: np.frombuffer(b"0" + y.tobytes(), np.uint8)[1:].view(np.int64)
    ),
    "lists": changed(x=lambda x: x.tolist(), y=lambda y: y.tolist()),
    "in a list": changed(x=lambda x: [x], y=lambda y: [y]),
    "by name": changed(x=lambda x: {"entry": x}) | {"only": network},
    "a data set": changed(x=nn.Dataset),
}
"""The same numbers."""
BATCHES: dict[str, dict[str, Any]] = FORMS | {
    "fewer": batch(5),
    "more": batch(13),
    "one": batch(1),
    "float64": batch(dtype=np.float64),
    "bytes": batch(dtype=np.uint8),
    "weights": batch() | {"sample_weight": np.linspace(0, 2, 8)},
    "classes' weights": batch() | {"class_weight": {1: 3.0}},
}
WRONG: dict[str, dict[str, Any]] = {
    "narrow": changed(x=lambda x: x[:, :5]),
    "flat": changed(x=np.ravel),
    "texts": changed(x=lambda x: x.astype(str)),
    "too few labels": changed(y=lambda y: y[:7]),
    "one label": changed(y=lambda y: y[:1]),
    "labels in rows": changed(y=lambda y: np.stack([y, y], 1)),
    "texts as labels": changed(y=lambda y: y.astype(str)),
    "a number": changed(y=lambda y: np.array(1)),
    "no labels": batch() | {"y": None},
    "weights of another number": batch() | {"sample_weight": np.ones(7)},
    **{
        f"the label {label} of {kind}": changed(
            y=lambda y, label=label, kind=kind: np.array([*y[1:], label], kind)
        )
        for kind, label in [
            ("i8", 3), ("i8", -1), ("i8", 2**32), ("i8", 2**32 + 1), ("i8", -(2**32)),
            ("i8", 2**63 - 1), ("i8", -(2**63)), ("u8", 2**64 - 1), ("u8", 2**32),
            (">i8", 2**32 + 1), ("u4", 2**32 - 1), ("i4", -1), ("i4", 3), ("i1", -1), ("u1", 255),
            ("u2", 2**16 - 1), ("f4", 3), ("f4", -1), ("f8", np.nan), ("f8", np.inf), ("f8", 2**40),
        ]
    },
}  # fmt: skip


class Pair:
    """A model that goes on, and fresh ones that are what it is."""

    def __init__(self, make: Callable[[], nn.Model]) -> None:
        self.make, self.model = make, make()
        self.changes: list[Change] = []

    def change(self, change: Change) -> None:
        """Change the model, and fresh ones from now on."""
        change(self.model)
        self.changes.append(change)

    def fresh(self) -> nn.Model:
        """Return a model that has trained on nothing, with the weights and slots of this one."""
        found = self.make()
        for change in self.changes:
            change(found)
        found.set_weights(self.model.get_weights())
        found.optimizer.state.clear()
        found.optimizer.set_state(self.model.optimizer.get_state())
        return found

    def train(self, given: dict[str, Any]) -> None:
        """Let both take a step, and expect the same, bit for bit."""
        given = dict(given)
        if given.pop("only", self.make) is not self.make:
            return
        given["y"] = fitting(self.model, given["y"])
        fresh = self.fresh()
        found, wanted = outcome(self.model, given), outcome(fresh, given)
        assert found == wanted
        for one, other in zip(self.model.get_weights(), fresh.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        for name, slot in fresh.optimizer.state.items():
            np.testing.assert_array_equal(self.model.optimizer.state[name], slot)


def outcome(model: nn.Model, given: dict[str, Any]) -> Any:
    """Return the logs of a step, or its error."""
    try:
        return model.train_on_batch(**given)
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("name", CHANGES)
def test_after_a_change_a_step_is_that_of_a_fresh_model(name, make):
    pair = Pair(make)
    for turn in range(8):
        if turn == 4:
            pair.change(CHANGES[name])
        pair.train(batch())


@pytest.mark.parametrize("name", BATCHES)
def test_a_step_on_a_batch_of_another_kind_is_that_of_a_fresh_model(name):
    for make in ALL:
        pair = Pair(make)
        for kind in ["as before"] * 4 + [name, name, "as before", name]:
            pair.train(BATCHES[kind])


@pytest.mark.parametrize("name", FORMS)
def test_the_same_numbers_in_another_form_teach_the_same(name):
    for make in (network, *OF_NUMBERS):
        models = [make(), make()]
        for turn in range(6):
            other = dict(FORMS[name if turn > 2 else "as before"])
            other.pop("only", None)
            assert models[0].train_on_batch(**other) == models[1].train_on_batch(**batch())
        for one, same in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
            np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_as_by_a_fresh_model_and_changes_nothing(name):
    for make in NETWORKS:
        pair = Pair(make)
        for _ in range(4):
            pair.train(batch())
        before = pair.model.get_weights()
        refused = outcome(pair.model, WRONG[name])
        assert issubclass(refused[0], nn.errors.NNError)
        assert refused == outcome(make(), WRONG[name])
        for one, other in zip(before, pair.model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        pair.train(batch())


def test_a_step_by_numpy_between_two_is_that_of_a_fresh_model():
    pair = Pair(network)
    for turn in range(8):
        with nn.kernels.use("numpy") if turn % 4 == 3 else nullcontext():
            pair.train(batch())


@settings(max_examples=25, deadline=None)
@given(
    make=st.sampled_from(ALL),
    names=st.lists(st.sampled_from([*CHANGES, *BATCHES]), min_size=4, max_size=10),
)
def test_any_changes_and_kinds_of_batches_in_any_order_leave_nothing_behind(make, names):
    pair = Pair(make)
    for name in names:
        if name in CHANGES:
            pair.change(CHANGES[name])
        for _ in range(3):
            pair.train(BATCHES.get(name, BATCHES["as before"]))
