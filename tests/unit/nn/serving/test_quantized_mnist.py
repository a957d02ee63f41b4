"""The seed network trained on real digits: quantized, a quarter of the size, as accurate."""

import asyncio
from pathlib import Path

import nn
import numpy as np
import pytest
from nn.io import tfjs

MNIST = Path(__file__).parents[4] / "static" / "vendor" / "mnist"
pytestmark = pytest.mark.usefixtures("native")


def digits(kind):
    names = (f"{kind}-images-idx3-ubyte.gz", f"{kind}-labels-idx1-ubyte.gz")
    return nn.Dataset.from_idx(*((MNIST / name).read_bytes() for name in names))


@pytest.fixture(scope="module")
def test_images():
    return digits("t10k")


@pytest.fixture(scope="module")
def trained():
    nn.set_random_seed(1)
    model = nn.Sequential(
        [
            nn.Input((28, 28, 1)),
            nn.Conv2D(8, 3, activation="relu"),
            nn.MaxPooling2D(),
            nn.Conv2D(16, 3, activation="relu"),
            nn.MaxPooling2D(),
            nn.Flatten(),
            nn.Dense(128, activation="relu"),
            nn.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    asyncio.run(model.fit(digits("train").take(30_000), epochs=1, batch_size=64))
    return model


def accuracy(model, data):
    return np.mean(asyncio.run(model.predict(data)).argmax(axis=1) == data.y)


@pytest.mark.promise(
    "Earlier work: models in production",
    "uint8 takes at most 0.28 of the file and half a point of accuracy",
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16"])
def test_quantized_networks_lose_at_most_half_a_point(trained, test_images, dtype):
    before = accuracy(trained, test_images)
    assert before > 0.95
    for format in ("npz", "tfjs"):
        options = {"include_optimizer": False} if format == "npz" else {}
        data = nn.io.save(trained, format, quantization={dtype: "*"}, **options)
        assert accuracy(nn.io.load(data), test_images) >= before - 0.005


@pytest.mark.promise(
    "Earlier work: models in production",
    "uint8 takes at most 0.28 of the file and half a point of accuracy",
)
@pytest.mark.parametrize("format", ["npz", "tfjs"])
def test_eight_bits_take_at_most_28_hundredths_of_the_file(trained, format):
    options = {"include_optimizer": False} if format == "npz" else {}
    full = nn.io.save(trained, format, **options)
    small = nn.io.save(trained, format, quantization={"uint8": "*"}, **options)
    assert len(small) <= 0.28 * len(full)


def test_the_shards_are_a_quarter(trained):
    full = tfjs.save_files(trained)["group1-shard1of1.bin"]
    small = tfjs.save_files(trained, quantization={"uint8": "*"})["group1-shard1of1.bin"]
    assert len(full) == 4 * len(small) == 4 * 53_866


@pytest.mark.promise(
    "Earlier work: models in production",
    "A damaged quantized file falls back with a warning; both damaged: the first error",
)
def test_a_broken_quantized_network_is_replaced_by_the_full_one(trained, test_images):
    full = nn.io.save(trained)
    small = nn.io.save(trained, quantization={"uint8": "*"})
    with pytest.warns(RuntimeWarning, match="full-precision file instead"):
        model = nn.io.load_with_fallback(small[: len(small) // 3], full)
    assert accuracy(model, test_images) == accuracy(trained, test_images)
