"""Models that keep weights in eight bits and convert them layer by layer."""

import asyncio

import nn
import numpy as np
import pytest

RNG = np.random.default_rng(2)
X = RNG.random((3, 12, 12, 1)).astype(np.float32)


def network():
    nn.set_random_seed(4)
    return nn.Sequential(
        [
            nn.Input((12, 12, 1)),
            nn.Conv2D(4, 3, activation="relu"), nn.MaxPooling2D(), nn.BatchNormalization(),
            nn.Flatten(), nn.Dense(64, activation="relu"), nn.Dense(10, activation="softmax"),
        ]
    )  # fmt: skip


@pytest.mark.promise(
    "Earlier work: models in production",
    "Dequantized once, at load; or for each call: a quarter of the memory for weights, "
    "an answer of the seed network in 0.45 in place of 0.06 ms (CPython, native "
    "kernels, 1 thread)",
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16"])
def test_predicts_what_the_file_widened_once_does(dtype):
    data = nn.io.save(network(), quantization={dtype: "*"})
    want = nn.io.load(data).predict_on_batch(X)
    small = nn.QuantizedModel(data, {dtype: "*"})
    for _ in range(2):  # a weight that is a step off would show in the fifth digit
        np.testing.assert_allclose(small.predict_on_batch(X), want, atol=1e-6, rtol=0)
    np.testing.assert_allclose(asyncio.run(small.predict(X[0])), want[0], atol=1e-6, rtol=0)


@pytest.mark.promise(
    "Earlier work: models in production",
    "Dequantized once, at load; or for each call: a quarter of the memory for weights, "
    "an answer of the seed network in 0.45 in place of 0.06 ms (CPython, native "
    "kernels, 1 thread)",
)
def test_takes_a_quarter_of_the_memory_for_weights():
    model = network()
    whole = model.memory()["weight_bytes"]
    model.compile("adam", "sparse_categorical_crossentropy")
    model.train_on_batch(X, np.arange(3))
    small = nn.QuantizedModel(model)
    small.warm_up()
    memory = small.memory()
    assert memory["weight_bytes"] * 4 == whole
    assert memory["optimizer_bytes"] == memory["gradient_bytes"] == 0
    assert memory["num_bytes"] == memory["workspace_bytes"] + memory["weight_bytes"]
    small.predict_on_batch(X[:1])
    assert small.memory() == memory


def test_globs_choose_which_weights_and_the_others_stay():
    model, same = network(), network()
    small = nn.QuantizedModel(model, {"uint8": "dense/kernel"})
    kernel = same.get_layer("dense").kernel
    kernel.assign(nn.quantize.quantize(kernel.value, "uint8").dequantize())
    np.testing.assert_allclose(
        small.predict_on_batch(X), same.predict_on_batch(X), atol=1e-6, rtol=0
    )
    assert np.isnan(model.get_layer("dense").kernel.value).all()


def test_layers_of_several_inputs_and_models_inside_are_widened_too():
    left = nn.Input((6,))
    inner = nn.Sequential([nn.Input((6,)), nn.Dense(5, activation="tanh"), nn.Dense(4)])
    nn.set_random_seed(1)
    data = nn.io.save(
        nn.Model(left, nn.Concatenate()([inner(left), nn.Dense(3)(left)])),
        quantization={"uint8": "*"},
    )
    x = RNG.normal(size=(2, 6)).astype(np.float32)
    np.testing.assert_allclose(
        nn.QuantizedModel(data).predict_on_batch(x),
        nn.io.load(data).predict_on_batch(x),
        atol=1e-6,
        rtol=0,
    )


def test_weights_are_let_go_of_after_an_error_as_well():
    class Failing(nn.Dense):
        fail = False

        def forward(self, ctx, *inputs, training=False):
            if self.fail:
                raise RuntimeError("on purpose")
            return super().forward(ctx, *inputs, training=training)

    layer = Failing(3)
    small = nn.QuantizedModel(nn.Sequential([nn.Input((2,)), layer]))
    before = small.predict_on_batch(np.ones((1, 2)))
    layer.fail = True
    with pytest.raises(RuntimeError, match="on purpose"):
        small.predict_on_batch(np.ones((1, 2)))
    assert np.isnan(layer.kernel.value).all()
    layer.fail = False
    np.testing.assert_allclose(small.predict_on_batch(np.ones((1, 2))), before, rtol=1e-6)
