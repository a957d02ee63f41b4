"""The former name of `nn.training.loop`, kept for programs that use it."""

from nn.training.loop import fit as fit
from nn.training.loop import one_batch as one_batch
