"""Kernels: the inner loops, in C if a build is loaded and arrays are float32, else in NumPy.

Each function has two implementations: C in src/, called through ctypes on NumPy's memory, and NumPy
in reference.py (of `rmsprop_update`, in `RMSprop.move`). `load` opens a build; without one NumPy is
used. `recording` keeps the calls of a layer, so that a program can repeat them unchecked.
"""

from typing import TYPE_CHECKING

from nn.kernels.convolution import (
    conv2d,
    conv2d_input_gradient,
    conv2d_packed,
    conv2d_weight_gradient,
    pack_conv2d,
)
from nn.kernels.dense import batch_matmul, matmul
from nn.kernels.elementwise import (
    Draw,
    activate,
    activation_gradient,
    add,
    drop,
    fused_loss,
    next_softmax_cross_entropy,
    softmax,
    softmax_cross_entropy,
    softmax_gradient,
)
from nn.kernels.gather import add_rows, gather_scale
from nn.kernels.layout import clear, concatenate, copy, pad2d, swap_axes
from nn.kernels.library import Backend, backend, heap_bytes, load, multiply_add, use
from nn.kernels.normalization import (
    batch_norm,
    batch_norm_gradient,
    column_affine,
    column_moments,
    column_sums,
    layer_norm,
    layer_norm_gradient,
)
from nn.kernels.pooling import (
    average_pool2d,
    average_pool2d_gradient,
    conv2d_max_pool2d,
    conv2d_max_pool2d_gradient,
    max_pool2d,
    max_pool2d_gradient,
    mean_places,
    mean_places_gradient,
)
from nn.kernels.recurrent import GATES, recurrent_gradient, recurrent_steps, trace_shapes
from nn.kernels.reference import Trace
from nn.lazy import lookup

if TYPE_CHECKING:
    from nn.kernels.optimizer import adam_update, rmsprop_update, sgd_update
else:
    OPTIMIZER = {"nn.kernels.optimizer": ("adam_update", "rmsprop_update", "sgd_update")}
    __getattr__, __dir__ = lookup(__name__, OPTIMIZER)

__all__ = [
    "GATES",
    "Backend",
    "Draw",
    "Trace",
    "activate",
    "activation_gradient",
    "adam_update",
    "add",
    "add_rows",
    "average_pool2d",
    "average_pool2d_gradient",
    "backend",
    "batch_matmul",
    "batch_norm",
    "batch_norm_gradient",
    "clear",
    "column_affine",
    "column_moments",
    "column_sums",
    "concatenate",
    "conv2d",
    "conv2d_input_gradient",
    "conv2d_max_pool2d",
    "conv2d_max_pool2d_gradient",
    "conv2d_packed",
    "conv2d_weight_gradient",
    "copy",
    "drop",
    "fused_loss",
    "gather_scale",
    "heap_bytes",
    "layer_norm",
    "layer_norm_gradient",
    "load",
    "matmul",
    "max_pool2d",
    "max_pool2d_gradient",
    "mean_places",
    "mean_places_gradient",
    "multiply_add",
    "next_softmax_cross_entropy",
    "pack_conv2d",
    "pad2d",
    "recurrent_gradient",
    "recurrent_steps",
    "rmsprop_update",
    "sgd_update",
    "softmax",
    "softmax_cross_entropy",
    "softmax_gradient",
    "swap_axes",
    "trace_shapes",
    "use",
]
