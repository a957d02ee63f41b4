"""The naive training step in plain NumPy: im2col and BLAS, as a textbook writes it.

Runs natively (OPENBLAS_NUM_THREADS=1) and, unchanged, in Pyodide, where NumPy has no BLAS.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = Any  # float32; NumPy's stubs widen every expression below


class Conv:
    """Valid convolution with relu, columns materialised."""

    def __init__(self, kernel: Array, bias: Array) -> None:
        self.weights = [kernel, bias]

    def forward(self, x: Array) -> Array:
        """Return relu(conv(x)); keeps the columns for the backward pass."""
        kernel, bias = self.weights
        side, _, channels, filters = kernel.shape
        windows: Array = sliding_window_view(x, (side, side), axis=(1, 2))  # type: ignore[call-overload]
        windows = windows.transpose(0, 1, 2, 4, 5, 3)
        self.shape = x.shape
        self.columns = windows.reshape(-1, side * side * channels)
        y: Any = self.columns @ kernel.reshape(-1, filters) + bias
        self.y: Array = np.maximum(y, 0).reshape(*windows.shape[:3], filters)
        return self.y

    def backward(self, dy: Array, first: bool) -> tuple[Array | None, list[Array]]:
        """Return the input's gradient (none for the first layer) and the weights' gradients."""
        kernel = self.weights[0]
        side, _, channels, filters = kernel.shape
        dy = (dy * (self.y > 0)).reshape(-1, filters)
        gradients = [(self.columns.T @ dy).reshape(kernel.shape), dy.sum(0)]
        if first:
            return None, gradients
        n, height, width = self.y.shape[:3]
        columns = (dy @ kernel.reshape(-1, filters).T).reshape(
            n, height, width, side, side, channels
        )
        dx = np.zeros(self.shape, np.float32)
        for row in range(side):
            for column in range(side):
                dx[:, row : row + height, column : column + width] += columns[:, :, :, row, column]
        return dx, gradients


class Pool:
    """Max pooling 2x2 that drops an odd edge."""

    weights: tuple[Array, ...] = ()

    def forward(self, x: Array) -> Array:
        """Return the maximum of each 2x2 window."""
        n, height, width, channels = x.shape
        height, width = height // 2, width // 2
        blocks = x[:, : height * 2, : width * 2].reshape(n, height, 2, width, 2, channels)
        y: Array = blocks.max((2, 4))
        self.shape, self.mask = x.shape, blocks == y[:, :, None, :, None]
        return y

    def backward(self, dy: Array, first: bool) -> tuple[Array | None, list[Array]]:
        """Send each gradient to its maximum (shared by ties)."""
        n, height, width, channels = dy.shape
        dx = np.zeros(self.shape, np.float32)
        spread = (self.mask * dy[:, :, None, :, None]).reshape(n, height * 2, width * 2, channels)
        dx[:, : height * 2, : width * 2] = spread
        return dx, []


class Flatten:
    """(n, ...) to (n, all)."""

    weights: tuple[Array, ...] = ()

    def forward(self, x: Array) -> Array:
        """Return x as rows."""
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy: Array, first: bool) -> tuple[Array | None, list[Array]]:
        """Return dy in x's shape."""
        return dy.reshape(self.shape), []


class Dense:
    """x @ w + b, with relu or none."""

    def __init__(self, kernel: Array, bias: Array, relu: bool) -> None:
        self.weights, self.relu = [kernel, bias], relu

    def forward(self, x: Array) -> Array:
        """Return the layer's output."""
        self.x = x
        y: Array = x @ self.weights[0] + self.weights[1]
        self.y: Array = np.maximum(y, 0) if self.relu else y
        return self.y

    def backward(self, dy: Array, first: bool) -> tuple[Array | None, list[Array]]:
        """Return the input's gradient and the weights' gradients."""
        dy = dy * (self.y > 0) if self.relu else dy
        return dy @ self.weights[0].T, [self.x.T @ dy, dy.sum(0)]


class NumpyTrainer:
    """The network as a list of layers, with Adam."""

    def __init__(self, spec: Any, data: Any, network: str) -> None:
        weights = iter(data.weights(network))
        self.layers: list[Any] = [_layer(name, options, weights) for name, options in spec]
        parameters = [w for layer in self.layers for w in layer.weights]
        self.moments = [(np.zeros_like(w), np.zeros_like(w)) for w in parameters]
        self.parameters, self.steps = parameters, 0

    def step(self, images: Array, labels: Array) -> float:
        """Train on one batch and give its loss."""
        scores = self.predict(images)
        exponents = np.exp(scores - scores.max(1, keepdims=True))
        probabilities = exponents / exponents.sum(1, keepdims=True)
        rows = np.arange(len(labels))
        loss = -np.log(probabilities[rows, labels]).mean()
        probabilities[rows, labels] -= 1
        self._update(self._backward(probabilities / np.float32(len(labels))))
        return float(loss)

    def predict(self, images: Array) -> Array:
        """Return the scores before softmax."""
        x: Array = images.reshape(-1, 28, 28, 1) * np.float32(1 / 255)
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def _backward(self, dy: Array) -> list[Array]:
        gradients: list[Array] = []
        for index, layer in reversed(list(enumerate(self.layers))):
            dy, own = layer.backward(dy, index == 0)
            gradients = own + gradients
        return gradients

    def _update(self, gradients: list[Array]) -> None:
        self.steps += 1
        rate = np.float32(1e-3 * (1 - 0.999**self.steps) ** 0.5 / (1 - 0.9**self.steps))
        for w, g, (m, v) in zip(self.parameters, gradients, self.moments, strict=True):
            m += np.float32(0.1) * (g - m)
            v += np.float32(0.001) * (g * g - v)
            w -= rate * m / (np.sqrt(v) + np.float32(1e-7))


def _layer(name: str, options: dict[str, Any], weights: Any) -> Any:
    if name == "Conv2D":
        return Conv(next(weights), next(weights))
    if name == "Dense":
        return Dense(next(weights), next(weights), "activation" in options)
    return {"MaxPooling2D": Pool, "Flatten": Flatten}[name]()


if __name__ == "__main__":
    from tests.bench.peers.loop import serve

    serve(NumpyTrainer, {"numpy": np.__version__, "threads": 1})
