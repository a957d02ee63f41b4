"""The program that executes a model: by device, a step or a block of steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nn
import numpy as np
import pytest
from nn import kernels
from nn.context import Context, Run
from nn.errors import ConfigError
from nn.models.program import program_for


@pytest.fixture(params=["native", "numpy"], autouse=True)
def backend(native: object, request: Any) -> Iterator[None]:
    with kernels.use(request.param):
        yield


def network() -> nn.Model:
    nn.set_random_seed(3)
    x = nn.Input((7,))
    h = nn.Dropout(0.2)(nn.Dense(6, activation="relu")(x))
    model = nn.Model(x, [nn.Dense(2)(h), nn.Dense(3, activation="softmax")(h)])
    model.compile("adam", ["mse", "sparse_categorical_crossentropy"])
    return model


def batches(sizes: list[int]) -> list[Any]:
    random = np.random.default_rng(0)
    made = []
    for size in sizes:
        x = random.standard_normal((size, 7)).astype(np.float32)
        y = random.standard_normal((size, 2)).astype(np.float32)
        made.append(([x], [y, random.integers(0, 3, size)], [None, None], size))
    return made


def test_a_step_takes_a_block_of_batches_and_returns_their_losses():
    one, other = network(), network()
    block = batches([4, 4, 4, 2])
    wanted = [one.trainer.train_step(*batch) for batch in block]
    assert other.trainer.program.step(block) == wanted


def test_a_program_that_only_predicts_gives_the_models_outputs():
    model = network()
    x = batches([4])[0][0]
    context = Context(Run(np.random.default_rng(0), np.float32))
    program = program_for("cpu", model.graph, context=context)
    for _ in range(4):
        for a, b in zip(program.forward(x, False), model.predict_on_batch(x), strict=True):
            np.testing.assert_array_equal(a, b)
    program.sync()


def test_another_device_than_the_cpu_is_refused():
    model = network()
    with pytest.raises(ConfigError, match="expected the device 'cpu' or 'gpu', received 'abacus'"):
        program_for("abacus", model.graph, context=model.program.ctx)


MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
SHAPES = [
    ((None, 3), (1, 3)), ((1, 3), (None, 3)), ((None, 3), (None, 1)), ((None, 1), (None, 3)),
    ((None, 4, 1), (1, 1, 5)), ((None,), (1,)), ((None, 2), (None, 2)),
]  # fmt: skip


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("kind", MERGES)
def test_a_merge_of_a_size_that_the_graph_does_not_know_computes_as_if_it_were_known(kind, shapes):
    random = np.random.default_rng(0)
    data = [random.random((3, *[n or 6 for n in shape]), np.float32) for shape in shapes]
    found = []
    for sizes in (shapes, [x.shape[1:] for x in data]):
        ends = [nn.Input(shape) for shape in sizes]
        weighed = [
            nn.PReLU(shared_axes=[*range(1, len(s) + 1)])(e - 0.5)
            for s, e in zip(sizes, ends, strict=True)
        ]
        model = nn.Model(ends, getattr(nn, kind)()(weighed))
        model.compile(nn.SGD(0.1), "mse")
        made = model.predict_on_batch(data)
        assert all(s in (None, n) for s, n in zip(model.output_shape, made.shape, strict=True))
        losses = [model.train_on_batch(data, np.ones_like(made)) for _ in range(3)]
        found.append([made, *losses, model.predict_on_batch(data)])
    for unknown, known in zip(*found, strict=True):
        np.testing.assert_allclose(unknown, known, rtol=1e-6)
