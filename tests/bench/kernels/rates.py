"""What each kernel reaches, in Pyodide or on CPython: GFLOP/s, and the seed network's parts.

PYTHONPATH=py python -m tests.bench.kernels.run [relaxed|simd|native]
"""

import json
import sys
import time

import numpy as np
from nn import kernels
from nn.kernels.library import Library, address

F4 = np.float32
RANDOM = np.random.default_rng(0)


def normal(*shape):
    return RANDOM.standard_normal(shape).astype(F4)


def seconds(function, least=0.02, rounds=7):
    """Best of `rounds` means, each over `least` seconds: the machine's, not its neighbours'.

    The clock ticks in 0.1 ms in a worker, so the number of calls is found by doubling.
    """
    times = 1
    while (took := clocked(function, times)) < least:
        times = times * 2 if took < least / 4 else int(times * least / took) + 1
    return min(clocked(function, times) for _ in range(rounds)) / times


def clocked(function, times):
    start = time.perf_counter()
    for _ in range(times):
        function()
    return time.perf_counter() - start


def peak(library):
    numbers = np.array([0.5, 0.1, 0], F4)
    times = 1_000_000
    return (
        12 * 8 * times / seconds(lambda: library.fma_peak(address(numbers), times), rounds=9) / 1e9
    )


def gemm(n):
    a, b, out = normal(n, n), normal(n, n), np.empty((n, n), F4)
    return 2 * n**3 / seconds(lambda: kernels.matmul(a, b, out)) / 1e9


def convolution(channels, size=28, images=None):
    images = images or max(2, 256 // channels)
    x, w = normal(images, size, size, channels), normal(3, 3, channels, channels)
    y, b = normal(images, size, size, channels), normal(channels)
    same = {"padding": ((1, 1), (1, 1))}
    work = 2 * 9 * channels * y.size / 1e9
    dx, dw = np.empty_like(x), np.empty_like(w)
    return {
        "forward": work
        / seconds(lambda: kernels.conv2d(x, w, b, activation="relu", out=y, **same)),
        "dw": work
        / seconds(
            lambda: kernels.conv2d_weight_gradient(x, y, w.shape, out=dw, bias_out=b, **same)
        ),
        "dx": work / seconds(lambda: kernels.conv2d_input_gradient(y, w, x.shape, out=dx, **same)),
    }


class Seed:
    """The seed network on bare kernels: what a model can reach at best."""

    def __init__(self, n):
        shapes = [(3, 3, 1, 8), (8,), (3, 3, 8, 16), (16,), (400, 128), (128,), (128, 10), (10,)]
        total = sum(int(np.prod(s)) for s in shapes)
        self.flat, self.slopes, self.m, self.v = (np.zeros(total, F4) for _ in range(4))
        self.p, self.g = self._views(self.flat, shapes), self._views(self.slopes, shapes)
        for p in self.p[::2]:
            p[...] = normal(*p.shape) * np.sqrt(2 / np.prod(p.shape[:-1]))
        self.data = RANDOM.integers(0, 256, (1000, 28, 28, 1), dtype=np.uint8)
        self.rows = RANDOM.integers(0, 1000, n).astype(np.int32)
        self.labels = RANDOM.integers(0, 10, n).astype(np.int32)
        self.weights = np.full(n, 1 / n, F4)
        empty = lambda *s: np.empty((n, *s), F4)  # noqa: E731
        self.x, self.p1, self.p2 = empty(28, 28, 1), empty(13, 13, 8), empty(5, 5, 16)
        self.a1, self.a2 = np.empty((n, 13, 13, 8), "u1"), np.empty((n, 5, 5, 16), "u1")
        self.h, self.z, self.dz, self.dh = empty(128), empty(10), empty(10), empty(128)
        self.d1, self.d2 = np.zeros_like(self.p1), np.zeros_like(self.p2)

    @staticmethod
    def _views(flat, shapes):
        ends = np.cumsum([int(np.prod(s)) for s in shapes])
        return [flat[e - int(np.prod(s)) : e].reshape(s) for e, s in zip(ends, shapes, strict=True)]

    def parts(self):
        k, (w1, b1, w2, b2, w3, b3, w4, b4), g = kernels, self.p, self.g
        x, p1, p2, a1, a2, d1, d2 = self.x, self.p1, self.p2, self.a1, self.a2, self.d1, self.d2
        f, df = self.p2.reshape(-1, 400), self.d2.reshape(-1, 400)
        relu = {"activation": "relu"}
        return {
            "gather": lambda: k.gather_scale(self.data, self.rows, 1 / 255, out=self.x),
            "conv1": lambda: k.conv2d_max_pool2d(x, w1, b1, out=p1, argmax=a1, **relu),
            "conv2": lambda: k.conv2d_max_pool2d(p1, w2, b2, out=p2, argmax=a2, **relu),
            "dense1": lambda: k.matmul(f, w3, self.h, bias=b3, **relu),
            "dense2": lambda: k.matmul(self.h, w4, self.z, bias=b4),
            "loss": lambda: k.softmax_cross_entropy(
                self.z, self.labels, sample_weight=self.weights, gradient=self.dz
            ),
            "dense2 dw": lambda: (k.matmul(self.h.T, self.dz, g[6]), k.column_sums(self.dz, g[7])),
            "dense2 dx": lambda: k.matmul(self.dz, w4.T, self.dh),
            "relu": lambda: k.activation_gradient(self.dh, self.h, "relu", self.dh),
            "dense1 dw": lambda: (k.matmul(f.T, self.dh, g[4]), k.column_sums(self.dh, g[5])),
            "dense1 dx": lambda: k.matmul(self.dh, w3.T, df),
            "conv2 gradient": lambda: k.conv2d_max_pool2d_gradient(
                p1, w2, d2, p2, a2, out=g[2], bias_out=g[3], input_out=d1, **relu
            ),
            "conv1 gradient": lambda: k.conv2d_max_pool2d_gradient(
                x, w1, d1, p1, a1, out=g[0], bias_out=g[1], **relu
            ),
            "adam": lambda: k.adam_update(
                self.flat, self.m, self.v, self.slopes,
                step_size=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-7,
            ),
        }  # fmt: skip


def seed(n):
    parts = Seed(n).parts()

    def step():
        for part in parts.values():
            part()

    forward = [parts[name] for name in ("conv1", "conv2", "dense1", "dense2")]
    whole = seconds(step, least=0.1)
    return {
        "step_ms": whole * 1e3,
        "images_per_second": n / whole,
        "forward_ms": seconds(lambda: [part() for part in forward]) * 1e3,
        "parts_ms": {name: seconds(part) * 1e3 for name, part in parts.items()},
    }


def recurrent(cell, n=128, steps=28, features=28, units=64):
    """A cell over the rows of images, without what lies around it: milliseconds each way, and the
    GFLOP/s of all its products."""
    width = kernels.GATES[cell] * units
    x, weights = normal(n, steps, features), [normal(k, width) / 8 for k in (features, units)]
    weights.append(normal(width) if cell == "lstm" else normal(2, width))
    shapes = kernels.trace_shapes(cell, n, steps, features, units)
    trace = kernels.Trace(*(np.zeros(shape, F4) for shape in shapes))
    first, y, slopes = (
        [None] * (cell == "lstm") + [None],
        np.empty((n, units), F4),
        normal(n, units),
    )
    last, gradients = [np.zeros_like(y) for _ in first], [np.empty_like(w) for w in weights]

    def forward():
        kernels.recurrent_steps(cell, x, weights, first, trace, y)

    def backward():
        for d in last:
            d[...] = slopes
        kernels.recurrent_gradient(cell, weights, trace, None, last, gradients)

    forward()
    there, back = seconds(forward), seconds(backward)
    return {
        "forward_ms": there * 1e3,
        "backward_ms": back * 1e3,
        "gflops": 2 * steps * n * width * (2 * features + 3 * units) / (there + back) / 1e9,
    }


def main(arguments):
    if arguments["path"]:
        kernels.load(arguments["path"])
    library = kernels.backend()
    result = {"backend": library.name}
    if isinstance(library, Library):
        result["fma_peak"] = peak(library)
    result["gemm512"] = gemm(512)
    for channels in arguments["channels"]:
        result[f"conv3x3.{channels}"] = convolution(channels)
    for n in arguments["batches"]:
        result[f"seed{n}"] = seed(n)
    for cell in ("lstm", "gru") if arguments["recurrent"] else ():
        result[cell] = recurrent(cell)
    if isinstance(library, Library):
        result["fma_peak_after"] = peak(library)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


main(ARGUMENTS)  # noqa: F821  (put before this text by run.py)
