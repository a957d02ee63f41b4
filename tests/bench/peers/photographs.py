"""Networks for photographs in the engine: built, predicting, trained in their last block."""

from __future__ import annotations

import statistics
import time
from typing import Any

import nn
import numpy as np
from nn import kernels
from numpy.typing import NDArray

Array = NDArray[Any]
L = nn.layers
# Repeats, kernel, stride, expansion, filters of each stage.
MOBILENET_V2 = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (3, 3, 2, 6, 32), (4, 3, 2, 6, 64), (3, 3, 1, 6, 96),
    (3, 3, 2, 6, 160), (1, 3, 1, 6, 320),
)  # fmt: skip
EFFICIENTNET_LITE0 = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip
LAST_BLOCK = 13  # layers of the last inverted residual and the head's convolution, and what follows


def _normed(x: Any, relu: bool = True) -> Any:
    x = L.BatchNormalization(epsilon=1e-3)(x)
    return L.ReLU(6.0)(x) if relu else x


def _inverted(stages: Any, padded: bool) -> Any:
    """Return a network of inverted residuals; `padded`: with ZeroPadding2D, as in MobileNetV2."""
    i = nn.Input((224, 224, 3))
    x = _normed(L.Conv2D(32, 3, strides=2, padding="same", use_bias=False)(i))
    for repeats, size, stride, expansion, filters in stages:
        for s in [stride] + [1] * (repeats - 1):
            before, channels = x, x.shape[-1]
            if expansion > 1:
                x = _normed(L.Conv2D(channels * expansion, 1, use_bias=False)(x))
            padding = "same"
            if s == 2 and padded:
                x, padding = L.ZeroPadding2D(((0, 1), (0, 1)))(x), "valid"
            options = {"strides": s, "padding": padding, "use_bias": False}
            x = _normed(L.DepthwiseConv2D(size, **options)(x))
            x = _normed(L.Conv2D(filters, 1, use_bias=False)(x), relu=False)
            x = L.Add()([before, x]) if s == 1 and channels == filters else x
    x = _normed(L.Conv2D(1280, 1, use_bias=False)(x))
    x = L.GlobalAveragePooling2D()(x)
    return nn.Model(i, L.Dense(1000)(x))


def _resnet() -> Any:
    """Return ResNet50V2: normalization before convolution, as in `keras.applications`."""

    def active(x: Any) -> Any:
        return L.ReLU()(L.BatchNormalization(epsilon=1.001e-5)(x))

    i = nn.Input((224, 224, 3))
    x = L.Conv2D(64, 7, strides=2)(L.ZeroPadding2D(3)(i))
    x = L.MaxPooling2D(3, strides=2)(L.ZeroPadding2D(1)(x))
    for filters, count, last in ((64, 3, 2), (128, 4, 2), (256, 6, 2), (512, 3, 1)):
        for k in range(count):
            stride = last if k == count - 1 else 1
            first = active(x)
            if k == 0:
                short = L.Conv2D(4 * filters, 1)(first)
            else:
                short = L.MaxPooling2D(1, strides=stride)(x) if stride > 1 else x
            x = active(L.Conv2D(filters, 1, use_bias=False)(first))
            x = L.ZeroPadding2D(1)(x)
            x = active(L.Conv2D(filters, 3, strides=stride, use_bias=False)(x))
            x = L.Add()([short, L.Conv2D(4 * filters, 1)(x)])
    x = L.GlobalAveragePooling2D()(active(x))
    return nn.Model(i, L.Dense(1000)(x))


def build(network: str) -> Any:
    """Return a network with weights of one seed and statistics that matter."""
    made = {
        "mobilenet_v2": lambda: _inverted(MOBILENET_V2, padded=True),
        "efficientnet_lite0": lambda: _inverted(EFFICIENTNET_LITE0, padded=False),
        "resnet50_v2": _resnet,
    }
    nn.set_random_seed(5)
    model = made[network]()
    random = np.random.default_rng(5)
    for layer in model.layers:
        if isinstance(layer, L.BatchNormalization):
            n = layer.features
            ends = ((0.7, 1.3), (-0.3, 0.3), (-0.3, 0.3), (0.7, 1.3))
            layer.set_weights([random.uniform(*end, n).astype(np.float32) for end in ends])
    return model


class Photographs:
    """The engine's half of the rows for photographs."""

    def __init__(self) -> None:
        self.images: Any = None
        self.models: dict[str, Any] = {}
        self.before = 0
        self.weights = b""

    async def load(self, network: str, folder: str) -> dict[str, Any]:
        """Build a network with the shared weights, fetched from `folder`."""
        await self._see(folder)
        model = self.models[network] = build(network)
        flat = await _floats(f"{folder}{network}.weights.f32")
        ends = np.cumsum([v.size for v in model.variables])[:-1]
        parts = np.split(flat, ends)
        values = [p.reshape(v.shape) for p, v in zip(parts, model.variables, strict=True)]
        model.set_weights(values)
        return {}

    async def _see(self, folder: str) -> None:
        if self.images is None:
            self.images = (await _floats(f"{folder}photographs.f32")).reshape(-1, 224, 224, 3)

    def predict(self, network: str, batch: int, count: int) -> dict[str, Any]:
        """Predict `count` times: the median in ms, and the first image's scores."""
        model, x = self.models[network], self.images[:batch]
        times = []
        for _ in range(count):
            start = time.perf_counter()
            y = model.predict_on_batch(x)
            times.append(time.perf_counter() - start)
        return {"ms": statistics.median(times) * 1e3, "scores": y[0].tolist()}

    def finetune(self, network: str, batch: int, count: int) -> dict[str, Any]:
        """Train the head and the last block: the images a second of the median step."""
        key = f"{network} trained"
        if key not in self.models:
            model = self.models[key] = build(network)
            for layer in model.layers[:-LAST_BLOCK]:
                layer.trainable = False
            loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(nn.optimizers.SGD(1e-3, momentum=0.9), loss)
        model, labels, times = self.models[key], np.arange(batch) % 1000, []
        for _ in range(count):
            start = time.perf_counter()
            model.train_on_batch(self.images[:batch], labels)
            times.append(time.perf_counter() - start)
        return {"rate": batch / statistics.median(times)}

    async def open(self, network: str, folder: str, weights: str) -> dict[str, Any]:
        """Load EfficientNet-Lite0 from the bytes of its published weights: ms to the first answer.

        `answers` counts the memory that the interpreter takes from here on.
        """
        await self._see(folder)
        self.weights = (await _fetched(weights)).to_bytes()
        self.before = kernels.heap_bytes()
        start = time.perf_counter()
        self.models[network] = await nn.applications.EfficientNetLite0(weights=self.weights)
        self.models[network].predict_on_batch(self.images[:1])
        return {"ms": (time.perf_counter() - start) * 1e3}

    async def transfer(self) -> dict[str, Any]:
        """Train a head for three classes of ten images, on features computed once.

        Returns the seconds of both, and how many of the images the head then knows.
        """
        labels = np.arange(3).repeat(10)
        images = np.concatenate([self.images[:10] * 0.5 + shade for shade in (-0.5, 0, 0.5)])
        base = await nn.applications.EfficientNetLite0(
            weights=self.weights, include_top=False, pooling="avg"
        )
        start = time.perf_counter()
        features = await base.predict(images)
        between = time.perf_counter()
        head = nn.Sequential([nn.Input((1280,)), L.Dense(3, activation="softmax")])
        head.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        await head.fit(features, labels, epochs=10, batch_size=16)
        end = time.perf_counter()
        known = (head.predict_on_batch(features).argmax(1) == labels).mean()
        return {"features": between - start, "head": end - between, "known": float(known)}

    def answers(self, network: str, count: int) -> dict[str, Any]:
        """Give so many answers; return the MB that the interpreter's memory grew since `open`."""
        for _ in range(count):
            self.models[network].predict_on_batch(self.images[:1])
        return {"mb": (kernels.heap_bytes() - self.before) / 1e6}


async def _floats(url: str) -> Array:
    return np.frombuffer((await _fetched(url)).to_bytes(), np.float32)


async def _fetched(url: str) -> Any:
    from js import fetch

    response = await fetch(url)
    return await response.arrayBuffer()
