"""Layers that `build` is called on, and stacks whose input's shape is not known yet."""

from __future__ import annotations

from typing import Any

import nn
import numpy as np
import pytest
from nn.errors import ConfigError

from tests.support import every_layer

GROUPS = [pytest.param(kinds, id="-".join(kinds)) for kinds in every_layer.groups()]


@pytest.mark.parametrize("kinds", GROUPS)
def test_a_layer_that_build_was_called_on_keeps_its_weights_in_a_graph(kinds: list[str]) -> None:
    for layer in every_layer.network(kinds).layers:
        if not layer.weights or isinstance(layer, nn.Model):
            continue
        made = type(layer).from_config(layer.get_config())
        made.build(*(t.shape for t in layer._nodes[0].inputs))
        before = made.get_weights()
        inputs = [nn.Input(t.shape[1:], dtype=t.dtype) for t in layer._nodes[0].inputs]
        getattr(made, "connect", made)(*inputs)
        assert made.built
        for a, b in zip(before, made.get_weights(), strict=True):
            assert np.array_equal(a, b)


def test_build_takes_its_shape_by_name() -> None:
    layer, stack = nn.Dense(3), nn.Sequential([nn.Flatten(), nn.Dense(2)])
    layer.build(input_shape=(None, 4))
    stack.build(input_shape=(None, 2, 2))
    assert [w.shape for w in (*layer.weights, *stack.weights)] == [(4, 3), (3,), (4, 2), (2,)]


def test_pretrained_vectors_that_were_set_before_the_graph_are_those_of_the_model() -> None:
    matrix = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    table = nn.Embedding(5, 3, trainable=False)
    table.build((1,))
    table.set_weights([matrix])
    inputs = nn.Input((None,), dtype="int32")
    model = nn.Model(inputs, table(inputs))
    assert np.array_equal(model.predict_on_batch(np.array([[4, 0]])), matrix[None, [4, 0]])
    assert model.count_params() == 15


class Scale(nn.Layer):
    def build(self, *input_shapes: Any) -> None:
        self.factor = self.add_weight("factor", (input_shapes[0][-1],), "ones")

    def forward(self, ctx: Any, *inputs: Any, training: bool = False) -> Any:
        return inputs[0] * self.factor.value


def test_a_layer_of_your_own_is_built_once_too() -> None:
    layer = Scale()
    layer.build((None, 2))
    layer.set_weights([[2.0, 3.0]])
    assert layer(np.ones((1, 2))).tolist() == [[2.0, 3.0]]
    assert len(layer.weights) == 1


def test_a_stack_without_a_shape_is_summed_up_and_taken_down() -> None:
    stack, shown = nn.Sequential([nn.Dense(2), nn.Dense(3)], name="stack"), list[str]()
    stack.summary(print_fn=shown.append)
    lines = shown[0].splitlines()
    assert lines[4].split() == ["dense", "(Dense)", "?", "0"]
    assert "Total params: 0 (0 bytes)" in lines
    top = stack.layers[-1]
    assert stack.pop() is top
    assert len(stack.layers) == 1
    assert stack(np.ones((2, 5))).shape == (2, 2)
    stack.add(nn.Dense(4))
    assert stack.output_shape == (None, 4)
    stack.pop(), stack.pop()
    with pytest.raises(ConfigError, match="stack: expected a layer to take off, received none"):
        stack.pop()
