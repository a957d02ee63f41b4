"""The bench: the one object that the page talks to besides `nn` and `mnist`.

Everything with pixels or weights in it happens here; the page gets numbers, rows and pictures.
"""

from __future__ import annotations

import asyncio
import platform
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any
from weakref import WeakKeyDictionary

import js
import nn
import numpy as np
from nn import kernels
from nn.data import Dataset
from nn.io import formats

from app.lab import (
    analysis,
    augment,
    downloads,
    drawings,
    import_data,
    indexed_db,
    normalize_digit,
    optional_packages,
    pictures,
    schedule,
)
from app.lab import kernels as kernel_files
from app.lab.mnist import Mnist
from app.lab.runs import Runs

CLASSES = 10

# What the first model and its first step import: done while the data are on their way.
LATER = ("nn.models.sequential", "nn.training.loop", "nn.training.step")

# What the page's list of file formats offers: format of nn.io, ending, options of its `save`.
EXPORTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "npz": ("npz", ".npz", {}),
    "npz-uint8": (
        "npz",
        "-uint8.npz",
        {"include_optimizer": False, "quantization": {"uint8": "*"}},
    ),
    "safetensors": ("safetensors", ".safetensors", {}),
    "tfjs": ("tfjs", "-tfjs.zip", {}),
    "keras": ("keras", ".keras", {}),
    "onnx": ("onnx", ".onnx", {}),
}


class Bench:
    """Served to the page as `lab`.

    Args:
        mnist: the data sets that the page trains on.
        started: the worker's clock when its first line ran, in milliseconds.
        imported: the same when NumPy and the engine were imported.
    """

    def __init__(self, mnist: Mnist, started: float, imported: float) -> None:
        self._mnist = mnist
        self._clock = (started, imported)
        self._kernels: dict[str, Any] = {"name": "numpy", "size": 0, "problems": []}
        self._base = ""
        self._rng = np.random.default_rng(0)
        self._answers: tuple[Any, Any] | None = None
        self._optimizers: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self._schedule: schedule.Schedule | None = None
        self.runs = Runs(self._optimizers, self._rate)
        self.drawings = drawings.Drawings(mnist)

    # -- start-up ---------------------------------------------------------------------------

    def origins(self) -> dict[str, Any]:
        """What happened before this object could be reached: bytes and seconds."""
        loaded = downloads.downloaded()
        numpy = sum(size for name, size in loaded.items() if name.startswith("numpy"))
        runtime = sum(
            size for name, size in loaded.items() if name.startswith(("pyodide", "python_stdlib"))
        )
        return {
            "runtime_bytes": runtime,
            "runtime_s": self._clock[0] / 1000,
            "numpy_bytes": numpy,
            "numpy_s": (self._clock[1] - self._clock[0]) / 1000,
            "numpy_version": np.__version__,
        }

    async def load_kernels(self, base: str) -> dict[str, Any]:
        """The fastest kernels that this browser takes: {name, size, problems}."""
        self._base = base
        self._kernels = await kernel_files.load(base)
        return self._kernels

    async def load_data(self, base: str) -> int:
        """Fetch MNIST; returns the bytes that came."""
        loading = asyncio.ensure_future(self._mnist.load(base))
        await asyncio.sleep(0)  # it is asked for
        for module in LATER:
            import_module(module)
        return await loading

    async def environment(self) -> dict[str, str]:
        """Where this runs, in words; what the browser lacks as well."""
        wasm = sys.modules.get("_pyodide_core")
        memory = getattr(getattr(js, "performance", None), "memory", None)
        facts = {
            "Worker": f"CPython {platform.python_version()} in Pyodide",
            "NumPy": np.__version__,
            "Kernels": self._kernels["name"],
            "Relaxed SIMD": "yes"
            if kernel_files.relaxed()
            else "no: the kernels do with plain SIMD",
            "Storage": await indexed_db.state(),
            "Isolated": "yes" if js.crossOriginIsolated else "no (not needed)",
            "Processors": str(js.navigator.hardwareConcurrency),
        }
        if wasm is not None and memory is not None:
            facts["Memory"] = f"{memory.usedJSHeapSize / 1e6:.0f} MB"
        return facts

    # -- data -------------------------------------------------------------------------------

    def counts(self) -> dict[str, Any]:
        """What the data are: name, sizes, images a class."""
        data = self._mnist
        counts = data.train.class_counts()
        counts += [0] * (CLASSES - len(counts))
        names = list(data.train.class_names or range(CLASSES))
        return {
            "name": data.name,
            "train": len(data.train),
            "test": len(data.test),
            "counts": counts,
            "names": [str(name) for name in names],
        }

    def samples(self, columns: int, rows: int) -> dict[str, Any]:
        """Random training images as one picture, and their labels."""
        data = self._mnist.train
        indices = self._rng.integers(0, len(data), columns * rows)
        picture = pictures.mosaic(data.x[indices][..., 0], columns)
        assert data.y is not None
        return {"rgba": picture, "labels": data.y[indices].tolist()}

    async def import_data(self, names: list[str], urls: list[str]) -> None:
        """Train on a user's files from now on; `urls` are their object URLs."""
        parts = await asyncio.gather(*[downloads.download(url) for url in urls])
        files = dict(zip(names, parts, strict=True))
        images, labels, classes = await import_data.read(files, downloads.decode_image)
        self._mnist.use(names[0], *import_data.split(images, labels, classes))
        self.drawings.take_back()
        self._answers = None

    def restore_data(self) -> None:
        """Back to MNIST; drawings that were among its images are in their buckets again."""
        self._mnist.restore()
        self.drawings.take_back()
        self._answers = None

    def training_set(self, count: int, choice: dict[str, int], seed: int) -> Dataset:
        """The first `count` training images, each changed at random as the switches say."""
        data = self._mnist.train.take(min(count, len(self._mnist.train)))
        return augment.changed(data, choice, seed) if any(choice.values()) else data

    def changed_samples(self, choice: dict[str, int], columns: int, rows: int) -> dict[str, Any]:
        """Random training images, a row each: as they are, then as the switches change them."""
        data = self._mnist.train
        assert data.y is not None
        indices = self._rng.integers(0, len(data), rows)
        seed = int(self._rng.integers(0, 2**31))
        ways = augment.variations(data.x[indices][..., 0], choice, columns - 1, seed)
        return {"rgba": pictures.mosaic(ways, columns), "labels": data.y[indices].tolist()}

    def any_test_image(self) -> dict[str, Any]:
        """One test image as a picture, with its label."""
        data = self._mnist.test
        index = int(self._rng.integers(0, len(data)))
        assert data.y is not None
        return {"rgba": pictures.ink(data.x[index, ..., 0]), "label": int(data.y[index])}

    async def glance(self, model: Any, count: int = 16) -> list[dict[str, Any]]:
        """The first test images and what the model makes of them: {rgba, truth, answer}."""
        data = self._mnist.test.take(count)
        answers = (await model.predict(self._scaled(data.x[..., 0]))).argmax(axis=1)
        assert data.y is not None
        return [
            {"rgba": pictures.ink(image[..., 0]), "truth": int(truth), "answer": int(answer)}
            for image, truth, answer in zip(data.x, data.y, answers, strict=True)
        ]

    # -- drawing ----------------------------------------------------------------------------

    async def read(self, model: Any, pixels: Any, width: int) -> dict[str, Any] | None:
        """What the network makes of a canvas; None when nothing is drawn.

        Args:
            model: whom to ask.
            pixels: RGBA bytes of the canvas, row by row.
            width: pixels in a row.
        """
        image = normalize_digit.from_drawing(normalize_digit.from_rgba(pixels, width))
        if image is None:
            return None
        self.drawings.last = image
        probabilities = (await model.predict(self._scaled(image[None])))[0]
        return {
            "digit": int(probabilities.argmax()),
            "confidence": float(probabilities.max()),
            "probabilities": [float(share) for share in probabilities],
            "bits": probabilities.tobytes().hex(),
            "image": pictures.ink(image),
        }

    @staticmethod
    def _scaled(images: Any) -> Any:
        return images[..., None].astype(np.float32) * np.float32(1 / 255)

    async def fine_tune(self, model: Any, steps: int = 12) -> float:
        """A few steps on the labelled drawings, mixed with training images to keep the rest."""
        images, labels = self.drawings.arrays()
        times = max(1, 16 // len(labels))  # one alone would drown among the others
        images, labels = np.repeat(images, times, 0), np.repeat(labels, times)
        data = self._mnist.train
        assert data.y is not None
        loss = 0.0
        for _ in range(steps):
            others = self._rng.integers(0, len(data), max(32, len(labels)))
            x = np.concatenate([images, data.x[others][..., 0]])
            y = np.concatenate([labels, np.asarray(data.y)[others]])
            model.train_on_batch(self._scaled(x), y)
            loss = model.test_on_batch(self._scaled(images), labels, return_dict=True)["loss"]
            await asyncio.sleep(0)
        return float(loss)

    # -- training ---------------------------------------------------------------------------

    def compile(self, model: Any, choice: dict[str, Any]) -> None:
        """Give a model its optimizer and penalty, keeping the state of one that is the same.

        Args:
            model: the model.
            choice: optimizer (class name), lr, l2.
        """
        kind = getattr(nn.optimizers, choice["optimizer"])
        held = self._optimizers.get(model)
        optimizer: Any = held if type(held) is kind else kind(learning_rate=choice["lr"])
        optimizer.learning_rate = choice["lr"]
        penalty = nn.regularizers.L2(choice["l2"]) if choice["l2"] else None
        for variable in model.trainable_variables:
            if len(variable.value.shape) > 1:  # weights, not biases
                variable.regularizer = penalty
        self._optimizers[model] = optimizer
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])

    def schedule(self, kind: str, rate: float, first: int = 0) -> schedule.Schedule:
        """A callback that sets the learning rate of each batch, from the `first` on."""
        self._schedule = schedule.Schedule(kind, rate, first)
        return self._schedule

    def _rate(self) -> float:
        return self._schedule.rate if self._schedule is not None else 0.0

    def set_rate(self, model: Any, rate: float) -> None:
        """Change the learning rate of a run in progress."""
        model.optimizer.learning_rate = rate
        if self._schedule is not None:
            self._schedule.rate = rate

    def step(self, model: Any, size: int) -> dict[str, float]:
        """Train one random batch; {loss, accuracy} of it."""
        data = self._mnist.train
        indices = self._rng.integers(0, len(data), size)
        model.reset_metrics()
        assert data.y is not None
        x = self._scaled(data.x[indices][..., 0])
        logs = model.train_on_batch(x, data.y[indices], return_dict=True)
        return {name: float(value) for name, value in logs.items()}

    # -- models -----------------------------------------------------------------------------

    async def save(self, model: Any, name: str, about: dict[str, Any]) -> list[dict[str, Any]]:
        """Keep a model in this browser; returns all that are kept."""
        octets = nn.io.save(model)
        await indexed_db.put(name, octets, dict(about, saved=indexed_db.now()))
        return await indexed_db.listing()

    async def saved(self) -> list[dict[str, Any]]:
        return await indexed_db.listing()

    async def forget(self, name: str) -> list[dict[str, Any]]:
        await indexed_db.delete(name)
        return await indexed_db.listing()

    async def open(self, name: str) -> Any:
        """A model that was kept, with weights equal to the bit."""
        octets, _ = await indexed_db.get(name)
        return nn.io.load(octets)

    def fresh(self, model: Any, seed: int) -> Any:
        """A model of the same architecture that has learned nothing."""
        nn.set_random_seed(seed)
        return type(model).from_config(model.get_config())

    def export(self, model: Any, name: str, choice: str = "npz") -> dict[str, Any]:
        """The model as a file: an address inside this browser, a name and a size.

        Args:
            model: the model.
            name: of the file, without its ending.
            choice: one of EXPORTS.
        """
        if choice not in EXPORTS:
            raise ValueError(f"file format: expected one of {list(EXPORTS)}, received {choice!r}")
        form, ending, options = EXPORTS[choice]
        octets = nn.io.save(model, form, **options)
        return {"url": _object_url(octets), "name": f"{name}{ending}", "size": len(octets)}

    async def load(self, url: str, name: str) -> Any:
        """A model from a file that the user chose; `url` is its object URL."""
        octets = await downloads.download(url)
        try:
            if formats.sniff(octets) in ("keras", "h5"):
                await optional_packages.add(self._base, "pyfive")  # reads its HDF5 part
            return nn.io.load(octets)
        except Exception as error:
            raise ValueError(f"{name}: {error}") from error

    # -- analysis ---------------------------------------------------------------------------

    async def findings(
        self, model: Any, progress: Callable[[float], Any] | None = None
    ) -> dict[str, Any]:
        """Confusion matrix, scores a class and the worst mistakes over the test set."""
        data = self._mnist.test
        parts = []
        for start in range(0, len(data), 500):
            images = data.x[start : start + 500]
            parts.append(await model.predict(images.astype(np.float32) * np.float32(data.scale)))
            await asyncio.sleep(0)
            if progress:
                progress(min(1.0, (start + 500) / len(data)))
        probabilities = np.concatenate(parts)
        truth = np.asarray(data.y)
        self._answers = (truth, probabilities)
        matrix = analysis.confusion(truth, probabilities.argmax(axis=1), CLASSES)
        wrong = analysis.worst(truth, probabilities)
        return {
            "confusion": matrix.tolist(),
            "per_class": analysis.per_class(matrix),
            "mistakes": [self._mistake(index) for index in wrong],
            "wrong": int(matrix.sum() - np.trace(matrix)),
            "total": int(matrix.sum()),
        }

    def _mistake(self, index: int) -> dict[str, Any]:
        assert self._answers is not None
        truth, probabilities = self._answers
        answer = int(probabilities[index].argmax())
        return {
            "rgba": pictures.ink(self._mnist.test.x[index, ..., 0]),
            "truth": int(truth[index]),
            "answer": answer,
            "confidence": float(probabilities[index, answer]),
        }

    def cell(self, truth: int, answer: int, most: int = 30) -> list[dict[str, Any]]:
        """The test images of one cell of the confusion matrix."""
        if self._answers is None:
            return []
        labels, probabilities = self._answers
        found = np.flatnonzero((labels == truth) & (probabilities.argmax(axis=1) == answer))
        return [self._mistake(index) for index in found[:most]]

    def filters(self, model: Any, most: int = 32) -> list[Any]:
        """The first convolution's filters as pictures, or [] where there is none."""
        for layer in model.layers:
            if type(layer).__name__ == "Conv2D":
                kernel = layer.get_weights()[0]
                return [
                    pictures.signed(kernel[:, :, 0, i]) for i in range(min(most, kernel.shape[3]))
                ]
        return []

    def feature_maps(self, model: Any, most: int = 16) -> list[dict[str, Any]]:
        """What each convolution and pooling makes of the last drawing: {layer, maps}."""
        if self.drawings.last is None:
            return []
        nodes = [node for node in model.graph.nodes if len(node.outputs[0].shape) == 4]
        if not nodes:
            return []
        part = nn.Model(model.inputs, [node.outputs[0] for node in nodes])
        outputs = part.run([self._scaled(self.drawings.last[None])])
        return [
            {
                "layer": node.layer.name,
                "maps": [pictures.activation(y[0, :, :, i]) for i in range(min(most, y.shape[3]))],
            }
            for node, y in zip(nodes, outputs, strict=True)
        ]

    def weights(self, model: Any) -> list[dict[str, Any]]:
        """The distribution of each layer's weights."""
        rows = []
        for layer in model.layers:
            tensors = layer.get_weights()
            if tensors:
                values = np.concatenate([tensor.reshape(-1) for tensor in tensors])
                rows.append(
                    dict(analysis.histogram(values), layer=layer.name, count=int(values.size))
                )
        return rows

    def backend(self) -> str:
        return str(kernels.backend().name)


def _object_url(octets: bytes) -> str:
    array = js.Uint8Array.new(len(octets))
    array.assign(octets)
    return str(js.URL.createObjectURL(js.Blob.new([array])))
