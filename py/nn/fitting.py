"""The former name of `nn.training.loop`, kept for programs that use it."""

from typing import TYPE_CHECKING

from nn.lazy import lookup
from nn.models.model import Model

if TYPE_CHECKING:
    from nn.training.loop import one_batch as one_batch

fit = Model.fit

if not TYPE_CHECKING:
    __getattr__, __dir__ = lookup(__name__, {"nn.training.loop": ("one_batch",)})
