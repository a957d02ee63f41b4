"""Endings of files that the page and its worker tell apart. For MicroPython and Pyodide."""

MODELS = (".npz", ".safetensors", ".keras", ".onnx", ".h5", ".hdf5", "-tfjs.zip")
TABLES = (".csv", ".tsv", ".txt")
