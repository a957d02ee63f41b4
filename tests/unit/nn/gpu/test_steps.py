"""Training steps on a GPU against the same steps on the CPU: gradients, weights, losses.

Inputs are noise: where two elements of a pooled window are equal, any two engines may choose
differently.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import nn
import numpy as np
import pytest
from nn.errors import ConfigError
from nn.gpu.compiler import Source
from nn.gpu.samples import target_for
from nn.gpu.session import Session
from nn.gpu.trial import quiet

BATCH, LAST = 6, 4
Layers = Callable[[], list[Any]]


def labels(rng: Any, n: int) -> Any:
    return rng.integers(0, 5, n)


def few(rng: Any, n: int) -> Any:
    return rng.integers(0, 3, n)


def one_hot(rng: Any, n: int) -> Any:
    return np.eye(5, dtype=np.float32)[rng.integers(0, 5, n)]


def bits(rng: Any, n: int) -> Any:
    return rng.integers(0, 2, (n, 5)).astype(np.float32)


def cubic(y_true: Any, y_pred: Any) -> Any:
    return np.mean(np.where(y_true > 0, np.abs(y_pred - y_true) ** 3, np.exp(y_pred)), axis=-1)


def floats(*shape: int) -> Any:
    return lambda rng, n: rng.standard_normal((n, *shape), np.float32)


def shares(*shape: int) -> Any:
    return lambda rng, n: rng.random((n, *shape), np.float32)


def logits() -> Any:
    return nn.losses.SparseCategoricalCrossentropy(from_logits=True)


NETWORKS: dict[str, tuple[Any, Layers]] = {
    "dense layers of widths that no vector divides": (
        (7,),
        lambda: [nn.Dense(11, activation="tanh"), nn.Dense(6, activation="relu"), nn.Dense(5)],
    ),
    "dense layers over the last axis": (
        (3, 8),
        lambda: [nn.Dense(12, activation="softmax"), nn.Flatten(), nn.Dense(5)],
    ),
    "convolutions with strides and padding": (
        (9, 8, 4),
        lambda: [
            nn.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
            nn.Conv2D(5, 3, use_bias=False),
            nn.Flatten(),
            nn.Dense(5),
        ],
    ),
    "convolutions with groups and dilation": (
        (9, 8, 8),
        lambda: [
            nn.Conv2D(8, 3, groups=2, dilation_rate=2, activation="relu"),
            nn.Conv2D(8, 3, groups=4, padding="same"),
            nn.GlobalAveragePooling2D(),
            nn.Dense(5),
        ],
    ),
    "the page's network": (
        (28, 28, 1),
        lambda: [
            nn.Conv2D(8, 3, activation="relu"),
            nn.MaxPooling2D(),
            nn.Conv2D(16, 3, activation="relu"),
            nn.MaxPooling2D(),
            nn.Flatten(),
            nn.Dense(32, activation="relu"),
            nn.Dense(5),
        ],
    ),
    "batch normalization before relu": (
        (8, 8, 3),
        lambda: [
            nn.Conv2D(8, 3, padding="same", use_bias=False),
            nn.BatchNormalization(),
            nn.Activation("relu"),
            nn.MaxPooling2D(),
            nn.Conv2D(6, 3, padding="same", use_bias=False),
            nn.BatchNormalization(momentum=0.9, scale=False),
            nn.ReLU(),
            nn.AveragePooling2D(2, padding="same"),
            nn.Flatten(),
            nn.Dense(5),
        ],
    ),
    "depthwise and separable convolutions": (
        (9, 8, 4),
        lambda: [
            nn.DepthwiseConv2D(3, strides=2, padding="same", activation="relu", depth_multiplier=2),
            nn.SeparableConv2D(6, 3, activation="relu"),
            nn.GlobalMaxPooling2D(),
            nn.Dense(5),
        ],
    ),
    "transposed convolutions": (
        (3, 4, 3),
        lambda: [
            nn.layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu"),
            nn.layers.Conv2DTranspose(4, (2, 3), dilation_rate=2, use_bias=False),
            nn.BatchNormalization(),
            nn.layers.Conv2DTranspose(3, 1, strides=(3, 2), output_padding=1),
            nn.layers.LeakyReLU(),
            nn.Conv2D(2, 3, strides=3, activation="silu"),
            nn.Flatten(),
            nn.Dense(5),
        ],
    ),
    "transposed convolutions of sequences": (
        (5, 4),
        lambda: [
            nn.layers.Conv1DTranspose(6, 2, strides=3, activation="gelu"),
            nn.layers.Conv1DTranspose(4, 4, strides=2, padding="same", output_padding=1),
            nn.GlobalAveragePooling1D(),
            nn.Dense(5),
        ],
    ),
    "sequences": (
        (16, 3),
        lambda: [
            nn.Conv1D(8, 3, padding="causal", activation="gelu"),
            nn.MaxPooling1D(),
            nn.layers.SeparableConv1D(6, 3, activation="relu"),
            nn.layers.DepthwiseConv1D(2, padding="same", depth_multiplier=2),
            nn.LayerNormalization(),
            nn.AveragePooling1D(),
            nn.Flatten(),
            nn.Dense(5),
        ],
    ),
    "rows of a table": (
        (40,),
        lambda: [
            nn.Embedding(70, 67),
            nn.Conv1D(4, 3, activation="relu"),
            nn.GlobalAveragePooling1D(),
            nn.Dense(5),
        ],
    ),
    "layers that move elements": (
        (6, 6, 2),
        lambda: [
            nn.Rescaling(2.0, 0.5),
            nn.Conv2D(4, 1),
            nn.ZeroPadding2D(((1, 2), (0, 1))),
            nn.Conv2D(4, 2, activation="silu"),
            nn.Cropping2D(1),
            nn.UpSampling2D(2),
            nn.Reshape((-1, 4)),
            nn.Flatten(),
            nn.Dense(5),
        ],
    ),
}

ACTIVATIONS = (
    "elu", "exponential", "hard_sigmoid", "hard_silu", "leaky_relu", "log_softmax", "relu6", "selu",
    "sigmoid", "softplus", "softsign",
)  # fmt: skip

LOSSES: dict[str, tuple[Any, Any, Any]] = {
    "MeanSquaredError": (nn.losses.MeanSquaredError, "linear", floats(5)),
    "MeanAbsoluteError": (nn.losses.MeanAbsoluteError, "linear", floats(5)),
    "MeanSquaredLogarithmicError": (
        nn.losses.MeanSquaredLogarithmicError,
        "softplus",
        shares(5),
    ),
    "Huber": (lambda: nn.losses.Huber(0.5), "linear", floats(5)),
    "LogCosh": (nn.losses.LogCosh, "linear", floats(5)),
    "Poisson": (nn.losses.Poisson, "softplus", shares(5)),
    "KLDivergence": (nn.losses.KLDivergence, "softmax", shares(5)),
    "CosineSimilarity": (nn.losses.CosineSimilarity, "linear", floats(5)),
    "BinaryCrossentropy": (nn.losses.BinaryCrossentropy, "sigmoid", shares(5)),
    "BinaryCrossentropy of logits, summed": (
        lambda: nn.losses.BinaryCrossentropy(
            from_logits=True, label_smoothing=0.1, reduction="sum"
        ),
        "linear",
        shares(5),
    ),
    "CategoricalCrossentropy": (
        lambda: nn.losses.CategoricalCrossentropy(label_smoothing=0.1),
        "softmax",
        one_hot,
    ),
    "CategoricalCrossentropy of logits": (
        lambda: nn.losses.CategoricalCrossentropy(from_logits=True),
        "linear",
        one_hot,
    ),
    "SparseCategoricalCrossentropy": (
        nn.losses.SparseCategoricalCrossentropy,
        "softmax",
        labels,
    ),
}

LOSSES |= {
    "Hinge of 0 and 1": (nn.losses.Hinge, "tanh", bits),
    "Hinge of other numbers": (nn.losses.Hinge, "tanh", floats(5)),
    "SquaredHinge": (nn.losses.SquaredHinge, "tanh", bits),
    "CategoricalHinge": (nn.losses.CategoricalHinge, "relu", one_hot),
    "BinaryFocalCrossentropy": (
        lambda: nn.losses.BinaryFocalCrossentropy(True, 0.3, 1.5, label_smoothing=0.1),
        "sigmoid",
        bits,
    ),
    "BinaryFocalCrossentropy of logits": (
        lambda: nn.losses.BinaryFocalCrossentropy(from_logits=True),
        "linear",
        bits,
    ),
    "CategoricalFocalCrossentropy": (
        lambda: nn.losses.CategoricalFocalCrossentropy(label_smoothing=0.1),
        "softmax",
        one_hot,
    ),
    "CategoricalFocalCrossentropy of logits": (
        lambda: nn.losses.CategoricalFocalCrossentropy(gamma=0.5, from_logits=True),
        "linear",
        one_hot,
    ),
    "CategoricalGeneralizedCrossEntropy": (
        nn.losses.CategoricalGeneralizedCrossEntropy,
        "softmax",
        labels,
    ),
    "Circle": (lambda: nn.losses.Circle(2.0, 0.2), "tanh", few),
    "Circle of rows that are compared with themselves, summed": (
        lambda: nn.losses.Circle(8.0, remove_diagonal=False, reduction="sum"),
        "softmax",
        few,
    ),
    "Dice": (nn.losses.Dice, "sigmoid", bits),
    "Tversky of each sample": (lambda: nn.losses.Tversky(0.3, 0.6, axis=-1), "sigmoid", bits),
    "a function": (lambda: nn.losses.FunctionLoss(cubic), "linear", floats(5)),
}

OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "SGD with momentum": lambda: nn.SGD(0.1, momentum=0.9),
    "SGD with Nesterov's momentum and weight decay": lambda: nn.SGD(
        nn.schedules.ExponentialDecay(0.1, 2, 0.5), momentum=0.9, nesterov=True, weight_decay=0.1
    ),
    "Adam": lambda: nn.Adam(0.01),
    "AdamW, elements clipped": lambda: nn.optimizers.AdamW(0.01, clipvalue=0.01),
    "amsgrad, norms clipped": lambda: nn.Adam(0.01, amsgrad=True, clipnorm=0.1),
    "Adamax": lambda: nn.optimizers.Adamax(0.01),
    "Nadam, global norm clipped": lambda: nn.optimizers.Nadam(0.01, global_clipnorm=0.1),
    "RMSprop, centred": lambda: nn.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "Adagrad": lambda: nn.optimizers.Adagrad(0.1),
    "Adadelta": lambda: nn.optimizers.Adadelta(1.0),
    "Lion": lambda: nn.optimizers.Lion(0.01),
    "Lamb": lambda: nn.optimizers.Lamb(0.01, weight_decay=0.1),
    "Lamb, norms clipped": lambda: nn.optimizers.Lamb(0.01, clipnorm=0.1),
    "Lamb, accumulation and a moving average": lambda: nn.optimizers.Lamb(
        0.01, gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.8
    ),
    "Adafactor": lambda: nn.optimizers.Adafactor(0.5, clip_threshold=0.7, weight_decay=0.1),
    "Adafactor, elements clipped": lambda: nn.optimizers.Adafactor(0.1, clipvalue=0.01),
    "Adafactor, accumulation and a moving average": lambda: nn.optimizers.Adafactor(
        0.1, gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.8
    ),
    "Muon": lambda: nn.optimizers.Muon(0.02, weight_decay=0.1),
    "Muon, global norm clipped": lambda: nn.optimizers.Muon(
        0.02, nesterov=False, rms_rate=None, ns_steps=2, global_clipnorm=0.1
    ),
    "Muon, accumulation and a moving average": lambda: nn.optimizers.Muon(
        0.02, gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.8
    ),
    "Ftrl": lambda: nn.optimizers.Ftrl(0.1, l1_regularization_strength=0.1, beta=0.1),
    "ScheduleFreeAdamW": lambda: nn.optimizers.ScheduleFreeAdamW(0.01, warmup_steps=3),
    "accumulation and a moving average": lambda: nn.SGD(
        0.1,
        gradient_accumulation_steps=2,
        use_ema=True,
        ema_momentum=0.8,
        ema_overwrite_frequency=1,
    ),
}


def pair(build: Callable[[], Any]) -> tuple[Any, Any]:
    """Return two models with the same weights, for the CPU and for the GPU."""
    rng = np.random.default_rng(3)
    here, there = build(), build()
    weights = [
        rng.uniform(0.5, 1.5, w.shape) if "variance" in v.name else rng.normal(0, 0.3, w.shape)
        for v, w in zip(here.variables, here.get_weights(), strict=True)
    ]
    for model in (here, there):
        model.set_weights(weights)
    return here, there


def train(
    build: Callable[[], Any],
    device: Any,
    target: Any,
    steps: int = 3,
    near: float = 1.0,
    emulated: bool = False,
) -> None:
    """Take steps on both, the last with fewer samples; compare gradients, losses and weights."""
    asyncio.run(_train(build, device, target, steps, near, emulated))


async def _train(
    build: Callable[[], Any], device: Any, target: Any, steps: int, near: float, emulated: bool
) -> None:
    from tests.unit.nn.gpu.native import Recorded

    here, there = pair(build)
    there.trainer.prepare()
    session = Session(there, BATCH, Source(), emulated=emulated)
    session.attach(Recorded(device, session.plan))
    session.send()
    rng = np.random.default_rng(5)
    clips = any(vars(here.optimizer)[f] for f in ("clipnorm", "clipvalue", "global_clipnorm"))
    for step in range(steps):
        size = BATCH if step < steps - 1 else LAST
        x = [drawn(rng, here, t, size) for t in here.inputs]
        y = target(rng, size)
        loss = here.trainer.train_step(x, [y], [None], size)
        for number, array in enumerate(x):
            full = np.full((BATCH, *array.shape[1:]), 7.0, np.float32)
            full[:size] = array
            session.write(f"x{number}", full)
        shape = (size, *here.outputs[0].shape[1:])
        session.write("targets0", target_for(here.trainer.losses[0], y, shape))
        results = await session.steps([(0, size)])
        assert results[0][0] == pytest.approx(loss, abs=near * 2e-6, rel=near * 2e-6)
        if not clips and not here.optimizer.gradient_accumulation_steps:
            found = await session.gradients()
            for v, own in zip(here.parameters.variables, found.values(), strict=True):
                right = here.parameters.views[v]
                off = np.abs(own - right).max() / max(near * 1e-2, np.abs(right).max())
                assert off <= near * 1e-5, v.path
    await session.fetch()
    for own, right in zip(there.get_weights(), here.get_weights(), strict=True):
        np.testing.assert_allclose(own, right, near * 1e-7, near * 2e-6)
    assert there.optimizer.iterations == here.optimizer.iterations
    for name, state in here.optimizer.state.items():
        np.testing.assert_allclose(
            there.optimizer.state[name], state, near * 1e-7, near * 2e-6, err_msg=name
        )


def drawn(rng: Any, model: Any, tensor: Any, size: int) -> Any:
    """Return noise, or indices of the table that reads them."""
    shape = (size, *tensor.shape[1:])
    for node in model.graph.nodes:
        if tensor in node.inputs and isinstance(node.layer, nn.Embedding):
            return rng.integers(0, node.layer.input_dim, shape).astype(np.float32)
    return rng.standard_normal(shape, np.float32)


def sequential(shape: Any, layers: Layers, loss: Any = None, optimizer: Any = None) -> Any:
    def build() -> Any:
        model = nn.Sequential([nn.Input(shape), *layers()])
        model.compile((optimizer or (lambda: nn.SGD(0.1)))(), (loss or logits)())
        return model

    return build


EACH_KERNEL = (
    "dense layers over the last axis",
    "the page's network",
    "batch normalization before relu",
    "depthwise and separable convolutions",
    "transposed convolutions",
    "sequences",
    "rows of a table",
    "layers that move elements",
)
"""Networks that have each kernel of a layer. A kernel takes a tenth of a second to compile."""


def networks(*quick: str) -> Any:
    """Each network as a parameter; only these in `make test`."""
    names = [pytest.param(n, marks=() if n in quick else pytest.mark.soak) for n in NETWORKS]
    return pytest.mark.parametrize("name", names)


@networks(*EACH_KERNEL)
def test_a_step_on_the_gpu_is_the_step_on_the_cpu(name: str, device: Any) -> None:
    train(sequential(*NETWORKS[name]), device, labels)


def test_the_networks_of_make_test_have_each_kernel_of_all() -> None:
    found = {
        name: {kernel.name for kernel in Session(sequential(*made)(), BATCH, Source()).plan.kernels}
        for name, made in NETWORKS.items()
    }
    assert set().union(*found.values()) == set().union(*(found[name] for name in EACH_KERNEL))


@networks("the page's network")
def test_a_step_in_which_each_thread_computes_its_products_alone_is_the_step_on_the_cpu(
    name: str, device: Any
) -> None:
    train(sequential(*NETWORKS[name]), device, labels, emulated=True)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_on_the_gpu_is_the_loss_on_the_cpu(name: str, device: Any) -> None:
    loss, activation, target = LOSSES[name]
    train(sequential((8,), lambda: [nn.Dense(5, activation=activation)], loss), device, target)


@pytest.mark.parametrize("kind", [nn.Conv2D, nn.Conv2DTranspose])
def test_a_loss_of_pixels_on_the_gpu_is_that_of_the_cpu(kind: Any, device: Any) -> None:
    def pixels(rng: Any, n: int) -> Any:
        return rng.random((n, 6, 5, 3), np.float32)

    def layers() -> list[Any]:
        return [kind(3, 2, padding="same", activation="sigmoid")]

    train(sequential((6, 5, 2), layers, nn.losses.BinaryCrossentropy), device, pixels)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_on_the_gpu_moves_weights_as_on_the_cpu(name: str, device: Any) -> None:
    layers = NETWORKS["dense layers over the last axis"]
    train(sequential(*layers, optimizer=OPTIMIZERS[name]), device, labels, 4)


def test_a_softplus_of_almost_0_has_the_logarithm_that_it_has_on_the_cpu(device: Any) -> None:
    def layers() -> list[Any]:
        return [nn.layers.Rescaling(30.0), nn.Dense(5, activation="softplus")]

    build = sequential((6,), layers, nn.losses.Poisson, lambda: nn.SGD(1e-4))
    train(build, device, lambda rng, n: rng.uniform(0, 1, (n, 5)).astype(np.float32))


def test_expm1_of_almost_0_has_all_digits_on_the_gpu(device: Any) -> None:
    def grown(y_true: Any, y_pred: Any) -> Any:
        return np.mean(np.square(1e6 * np.expm1(y_pred) - y_true), axis=-1)

    def layers() -> list[Any]:
        return [nn.layers.Rescaling(1e-6), nn.Dense(5, use_bias=False)]

    loss = nn.losses.FunctionLoss(grown)
    train(sequential((6,), layers, lambda: loss, lambda: nn.SGD(0.01)), device, floats(5))


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_ctc_on_the_gpu_is_that_of_the_cpu(reduction: str, device: Any) -> None:
    def words(rng: Any, n: int) -> Any:
        """Labels of some samples, some the same as the one before; 0 follows."""
        made = rng.integers(1, 4, (n, 4))
        made[np.arange(4) >= rng.integers(0, 4, (n, 1))] = 0
        made[0] = [2, 2, 1, 3]
        return made

    def layers() -> list[Any]:
        return [nn.Dense(7, activation="tanh"), nn.Dense(4)]

    loss = nn.losses.CTC(reduction=reduction)
    train(sequential((7, 3), layers, lambda: loss), device, words)


def test_more_labels_than_steps_are_refused_on_the_gpu() -> None:
    loss, labels = nn.losses.CTC(), np.ones((2, 3), int)
    assert target_for(loss, labels, (2, 5, 4)).tolist() == [[1, 1, 1, 0, 0]] * 2
    with pytest.raises(ConfigError, match="ctc: no kernels for more labels than steps"):
        target_for(loss, labels, (2, 2, 4))


def test_adafactor_takes_means_of_the_rows_and_columns_of_each_place_of_a_kernel(
    device: Any,
) -> None:
    layers = NETWORKS["convolutions with groups and dilation"]
    train(sequential(*layers, optimizer=lambda: nn.optimizers.Adafactor(0.1)), device, labels)


def test_no_optimizer_of_nn_is_refused_on_the_gpu() -> None:
    for name, kind in nn.optimizers.CLASSES.items():
        model = nn.Sequential([nn.Input((4,)), nn.Dense(5)])
        model.compile(kind(), logits())
        assert Session(model, BATCH, Source()).plan.kernels, name


def beside(given: int, functions: Any) -> Any:
    """Return what builds a network whose activations all read the same values, side by side: they
    share its products, which take the most time to compile."""

    def build() -> Any:
        x = nn.Input((8,))
        read = nn.Dense(given)(x)
        each = [layer(read) for layer in functions()]
        sums = [nn.layers.Add()(each[i : i + 6]) for i in range(0, len(each) - 1, 6)]
        model = nn.Model(x, nn.Dense(5)(nn.layers.Add()([*sums, each[-1]])))
        model.compile(nn.SGD(0.1), logits())
        return model

    return build


def test_activations_on_the_gpu_are_those_of_the_cpu(device: Any) -> None:
    def functions() -> list[Any]:
        options = [
            nn.ReLU(max_value=1.0, negative_slope=0.2, threshold=0.1),
            nn.LeakyReLU(0.1),
            nn.ELU(0.5),
        ]
        return [*(nn.Activation(name) for name in ACTIVATIONS), *options]

    train(beside(8, functions), device, labels)


FURTHER = (
    "hard_tanh", "log_sigmoid", "soft_shrink", "sparse_plus", "sparse_sigmoid", "sparsemax",
    "celu", "hard_shrink", "mish", "squareplus", "tanh_shrink", "keras2_hard_sigmoid",
)  # fmt: skip


def test_each_of_the_further_activations_has_its_slope_on_the_gpu(device: Any) -> None:
    def functions() -> list[Any]:
        named = [*map(nn.activations.get, FURTHER), nn.activations.further.APPROXIMATE_GELU]
        return [nn.Activation(function) for function in named]

    train(beside(6, functions), device, labels)


def test_each_activation_of_nn_has_kernels_that_the_gpu_takes_at_the_end_of_a_layer(
    device: Any,
) -> None:
    for name in nn.activations.names():
        model = nn.Sequential([nn.Input((4,)), nn.Dense(5, activation=name), nn.Dense(5)])
        model.compile("sgd", logits())
        plan = Session(model, BATCH, Source()).plan
        assert plan.kernels, name
        for kernel in plan.kernels:
            device.create_shader_module(code=kernel.code, label=name)  # refuses what is no WGSL


def test_no_loss_of_nn_is_refused_on_the_gpu() -> None:
    for name, kind in nn.losses.CLASSES.items():
        shape = (3, 4) if name == "CTC" else (4,)
        model = nn.Sequential([nn.Input(shape), nn.Dense(5, activation="softmax")])
        model.compile("sgd", kind())
        assert Session(model, BATCH, Source()).plan.kernels, name


REFUSED_LOSSES: dict[str, tuple[Any, str]] = {
    "a gradient of its own": (
        nn.losses.FunctionLoss(cubic, lambda t, p: p - t),
        "a gradient of its own",
    ),
    "no mean of a row": (nn.losses.FunctionLoss(lambda t, p: np.mean((p - t) ** 2)), "axis None"),
    "numbers of all samples": (
        nn.losses.FunctionLoss(lambda t, p: np.mean(np.sort(p - t), axis=-1), name="sorted"),
        "sorted: no kernels for a loss of this function",
    ),
    "sums over the batch alone": (nn.losses.Dice(axis=0), "axis=0"),
    "several embeddings of a sample": (nn.losses.Circle(), r"outputs of shape \(6, 3, 5\)"),
}


@pytest.mark.parametrize("name", REFUSED_LOSSES)
def test_a_loss_that_has_no_text_is_refused_by_its_reason(name: str) -> None:
    loss, reason = REFUSED_LOSSES[name]
    shape = (3, 4) if "several" in name else (4,)
    model = nn.Sequential([nn.Input(shape), nn.Dense(5, activation="softmax")])
    model.compile("sgd", loss)
    with pytest.raises(ConfigError, match=reason):
        Session(model, BATCH, Source())


def graph() -> Any:
    a, b = nn.Input((6,)), nn.Input((4,))
    first = nn.Dense(8, activation="relu")(a)
    second = nn.Dense(8, activation="elu")(b)
    total = nn.layers.Add()([first, second])
    product = nn.layers.Multiply()([first, second])
    merged = nn.layers.Concatenate()(
        [
            total,
            product,
            nn.layers.Subtract()([first, second]),
            nn.layers.Average()([total, product]),
        ]
    )
    model = nn.Model([a, b], nn.Dense(5)(merged))
    model.compile(nn.SGD(0.1), logits())
    return model


def test_graphs_with_several_inputs_and_readers_train_as_on_the_cpu(device: Any) -> None:
    train(graph, device, labels)


def merged() -> Any:
    a, b = nn.Input((3, 4)), nn.Input((4,))
    first, column, row = nn.Dense(4)(a), nn.Dense(1)(a), nn.Dense(4)(b)
    product = nn.layers.Multiply()([column, row])
    same = nn.ReLU()(first), nn.ReLU()(product)  # some are 0 in both
    low = nn.layers.Minimum()([*same, first])
    high = nn.layers.Maximum()([*same, row])
    total = nn.layers.Add()([nn.layers.Subtract()([high, row]), low, column])
    model = nn.Model([a, b], nn.Dense(5)(nn.Flatten()(total)))
    model.compile(nn.SGD(0.1), logits())
    return model


def test_merges_that_repeat_and_choose_train_as_on_the_cpu(device: Any) -> None:
    train(merged, device, labels)


def multiplied() -> Any:
    a, b, c = nn.Input((3, 4)), nn.Input((3, 4)), nn.Input((4,))
    first, second, row = nn.Dense(4, activation="relu")(a), nn.Dense(5)(b), nn.Dense(4)(c)
    square = nn.layers.Dot(axes=(1, 1))([first, second])
    rows = nn.layers.Dot(axes=(2, 1))([first, square])
    itself = nn.layers.Dot(axes=-1)([first, first])
    number = nn.layers.Dot(axes=1)([row, nn.Dense(4)(c)])
    flat = [nn.Flatten()(x) for x in (rows, itself, nn.layers.Dot(axes=(2, 1))([first, row]))]
    model = nn.Model([a, b, c], nn.Dense(5)(nn.layers.Concatenate()([*flat, number])))
    model.compile(nn.SGD(0.02), logits())
    return model


@pytest.mark.soak
def test_products_of_matrices_over_the_first_or_last_axis_train_as_on_the_cpu(device: Any) -> None:
    train(multiplied, device, labels)


REFUSED_DOTS: dict[str, Callable[[Any], Any]] = {
    "normalize=True": lambda x: nn.layers.Dot(axes=-1, normalize=True)([x, x]),
    "axis 2 of 4": lambda x: nn.layers.Dot(axes=2)([x, x]),
}


@pytest.mark.parametrize("reason", REFUSED_DOTS)
def test_a_dot_without_kernels_is_refused_by_its_reason(reason: str) -> None:
    x = nn.Input((2, 3, 4))
    model = nn.Model(x, nn.Dense(5)(nn.Flatten()(REFUSED_DOTS[reason](x))))
    model.compile("sgd", logits())
    with pytest.raises(ConfigError, match=f"dot.*: no kernels for {reason}"):
        Session(model, BATCH, Source())


@pytest.mark.parametrize("reason", ["attention_mask", "return_attention_scores"])
def test_an_attention_without_kernels_is_refused_by_its_reason(reason: str) -> None:
    x, keep = nn.Input((4, 3)), nn.Input((4, 4))
    given = {"attention_mask": keep, "return_attention_scores": True}[reason]
    made: Any = nn.MultiHeadAttention(1, 2)(x, x, **{reason: given})
    y = made[0] if isinstance(made, list) else made
    model = nn.Model([x, keep] if reason == "attention_mask" else x, nn.Dense(5)(nn.Flatten()(y)))
    model.compile("sgd", logits())
    with pytest.raises(ConfigError, match=f"attention: no kernels for {reason}"):
        Session(model, BATCH, Source())


def test_an_array_in_a_graph_is_refused_by_its_layer() -> None:
    x = nn.Input((4, 3))
    model = nn.Model(x, nn.Dense(5)(nn.Flatten()(nn.Dense(3)(x) + np.ones((4, 3)))))
    model.compile("sgd", logits())
    with pytest.raises(ConfigError, match="constant_array: no kernels for ConstantArray"):
        Session(model, BATCH, Source())


def attention() -> Any:
    a, b = nn.Input((5, 8)), nn.Input((4, 8))
    query, value = nn.Dense(8, activation="relu")(a), nn.Dense(8)(b)
    read = nn.MultiHeadAttention(2, 4)(query, value, nn.Dense(3)(b))
    read = nn.layers.Add()([query, read])
    odd = nn.MultiHeadAttention(3, 3, value_dim=5, use_bias=False, output_shape=2)
    model = nn.Model([a, b], nn.Dense(5)(nn.Flatten()(odd(read, read, use_causal_mask=True))))
    model.compile(nn.SGD(0.1), logits())
    return model


def test_attention_reads_on_the_gpu_as_on_the_cpu(device: Any) -> None:
    train(attention, device, labels)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Dropout(0.5),
        nn.layers.SpatialDropout1D(0.5),
        nn.layers.AlphaDropout(0.5),
        nn.layers.GaussianDropout(0.5),
        nn.layers.GaussianNoise(0.5),
        nn.MultiHeadAttention(2, 3, dropout=0.5),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_trial_compares_without_draws_and_the_layer_draws_again_after_it(layer: Any) -> None:
    x = nn.Input((4, 16))
    model = nn.Model(x, layer(x, x) if isinstance(layer, nn.MultiHeadAttention) else layer(x))
    data = [np.ones((8, 4, 16), np.float32)]  # even a draw for each channel is 128 draws

    def once() -> Any:
        return model.program.forward(data, True)[0].copy()

    with quiet(model):
        assert np.array_equal(once(), model.predict_on_batch(data[0]))
    assert not np.array_equal(once(), once())


def frozen() -> Any:
    layers: list[Any] = [
        nn.Conv2D(4, 3),
        nn.BatchNormalization(),
        nn.ReLU(),
        nn.Conv2D(4, 3),
        nn.Flatten(),
        nn.Dense(5),
    ]
    for layer in layers[:2]:
        layer.trainable = False
    model = nn.Sequential([nn.Input((7, 7, 2)), *layers])
    model.compile(nn.Adam(0.01), logits())
    return model


def test_frozen_layers_keep_their_weights_and_statistics(device: Any) -> None:
    train(frozen, device, labels)
