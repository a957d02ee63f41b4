"""Optimizer updates of flat buffers: Adam and SGD."""

from __future__ import annotations

import ctypes

from nn.kernels import library, reference
from nn.kernels.binding import Binding
from nn.kernels.geometry import expect_shape
from nn.kernels.library import address, contiguous, optional
from nn.kernels.reference import Array


def adam_update(
    p: Array,
    m: Array,
    v: Array,
    g: Array,
    *,
    step_size: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight_decay: float = 0.0,
    binding: Binding | None = None,
) -> None:
    """Update p, m and v in place by Adam (Kingma and Ba 2014); `step_size` is bias-corrected.

    `weight_decay` is the fraction of p subtracted first (learning rate times decay). What is
    settled for these arrays is kept in `binding`.
    """
    binding = binding or Binding()
    if binding.holds(p, m, v, g):
        binding.arrays[-1][:] = step_size, beta_1, beta_2, epsilon, 1 - weight_decay
        binding.call()
        return
    for array, name in ((m, "m"), (v, "v"), (g, "g")):
        expect_shape(array, p.shape, name)
    lib = library.compiled((p, m, v, g), (p, m, v))
    if lib is None:
        reference.adam_update(
            p, m, v, g, step_size=step_size, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon,
            weight_decay=weight_decay,
        )  # fmt: skip
        return
    used = contiguous(g)
    numbers = (ctypes.c_float * 5)(step_size, beta_1, beta_2, epsilon, 1 - weight_decay)
    places = address(p), address(m), address(v), address(used), p.size, ctypes.addressof(numbers)
    binding.bind(lib, lib.adam_update, *places, to=(p, m, v, used, numbers))
    binding.call()


def sgd_update(
    p: Array,
    velocity: Array | None,
    g: Array,
    *,
    learning_rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> None:
    """Update p (and velocity, with momentum) in place, as Keras' SGD does."""
    expect_shape(velocity, p.shape, "velocity")
    expect_shape(g, p.shape, "g")
    lib = library.compiled((p, velocity, g), (p, velocity))
    if lib is None:
        reference.sgd_update(
            p, velocity, g, learning_rate=learning_rate, momentum=momentum, nesterov=nesterov
        )
        return
    g, kept = contiguous(g), velocity if momentum else None
    lib.sgd_update(
        address(p), optional(kept), address(g), p.size, nesterov, learning_rate, momentum
    )
