"""Public functions of the engine say themselves what is wrong with an argument."""

import asyncio
import contextlib
import importlib
import inspect
import io
import random
import zipfile
from functools import partial
from pathlib import Path

import nn
import numpy as np
import pytest
from nn.errors import ConfigError, DataError, NNError
from nn.layers import functional

from tests.support.metrics import metric

LONG = 10**30
WRONG = [
    None, "x", 5, -1, 3.7, float("nan"), float("inf"), LONG, True, [], {}, object(), b"x",
    np.array("a"), [[1], [2, 3]], (1, "a"), np.ones((2, 2, 2)), len, np.float32,
]  # fmt: skip
LEFT_OUT = {
    "kernels": "trust the layers, which call them for each batch",
    "applications.EfficientNetLite0": "builds a network for each call: below, with a part of them",
    "applications.MobileNetV2": "as EfficientNetLite0",
    "datasets.mnist.load_data": "takes the text of anything for a path, and reads much for None",
    "backend.clear_session": "collects garbage, whatever it is given",
    "utils.clear_session": "as backend.clear_session",
    "distribution.follow": "serves until its leader ends",
    "distribution.join": "is given its arguments by the team",
    "losses.fit_weight": "is for losses, which check what they are given",
    "losses.masked_weight": "is for losses",
    "losses.matching": "is for losses",
    "losses.same_rank": "is for losses",
    "metrics.fitting": "is for the training step",
}
NAMESPACES = {"": nn, "layers.functional": functional} | {
    name: importlib.import_module(f"nn.{name}") for name in [*nn.MODULES, "datasets.mnist"]
}
MODEL = nn.Sequential([nn.Input((4,), name="in"), nn.layers.Dense(3, name="one")])
MODEL.compile("sgd", "mse")
WEIGHTS = MODEL.get_weights()
NPZ = nn.io.save(MODEL)
DIGITS = nn.data.write_idx(np.zeros((2, 2), np.uint8))
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU"
    b"\x00\x00\x00\nIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82"
)


def _zip():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/1.png", PNG)
    return file.getvalue()


def _pair():
    return [nn.Input((4,)), nn.Input((4,))]


def given(*args, **options):
    return args, options


def _keras(name, made):
    module = NAMESPACES[name]
    return {f"{name}.get": given(made), f"{name}.serialize": given(module.get(made))}


ONES = np.ones((2, 3), np.float32)
CALLS = {
    "layers.functional.serialize": given(nn.layers.Dense(2)),
    "metrics.serialize": given(nn.metrics.AUC()),
    **{f"ops.{n}": given(ONES) for n in ("exp", "gelu", "log", "log_softmax", "reciprocal", "rsqrt",
       "softmax", "sqrt", "square", "squeeze", "transpose")},
    **{f"ops.{n}": given(ONES, 1, False) for n in ("amax", "amin", "max", "mean", "min", "sum")},
    **{f"ops.{n}": given(ONES) for n in ("abs", "absolute", "negative")},
    **{f"ops.{n}": given(ONES, ONES) for n in ("add", "divide", "maximum", "minimum", "multiply",
       "power", "subtract", "true_divide")},
    "ops.matmul": given(ONES, ONES.T), "ops.split": given(ONES, 2, 0),
    **{f"ops.{n}": given([ONES, ONES], 1) for n in ("concatenate", "stack")},
    **{f"ops.{n}": given(ONES, 0, 1) for n in ("clip", "moveaxis", "swapaxes")},
    "ops.cast": given(ONES, "float64"), "ops.expand_dims": given(ONES, 1),
    "ops.one_hot": given([1], 3), "ops.reshape": given(ONES, (3, 2)),
    "Input": given((4,), 2, "float32", "in"),
    **{f"backend.{n}": given() for n in ("backend", "epsilon", "floatx", "image_data_format")},
    "backend.set_floatx": given("float32"),
    "backend.set_image_data_format": given("channels_last"),
    "check_gradients": given(MODEL, np.ones((2, 4)), samples=None, epsilon=1e-6),
    "epsilon": given(),
    "floatx": given(),
    "parse_idx": given(DIGITS, rank=2, limit=1000),
    "set_floatx": given("float32"),
    "set_random_seed": given(1),
    **_keras("activations", "relu"),
    **_keras("constraints", "non_neg"),
    **_keras("initializers", "zeros"),
    **_keras("losses", "mse"),
    **_keras("optimizers", "sgd"),
    **_keras("regularizers", "l2"),
    **_keras("schedules", {"class_name": "ExponentialDecay", "config": {
        "initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}}),
    "metrics.get": given("mse"),
    "initializers.fans": given((2, 3)),
    "applications.decode_predictions": given(np.ones((1, 1000)), 3),
    "applications.load_image": given(np.zeros((4, 4, 3), np.uint8), "mobilenet"),
    "applications.preprocess_input": given(np.ones((1, 4, 4, 3)), "mobilenet"),
    "applications.set_folder": given("folder"),
    "data.parse_csv": given("a,b\n1,2\n3,4\n", label=-1, header=True),
    "data.parse_idx": given(DIGITS, rank=2, limit=1000),
    "data.parse_image_zip": given(_zip(), size=(2, 2), channels=3, limit=1000),
    "data.parse_png": given(PNG, limit=1000),
    "data.read_image_zip": given(_zip(), size=(2, 2), channels=3, limit=1000),
    "data.resize": given(np.zeros((4, 4, 3), np.uint8), 2, 2, "nearest"),
    "data.write_idx": given(np.zeros((2, 2), np.uint8)),
    "distribution.distribution": given(),
    "distribution.initialize": given(nn.distribution.Alone()),
    "distribution.set_distribution": given(None),
    "federated.add_gaussian_noise": given(WEIGHTS, 0.1, np.random.default_rng(0)),
    "federated.clip_update": given(WEIGHTS, WEIGHTS, 1.0),
    "federated.fedavg": given([(WEIGHTS, 1), (WEIGHTS, 2)]),
    "federated.from_buffer": given(bytes(24), [(2, 3)]),
    "federated.gaussian_deviation": given(1.0, epsilon=2.0, delta=1e-5),
    "federated.median": given([WEIGHTS, WEIGHTS]),
    "federated.to_buffer": given(WEIGHTS),
    "federated.trimmed_mean": given([WEIGHTS, WEIGHTS, WEIGHTS], 0.2),
    "federated.update_norm": given(WEIGHTS),
    "io.format_of": given("a.npz"),
    "io.load": given(NPZ, "npz"),
    "io.load_weights": given(MODEL, NPZ),
    "io.load_with_fallback": given(NPZ, NPZ),
    "io.save": given(MODEL, "npz"),
    "io.save_weights": given(MODEL, "npz"),
    "io.sniff": given(NPZ),
    "layers.Input": given((4,), 2, "float32", "in"),
    "layers.deserialize": given({"class_name": "Dense", "config": {"units": 3}}, {}),
    **{f"layers.functional.{name}": given(_pair()) for name in (
        "add", "average", "maximum", "minimum", "multiply", "subtract")},
    "layers.functional.concatenate": given(_pair(), -1),
    "layers.functional.dot": given(_pair(), 1, False),
    "models.clone_model": given(MODEL, None),
    "models.load_model": given(NPZ, {}, True, True),
    "models.load_weights": given(MODEL, NPZ),
    "models.model_from_json": given(MODEL.to_json(), {}),
    "models.save_model": given(MODEL, "a.npz"),
    "models.save_weights": given(MODEL, "a.npz"),
    "quantize.choose_dtypes": given(["a", "b"], {"uint8": "a"}),
    "quantize.quantize": given(np.ones(3), "uint8"),
    "quantize.quantize_arrays": given({"a": np.ones(3)}, {"uint8": "a"}),
    **{f"{space}.{name}": call for space in ("saving", "utils") for name, call in {
        "custom_object_scope": given({"mine": len}), "get_custom_objects": given(),
        "CustomObjectScope": given({}),
        "get_registered_name": given(len), "get_registered_object": given("mine", {}),
        "register_keras_serializable": given("mine", "len")}.items()},
    "saving.load_model": given(NPZ, {}, True, True),
    "saving.load_weights": given(MODEL, NPZ),
    "saving.save_model": given(MODEL, "a.npz"),
    "saving.save_weights": given(MODEL, "a.npz"),
    "utils.array_to_img": given(np.ones((2, 2, 3)), "channels_last", True, "float32"),
    "utils.img_to_array": given(np.ones((2, 2, 3)), "channels_last", "float32"),
    "utils.load_img": given(io.BytesIO(PNG), "rgb", (2, 2), "nearest", False),
    "utils.save_img": given("a.png", np.ones((2, 2, 3)), "channels_last", "png", True),
    "utils.timeseries_dataset_from_array": given(
        np.ones((9, 2)), np.ones(9), 2, 1, 1, 4, False, 1, 0, 9),
    "utils.model_to_svg": given(MODEL, True, "TB"),
    "utils.normalize": given(np.ones((2, 3)), -1, 2),
    "utils.pad_sequences": given([[1, 2], [3]], 3, "int32", "pre", "pre", 0.0),
    "utils.plot_model": given(MODEL, "a.svg", True, "TB"),
    "utils.set_random_seed": given(1),
    "utils.to_categorical": given([0, 1, 2], 3),
}  # fmt: skip
"""Name of each function -> a good call's arguments, by place and by name."""


def _function(name):
    space, _, function = name.rpartition(".")
    return getattr(NAMESPACES[space], function)


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """Settings of the whole engine, and the folder, as they were."""
    monkeypatch.chdir(tmp_path)
    state = np.random.get_state(), random.getstate()
    for name in ("nn.config._floatx", "nn.config._rng", "nn.distribution.data_parallel._group",
                 "nn.training.step._distribution"):  # fmt: skip
        module, _, key = name.rpartition(".")
        place = importlib.import_module(module)
        monkeypatch.setattr(place, key, getattr(place, key))
    chosen = importlib.import_module("nn.applications.published")._chosen
    monkeypatch.setattr("nn.applications.published._chosen", list(chosen))
    yield
    np.random.set_state(state[0])
    random.setstate(state[1])


def _run(function, args, options):
    found = function(*args, **options)
    return asyncio.run(found) if inspect.isawaitable(found) else found


def _wrong(args, options, values=WRONG):
    """Yield the arguments of a good call with each of them replaced by each wrong value."""
    for bad in values:
        for place in range(len(args)):
            yield (*args[:place], bad, *args[place + 1 :]), options
        for name in options:
            yield args, options | {name: bad}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_a_function_says_itself_what_is_wrong_with_an_argument(name, alone):
    args, options = CALLS[name]
    function = _function(name)
    _run(function, args, options)
    raw = []
    for values, named in _wrong(args, options):
        try:
            _run(function, values, named)
        except (NNError, FileNotFoundError, FileExistsError, MemoryError) as error:
            if "AttributeError" in str(error):
                raw.append((values, named, error))
        except Exception as error:
            raw.append((values, named, error))
    assert raw == []


def test_every_public_function_is_called_with_wrong_arguments():
    public = {
        f"{space}.{name}".lstrip(".")
        for space, module in NAMESPACES.items()
        for name in getattr(module, "__all__", vars(module))
        if name[0] != "_"
        and inspect.isfunction(getattr(module, name))
        and getattr(module, name).__module__.startswith("nn.")
    }
    missing = {n for n in public - set(CALLS) if not {n, n.split(".")[0]} & set(LEFT_OUT)}
    assert missing == set()


@pytest.mark.parametrize(("module", "kind"), [
    ("constraints", "MaxNorm"), ("initializers", "Zeros"), ("losses", "Poisson"),
    ("metrics", "AUC"), ("optimizers", "Adam"), ("regularizers", "L2"),
    ("schedules", "ExponentialDecay"),
])  # fmt: skip
@pytest.mark.parametrize("settings", [5, "x", [1], [["name", "a"]], {5: 1}], ids=repr)
def test_the_settings_of_a_description_are_a_dict_by_name(module, kind, settings):
    with pytest.raises(ConfigError, match=f"{kind}: expected settings, received"):
        getattr(nn, module).get({"class_name": kind, "config": settings})


X, Y = np.zeros((2, 4)), np.zeros((2, 3))
METHODS = {
    "compile": given("sgd", "mse", None, None, None, device="cpu", run_eagerly=False,
                     jit_compile="auto"),
    "evaluate": given(X, Y, 2, 0, None, None, None, False, on_test_end=None),
    "fit": given(X, Y, 2, 1, 0, None, 0.0, None, True, None, None, 0, None, None, None, 1,
                 seed=1, prefetch=0, resume=False, on_epoch_end=None),
    "get_layer": given("one", None),
    "predict": given(X, 2, 0, None, None),
    "predict_on_batch": given(X),
    "profile": given(X, repeats=1),
    "save": given("a.npz", True),
    "save_weights": given("a.npz", True),
    "set_weights": given(WEIGHTS),
    "summary": given(None, None, str, False, False, ["one", "one"]),
    "test_on_batch": given(X, Y, None, False),
    "train_on_batch": given(X, Y, None, None, False),
}  # fmt: skip
"""Name of each method of a model that users give arguments -> a good call's."""


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.filterwarnings("ignore")
def test_a_method_of_a_model_says_itself_what_is_wrong_with_an_argument(name, alone):
    args, options = METHODS[name]
    _run(getattr(MODEL, name), args, options)
    values = [bad for bad in WRONG if not callable(bad) and bad is not LONG]  # epochs
    raw = []
    for given_, named in _wrong(args, options, [*values, np.array([1, 2]), np.array([])]):
        model = nn.models.clone_model(MODEL)
        model.compile("sgd", "mse")
        try:
            _run(getattr(model, name), given_, named)
        except (NNError, FileNotFoundError, FileExistsError):
            continue
        except Exception as error:
            raw.append((given_, named, error))
    assert raw == []


CALLBACKS = {
    "CSVLogger": {"filename": Path("log.csv"), "separator": ",", "append": False},
    "EarlyStopping": {"monitor": "loss", "mode": "min", "baseline": None, "patience": 1},
    "LambdaCallback": {"on_epoch_end": None, "on_batch_end": None},
    "LearningRateScheduler": {"schedule": lambda epoch: 0.1, "verbose": 0},
    "ModelCheckpoint": {"filepath": "a.npz", "monitor": "loss", "save_freq": "epoch"},
    "ProgbarLogger": {"write": str},
    "ReduceLROnPlateau": {"monitor": "loss", "factor": 0.5, "min_lr": 0.0},
    "TerminateOnNaN": {"raise_error": True},
}


@pytest.mark.parametrize("name", CALLBACKS)
@pytest.mark.filterwarnings("ignore")
def test_a_callback_says_itself_what_is_wrong_with_an_argument(name, alone):
    def fitted(**options):
        model = nn.models.clone_model(MODEL)
        model.compile("sgd", "mse")
        asyncio.run(model.fit(X, Y, callbacks=[getattr(nn.callbacks, name)(**options)]))

    fitted(**CALLBACKS[name])
    for _, options in _wrong((), CALLBACKS[name], [bad for bad in WRONG if not callable(bad)]):
        with contextlib.suppress(NNError):
            fitted(**options)


def test_a_data_set_says_itself_what_is_wrong_with_an_argument():
    good = {"x": X, "y": Y, "scale": 1.0, "offset": 0.0, "class_names": ["a"]}
    nn.Dataset(**good)
    for _, options in _wrong((), good):
        with contextlib.suppress(NNError):
            nn.Dataset(**options)
    for wrong in (5, "x", None, [[1], [2, 3]]):
        with pytest.raises(NNError, match=r"Dataset: .*received"):
            nn.Dataset(wrong)


@pytest.mark.parametrize("path", ["model.keras", Path("model.keras"), 5])
@pytest.mark.parametrize("name", ["io.load", "io.sniff", "parse_idx", "data.parse_png",
                                  "data.parse_image_zip"])  # fmt: skip
def test_a_path_is_no_file(name, path):
    with pytest.raises(DataError, match=r"expected the bytes of a file \(not its path\)"):
        _function(name)(path)


def test_a_clone_is_made_by_a_function():
    with pytest.raises(ConfigError, match="expected clone_function to be a Callable"):
        nn.models.clone_model(MODEL, None, "x")
    with pytest.raises(ZeroDivisionError):  # of the function itself
        nn.models.clone_model(MODEL, None, lambda layer: 1 / 0)


@pytest.mark.parametrize("wrong", [
    {"input_shape": 5}, {"input_shape": None}, {"input_shape": ("a", 32, 3)}, {"weights": 5},
    {"pooling": []}, {"alpha": "x"}, {"alpha": float("nan")},
])  # fmt: skip
def test_a_network_says_itself_what_is_wrong_with_an_argument(wrong):
    networks = [nn.applications.EfficientNetLite0] * ("alpha" not in wrong)
    for network in (nn.applications.MobileNetV2, *networks):
        with pytest.raises(NNError, match="expected"):
            asyncio.run(network(**{"weights": None} | wrong))


ACTIVATIONS = [*nn.activations.names(), "glu"]


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.filterwarnings("ignore")
def test_an_activation_says_itself_what_is_no_array(name):
    function = getattr(nn.activations, name)
    for x in WRONG:
        try:
            function(x)
        except NNError as error:
            assert "received" in str(error)  # noqa: PT017


@pytest.mark.parametrize(("name", "option"), [
    ("celu", "alpha"), ("elu", "alpha"), ("glu", "axis"), ("hard_shrink", "threshold"),
    ("leaky_relu", "negative_slope"), ("log_softmax", "axis"), ("relu", "max_value"),
    ("relu", "negative_slope"), ("relu", "threshold"), ("softmax", "axis"), ("sparsemax", "axis"),
])  # fmt: skip
@pytest.mark.parametrize("wrong", ["x", [1, 2], np.ones(3)], ids=repr)
def test_an_activation_says_itself_what_is_no_option(name, option, wrong):
    with pytest.raises(ConfigError, match="received"):
        getattr(nn.activations, name)(np.ones((2, 4)), **{option: wrong})


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "relu", "sparsemax"])
def test_an_activation_of_nothing_is_nothing(name):
    for shape in ((0,), (2, 0), (0, 2)):
        assert getattr(nn.activations, name)(np.zeros(shape)).shape == shape


EMPTY = [
    np.zeros((3, 0)),
    np.zeros((0, 3)),
    np.zeros(0),
    np.zeros((2, 3, 1)),
    np.ones((2, 3), bool),
]
ARRAY = np.full((2, 3), 0.25)


@pytest.mark.parametrize("name", nn.losses.FUNCTIONS)
@pytest.mark.filterwarnings("ignore")
def test_a_loss_says_itself_what_does_not_fit(name):
    loss = nn.losses.get(name)
    for wrong in [*WRONG, *EMPTY]:
        for given in ((wrong, ARRAY), (ARRAY, wrong), (wrong, wrong), ([1, 2], wrong)):
            for call in (loss, nn.losses.FUNCTIONS[name]):
                with contextlib.suppress(NNError):
                    call(*given)
        for labels in (ARRAY, [1, 2]):
            with contextlib.suppress(NNError):
                loss(labels, ARRAY, wrong)


@pytest.mark.parametrize("name", ["MeanSquaredError", "MeanAbsoluteError"])
@pytest.mark.parametrize("dtype", [np.float16, np.uint8, np.int8, bool])
def test_numbers_of_few_bits_are_compared_as_floats(name, dtype):
    true, pred = np.array([[0, 1, 100]], dtype), np.array([[1, 1, 0]], dtype)
    error = pred.astype(float) - true.astype(float)
    expected = np.abs(error).mean() if "Absolute" in name else np.square(error).mean()
    for made in (getattr(nn.losses, name)(), getattr(nn.metrics, name)()):
        assert made(true, pred) == pytest.approx(expected)
    big = np.array([[300.0]], np.float16), np.array([[0.0]], np.float16)
    assert nn.metrics.RootMeanSquaredError()(*big) == nn.losses.MeanAbsoluteError()(*big) == 300
    assert nn.losses.MeanSquaredError()(*big) == 90_000  # more than 16 bits hold


@pytest.mark.parametrize("name", nn.metrics.CLASSES)
@pytest.mark.filterwarnings("ignore")
def test_a_metric_says_itself_what_does_not_fit(name):
    for wrong in [*WRONG, *EMPTY]:
        for given in ((wrong, wrong), (ARRAY, wrong), (wrong, ARRAY), ([1, 2], wrong),
                      (ARRAY, ARRAY, wrong), ([1, 2], ARRAY, wrong)):  # fmt: skip
            with contextlib.suppress(NNError):
                metric(name)(*given)


@pytest.mark.parametrize("made", [nn.losses.Dice, nn.losses.Tversky,
                                  nn.metrics.ConcordanceCorrelation, nn.metrics.PearsonCorrelation,
                                  partial(nn.metrics.OneHotMeanIoU, 3)])  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_an_axis_is_a_whole_number_that_the_outputs_have(made):
    for axis in [*WRONG, (0, 5), [0, 0], [True]]:
        with contextlib.suppress(NNError):
            made(axis=axis)(ARRAY, ARRAY)
    for axis in ("x", 5, 3.7, len):
        with pytest.raises(NNError, match=r"axis.* received"):
            made(axis=axis)(ARRAY, ARRAY)
