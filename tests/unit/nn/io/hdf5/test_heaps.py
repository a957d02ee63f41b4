"""A file that Keras wrote, whose heap of names ends where no header fits."""

from pathlib import Path

import nn
import numpy as np
from nn.io.archive import Archive
from nn.io.limits import DEFAULT_LIMITS

HEAP = b"GCOL\x01\0\0\0"
FULL = Path(__file__).parent / "files" / "full_heap.keras"


def free(data):
    """Yield the bytes that the objects of each heap leave."""
    start = data.find(HEAP)
    while start >= 0:
        size, place = int.from_bytes(data[start + 8 : start + 16], "little"), 16
        while place + 16 <= size and any(data[start + place : start + place + 2]):
            length = int.from_bytes(data[start + place + 8 : start + place + 16], "little")
            place += 16 + -(-length // 8) * 8
        yield size - place
        start = data.find(HEAP, start + 4)


def test_a_file_of_keras_with_8_bytes_left_in_a_heap_opens():
    data = FULL.read_bytes()
    assert 8 in free(Archive(data, DEFAULT_LIMITS).read("model.weights.h5"))
    model = nn.io.load(data)
    made = model.predict_on_batch(np.eye(3, dtype=np.float32))
    kernel = model.get_layer("dense").kernel.numpy()
    np.testing.assert_allclose(made, np.maximum(kernel, 0), atol=1e-6)
