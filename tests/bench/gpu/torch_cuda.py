"""PyTorch on the same card: eager, and one CUDA graph a step; float32, TF32 off, fused Adam."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "py")]
from tests.bench import photographs  # noqa: E402 - the packed folder has them
from tests.bench.peers.loop import Data  # noqa: E402
from tests.bench.peers.photographs import LAST_BLOCK  # noqa: E402
from tests.bench.peers.photographs_torch import Network, Photographs  # noqa: E402
from tests.bench.peers.torch_1t import TorchTrainer  # noqa: E402

DATA = Path(sys.argv[1])
CUDA = torch.device("cuda")


class Loop:
    """The operations of the bench."""

    def load(self, network: str, batch: int) -> dict[str, Any]:
        """Load a network; returns its first ten losses, taken eagerly."""
        self.batch, self.graph = batch, None
        self.step = self.tuned(batch) if network == "mobilenet_v2" else self.trained(network, batch)
        return {"losses": [float(self.step()) for _ in range(10)]}

    def tuned(self, batch: int) -> Any:
        """Return a step of MobileNetV2's head and last block."""
        photographs.write(DATA, "mobilenet_v2")
        held = Network(DATA, "mobilenet_v2")
        held.weights = [weight.to(CUDA) for weight in held.weights]
        first = held.nodes[-LAST_BLOCK]["weights"]
        moving = {n["weights"] + k for n in held.nodes if n["op"] == "norm" for k in (2, 3)}
        trained = [w for i, w in enumerate(held.weights) if i >= first and i not in moving]
        for weight in trained:
            weight.requires_grad_(True)
        optimizer = torch.optim.SGD(trained, lr=1e-3, momentum=0.9, fused=True)
        x = Photographs(DATA).images(batch).to(CUDA)
        labels = torch.arange(batch, device=CUDA) % 1000

        def step() -> Any:
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(held.forward(x, LAST_BLOCK), labels)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return step

    def trained(self, network: str, batch: int) -> Any:
        """Return a step of one of the bench's networks."""
        images = torch.from_numpy(np.fromfile(DATA / "images.u8", np.uint8))
        self.images = images.reshape(-1, 1, 28, 28).to(CUDA)
        self.labels = torch.from_numpy(np.fromfile(DATA / "labels.u8", np.uint8)).long().to(CUDA)
        self.batches = len(self.labels) // batch
        held = Data(DATA)
        self.model = TorchTrainer(held.networks[network], held, network).model.to(CUDA)
        self.adam = torch.optim.Adam(
            self.model.parameters(), 1e-3, eps=1e-7, fused=True, capturable=True
        )
        self.order = torch.arange(batch, device=CUDA)
        return self.one

    def one(self) -> Any:
        """Take a step on the batch at `order`, which moves on; returns the loss."""
        x = self.images[self.order].float() / 255
        self.adam.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.model(x), self.labels[self.order])
        loss.backward()
        self.adam.step()
        self.order.add_(self.batch).remainder_(self.batch * self.batches)
        return loss.detach()

    def train(self, seconds: float, graph: bool = False, **_: Any) -> dict[str, Any]:
        """Train for so long."""
        run = self.step
        if graph:
            if self.graph is None:
                self.graph = self.captured()
            run = self.graph.replay
        run()
        torch.cuda.synchronize()
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            for _ in range(16):
                run()
            steps += 16
            torch.cuda.synchronize()
        return {"steps": steps, "rate": steps * self.batch / (time.perf_counter() - start)}

    def captured(self) -> Any:
        """Return a step as a CUDA graph."""
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(aside)
        made = torch.cuda.CUDAGraph()
        with torch.cuda.graph(made):
            self.step()
        return made

    def operation(self, operation: str, seconds: float) -> dict[str, Any]:
        """Return milliseconds of a product or a convolution, by CUDA's events."""
        if operation == "gemm2048":
            a, b = (torch.randn(2048, 2048, device=CUDA) for _ in range(2))
            return {"ms": _timed(lambda: a @ b, seconds)}
        x = torch.randn(256, 64, 28, 28, device=CUDA)
        kernel = torch.randn(64, 64, 3, 3, device=CUDA)
        torch.backends.cudnn.benchmark = True
        return {"ms": _timed(lambda: F.conv2d(x, kernel, padding=1), seconds)}

    def info(self) -> dict[str, Any]:
        """Return the card and the versions."""
        return {"adapter": torch.cuda.get_device_name(), "torch": torch.__version__}


def _timed(run: Any, seconds: float) -> float:
    for _ in range(5):
        run()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    times = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        start.record()
        for _ in range(10):
            run()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 10)
    return sorted(times)[len(times) // 2]


def main() -> None:
    """Answer one JSON line for each JSON line read."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    loop = Loop()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(loop, request["operation"])(**request["arguments"])
        except Exception as error:  # the harness names it
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
