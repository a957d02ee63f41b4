"""PyTorch eager in a process of its own, on as many threads as OMP_NUM_THREADS says."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tests.bench.peers.loop import serve

Array = NDArray[Any]
EPSILON = 1e-3  # of batch norm, Keras' default; PyTorch's would be 1e-5


class Recurrent(nn.Module):
    """An LSTM that gives its last output, with one bias as in Keras."""

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, units, batch_first=True)
        second_bias: Any = self.lstm.bias_hh_l0
        second_bias.requires_grad_(False).zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, time, width) to (n, units)."""
        last: torch.Tensor = self.lstm(x)[0][:, -1]
        return last


def _module(
    name: str, options: dict[str, Any], shape: tuple[int, ...]
) -> tuple[list[nn.Module], tuple[int, ...]]:
    """Return the modules of one Keras layer and its output shape (channels first, no batch)."""
    after: list[nn.Module] = [nn.ReLU()] if options.get("activation") == "relu" else []
    if name == "Conv2D":
        side, same = options["kernel_size"], options.get("padding") == "same"
        filters, bias = options["filters"], options.get("use_bias", True)
        convolution = nn.Conv2d(shape[0], filters, side, padding=side // 2 * same, bias=bias)
        lost = 0 if same else side - 1
        return [convolution, *after], (filters, shape[1] - lost, shape[2] - lost)
    if name == "Dense":
        return [nn.Linear(shape[0], options["units"]), *after], (options["units"],)
    if name == "BatchNormalization":
        return [nn.BatchNorm2d(shape[0], eps=EPSILON, momentum=0.01)], shape
    if name == "MaxPooling2D":
        return [nn.MaxPool2d(2)], (shape[0], shape[1] // 2, shape[2] // 2)
    if name == "Flatten":
        return [nn.Flatten()], (int(np.prod(shape)),)
    if name == "Reshape":
        return [nn.Flatten(1, 2)], tuple(options["target_shape"])
    if name == "LSTM":
        return [Recurrent(shape[1], options["units"])], (options["units"],)
    return [nn.ReLU()], shape


def _load(modules: list[nn.Module], arrays: dict[str, Array]) -> None:
    """Copy the initial weights, in the order of the layers, into the modules that have some."""
    values = iter(arrays.values())
    with torch.no_grad():
        for module in modules:
            for target in _targets(module):
                target.copy_(torch.from_numpy(next(values)))


def _targets(module: nn.Module) -> list[Any]:
    if isinstance(module, Recurrent):
        return [module.lstm.weight_ih_l0, module.lstm.weight_hh_l0, module.lstm.bias_ih_l0]
    named = ("weight", "bias", "running_mean", "running_var")
    found = [getattr(module, name, None) for name in named]
    return [tensor for tensor in found if tensor is not None]


class TorchTrainer:
    """One network, its loss and Adam at Keras' settings."""

    def __init__(self, spec: Any, data: Any, network: str) -> None:
        modules: list[nn.Module] = []
        shape: tuple[int, ...] = (1, 28, 28)
        for name, options in spec:
            made, shape = _module(name, options, shape)
            modules += made
        _load(modules, data.nchw_weights(network))
        self.model = nn.Sequential(*modules)
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=1e-3, eps=1e-7)
        self.loss = nn.CrossEntropyLoss()

    def step(self, images: Array, labels: Array) -> float:
        """Train on one batch and give its loss."""
        self.model.train()
        self.optimizer.zero_grad()
        loss = self.loss(self.model(_scaled(images)), torch.from_numpy(labels).long())
        loss.backward()
        self.optimizer.step()
        return float(loss.item())

    def predict(self, images: Array) -> Array:
        """Return the scores before softmax."""
        self.model.eval()
        with torch.inference_mode():
            scores: Array = self.model(_scaled(images)).numpy()
        return scores


def _scaled(images: Array) -> torch.Tensor:
    return torch.from_numpy(images).reshape(-1, 1, 28, 28).float().mul_(1 / 255)


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.set_num_interop_threads(1)
    serve(TorchTrainer, {"torch": torch.__version__, "threads": torch.get_num_threads()})
