"""Optimizer updates of flat buffers: Adam, RMSprop and SGD."""

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


def rmsprop_update(
    p: Array,
    v: Array,
    g: Array,
    *,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    average: Array | None = None,
    moved: Array | None = None,
    binding: Binding | None = None,
) -> bool:
    """Update all but g in place by RMSprop (Tieleman and Hinton 2012), or return False: no kernel.

    Args:
        p: the weights.
        v: the running mean of the gradient's square.
        g: the gradient.
        learning_rate: of this step.
        rho: weight of the past in means.
        momentum: weight of the past in `moved`.
        epsilon: added to the mean of squares.
        average: the running mean of the gradient, whose square is then subtracted.
        moved: the step, with momentum.
        binding: keeps what is settled for these arrays.
    """
    binding = binding or Binding()
    if not binding.holds(p, v, average, moved, g):
        for array, name in ((v, "v"), (g, "g"), (average, "average"), (moved, "moved")):
            expect_shape(array, p.shape, name)
        lib = library.compiled((p, v, average, moved, g), (p, v, average, moved))
        if lib is None:
            return False
        used, numbers = contiguous(g), (ctypes.c_float * 4)()
        places = address(p), address(v), optional(average), optional(moved), address(used), p.size
        binding.bind(
            lib, lib.rmsprop_update, *places, ctypes.addressof(numbers),
            to=(p, v, average, moved, used, numbers),
        )  # fmt: skip
    binding.arrays[-1][:] = learning_rate, rho, momentum, epsilon
    binding.call()
    return True


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
