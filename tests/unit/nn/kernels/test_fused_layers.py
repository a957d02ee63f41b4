"""Layers fused into one kernel train like separate layers."""

import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn import kernels
from nn.layers.fusion import NormedRelu, PooledConvolution

pytestmark = pytest.mark.usefixtures("native")


def network(relu, filters, frozen):
    nn.set_random_seed(3)
    norm = nn.BatchNormalization()
    norm.trainable = not frozen
    middle = [nn.Conv2D(filters, 3, use_bias=False), norm, relu()]
    pooled = [nn.Conv2D(4, 3, activation="relu"), nn.MaxPooling2D()]
    layers = [nn.Input((9, 8, 2)), *middle, *pooled, nn.Flatten(), nn.Dense(3)]
    model = nn.Sequential(layers)
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(nn.optimizers.SGD(0.1), loss)
    return model


def learned(model, steps=3):
    random = np.random.default_rng(1)
    for _ in range(steps):
        x = random.standard_normal((6, 9, 8, 2)).astype(np.float32)
        model.train_on_batch(x, random.integers(0, 3, 6))
    return [*model.get_weights(), model.predict_on_batch(x)]


def kinds(model):
    return [type(step.layer) for step in model.program.steps]


@pytest.mark.parametrize(
    "relu", [lambda: nn.Activation("relu"), lambda: nn.ReLU(), lambda: nn.ReLU(6.0)]
)
@pytest.mark.parametrize("frozen", [False, True])
@settings(max_examples=6, deadline=None)
@given(filters=st.integers(1, 9))
def test_a_fused_pair_learns_what_its_layers_learn_apart(relu, frozen, filters):
    together = network(relu, filters, frozen)
    got = learned(together)
    assert {NormedRelu, PooledConvolution} <= set(kinds(together))
    with kernels.use("numpy"):
        apart = network(relu, filters, frozen)
        want = learned(apart)
        assert not {NormedRelu, PooledConvolution} & set(kinds(apart))
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)


def test_a_relu_with_another_ceiling_than_six_stays_a_layer_of_its_own():
    model = network(lambda: nn.ReLU(max_value=5.0), 4, False)
    learned(model, 1)
    assert NormedRelu not in kinds(model)
