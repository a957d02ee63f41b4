"""Training one network by several workers, named as in Keras (`keras.distribution`).

    nn.distribution.set_distribution(nn.distribution.DataParallel(group))
    model.compile("adam", "mse")        # and build and fit it, on every member alike

A group is any object with `rank`, `size` and `all_reduce(array)`: who makes it is not this
package's business.
"""

from nn.distribution.data_parallel import Alone, DataParallel, Group, initialize
from nn.lazy import lookup
from nn.training.step import distribution, set_distribution

__all__ = [
    "Alone", "DataParallel", "Group", "distribution", "follow", "initialize", "join",
    "set_distribution",
]  # fmt: skip
__getattr__, _ = lookup(__name__, {"nn.distribution.leading": ("follow", "join")})
