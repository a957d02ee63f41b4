"""What is no argument at all is refused by a typed error wherever it is handed in."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nn
import numpy as np
import pytest
from nn.errors import ConfigError, ShapeError

GARBAGE: list[Any] = [
    None, object(), -1, "", [], b"", float("nan"), 1.5, {}, (None,), (None, -1), "\ud800",
    [None, [object()]], 10**30,
]  # fmt: skip
X, Y = np.zeros((2, 4)), np.zeros((2, 2))


def small() -> Any:
    model = nn.Sequential([nn.Input((4,)), nn.Dense(2)])
    model.compile("sgd", "mse")
    return model


def fitted(**options: Any) -> Any:
    return small().fit(**{"x": X, "y": Y, "verbose": 0} | options)


LAYERS = {
    "BatchNormalization": {}, "Conv1D": {"filters": 2, "kernel_size": 2}, "Flatten": {},
    "Conv2D": {"filters": 2, "kernel_size": 2}, "Dense": {"units": 2}, "Dot": {"axes": 1},
    "Embedding": {"input_dim": 3, "output_dim": 2}, "GRU": {"units": 2}, "LSTM": {"units": 2},
    "MaxPooling2D": {}, "MultiHeadAttention": {"num_heads": 1, "key_dim": 2},
    "RepeatVector": {"n": 2}, "Reshape": {"target_shape": (-1,)}, "UpSampling2D": {},
    "ZeroPadding1D": {},
}  # fmt: skip


def a_layer(kind: str) -> Any:
    return nn.layers.CLASSES[kind](**LAYERS[kind])


ENTRIES: dict[str, Callable[[Any], Any]] = {
    **{f"{kind}.build": lambda v, kind=kind: a_layer(kind).build(v) for kind in LAYERS},
    **{
        f"{kind}.compute_output_shape": lambda v, kind=kind: a_layer(kind).compute_output_shape(v)
        for kind in LAYERS
    },
    "add_weight name": lambda v: nn.Dense(2).add_weight(v, (2,)),
    "add_weight shape": lambda v: nn.Dense(2).add_weight("a", v),
    "add_weight initializer": lambda v: nn.Dense(2).add_weight("a", (2,), v),
    "add_weight regularizer": lambda v: nn.Dense(2).add_weight("a", (2,), regularizer=v),
    "add_weight constraint": lambda v: nn.Dense(2).add_weight("a", (2,), constraint=v),
    "Sequential.build": lambda v: nn.Sequential([nn.Dense(2)]).build(v),
    "Model.compute_output_shape": lambda v: small().compute_output_shape(v),
    "load_weights": lambda v: small().load_weights(v),
    "save": lambda v: small().save(v),
    "save_weights": lambda v: small().save_weights(v),
    "load_model": nn.models.load_model,
    "clone_model": nn.models.clone_model,
    "io.save": lambda v: nn.io.save(small(), v),
    "set_weights": lambda v: small().set_weights(v),
    "layer.set_weights": lambda v: small().layers[0].set_weights(v),
    "get_layer": lambda v: small().get_layer(v),
    "get_layer index": lambda v: small().get_layer(index=v),
    "add": lambda v: small().add(v),
    "Sequential": nn.Sequential,
    "Model": lambda v: nn.Model(v, v),
    "Model outputs": lambda v: nn.Model(nn.Input((3,)), v),
    "Input": nn.Input,
    "Input dtype": lambda v: nn.Input((2,), dtype=v),
    "Input batch_size": lambda v: nn.Input((2,), batch_size=v),
    "layer": lambda v: nn.Dense(2)(v),
    "model": lambda v: small()(v),
    "predict": lambda v: small().predict(v),
    "evaluate": lambda v: small().evaluate(v, Y, verbose=0),
    "fit x": lambda v: fitted(x=v),
    "fit y": lambda v: fitted(y=v),
    "fit batch_size": lambda v: fitted(batch_size=v),
    "fit callbacks": lambda v: fitted(callbacks=v),
    "fit validation_split": lambda v: fitted(validation_split=v),
    "fit validation_data": lambda v: fitted(validation_data=v),
    "fit class_weight": lambda v: fitted(class_weight=v),
    "fit sample_weight": lambda v: fitted(sample_weight=v),
    "train_on_batch": lambda v: small().train_on_batch(v, Y),
    "test_on_batch": lambda v: small().test_on_batch(X, v),
    "compile optimizer": lambda v: small().compile(v, "mse"),
    "compile loss": lambda v: small().compile("sgd", v),
    "compile metrics": lambda v: small().compile("sgd", "mse", metrics=v),
    "Dense.from_config": nn.Dense.from_config,
    "Sequential.from_config": nn.Sequential.from_config,
    "Model.from_config": nn.Model.from_config,
    "activations.get": nn.activations.get,
    "initializers.get": nn.initializers.get,
    "losses.get": nn.losses.get,
    "metrics.get": nn.metrics.get,
    "optimizers.get": nn.optimizers.get,
    "set_floatx": nn.set_floatx,
    "set_random_seed": nn.utils.set_random_seed,
    "to_categorical": nn.utils.to_categorical,
    "Dataset": lambda v: nn.data.Dataset(v, v),
}


@pytest.mark.filterwarnings("ignore")  # of a loss that is not finite
@pytest.mark.parametrize("entry", ENTRIES)
def test_garbage_works_or_is_refused_by_a_typed_error_that_says_something(
    entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for value in GARBAGE:
        try:
            found = ENTRIES[entry](value)
            if inspect.isawaitable(found):
                asyncio.run(found)
        except UnicodeError as error:
            pytest.fail(f"{entry}({value!a}): {error!r}")
        except (ValueError, TypeError, nn.errors.NNError, OSError) as error:
            if not str(error):
                pytest.fail(f"{entry}({value!a}): {error!r}")
        except Exception as error:
            pytest.fail(f"{entry}({value!a}): {error!r}")


def test_what_is_no_shape_or_path_is_refused_by_what_was_expected() -> None:
    with pytest.raises(ConfigError, match=r"dense: received an input of shape \[\]"):
        nn.Dense(2).build([])
    with pytest.raises(ShapeError, match=r"dense/a: expected a shape of whole numbers.*None"):
        nn.Dense(2).add_weight("a", None)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="dense/a: expected known sizes"):
        nn.Dense(2).add_weight("a", (2, None))  # type: ignore[arg-type]
    for call in (nn.models.load_model, small().load_weights):
        with pytest.raises(
            ConfigError, match="expected a path or the bytes of a file, received 42"
        ):
            call(42)
    with pytest.raises(ValueError, match=r"expected one that ends in \.npz.*received 'None'"):
        small().save(None)
    with pytest.raises(ConfigError, match="clone_model: expected model to be a Model, received 3"):
        nn.models.clone_model(3)
