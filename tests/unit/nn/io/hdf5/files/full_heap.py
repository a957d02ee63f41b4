"""Write full_heap.keras: a model whose heap of names leaves 8 bytes, less than a header.

pip install keras jax && KERAS_BACKEND=jax python full_heap.py

pyfive 1.0.1 reads a header there and fails. Keras writes the names of layers into the heap, so it
is their lengths that decide: the first that leave 8 bytes are taken.
"""

import zipfile
from itertools import product
from pathlib import Path

import keras

HEAP = b"GCOL\x01\0\0\0"
NAME = "a_name_as_long_as_those_of_the_layers_of_large_networks_{:02}_{}"
LAYERS = 60  # more than one heap of 4,096 bytes holds


def network(first, others):
    """A dense layer, then layers without weights whose names are longer by so many letters."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((3,))
    x = keras.layers.Dense(2, name="dense")(inputs)
    for number in range(LAYERS):
        x = keras.layers.ReLU(name=NAME.format(number, "x" * (others if number else first)))(x)
    return keras.Model(inputs, x, name="heap")


def free(data):
    """The bytes after the last object of the first full heap."""
    start = data.find(HEAP)
    size = int.from_bytes(data[start + 8 : start + 16], "little")
    place = 16
    while place + 16 <= size:
        index = int.from_bytes(data[start + place : start + place + 2], "little")
        length = int.from_bytes(data[start + place + 8 : start + place + 16], "little")
        if not index:
            break
        place += 16 + -(-length // 8) * 8
    return size - place


def main():
    path = Path(__file__).with_name("full_heap.keras")
    for first, others in product(range(1, 50, 8), repeat=2):
        network(first, others).save(path)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        if free(members["model.weights.h5"]) == 8:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
                for name, body in members.items():
                    archive.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_DEFLATED)
            return
    raise SystemExit("no length of names leaves 8 bytes")


main()
