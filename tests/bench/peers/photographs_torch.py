"""PyTorch eager on one thread for photographs, in a process of its own."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from tests.bench.peers.photographs import LAST_BLOCK


class Network:
    """The nodes of one network and their weights, channels first."""

    def __init__(self, folder: Path, network: str) -> None:
        described = json.loads((folder / f"{network}.layers.json").read_text())
        self.nodes = described["nodes"]
        flat = np.fromfile(folder / f"{network}.layers.f32", "<f4")
        ends = np.cumsum([int(np.prod(s)) for s in described["shapes"]])[:-1]
        parts = zip(np.split(flat, ends), described["shapes"], strict=True)
        arrays = [part.reshape(shape) for part, shape in parts]
        for node in self.nodes:
            at = node["weights"]
            if node["op"] == "convolution":
                arrays[at] = arrays[at].transpose(3, 2, 0, 1)
            if node["op"] == "depthwise":
                arrays[at] = arrays[at].transpose(2, 3, 0, 1)
        self.weights = [torch.tensor(np.ascontiguousarray(a)) for a in arrays]

    def forward(self, x: torch.Tensor, trained: int = 0) -> torch.Tensor:
        """Return the scores; the last `trained` nodes normalize by the batch."""
        values = [x]
        for number, node in enumerate(self.nodes):
            training = number >= len(self.nodes) - trained
            given = [values[i] for i in node["inputs"]]
            values.append(getattr(self, node["op"])(node, given, node["weights"], training))
        return values[-1]

    def _convolve(self, node: Any, x: torch.Tensor, at: int, groups: int) -> torch.Tensor:
        (top, bottom), (left, right) = node["padding"]
        padded = F.pad(x, (left, right, top, bottom)) if top + bottom + left + right else x
        bias = self.weights[at + 1] if node["bias"] else None
        return F.conv2d(padded, self.weights[at], bias, node["strides"], groups=groups)

    def convolution(self, node: Any, given: Any, at: int, training: bool) -> torch.Tensor:
        return self._convolve(node, given[0], at, 1)

    def depthwise(self, node: Any, given: Any, at: int, training: bool) -> torch.Tensor:
        return self._convolve(node, given[0], at, given[0].shape[1])

    def norm(self, node: Any, given: Any, at: int, training: bool) -> torch.Tensor:
        gamma, beta, mean, variance = self.weights[at : at + 4]
        return F.batch_norm(given[0], mean, variance, gamma, beta, training, 0.01, node["epsilon"])

    def relu(self, node: Any, given: Any, at: int, training: bool) -> torch.Tensor:
        return F.relu(given[0])

    def relu6(self, node: Any, given: Any, at: int, training: bool) -> torch.Tensor:
        return F.relu6(given[0])

    def max_pool(self, node: Any, given: Any, at: int, training: bool) -> torch.Tensor:
        return F.max_pool2d(given[0], node["size"], node["strides"])

    def pad(self, node: Any, given: Any, at: int, training: bool) -> torch.Tensor:
        (top, bottom), (left, right) = node["padding"]
        return F.pad(given[0], (left, right, top, bottom))

    def add(self, node: Any, given: Any, at: int, training: bool) -> torch.Tensor:
        return given[0] + given[1]

    def mean(self, node: Any, given: Any, at: int, training: bool) -> torch.Tensor:
        return given[0].mean((2, 3))

    def dense(self, node: Any, given: Any, at: int, training: bool) -> torch.Tensor:
        return given[0] @ self.weights[at] + self.weights[at + 1]


class Photographs:
    """The operations that the bench asks for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.networks: dict[str, Network] = {}

    def images(self, batch: int) -> torch.Tensor:
        """Return images, channels first."""
        pixels = np.fromfile(self.folder / "photographs.f32", "<f4").reshape(-1, 224, 224, 3)
        return torch.tensor(np.ascontiguousarray(pixels[:batch].transpose(0, 3, 1, 2)))

    def load(self, network: str, folder: str) -> dict[str, Any]:
        self.networks[network] = Network(self.folder, network)
        return {}

    def predict(self, network: str, batch: int, count: int) -> dict[str, Any]:
        held, x, times = self.networks[network], self.images(batch), []
        with torch.inference_mode():
            for _ in range(count):
                start = time.perf_counter()
                y = held.forward(x)
                times.append(time.perf_counter() - start)
        return {"ms": statistics.median(times) * 1e3, "scores": y[0].tolist()}

    def finetune(self, network: str, batch: int, count: int) -> dict[str, Any]:
        held = Network(self.folder, network)
        first = held.nodes[-LAST_BLOCK]["weights"]
        moving = {n["weights"] + k for n in held.nodes if n["op"] == "norm" for k in (2, 3)}
        trained = [w for i, w in enumerate(held.weights) if i >= first and i not in moving]
        for weight in trained:
            weight.requires_grad_(True)
        optimizer = torch.optim.SGD(trained, lr=1e-3, momentum=0.9)
        x, labels, times = self.images(batch), torch.arange(batch) % 1000, []
        for _ in range(count):
            start = time.perf_counter()
            optimizer.zero_grad()
            F.cross_entropy(held.forward(x, LAST_BLOCK), labels).backward()
            optimizer.step()
            times.append(time.perf_counter() - start)
        return {"rate": batch / statistics.median(times)}


def main() -> None:
    """Answer one JSON line for each JSON line read, until the input ends."""
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    info = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    peer = Photographs(Path(sys.argv[1]))
    for line in sys.stdin:
        request = json.loads(line)
        name, given = request["operation"], request["arguments"]
        answer = info if name == "info" else getattr(peer, name)(**given)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
