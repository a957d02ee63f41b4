"""Data sets: arrays in memory, IDX files, and what feeds a training run batch by batch."""

from nn.data.dataset import Dataset
from nn.data.idx import parse_idx

__all__ = ["Dataset", "parse_idx"]
