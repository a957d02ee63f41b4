import farcall
import nn
import numpy as np

nn.kernels.load("./simd.so")  # compiled loops; without this line NumPy computes


class Spirals:
    """Points of two spirals, and on which of the two each is."""

    def __init__(self, count):
        turns = np.linspace(0.5, 2, count) * np.pi
        one = np.stack([turns * np.cos(turns), turns * np.sin(turns)], axis=1)
        self.points = np.concatenate([one, -one]).astype("float32") / 5
        self.labels = np.repeat([0, 1], count)


farcall.serve({"nn": nn, "Spirals": Spirals})
