"""Training on a GPU, by WebGPU: `await nn.gpu.open()`, then `model.compile(..., device="gpu")`.

A compiled model becomes a *plan* (`plan`, `compiler`, `layers`, `losses`, `updates`): buffers,
kernels as text (`wgsl`), and the dispatches of one training step. A device makes it once and
replays it (`session`, `training`). `browser` alone knows JavaScript.
"""

from nn.gpu.devices import open, reason

__all__ = ["open", "reason"]
