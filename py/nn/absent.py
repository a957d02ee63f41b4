"""Names of Keras that are not here, and what to use in their place: the end of an error."""

from __future__ import annotations

_READ = (
    "the program gets its data itself: an upload, pyfetch, or a file beside it, then nn.Dataset or "
    "arrays"
)
_FOLDER = "nn.data.parse_image_zip reads folders of images, one for each class, from a zip archive"
INSTEAD = {
    "nn.applications": "there are EfficientNetLite0 and MobileNetV2; nn.io.load reads files of "
    "other networks, and preprocess_input(x, name) prepares their images",
    "nn.backend": "nn.ops has the functions of arrays",
    "nn.callbacks.BackupAndRestore": "ModelCheckpoint(..., save_freq=100), nn.io.load and "
    "fit(resume=True) go on where a run was broken off",
    "nn.callbacks.RemoteMonitor": "a callback of your own may send the logs",
    "nn.callbacks.TensorBoard": "CSVLogger writes the logs to a file, History keeps them",
    "nn.datasets": f"there is mnist alone; of others {_READ}",
    "nn.layers.EinsumDense": "Dense maps the last axis, Dot and nn.ops.matmul multiply",
    "nn.layers.Lambda": "functions of nn.ops work on tensors of a graph, Activation takes a "
    "function that keeps the shape, and a class with forward and backward is a layer",
    "nn.layers.TFSMLayer": "nn.io.load reads .keras, .h5, .onnx and TensorFlow.js",
    "nn.mixed_precision": "layers compute in float32; nn.quantize is for files",
    "nn.optimizers.legacy": "the optimizers have one form each: nn.optimizers.Adam",
    "nn.preprocessing.image.ImageDataGenerator": "nn.data.AugmentedDataset changes images at "
    "random, as do layers such as RandomFlip",
    "nn.preprocessing.text": "the layer TextVectorization splits texts and numbers words",
    "nn.random": "numpy.random draws numbers, and nn.set_random_seed seeds both",
    "nn.utils.audio_dataset_from_directory": _READ,
    "nn.utils.FeatureSpace": "Normalization, StringLookup, IntegerLookup, Discretization and "
    "CategoryEncoding prepare columns",
    "nn.utils.get_file": _READ,
    "nn.utils.image_dataset_from_directory": _FOLDER,
    "nn.utils.split_dataset": "nn.Dataset has take(n) and slice(a, b), fit has validation_split",
    "nn.utils.text_dataset_from_directory": _READ,
}  # fmt: skip
"""Name, or a package of which names are not here -> what is."""


def instead(package: str, name: str) -> str:
    """Return the end of the message for a missing name: what to use, "" where nothing is known."""
    found = INSTEAD.get(f"{package}.{name}") or ("" if name[:1] == "_" else INSTEAD.get(package))
    return f": {found}" if found else ""
