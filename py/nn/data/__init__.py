"""Data sets and their readers: arrays, IDX, CSV, zips of image folders, and batch sources."""

from typing import TYPE_CHECKING

from nn.lazy import lookup

if TYPE_CHECKING:
    from nn.data.dataset import Dataset
    from nn.data.idx import parse_idx, write_idx
    from nn.data.loading.augmentation import Augmented, AugmentedDataset
    from nn.data.loading.folders import parse_image_zip, read_image_zip
    from nn.data.loading.png import parse_png
    from nn.data.loading.tables import parse_csv
    from nn.data.resizing import resize

HOMES = {
    "nn.data.loading.augmentation": ("Augmented", "AugmentedDataset"),
    "nn.data.dataset": ("Dataset",),
    "nn.data.loading.folders": ("parse_image_zip", "read_image_zip"),
    "nn.data.idx": ("parse_idx", "write_idx"),
    "nn.data.loading.png": ("parse_png",),
    "nn.data.resizing": ("resize",),
    "nn.data.loading.tables": ("parse_csv",),
}

if not TYPE_CHECKING:  # as in nn
    __all__ = sorted(name for names in HOMES.values() for name in names)
    __getattr__, __dir__ = lookup(__name__, HOMES)
