"""The prediction part of the engine works without the training modules."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import pydoc
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import grimp
import nn
import nn.data
import numpy as np
import pytest
from nn import lazy

from tools import bundle

ROOT = Path(__file__).resolve().parents[3]
X = np.random.default_rng(0).random((3, 12, 12, 1)).astype(np.float32)
FORMATS = ["npz", "safetensors", "tfjs"]
FURTHER = ["keras", "onnx"]

IMPORTED = """
import asyncio, sys
import numpy as np
import nn

print(*(name for name in sys.modules if name.startswith("nn")))
model = nn.io.load(open(sys.argv[1], "rb").read(), compile=False)
model.warm_up()
asyncio.run(model.predict(np.zeros((12, 12, 1))))
nn.io.save(model, "npz"), model.summary(print_fn=len), model.memory()
print(*(name for name in sys.modules if name.startswith("nn")))
"""

PREDICTED = """
import asyncio, pathlib, sys
import numpy as np
import nn

folder = pathlib.Path(sys.argv[1])
x = np.load(folder / "x.npy")
for path in sorted(folder.glob("model.*")):
    model = nn.io.load(path.read_bytes(), compile=False)
    np.save(folder / f"{path.suffix[1:]}.npy", asyncio.run(model.predict(x)))
digits = nn.Classifier((folder / "model.npz").read_bytes())
asyncio.run(digits.initialize())
print(asyncio.run(digits.classify(x[:1]))["digit"], digits.describe()["layers"])
"""

REFUSED = """
import asyncio, sys
from farcall.connection.namespace import namespace
import nn

model = nn.Sequential([nn.Input((2,)), nn.Dense(1)])
data = open(sys.argv[1], "rb").read()
namespace({"nn": nn})
for ask in (
    lambda: model.compile("sgd"), lambda: asyncio.run(model.fit([0])),
    lambda: nn.losses, lambda: nn.Adam,
    lambda: __import__("nn", fromlist=["metrics"]), lambda: nn.io.load(data),
    lambda: nn.io.save(model, "keras"), lambda: nn.data.parse_csv, lambda: nn.nothing,
    lambda: __import__("nn", fromlist=["EarlyStopping"]),
    lambda: nn.io.load(b"", "onnx"), lambda: nn.io.load(b"", "h5"), lambda: nn.io.save_weights,
):
    try:
        ask()
        print("no error")
    except (ImportError, AttributeError) as error:
        print(type(error).__name__, error)
"""


def network(**compiled: Any) -> nn.Sequential:
    nn.set_random_seed(1)
    layers = [nn.Conv2D(4, 3, activation="relu"), nn.MaxPooling2D(), nn.Flatten()]
    model = nn.Sequential([nn.Input((12, 12, 1)), *layers, nn.Dense(10, activation="softmax")])
    if compiled:
        model.compile(**compiled)
        model.train_on_batch(X, np.arange(3))
    return model


def python(program: str, path: Path, *arguments: Any) -> list[str]:
    """Run a program with only the packages under `path`; return its output lines."""
    run = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(path)}, cwd=path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not run.returncode, run.stderr
    return run.stdout.splitlines()


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of predict.zip."""
    folder = tmp_path_factory.mktemp("part")
    unpack("predict.zip", folder)
    return folder


def unpack(name: str, folder: Path) -> None:
    for place, source in bundle.modules(bundle.WORKER[name], ROOT).items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)


def training() -> set[str]:
    """The modules that only training needs."""
    return names((*bundle.TRAINING, bundle.GPU, *bundle.SEVERAL))


def names(patterns: tuple[str, ...]) -> set[str]:
    rest = bundle.modules(patterns, ROOT)
    found = [path.removesuffix(".py") for path in rest if path.endswith(".py")]
    return {name.removesuffix("/__init__").replace("/", ".") for name in found}


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "A page that only predicts is sent, and imports, no training: 488 kB of Python, not 1,017",
)
def test_a_prediction_imports_no_module_of_training(tmp_path: Path) -> None:
    file = tmp_path / "model.npz"
    file.write_bytes(nn.io.save(network(optimizer="adam", loss="sparse_categorical_crossentropy")))
    first, last = python(IMPORTED, ROOT / "py", file)
    assert sorted(first.split()) == ["nn", "nn.errors", "nn.layers", "nn.lazy", "nn.registry"]
    assert "nn.models.trainer" in last.split()
    assert {"nn.layers.convolution", "nn.layers.core"} < set(last.split())
    assert "nn.layers.lstm" not in last.split()
    assert set(last.split()) & training() == set()
    assert not [name for name in last.split() if name.startswith(("nn.io.onnx", "nn.io.keras"))]


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "A page that only predicts is sent, and imports, no training: 488 kB of Python, not 1,017",
)
def test_no_module_that_predicts_names_one_of_training_in_an_import() -> None:
    graph = grimp.build_graph("nn", exclude_type_checking_imports=True)
    for rest in (training(), names(bundle.FORMATS)):
        assert rest < graph.modules
        crossing = {
            (one, other)
            for one in graph.modules - rest - {"nn.io.__main__"}
            for other in graph.find_modules_directly_imported_by(one) & rest
        }
        assert crossing == set()


def test_the_error_of_a_missing_module_names_the_archive_that_it_is_in() -> None:
    for name in ("training.zip", "formats.zip", "applications.zip"):
        for module in names(bundle.WORKER[name]):
            if module.startswith("nn."):
                assert lazy.archive(module)[0] == name, module


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "A page that only predicts is sent, and imports, no training: 488 kB of Python, not 1,017",
)
def test_the_part_alone_predicts_from_every_format(part: Path, tmp_path: Path) -> None:
    predict_alone(part, tmp_path, FORMATS)
    whole = tmp_path / "whole"
    for name in ("predict.zip", "formats.zip"):
        unpack(name, whole)
    predict_alone(whole, tmp_path, FORMATS + FURTHER)


def predict_alone(part: Path, tmp_path: Path, formats: list[str]) -> None:
    model = network(optimizer="adam", loss="sparse_categorical_crossentropy")
    for name in formats:
        (tmp_path / f"model.{name}").write_bytes(nn.io.save(model, name))
    np.save(tmp_path / "x.npy", X)
    (said,) = python(PREDICTED, part, tmp_path)
    want = model.predict_on_batch(X)
    assert said == f"{want[0].argmax()} 4"
    for name in formats:
        found = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(found, want, atol=1e-6, rtol=0, err_msg=name)


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "What such a page lacks is missed by name",
)
def test_what_is_not_there_is_missed_by_name(part: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.npz"
    file.write_bytes(nn.io.save(network(optimizer="adam", loss="sparse_categorical_crossentropy")))
    lines = python(REFUSED, part, file)
    said = "received the part for usual predictions"
    missing = [
        "nn.training.step", "nn.training.loop", "nn.losses", "nn.optimizers", "nn.metrics",
        "nn.io.checkpoint", "nn.io.keras.keras3", "nn.data.loading.tables", "",
        "nn.callbacks", "nn.io.onnx", "nn.io.keras.legacy_h5", "nn.io.weights",
    ]  # fmt: skip
    for line, name in zip(lines, missing, strict=True):
        if name:
            archive, what = lazy.archive(name)
            assert line.startswith(f"MissingPartError {name}: expected {what}, {said}"), line
            assert f"static/vendor/python/{archive}" in line
        else:
            assert line == "AttributeError module 'nn' has no attribute 'nothing'"


def test_a_model_that_was_compiled_is_loaded_without_its_training() -> None:
    model = network(optimizer="adam", loss="sparse_categorical_crossentropy")
    for name in ("npz", "keras"):
        loaded = nn.io.load(nn.io.save(model, name), compile=False)
        assert loaded.memory()["optimizer_bytes"] == 0
        with pytest.raises(nn.errors.NotCompiledError):
            loaded.test_on_batch(X, np.arange(3))
        np.testing.assert_array_equal(loaded.predict_on_batch(X), model.predict_on_batch(X))
    assert nn.io.load(nn.io.save(model)).memory()["optimizer_bytes"] > 0


@pytest.mark.parametrize("package", [nn, nn.data, nn.layers], ids=lambda package: package.__name__)
def test_a_checker_and_python_find_the_same_names(package: Any) -> None:
    """What is imported under TYPE_CHECKING, what is looked up, and `__all__`."""
    tree = ast.parse(Path(package.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    checked: dict[str, Any] = {}
    for statement in block.body:
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                star = HOMES_OF_LAYERS if alias.name == "*" else {alias.name: statement.module}
                checked |= star
    homes = homes_of(package)
    homes |= dict.fromkeys(getattr(package, "MODULES", ()), package.__name__)
    assert checked == homes
    besides = {"deserialize"} if package is nn.layers else set()
    assert set(package.__all__) == set(homes) | besides
    assert set(package.__all__) <= set(dir(package))
    for name, module in homes.items():
        if module != package.__name__:
            assert getattr(package, name) is getattr(importlib.import_module(module), name)


def homes_of(package: Any) -> dict[str, str]:
    return {name: module for module, names in package.HOMES.items() for name in names}


HOMES_OF_LAYERS = homes_of(nn.layers)


def test_each_public_name_stands_at_most_twice_in_the_package_that_has_it() -> None:
    for package in (nn, nn.data, nn.layers):
        text = Path(package.__file__).read_text()
        code = text.split('"""', 2)[2]
        others = {"deserialize", "Input", "Layer", *getattr(package, "MODULES", ())}
        for name in set(package.__all__) - others:
            assert len(re.findall(rf"(?<!\.)\b{name}\b(?!\.)", code)) <= 2, (package, name)


def test_a_layer_is_found_by_the_name_of_its_class_alone() -> None:
    for name, found in nn.layers.CLASSES.items():
        assert found.__name__ == name
        assert issubclass(found, nn.Layer)
    for layer in (nn.Dense(2, name="d"), nn.Sequential([nn.Input((2,)), nn.Dense(1)])):
        settings = {"class_name": type(layer).__name__, "config": layer.get_config()}
        made = nn.layers.deserialize(settings)
        assert type(made) is type(layer)
        assert made.get_config() == layer.get_config()
    with pytest.raises(nn.errors.ConfigError, match="received 'Denser'"):
        nn.layers.deserialize({"class_name": "Denser", "config": {}})


METHODS = ("compile", "fit", "evaluate", "predict", "predict_on_batch", "train_on_batch",
           "test_on_batch")  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_help_on_a_method_of_a_model_lists_its_parameters(name: str) -> None:
    method = getattr(nn.Model, name)
    parameters = list(inspect.signature(method).parameters.values())
    assert parameters[0].name == "self"
    assert len(parameters) > 1
    assert inspect.getdoc(method)
    said = pydoc.render_doc(method, renderer=pydoc.plaintext)
    assert re.search(rf"{name}\(\s*self,\s", said)
    asked = {"fit", "evaluate", "predict"}
    assert inspect.iscoroutinefunction(method) == (name in asked)
