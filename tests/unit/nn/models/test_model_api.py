"""Models as Keras' users handle them: cut, saved, copied, added up, summarized, drawn."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nn
import numpy as np
import pytest

X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def stack() -> nn.Model:
    nn.set_random_seed(1)
    return nn.Sequential(
        [
            nn.Input((4,)),
            nn.Dense(3, activation="relu", name="first"),
            nn.Dropout(0.5),
            nn.Dense(2, name="last"),
        ]
    )


def deferred() -> nn.Model:
    nn.set_random_seed(1)
    model = nn.Sequential([nn.Dense(3, activation="relu", name="first"), nn.Dense(2, name="last")])
    model.build((None, 4))
    return model


def graph() -> nn.Model:
    nn.set_random_seed(1)
    x = nn.Input((4,))
    return nn.Model(x, nn.Dense(2, name="last")(nn.Dense(3, activation="relu", name="first")(x)))


BUILDERS = [stack, deferred, graph]


def hidden(model: nn.Model) -> Any:
    return model.get_layer("first")(X)


@pytest.mark.parametrize("build", BUILDERS)
def test_a_model_is_cut_at_the_output_of_a_layer(build: Any) -> None:
    base = build()
    for end in (base.get_layer("first").output, base.layers[0 if build is not graph else 1].output):
        head = nn.Model(base.input, end)
        np.testing.assert_allclose(head.predict_on_batch(X), hidden(base), atol=1e-6)
    again = nn.Model(base.input, base.output)
    assert np.array_equal(again.predict_on_batch(X), base.predict_on_batch(X))
    assert base.get_layer("last").output is base.output
    assert base.get_layer("last").input.shape == (None, 3)


@pytest.mark.parametrize("build", BUILDERS)
def test_a_head_is_replaced_and_only_it_learns(build: Any) -> None:
    base = build()
    base.trainable = False
    top = nn.Dense(3, activation="softmax")(base.get_layer("first").output)
    model = nn.Model(base.input, top)
    model.compile("adam", "sparse_categorical_crossentropy")
    before = base.get_layer("first").get_weights()
    asyncio.run(model.fit(X, np.array([0, 1, 2, 0, 1]), epochs=2))
    assert np.array_equal(before[0], base.get_layer("first").get_weights()[0])
    assert len(model.trainable_variables) == 2


def test_layers_are_added_and_taken_off_a_stack_one_at_a_time() -> None:
    model = stack()
    end = model.get_layer("first").output
    model.add(nn.Dense(7))
    assert model.output_shape == (None, 7)
    model.pop()
    assert model.output_shape == (None, 2)
    assert model.get_layer("first").output is end
    model.pop()
    model.pop()
    np.testing.assert_allclose(model.predict_on_batch(X), hidden(model), atol=1e-6)


def test_a_layer_that_is_in_no_graph_has_no_output() -> None:
    with pytest.raises(nn.errors.NotBuiltError, match="dense: expected a layer that was called"):
        _ = nn.Dense(3).output


@pytest.mark.parametrize("name", ["m.keras", "m.npz", "m.safetensors", "m.onnx"])
@pytest.mark.parametrize("build", BUILDERS)
def test_a_model_is_saved_in_the_format_of_the_name(tmp_path: Path, build: Any, name: str) -> None:
    model, path = build(), tmp_path / name
    model.save(path)
    again = nn.models.load_model(path)
    np.testing.assert_allclose(again.predict_on_batch(X), model.predict_on_batch(X), atol=1e-6)
    with pytest.raises(FileExistsError, match="overwrite=False"):
        model.save(path, overwrite=False)
    with pytest.raises(nn.io.UnknownFormatError, match="expected one that ends in"):
        model.save(tmp_path / "m.pt")


@pytest.mark.parametrize("name", ["m.weights.h5", "m.npz", "m.safetensors"])
def test_weights_go_from_model_to_model(tmp_path: Path, name: str) -> None:
    model, other = stack(), stack()
    other.set_weights([w + 1 for w in other.get_weights()])
    model.save_weights(tmp_path / name)
    other.load_weights(tmp_path / name)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_weights_that_do_not_fit_change_nothing(tmp_path: Path) -> None:
    stack().save_weights(tmp_path / "m.weights.h5")
    other = nn.Sequential([nn.Input((4,)), nn.Dense(3), nn.Dense(5)])
    before = other.get_weights()
    with pytest.raises(nn.io.MismatchError, match="expected shape"):
        other.load_weights(tmp_path / "m.weights.h5")
    for a, b in zip(before, other.get_weights(), strict=True):
        assert np.array_equal(a, b)


class Doubled(nn.Layer):
    """A layer that no registry knows."""

    def forward(self, ctx: Any, *inputs: Any, training: bool = False) -> Any:
        return 2 * inputs[0]


@pytest.mark.parametrize("build", [*BUILDERS, lambda: nn.Sequential([nn.Input((4,)), Doubled()])])
def test_a_copy_has_the_layers_and_weights_of_its_own(build: Any) -> None:
    model = build()
    copy = nn.models.clone_model(model)
    assert [type(layer) for layer in copy.layers] == [type(layer) for layer in model.layers]
    assert not {*copy.variables} & {*model.variables}
    copy.set_weights(model.get_weights())
    assert np.array_equal(copy.predict_on_batch(X), model.predict_on_batch(X))


def again(model: nn.Model, way: str) -> nn.Model:
    """Return a model that was written and read, or copied."""
    if way in ("keras", "npz"):
        return nn.io.load(nn.io.save(model, way))
    if way == "json":
        return nn.models.model_from_json(model.to_json())
    if way == "clone":
        return nn.models.clone_model(model)
    return type(model).from_config(model.get_config())


def texts() -> nn.Layer:
    return nn.TextVectorization(vocabulary=["a", "b"])


INPUTS = {
    "texts": (
        lambda: [nn.Input((1,), dtype="string", name="words"), texts()],
        np.array([["a b"], ["b"]]),
    ),
    "doubles": (
        lambda: [nn.Input((2,), dtype="float64", name="numbers"), nn.Rescaling(0.5)],
        np.eye(2) * 1e-9,
    ),
    "a stack of texts": (
        lambda: [nn.Sequential([nn.Input((1,), dtype="string"), texts()])],
        np.array([["a b"], ["b"]]),
    ),
}


@pytest.mark.parametrize("way", ["keras", "npz", "json", "clone", "config"])
@pytest.mark.parametrize("kind", INPUTS)
def test_the_input_of_a_stack_keeps_its_name_and_type(kind: str, way: str) -> None:
    layers, x = INPUTS[kind]
    model = nn.Sequential(layers())
    copy = again(model, way)
    entry, expected = (m.inputs[0].node.layer for m in (copy, model))
    assert entry.get_config() == expected.get_config()
    found = copy.predict_on_batch({entry.name: x})
    assert np.array_equal(found, model.predict_on_batch(x))


def test_a_stack_in_the_form_of_earlier_versions_is_read() -> None:
    model = stack()
    settings = model.get_config()
    settings["build_input_shape"] = [None, *settings["layers"].pop(0)["config"]["shape"]]
    copy = nn.Sequential.from_config(settings)
    copy.set_weights(model.get_weights())
    assert np.array_equal(copy.predict_on_batch(X), model.predict_on_batch(X))


@pytest.mark.parametrize("build", BUILDERS)
def test_a_copy_is_made_of_other_layers(build: Any) -> None:
    def other(layer: nn.Layer) -> nn.Layer:
        if isinstance(layer, nn.Dense):
            return nn.Dense(layer.units, activation="tanh")
        return type(layer).from_config(layer.get_config())

    copy = nn.models.clone_model(build(), clone_function=other)
    assert copy.get_layer("last").activation.name == "tanh"


def renamed(layer: nn.Layer) -> nn.Layer:
    settings = layer.get_config()
    return type(layer).from_config({**settings, "name": f"{settings['name']}_new"})


@pytest.mark.parametrize("build", BUILDERS)
def test_a_layer_of_a_copy_has_the_name_that_it_was_made_with(build: Any) -> None:
    model = build()
    copy = nn.models.clone_model(model, clone_function=renamed)
    inputs = ["input_layer"] if build is graph else []
    assert [la.name for la in copy.layers][len(inputs) :] == [
        f"{la.name}_new" for la in model.layers if not isinstance(la, nn.InputLayer)
    ]
    copy.set_weights(model.get_weights())
    assert np.array_equal(copy.predict_on_batch(X), model.predict_on_batch(X))
    assert copy.output_names == ["last_new"]
    assert nn.io.load(nn.io.save(copy, "keras")).output_names == ["last_new"]


def test_layers_of_a_copy_with_one_name_are_refused() -> None:
    with pytest.raises(nn.errors.ConfigError, match="names must be unique, received 'same' twice"):
        nn.models.clone_model(graph(), clone_function=lambda la: nn.Dense(2, name="same"))


NOT_BUILT = {
    "layers": lambda: [nn.Dense(3), nn.Dense(3)],
    "a stack": lambda: [nn.Sequential([nn.Dense(3), nn.Dense(3)]), nn.Dense(3)],
    "a name that is taken": lambda: [nn.Dense(3), nn.Dense(3, name="dense"), nn.Dense(3)],
}


@pytest.mark.parametrize("way", ["clone", "config", "renamed"])
@pytest.mark.parametrize("kind", NOT_BUILT)
def test_a_stack_without_an_input_is_copied_with_names_that_differ(kind: str, way: str) -> None:
    model = nn.Sequential(NOT_BUILT[kind]())
    if way == "renamed":
        copy = nn.models.clone_model(model, clone_function=renamed)
    else:
        copy = again(model, way)
    assert copy(X).shape == (5, 3)
    assert len({layer.name for layer in copy.layers}) == len(model.layers)
    model.build((None, 4))
    copy.set_weights(model.get_weights())
    assert np.array_equal(copy.predict_on_batch(X), model.predict_on_batch(X))
    assert [la.name for la in copy.layers] == [
        la.name + "_new" * (way == "renamed") for la in model.layers
    ]


ARITHMETIC = {
    "a + b": lambda a, b: a + b,
    "a - b": lambda a, b: a - b,
    "a * b": lambda a, b: a * b,
    "a / b": lambda a, b: a / b,
    "a + 2": lambda a, b: a + 2,
    "2 + a": lambda a, b: 2 + a,
    "a - 0.5": lambda a, b: a - 0.5,
    "1 - a": lambda a, b: 1 - a,
    "a * 3": lambda a, b: a * 3,
    "3 * a": lambda a, b: np.float32(3) * a,
    "a / 4": lambda a, b: a / 4,
    "2 / b": lambda a, b: 2 / b,
    "a ** 2": lambda a, b: a**2,
    "b ** 0.5": lambda a, b: b**0.5,
    "-a": lambda a, b: -a,
    "abs(a)": lambda a, b: abs(a),
    "a[:, 0]": lambda a, b: a[:, 0],
    "a[:, 1:3]": lambda a, b: a[:, 1:3],
    "a[..., ::-1]": lambda a, b: a[..., ::-1],
    "a[:, -1:]": lambda a, b: a[:, -1:],
    "(a + b) / 2 - a * b": lambda a, b: (a + b) / 2 - a * b,
}


@pytest.mark.parametrize("expression", ARITHMETIC)
def test_symbolic_tensors_and_numbers_are_reckoned_with(expression: str) -> None:
    function = ARITHMETIC[expression]
    left, right = X.astype(np.float64), np.abs(X[::-1]).astype(np.float64) + 1
    nn.set_floatx("float64")
    try:
        a, b = nn.Input((4,)), nn.Input((4,))
        model = nn.Model([a, b], function(a, b))
        again = nn.io.load(nn.io.save(model))
    finally:
        nn.set_floatx("float32")
    found = model.predict_on_batch([left, right])
    np.testing.assert_allclose(found, function(left, right), rtol=1e-12)
    assert np.array_equal(again.predict_on_batch([left, right]), found)
    nn.check_gradients(model, left, right)


def test_symbolic_matrices_are_multiplied_sample_by_sample() -> None:
    left, right = (np.random.default_rng(2).random((2, 3, *s), np.float32) for s in ((4,), (4,)))
    right = right.swapaxes(1, 2)
    a, b = nn.Input((3, 4)), nn.Input((4, 3))
    found = nn.Model([a, b], a @ b).predict_on_batch([left, right])
    np.testing.assert_allclose(found, left @ right, rtol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda a: a + "x", TypeError),
        (lambda a: a * [[1.0], [1.0, 2.0]], TypeError),
        (lambda a: a + X[:, :3], nn.errors.ShapeError),
        (lambda a: X[None] * a, nn.errors.ShapeError),
        (lambda a: a / 0, nn.errors.ConfigError),
        (lambda a: a**a, nn.errors.ConfigError),
        (lambda a: a @ a, nn.errors.ShapeError),
        (lambda a: a @ X, TypeError),
        (lambda a: a[0], nn.errors.ConfigError),
        (lambda a: a[:, 9], nn.errors.ShapeError),
        (lambda a: a[:, :, 0], nn.errors.ShapeError),
        (lambda a: list(a), TypeError),
    ],
)
def test_what_is_no_arithmetic_of_a_graph_is_refused(wrong: Any, error: Any) -> None:
    a = nn.Input((4,))
    with pytest.raises(error):
        wrong(a)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "average", "maximum", "minimum"])
def test_merging_layers_are_functions_too(name: str) -> None:
    a, b = nn.Input((4,)), nn.Input((4,))
    layer = getattr(nn, name.capitalize())
    ours = nn.Model([a, b], getattr(nn.layers, name)([a, b]))
    theirs = nn.Model([a, b], layer()([a, b]))
    assert np.array_equal(ours.predict_on_batch([X, -X]), theirs.predict_on_batch([X, -X]))


def test_concatenate_and_dot_are_functions_too() -> None:
    a, b = nn.Input((4,)), nn.Input((4,))
    both = nn.Model([a, b], nn.layers.concatenate([a, b])).predict_on_batch([X, X])
    assert np.array_equal(both, np.concatenate([X, X], -1))
    product = nn.Model([a, b], nn.layers.dot([a, b], axes=1)).predict_on_batch([X, X])
    np.testing.assert_allclose(product[:, 0], (X * X).sum(-1), rtol=1e-5)


def test_the_summary_is_printed(capsys: Any) -> None:
    model = stack()
    assert model.summary() is None
    printed = capsys.readouterr().out
    assert 'Model: "sequential"' in printed
    assert "Total params: 23" in printed
    lines: list[str] = []
    model.get_layer("first").trainable = False
    model.summary(print_fn=lines.append, show_trainable=True, layer_range=("first", "dropout"))
    (text,) = lines
    rows = [line.split() for line in text.splitlines()]
    assert ["first", "(Dense)", "(None,", "3)", "15", "N"] in rows
    assert not any(row[:1] == ["last"] for row in rows)
    outer = nn.Sequential([nn.Input((4,)), model])
    outer.summary(print_fn=lines.append, expand_nested=True)
    assert "  first (Dense)" in lines[-1]


def test_a_model_is_drawn_as_svg(tmp_path: Path) -> None:
    a, b = nn.Input((4,), name="a<b"), nn.Input((4,))
    model = nn.Model([a, b], nn.Dense(2)(nn.layers.add([a, b])))
    drawing = nn.utils.plot_model(model, tmp_path / "m.svg")
    assert (tmp_path / "m.svg").read_text() == drawing
    root = ElementTree.fromstring(drawing)
    tags = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert tags.count("rect") == 4
    titles = [element.text for element in root.iter() if element.tag.endswith("title")]
    assert "a<b (InputLayer), Input: 4 units" in titles
    assert tags.count("path") >= 3


def test_mnist_is_read_from_idx_files(tmp_path: Path) -> None:
    images = np.arange(2 * 28 * 28).astype(np.uint8).reshape(2, 28, 28)
    for kind in ("train", "t10k"):
        for name, array in (("images-idx3", images), ("labels-idx1", np.array([3, 4], np.uint8))):
            content = gzip.compress(nn.data.write_idx(array))
            (tmp_path / f"{kind}-{name}-ubyte.gz").write_bytes(content)
    (x, y), (x_test, y_test) = asyncio.run(nn.datasets.mnist.load_data(tmp_path))
    assert np.array_equal(x, images)
    assert np.array_equal(x_test, images)
    assert y.tolist() == y_test.tolist() == [3, 4]
    with pytest.raises(nn.errors.EmptyError, match=r"mnist: expected train-images.*found none"):
        asyncio.run(nn.datasets.mnist.load_data(tmp_path / "none"))


def test_predict_ends_after_the_steps_that_were_asked_for_whatever_the_data() -> None:
    model = stack()
    whole = asyncio.run(model.predict(X, batch_size=2))
    batches = (X[start : start + 2] for start in range(0, len(X), 2))
    for data, size in ((X, 2), (batches, None)):
        found = asyncio.run(model.predict(data, batch_size=size, steps=2))
        np.testing.assert_array_equal(found, whole[:4])
