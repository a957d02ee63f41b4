"""Layers that change images at random, against Keras 3: what a drawn change does to images, and how
the draws are distributed."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import keras
import nn
import numpy as np
import pytest
from nn.context import Context, Run
from nn.layers.random_images import RandomImages

from tests.support import tensorflowjs

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(100, 80, size=(6, 7, 9, 3))
MODES = [
    {"fill_mode": fill, "interpolation": interpolation, "fill_value": 7.0}
    for fill in ("reflect", "wrap", "constant", "nearest")
    for interpolation in ("bilinear", "nearest")
]
CASES: list[tuple[str, dict[str, Any]]] = [
    ("RandomFlip", {}),
    ("RandomFlip", {"mode": "horizontal"}),
    ("RandomFlip", {"mode": "vertical"}),
    *(("RandomRotation", {"factor": 0.3, **mode}) for mode in MODES),
    *(("RandomZoom", {"height_factor": (-0.4, 0.9), **mode}) for mode in MODES),
    ("RandomZoom", {"height_factor": 0.3, "width_factor": (-0.9, 0.1)}),
    *(("RandomTranslation", {"height_factor": 1.0, "width_factor": 0.7, **m}) for m in MODES),
    ("RandomContrast", {"factor": 0.8}),
    ("RandomContrast", {"factor": (0.3, 0.9), "value_range": (0, 150)}),
    ("RandomBrightness", {"factor": 0.4}),
    ("RandomBrightness", {"factor": (-0.2, 0.9), "value_range": (20, 150)}),
    ("RandomCrop", {"height": 4, "width": 5}),
    ("RandomCrop", {"height": 9, "width": 3}),
    ("RandomCrop", {"height": 3, "width": 12}),
]


def transformation(layer: Any, theirs: Any, drawn: Any, shape: Any) -> Any:
    """Return Keras' transformation for what our layer drew."""
    match type(layer).__name__:
        case "RandomFlip":
            return {"flips": drawn}
        case "RandomRotation":
            n, size = len(drawn), shape[1:3] if layer.data_format == "channels_last" else shape[2:]
            no, one = jnp.zeros(n), jnp.ones(n)
            matrix = theirs._compute_affine_matrix(
                0.5, 0.5, jnp.asarray(drawn), no, no, one, no, no, *size
            )
            return {"rotation_matrix": matrix}
        case "RandomZoom":
            return dict(
                zip(("height_zoom", "width_zoom"), (d[:, None] for d in drawn), strict=True)
            )
        case "RandomTranslation":
            return {"translations": np.stack(drawn[::-1], axis=1)}
        case "RandomContrast":
            return {"contrast_factor": drawn}
        case "RandomBrightness":
            return {"rgb_delta": drawn}
    return drawn


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("name", "config"), CASES, ids=str)
def test_a_drawn_change_is_that_of_keras(name: str, config: Any, data_format: str) -> None:
    config = {**config, "data_format": data_format}
    x = IMAGES if data_format == "channels_last" else np.moveaxis(IMAGES, -1, 1).copy()
    layer = getattr(nn, name)(**config)
    theirs = getattr(keras.layers, name)(**config)
    seen = layer.seen(x)
    drawn = layer.draw(np.random.default_rng(3), seen.shape)
    y, saved = layer.change(seen, drawn)
    given = transformation(layer, theirs, drawn, x.shape)
    expected, pull = jax.vjp(lambda v: theirs.transform_images(v, given), jnp.asarray(x))
    # Keras computes places in float32.
    np.testing.assert_allclose(layer.shown(y), expected, rtol=1e-4, atol=2e-3)
    dy = RNG.normal(size=expected.shape)
    (dx,) = pull(jnp.asarray(dy))
    np.testing.assert_allclose(
        layer.shown(layer.unchange(layer.seen(dy), saved)), dx, rtol=1e-4, atol=1e-4
    )
    assert layer.compute_output_shape((None, *x.shape[1:]))[1:] == expected.shape[1:]


COUNT = 4000


def drawn_by_keras(theirs: Any) -> Any:
    found = theirs.get_random_transformation(np.zeros((COUNT, 7, 9, 3), np.float32), seed=5)
    if isinstance(found, tuple):
        return [np.asarray(found)]
    # Not what follows from the draws.
    made = ("input_shape", "rotation_matrix", "image_height", "image_width", "batch_size")
    return [np.asarray(v) for k, v in found.items() if k not in made]


@pytest.mark.parametrize(
    ("name", "config"), [c for c in CASES if "fill_mode" not in c[1] and c[0] != "RandomCrop"],
    ids=str,
)  # fmt: skip
def test_draws_are_distributed_as_those_of_keras(name: str, config: Any) -> None:
    layer, theirs = getattr(nn, name)(**config), getattr(keras.layers, name)(**config)
    ours = layer.draw(np.random.default_rng(1), (COUNT, 7, 9, 3))
    ours = [np.ravel(d) for d in (ours if isinstance(ours, tuple) else (ours,))]
    if name == "RandomTranslation":
        ours = [np.stack(ours[::-1], axis=1)]
    expected = drawn_by_keras(theirs)
    for received, wanted in zip(ours, expected, strict=True):
        if received.dtype == bool:
            assert received.mean() == pytest.approx(wanted.mean(), abs=0.05)
            continue
        share = np.linspace(0, 1, 9)
        got, want = (np.quantile(v.reshape(COUNT, -1), share, axis=0) for v in (received, wanted))
        spread = np.ptp(want) or 1
        # The largest distance of two samples' quantiles, at 4 deviations.
        np.testing.assert_allclose(got, want.reshape(got.shape), atol=4 * 0.5 * spread / 44)


@pytest.mark.parametrize("factor", [0.5, (0.2, 0.6), 0.0])
def test_rotations_are_distributed_as_those_of_keras(factor: Any) -> None:
    ours = nn.RandomRotation(factor).draw(np.random.default_rng(1), (COUNT, 7, 9, 3))
    (wanted,) = drawn_by_keras(keras.layers.RandomRotation(factor))
    share = np.linspace(0, 1, 9)
    np.testing.assert_allclose(
        np.quantile(ours, share), np.quantile(wanted, share), atol=2 * (np.ptp(wanted) or 1) / 44
    )


def test_crops_begin_at_any_place() -> None:
    layer = nn.RandomCrop(5, 6, seed=3)
    places = {layer.draw(layer.rng, (1, 7, 9, 3)) for _ in range(400)}
    assert places == {(top, left) for top in range(3) for left in range(4)}


KINDS = {
    "RandomFlip": {}, "RandomRotation": {"factor": 0.3}, "RandomZoom": {"height_factor": 0.3},
    "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.2},
    "RandomContrast": {"factor": 0.5}, "RandomBrightness": {"factor": 0.5},
    "RandomCrop": {"height": 5, "width": 6}, "RandomWidth": {"factor": 0.4},
    "RandomHeight": {"factor": 0.4},
}  # fmt: skip


def test_every_layer_that_changes_images_is_held_to_keras() -> None:
    ours = {n for n, c in nn.layers.CLASSES.items() if issubclass(c, RandomImages)}
    assert ours == {case[0] for case in CASES} | {"RandomWidth", "RandomHeight"}
    assert ours == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_only_training_changes_images_and_a_call_on_arrays_does(name: str) -> None:
    x = IMAGES.astype(np.float32)
    layer = getattr(nn, name)(**KINDS[name], seed=0)
    changed = layer(x)
    assert changed.dtype == np.float32
    assert not np.array_equal(layer(x), changed)  # the next draw
    if name == "RandomCrop":
        # The largest part of these proportions, 7 to 8.4, in the middle.
        expected = nn.Resizing(5, 6)(x[:, :, :8])
        np.testing.assert_allclose(layer(x, training=False), expected, rtol=1e-4)
    else:
        assert np.array_equal(layer(x, training=False), x)
    one = getattr(nn, name)(**KINDS[name], seed=0)
    two = type(one).from_config(one.get_config())
    single = one(x[0])
    assert np.array_equal(single, two(x[0]))  # the same seed
    assert single.ndim == 3


def test_a_stack_of_them_is_called_on_arrays_as_in_keras() -> None:
    x = IMAGES.astype(np.float32)
    stack = nn.Sequential([nn.RandomFlip("horizontal", seed=3), nn.Dropout(0.5)])
    received = stack(x)
    whole = np.where(nn.RandomFlip("horizontal", seed=3).draw(np.random.default_rng(3), x.shape),
                     x[:, :, ::-1], x)  # fmt: skip
    assert np.array_equal(received, whole)  # Dropout is the identity where nothing is said
    assert np.array_equal(stack(x, training=False), x)
    assert np.array_equal(stack.predict_on_batch(x), x)


@pytest.mark.parametrize("name", KINDS)
def test_a_model_trains_through_it_predicts_without_it_and_is_saved(name: str) -> None:
    layers = [nn.Input((7, 9, 3)), getattr(nn, name)(**KINDS[name]), nn.Rescaling(1 / 255)]
    model = nn.Sequential([*layers, nn.Conv2D(2, 3), nn.GlobalMaxPooling2D(), nn.Dense(1)])
    model.compile("sgd", "mse")
    losses = [model.train_on_batch(IMAGES, np.ones(6)) for _ in range(3)]
    assert np.isfinite(losses).all()
    expected = model.predict_on_batch(IMAGES)
    lacking = ("keras",) if name in ("RandomWidth", "RandomHeight") else ()
    for kind in {"npz", "keras"}.difference(lacking):
        again = nn.io.load(nn.io.save(model, kind))
        assert np.array_equal(again.predict_on_batch(IMAGES), expected)
        assert again.layers[0].get_config() == model.layers[0].get_config()
    for kind in ("tfjs", "onnx", *lacking):
        with pytest.raises(nn.io.errors.UnsupportedError, match=name):
            nn.io.save(model, kind)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_a_width_is_changed_as_by_tensorflow_js_and_a_height_likewise(interpolation: str) -> None:
    x = IMAGES.astype(np.float32)
    factors = (-0.4, 0.5, 1.0)
    code = """
        const layer = tf.layers.randomWidth({factor: [FACTOR, FACTOR], interpolation: 'KIND'});
        const artifacts = {weightSpecs: [], weightData: new ArrayBuffer(0)};
        return {predict: x => layer.apply(x), save: handler => handler.save(artifacts)};
    """.replace("KIND", interpolation)
    answers = tensorflowjs.ask(
        [tensorflowjs.writing(code.replace("FACTOR", str(factor)), x) for factor in factors]
    )
    for factor, answer in zip(factors, answers, strict=True):
        width, height = (
            layer([factor, factor], interpolation) for layer in (nn.RandomWidth, nn.RandomHeight)
        )
        np.testing.assert_allclose(width(x), answer["outputs"][0], rtol=1e-4)
        turned = height(x.swapaxes(1, 2)).swapaxes(1, 2)
        np.testing.assert_allclose(turned, answer["outputs"][0], rtol=1e-4)


def test_a_resumed_generator_draws_what_would_have_come() -> None:
    layer, other = (nn.RandomFlip(seed=4) for _ in range(2))
    layer(IMAGES)
    other.set_state(layer.get_state())
    assert np.array_equal(layer(IMAGES), other(IMAGES))


@pytest.mark.parametrize("name", KINDS)
def test_backward_is_the_derivative_of_forward(name: str) -> None:
    layer = getattr(nn, name)(**KINDS[name])
    drawn = layer.draw(np.random.default_rng(2), (2, 7, 9, 3))
    x, dy = RNG.random((2, 7, 9, 3)), RNG.normal(size=(2, 7, 9, 3))
    ctx = Context(Run(np.random.default_rng(0), np.float64))
    layer.forward(ctx, x, training=True)
    y, saved = layer.change(x, drawn)
    d = RNG.normal(size=y.shape)
    step = 1e-6 * dy
    slope = ((layer.change(x + step, drawn)[0] - y) * d).sum() / 1e-6
    assert (layer.unchange(d, saved) * dy).sum() == pytest.approx(slope, rel=1e-4)


def test_says_what_does_not_fit() -> None:
    for make in (
        lambda: nn.RandomFlip("diagonal"),
        lambda: nn.RandomRotation(2),
        lambda: nn.RandomRotation((0.1, 0.2, 0.3)),
        lambda: nn.RandomZoom(0.1, fill_mode="mirror"),
        lambda: nn.RandomTranslation(0.1, 0.1, interpolation="cubic"),
        lambda: nn.RandomContrast(0.5, value_range=3),
    ):
        with pytest.raises(nn.errors.ConfigError, match=r"^Random|^random"):
            make()
    with pytest.raises(nn.errors.ShapeError, match="3 or 4 axes"):
        nn.RandomFlip()(np.zeros((2, 3)))
    with pytest.raises(nn.errors.ShapeError):
        nn.RandomFlip()(nn.Input((3,)))
