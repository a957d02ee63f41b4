"""Functions of a user's own as losses, metrics, activations and penalties."""

from __future__ import annotations

import asyncio
from typing import Any

import nn
import numpy as np
import pytest
from nn.differentiate import FUNCTIONS, REARRANGING, SLOPES, differentiate

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 4))
ABOVE = np.abs(X) + 0.5


def both(function: Any, x: Any) -> Any:
    return function(x, 1.5 * x[:, ::-1]) + function(2.0, x)


EXPRESSIONS: dict[str, Any] = {
    **{name: getattr(np, name) for name, slopes in SLOPES.items() if len(slopes) == 1},
    **{
        f"{name} of two": lambda x, name=name: both(getattr(np, name), x)
        for name, slopes in SLOPES.items()
        if len(slopes) == 2
    },
    "sum": lambda x: np.sum(x, axis=1, keepdims=True) * x,
    "mean": lambda x: x.mean(axis=(0, 1)) + np.mean(x),
    "average": lambda x: np.average(x, axis=0),
    "max": lambda x: np.max(x, axis=-1) - x.max(),
    "amax": lambda x: np.amax(x, axis=-1),
    "min": lambda x: np.min(x, axis=0, keepdims=True) * x.min(axis=1, keepdims=True),
    "amin": lambda x: np.amin(x, axis=-1),
    "var": lambda x: np.var(x, axis=1),
    "std": lambda x: np.std(x, axis=0, ddof=1),
    "where": lambda x: np.where(x > 1, x * x, 3 * x),
    "clip": lambda x: np.clip(x, 0.7, 1.5) + x.clip(0.6, 2.0),
    "norm": lambda x: np.linalg.norm(x, axis=-1),
    "dot": lambda x: np.dot(x, x.T),
    "matmul": lambda x: (x @ np.swapaxes(x, 0, 1)) @ x,
    "reshape": lambda x: np.reshape(x, (3, 8)) * x.reshape(3, 8) + x.reshape((3, -1)),
    "ravel": lambda x: np.ravel(x) * x.ravel(),
    "transpose": lambda x: np.transpose(x) * x.transpose(1, 0),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1) ** 2,
    "moveaxis": lambda x: np.moveaxis(x, 0, 1) ** 2,
    "expand_dims": lambda x: np.expand_dims(x, 1) * x,
    "squeeze": lambda x: np.squeeze(x[:, None]) ** 2,
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 6, 4)) * 2,
    "concatenate": lambda x: np.concatenate([x, 2 * x, np.ones((6, 1))], axis=-1) ** 2,
    "stack": lambda x: np.stack([x, x * x]),
    "hstack": lambda x: np.hstack([x, x]),
    "vstack": lambda x: np.vstack([x, 3 * x]),
    "take": lambda x: np.take(x, [0, 0, 2], axis=1),
    "take_along_axis": lambda x: np.take_along_axis(x, np.zeros((6, 1), int), 1),
    "flip": lambda x: np.flip(x, 0) * x,
    "roll": lambda x: np.roll(x, 1, axis=0) * x,
    "repeat": lambda x: np.repeat(x, 2, axis=1),
    "tile": lambda x: np.tile(x, (2, 1)),
    "atleast_1d": lambda x: np.atleast_1d(x) ** 2,
    "atleast_2d": lambda x: np.atleast_2d(x) ** 2,
    "diagonal": lambda x: np.diagonal(x @ x.T),
    "indexing": lambda x: x[np.arange(6), np.array([0, 1, 2, 3, 0, 1])] * x[:, 0],
    "operators": lambda x: (1 - x) / (x + 2) - -(x**3) + abs(x - 1) + 2**x,
    "activation": lambda x: nn.activations.softmax(x) * nn.activations.mish(x),
    "loss": lambda x: nn.losses.mean_squared_error(ABOVE[::-1], x),
    "no gradient": lambda x: np.floor(x) + np.sign(x) * (x > 1),
}


def test_every_function_that_is_known_has_a_case() -> None:
    covered = {name.removesuffix(" of two") for name in EXPRESSIONS}
    assert {*SLOPES, *FUNCTIONS, *REARRANGING} <= covered


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_the_gradient_of_a_function_is_that_of_central_differences(name: str) -> None:
    function = EXPRESSIONS[name]
    y, pull = differentiate(function, ABOVE)
    np.testing.assert_allclose(y, function(ABOVE))
    dy = RNG.normal(size=y.shape)
    gradient = pull(dy)
    direction, step = RNG.normal(size=ABOVE.shape), 1e-6
    ahead, behind = (np.sum(function(ABOVE + sign * step * direction) * dy) for sign in (1, -1))
    slope = (ahead - behind) / (2 * step)
    assert np.sum(gradient * direction) == pytest.approx(slope, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize(
    "function", [np.fft.fft, np.linalg.inv, lambda x: np.asarray(x), lambda x: np.arcsin(x)]
)
def test_a_function_without_a_known_gradient_is_named(function: Any) -> None:
    with pytest.raises(nn.errors.ConfigError, match=r"expected .*received"):
        differentiate(function, ABOVE)


Y = RNG.integers(0, 3, 6)
ONE_HOT = np.eye(3)[Y]


def my_loss(y_true: Any, y_pred: Any) -> Any:
    return np.mean(np.square(y_true - y_pred), axis=-1)


def trained(loss: Any, target: Any = ONE_HOT, **options: Any) -> list[Any]:
    nn.set_random_seed(1)
    activation = options.pop("activation", "tanh")
    penalty = options.pop("kernel_regularizer", None)
    layers = [nn.Dense(5, activation, kernel_regularizer=penalty), nn.Dense(3)]
    model = nn.Sequential([nn.Input((4,)), *layers])
    model.compile("sgd", loss, **options)
    history = asyncio.run(model.fit(X, target, epochs=3, batch_size=4, shuffle=False))
    return [history.history, *model.get_weights()]


def same(ours: list[Any], theirs: list[Any]) -> bool:
    return all(np.allclose(a, b, atol=1e-6) for a, b in zip(ours[1:], theirs[1:], strict=True))


def total_loss(y_true: Any, y_pred: Any) -> Any:
    return ((y_true - y_pred) ** 2).mean()


@pytest.mark.parametrize(
    "loss", [my_loss, lambda t, p: my_loss(t, p), nn.losses.mean_squared_error,
             nn.losses.MeanSquaredError, total_loss]
)  # fmt: skip
def test_a_function_is_a_loss(loss: Any) -> None:
    assert same(trained(loss), trained("mse"))


def test_a_function_of_losses_and_numpy_is_a_loss() -> None:
    def loss(y_true: Any, y_pred: Any) -> Any:
        return nn.losses.mean_squared_error(y_true, y_pred) + 0.1 * np.mean(np.abs(y_pred), -1)

    found = trained(loss)
    assert not same(found, trained("mse"))
    assert found[0]["loss"][-1] < found[0]["loss"][0]


def test_a_loss_may_call_a_network_and_leaves_it_as_it_is() -> None:
    nn.set_random_seed(2)
    features = nn.Sequential([nn.Input((3,)), nn.Dense(5, "tanh"), nn.BatchNormalization()])
    kernel, bias, *_ = before = features.get_weights()

    def by_hand(y_true: Any, y_pred: Any) -> Any:
        made = [np.tanh(y @ kernel + bias) / np.sqrt(1 + 1e-3) for y in (y_true, y_pred)]
        return my_loss(*made)

    found = trained(lambda y_true, y_pred: my_loss(features(y_true), features(y_pred)))
    assert same(found, trained(by_hand))
    np.testing.assert_equal(features.get_weights(), before)


def test_weights_of_samples_count_in_a_loss_of_functions() -> None:
    weights = RNG.uniform(0, 2, 6)
    losses = [nn.losses.get(loss).step(ONE_HOT, X[:, :3], weights) for loss in (my_loss, "mse")]
    assert losses[0][0] == pytest.approx(losses[1][0])
    np.testing.assert_allclose(losses[0][1], losses[1][1])


def test_functions_are_metrics() -> None:
    def largest(y_true: Any, y_pred: Any) -> Any:
        return np.abs(y_true - y_pred).max(axis=-1)

    history = trained("mse", metrics=[largest, my_loss, "mse", nn.metrics.MeanSquaredError])[0]
    assert list(history)[:3] == ["loss", "largest", "my_loss"]
    assert history["my_loss"] == pytest.approx(history["mse"], rel=1e-5)


def test_a_function_is_an_activation() -> None:
    expected = trained("mse", activation="tanh")
    for activation in (np.tanh, lambda x: np.tanh(x), nn.activations.tanh):
        assert same(trained("mse", activation=activation), expected)
    with pytest.raises(nn.errors.ConfigError, match="expected a result of shape"):
        trained("mse", activation=lambda x: x.sum(-1))


def test_a_function_is_a_penalty() -> None:
    expected = trained("mse", kernel_regularizer=nn.regularizers.l2(0.1))
    assert same(trained("mse", kernel_regularizer=lambda w: 0.1 * np.sum(np.square(w))), expected)


def test_what_is_a_function_is_refused_by_files_that_name_it() -> None:
    model = nn.Sequential([nn.Input((4,)), nn.Dense(3)])
    model.compile("sgd", my_loss)
    with pytest.raises(nn.io.UnsupportedError, match="cannot be saved"):
        nn.io.save(model)
    model.compile("sgd", nn.losses.mean_squared_error, metrics=[nn.metrics.MeanSquaredError])
    for format in ("npz", "keras"):
        assert nn.io.load(nn.io.save(model, format)).loss.name == "mean_squared_error"


@pytest.mark.parametrize("name", nn.activations.FURTHER)
@pytest.mark.parametrize("format", ["npz", "keras", "safetensors", "tfjs", "onnx"])
def test_a_file_keeps_an_activation_or_refuses_it(name: str, format: str) -> None:
    model = nn.Sequential([nn.Input((4,)), nn.Dense(3, activation=name)])
    try:
        data = nn.io.save(model, format)
    except nn.io.UnsupportedError as error:
        assert name in str(error)  # noqa: PT017 - either is right
        assert format in ("tfjs", "onnx")
        return
    x = X.astype(np.float32)
    np.testing.assert_allclose(
        nn.io.load(data).predict_on_batch(x), model.predict_on_batch(x), atol=1e-6
    )
