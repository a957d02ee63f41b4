"""Every class has Keras' arguments, in Keras' order, with Keras' defaults; what is left out is
refused by name, and so is what Keras refuses."""

from __future__ import annotations

import inspect
import re
from typing import Any

import keras
import nn
import numpy as np
import pytest
from nn.keras_arguments import OLDER, left_out
from nn.training.step import COMPILE_LEFT_OUT

from tests.support.metrics import REQUIRED

EMPTY = inspect.Parameter.empty

# Arguments of Keras' private base classes, which no caller of the public class can give.
PRIVATE = {"cell", "pool_dimensions", "pool_mode", "rank", "bounding_box_format", "factor"}


def arguments(cls: type) -> dict[str, Any]:
    """Return name -> default of all arguments that `cls` takes, its bases' included."""
    found: dict[str, Any] = {}
    inherited = False
    for base in cls.__mro__:
        if "__init__" not in vars(base) or base is object:
            continue
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
        for p in parameters:
            needed = inherited and p.default is EMPTY  # what a class itself gives to its base
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and not needed:
                found.setdefault(p.name, p.default)
        inherited = True
        if not any(p.kind == p.VAR_KEYWORD for p in parameters):
            break
    return found


def positional(cls: type) -> list[str]:
    """Return the names that may be given by place."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
    return [p.name for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]


def pairs() -> list[Any]:
    modules = [
        (nn.layers.CLASSES, keras.layers),
        (nn.losses.CLASSES, keras.losses),
        (nn.metrics.CLASSES, keras.metrics),
        (nn.optimizers.CLASSES, keras.optimizers),
        (nn.schedules.CLASSES, keras.optimizers.schedules),
        ({n: getattr(nn.callbacks, n) for n in CALLBACKS}, keras.callbacks),
        (nn.initializers.CLASSES, keras.initializers),
        (nn.regularizers.CLASSES, keras.regularizers),
        (nn.constraints.CLASSES, keras.constraints),
    ]
    return [
        pytest.param(ours, getattr(theirs, name), id=name)
        for classes, theirs in modules
        for name, ours in classes.items()
        if name not in OURS_ALONE
    ]


CALLBACKS = (
    "CSVLogger", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler",
    "ModelCheckpoint", "ReduceLROnPlateau", "TerminateOnNaN",
)  # fmt: skip
OURS_ALONE = {
    "ConfusionMatrix", "ConstantArray", "ConvLSTM2DCell", "Divide", "GetItem", "Log", "Matmul",
    "OneCycle", "Power", "RandomHeight", "RandomWidth", "ThresholdedReLU",
}  # fmt: skip


def same(name: str, cls: type, ours: Any, theirs: Any) -> bool:
    # A base class of Keras needs what its public class gives it.
    if name == "pool_size" and theirs is EMPTY:
        return True
    if name == "name" and ours is None:  # made from the class: compared below
        return True
    return bool(one(ours) == one(theirs)) and (ours is EMPTY) == (theirs is EMPTY)


def one(default: Any) -> Any:
    """Return the number that a nested tuple repeats: Keras takes it for every axis."""
    if not isinstance(default, tuple) or not default:
        return default
    numbers = {one(item) for item in default}
    return numbers.pop() if len(numbers) == 1 else default


@pytest.mark.parametrize(("ours", "theirs"), pairs())
def test_takes_the_arguments_of_keras_with_their_defaults(ours: type, theirs: type) -> None:
    mine, wanted, refused = arguments(ours), arguments(theirs), left_out(ours)
    missing = {k for k in wanted if k not in mine and k not in refused} - PRIVATE
    assert not missing
    for name, default in wanted.items():
        if name in mine:
            assert same(name, ours, mine[name], default), name
        elif name in refused:
            assert refused[name][0] == default, name


@pytest.mark.parametrize(("ours", "theirs"), pairs())
def test_takes_them_in_the_order_of_keras(ours: type, theirs: type) -> None:
    order = [n for n in positional(theirs) if n not in left_out(ours)]
    assert positional(ours) == order[: len(positional(ours))]


@pytest.mark.parametrize(("ours", "theirs"), pairs())
def test_refuses_what_is_left_out_by_name_and_says_why(ours: type, theirs: type) -> None:
    needed = {n: EXAMPLES[n] for n, d in arguments(ours).items() if d is EMPTY}
    if ours in GIVEN:
        needed = GIVEN[ours]
    for name, (default, reason) in left_out(ours).items():
        ours(**needed, **{name: default})
        with pytest.raises(nn.errors.ConfigError, match=name) as caught:
            ours(**needed, **{name: "another"})
        assert reason in str(caught.value)
    if left_out(ours):
        with pytest.raises(TypeError, match="no_such_argument"):
            ours(**needed, no_such_argument=1)


EXAMPLES = {
    "units": 2, "filters": 2, "kernel_size": 2, "input_dim": 2, "output_dim": 2, "rate": 0.1,
    "stddev": 0.1, "activation": "relu", "target_shape": (2,), "dims": (1,), "height": 2,
    "width": 2, "scale": 2.0, "num_classes": 2, "filename": "x", "filepath": "x.keras",
    "schedule": abs, "initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.5,
    "first_decay_steps": 2, "boundaries": [1],
    "values": [1.0, 2.0], "n": 2, "num_tokens": 2, "num_bins": 2, "axes": 1,
    "num_heads": 2, "key_dim": 2, "factor": 0.1, "height_factor": 0.1, "width_factor": 0.1,
    "cell": nn.LSTMCell(2), "cells": [nn.LSTMCell(2)], "layer": nn.LSTM(2),
    "target_class_ids": [0], "specificity": 0.5, "sensitivity": 0.5, "precision": 0.5,
    "recall": 0.5,
}  # fmt: skip
GIVEN: dict[type, dict[str, Any]] = {
    nn.layers.InputLayer: {"shape": (2,)},
    nn.layers.CategoryEncoding: {"num_tokens": 2},
    nn.layers.Discretization: {"num_bins": 2},
    nn.layers.HashedCrossing: {"num_bins": 2},
    nn.layers.Hashing: {"num_bins": 2},
}
NAMED = [p for p in pairs() if issubclass(p.values[1], keras.losses.Loss | keras.metrics.Metric)]


@pytest.mark.parametrize(("ours", "theirs"), NAMED)
def test_losses_and_metrics_have_the_names_of_keras(ours: Any, theirs: Any) -> None:
    required = REQUIRED.get(ours.__name__, {})
    keras.utils.clear_session(free_memory=False)  # Keras counts the metrics of a process
    assert ours(**required).name == theirs(**required).name


METHODS = ["fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"]


@pytest.mark.parametrize("name", METHODS)
def test_models_take_the_arguments_of_keras(name: str) -> None:
    def named(method: Any) -> dict[str, Any]:
        parameters = list(inspect.signature(method).parameters.values())[1:]
        return {p.name: p.default for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD}

    ours, theirs = named(getattr(nn.Model, name)), named(getattr(keras.Model, name))
    # A page has no terminal to write progress to: verbose is 0 here, "auto" in Keras.
    assert ours | {"verbose": "auto"} == theirs | {"verbose": "auto"}
    assert list(ours) == list(theirs)


METHODS = ("compile", "fit", "evaluate", "predict", "train_on_batch", "test_on_batch",
           "predict_on_batch")  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_a_models_methods_take_their_arguments_in_the_order_of_keras(name: str) -> None:
    def given_by_place(cls: type) -> list[str]:
        parameters = list(inspect.signature(getattr(cls, name)).parameters.values())[1:]
        return [p.name for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]

    wanted = [n for n in given_by_place(keras.Model) if n not in COMPILE_LEFT_OUT]
    assert given_by_place(nn.Model) == wanted
    if name == "compile":
        options = inspect.signature(keras.Model.compile).parameters
        for left, (default, _) in COMPILE_LEFT_OUT.items():
            assert options[left].default == default


def test_names_metrics_that_are_given_where_the_weights_of_the_losses_belong() -> None:
    model = nn.Sequential([nn.Input((2,)), nn.Dense(1)])
    model.compile("sgd", "mse", ["mae"])
    with pytest.raises(nn.errors.ConfigError, match="metrics is the fourth argument"):
        model.train_on_batch([[1.0, 2.0]], [[1.0]])
    with pytest.raises(nn.errors.ConfigError, match="steps_per_execution must be 1"):
        model.compile("sgd", "mse", steps_per_execution=8)


def test_how_keras_would_run_a_step_may_be_said_and_changes_nothing() -> None:
    losses = []
    for options in ({}, {"run_eagerly": True}, {"jit_compile": False}, {"jit_compile": True}):
        nn.set_random_seed(0)
        model = nn.Sequential([nn.Input((2,)), nn.Dense(1)])
        model.compile("sgd", "mse", **options)
        losses.append([model.train_on_batch([[1.0, 2.0]], [[1.0]]) for _ in range(3)])
    assert losses == losses[:1] * 4
    with pytest.raises(nn.errors.ConfigError, match="run_eagerly must be False"):
        model.compile("sgd", "mse", run_eagerly="yes")


@pytest.mark.parametrize("kind", ["loss", "metric", "optimizer", "activation", "initializer"])
def test_names_what_is_known_where_a_name_is_not(kind: str) -> None:
    module = {"loss": nn.losses, "metric": nn.metrics, "optimizer": nn.optimizers}.get(kind)
    module = module or {"activation": nn.activations, "initializer": nn.initializers}[kind]
    with pytest.raises(nn.errors.ConfigError, match=f"{kind}: expected one of .*received 'nope'"):
        module.get("nope")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.utils.pad_sequences([1, 2]), "expected sequences, received 1"),
        (lambda: nn.utils.pad_sequences([[1]], maxlen=-1), "at least 0, received -1"),
        (lambda: nn.TextVectorization(ngrams="2"), "ngrams to be a int .*received '2'"),
        (lambda: nn.TextVectorization(ngrams=[1, 0]), "at least 1, received 0"),
        (lambda: nn.TextVectorization(output_sequence_length=-1), "at least 1, received -1"),
        (lambda: nn.IntegerLookup(vocabulary=[1])(["a"]), "integer_lookup: expected"),
        (lambda: nn.schedules.CosineDecayRestarts(0.1, 5, t_mul=0.5), "at least 1, received 0.5"),
        (lambda: nn.metrics.FBetaScore(beta=0), "beta above 0, received 0"),
    ],
)
def test_wrong_arguments_are_refused_by_name(make: Any, message: str) -> None:
    with pytest.raises(nn.errors.NNError, match=message):
        make()


# Settings that Keras refuses when an object is made.

WRONG: dict[str, Any] = {
    "negative": -1, "zero": 0, "below zero": -0.5, "fraction": 1.5, "nan": float("nan"),
    "inf": float("inf"), "bool": True, "text": "abc", "tuple": (1, 2, 3, 4), "empty": (),
    "list": [1], "none": None, "dict": {"a": 1},
}  # fmt: skip
WHOLE = {"negative", "zero", "bool"}
# Argument -> values that Keras refuses and nn takes.
TAKEN: dict[str, set[str]] = {
    # True is 1, and a rate may be a whole number.
    "beta": {"bool"}, "learning_rate": WHOLE, "momentum": WHOLE, "n": {"bool"},
    "input_dim": {"bool"}, "output_dim": {"bool"}, "size": {"bool"},
    "threshold": {"bool", "negative", "below zero"},
    # What is computed is what the formula says.
    "max_value": {"negative", "below zero"}, "negative_slope": {"negative", "below zero"},
    # Files of Keras 2 hold it.
    "stddev": {"fraction"},
    # Keras takes any value that is true for True, and there is one device.
    "synchronized": {*WRONG},
    "weight_decay": {"none"},  # no decay
    "height_factor": {"negative"}, "width_factor": {"negative"},  # -1 is never drawn
    # Refused where it is first used.
    "weights": {*WRONG},
}  # fmt: skip
REFUSALS = (nn.errors.NNError, TypeError, OSError)  # a text may name a file
NOT_HERE = {"name", "trainable", "dtype", "layer", "cell", "cells", "filename", "filepath"}
KERAS = {
    "layer": lambda: keras.layers.LSTM(2),
    "cell": lambda: keras.layers.LSTMCell(2),
    "cells": lambda: [keras.layers.LSTMCell(2)],
}


def needed_by(ours: type, name: str) -> dict[str, Any]:
    needed = {n: EXAMPLES[n] for n, d in arguments(ours).items() if d is EMPTY and n in EXAMPLES}
    return REQUIRED.get(name, GIVEN.get(ours, needed))


def refused(make: Any, settings: dict[str, Any], errors: Any) -> bool:
    try:
        make(**settings)
    except errors:
        return True
    return False


@pytest.mark.parametrize(("ours", "theirs"), pairs())
def test_refuses_the_settings_that_keras_refuses(ours: type, theirs: type) -> None:
    own = needed_by(ours, ours.__name__)
    ours(**own)
    other = {k: KERAS[k]() if k in KERAS else v for k, v in own.items()}
    if refused(theirs, other, Exception):  # needs TensorFlow
        other = {}
    taken = set()
    for argument in arguments(ours).keys() & arguments(theirs).keys() - NOT_HERE:
        for kind, value in WRONG.items():
            takes = not refused(ours, own | {argument: value}, REFUSALS)
            if takes and other and refused(theirs, other | {argument: value}, Exception):
                taken.add((argument, kind))
    assert {(a, k) for a, k in taken if k not in TAKEN.get(a, ())} == set()


NUMBERS = {"epsilon": nn.LayerNormalization, "momentum": nn.BatchNormalization, "rho": nn.RMSprop}


@pytest.mark.parametrize("kind", ["text", "tuple", "empty", "list", "none", "dict"])
@pytest.mark.parametrize("argument", NUMBERS)
def test_a_number_is_a_number_from_the_beginning(argument: str, kind: str) -> None:
    with pytest.raises(nn.errors.ConfigError, match=f"expected {argument} to be a float, received"):
        NUMBERS[argument](**{argument: WRONG[kind]})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: nn.MaxPooling2D(2, strides=0), "strides must be a positive int"),
        (lambda: nn.MultiHeadAttention(2, 3, value_dim=0), "value_dim must be a positive int"),
        (lambda: nn.MultiHeadAttention(2, 3, dropout=1.5), "dropout must be between 0 and 1"),
        (lambda: nn.Rescaling(None), "expected scale and offset to be numbers"),
        (lambda: nn.PReLU(shared_axes=[2])(np.ones((1, 2))), "expected shared axes from 1 to 1"),
        (lambda: nn.Adam("fast"), "learning_rate: expected a number or a schedule"),
        (lambda: nn.regularizers.L2(-0.1), "expected l1, l2 of at least 0"),
    ],
)
def test_a_value_out_of_range_is_not_taken_for_another(make: Any, said: str) -> None:
    with pytest.raises(nn.errors.ConfigError, match=said):
        make()


# Of files and of base classes; rms_scaling is RMSNormalization's here.
OLDER_ELSEWHERE = {
    ("Layer", "input_dim"), ("Layer", "input_shape"), ("LayerNormalization", "rms_scaling"),
    ("TextVectorization", "has_input_vocabulary"), ("TextVectorization", "vocabulary_size"),
}  # fmt: skip


def older_arguments() -> set[tuple[str, str]]:
    """Return the class and the name of each argument that only the code of Keras' layers names."""
    taken = r'kwargs\.pop\(\s*"(\w+)"'
    return {
        (name, argument)
        for name, kind in vars(keras.layers).items()
        if isinstance(kind, type) and inspect.isfunction(kind.__init__)
        for argument in re.findall(taken, inspect.getsource(kind.__init__))
    }


def test_the_older_arguments_that_keras_takes_are_those_that_are_taken_here() -> None:
    assert older_arguments() == {*OLDER, *OLDER_ELSEWHERE}


VALUES = {"input_length": 4, "implementation": 1, "alpha": 0.25, "input_shape": (3,),
          "batch_input_shape": (2, 3)}  # fmt: skip
FIRST: dict[str, list[int]] = {"Embedding": [5, 3], "InputLayer": [], "LeakyReLU": []}


@pytest.mark.parametrize(("kind", "argument"), OLDER)
@pytest.mark.filterwarnings("ignore:Argument")
def test_an_older_argument_means_what_it_means_in_keras(kind: str, argument: str) -> None:
    given, options = FIRST.get(kind, [3]), {argument: VALUES[argument]}
    theirs = getattr(keras.layers, kind)(*given, **options)
    ours = getattr(nn.layers, kind)(*given, **options)
    name = OLDER[kind, argument]
    if name == "":
        assert argument not in ours.get_config()
    elif kind == "InputLayer":
        assert ours.output.shape[1:] == theirs.batch_shape[1:]
    else:
        assert getattr(ours, name) == getattr(theirs, name) == VALUES[argument]
