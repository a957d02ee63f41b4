"""Checkpoints of PyTorch are read without running what they name, and converted exactly."""

import io
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
from nn.quantize import quantize

from tools import torch_checkpoint, trained_networks
from tools.torch_checkpoint import DTYPES, MAGIC, PROTOCOL, CheckpointError

NAMES = {"_rebuild_tensor_v2": "torch._utils", "FloatStorage": "torch", "LongStorage": "torch"}


class Named:
    """What pickles as the name of something in torch."""

    def __init__(self, name):
        self.name = name

    def __call__(self):
        raise NotImplementedError


class Storage:
    def __init__(self, kind, key, array):
        self.kind, self.key, self.array = kind, key, array


class Tensor:
    """Pickles as PyTorch's tensors do."""

    def __init__(self, storage, offset, size, stride):
        self.parts = (storage, offset, size, stride, False, OrderedDict())

    def __reduce__(self):
        return Rebuilt.function, self.parts


class Rebuilt:
    @staticmethod
    def function(*parts):
        raise NotImplementedError


class Writer(pickle._Pickler):
    """A pickler that writes torch's names without torch."""

    def persistent_id(self, item):
        if isinstance(item, Storage):
            return ("storage", Named(item.kind), item.key, "cpu", item.array.size, None)
        return None

    def save(self, item, *args, **options):
        name = item.name if isinstance(item, Named) else None
        name = "_rebuild_tensor_v2" if item is Rebuilt.function else name
        if name is None:
            return super().save(item, *args, **options)
        return self.write(f"c{NAMES.get(name, 'os')}\n{name}\n".encode())


def checkpoint(tensors, storages, magic=MAGIC):
    file = io.BytesIO()
    for part in (magic, PROTOCOL, {"little_endian": True}, tensors, [s.key for s in storages]):
        Writer(file, 2).dump(part)
    for storage in storages:
        file.write(storage.array.size.to_bytes(8, "little") + storage.array.tobytes())
    return file.getvalue()


def example():
    numbers = Storage("FloatStorage", "7", np.arange(24, dtype="<f4"))
    count = Storage("LongStorage", "8", np.array([3], "<i8"))
    tensors = {
        "turned": Tensor(numbers, 4, (5, 4), (1, 5)),
        "count": Tensor(count, 0, (), ()),
    }
    return OrderedDict(tensors), [numbers, count]


def test_tensors_are_read_with_offset_and_strides():
    found = torch_checkpoint.read(checkpoint(*example()))
    assert list(found) == ["turned", "count"]
    np.testing.assert_array_equal(found["turned"], np.arange(4, 24).reshape(4, 5).T)
    assert found["count"] == 3


def test_no_other_name_is_looked_up():
    tensors, storages = example()
    tensors["more"] = Named("system")
    with pytest.raises(CheckpointError, match=r"expected tensors, it names os\.system"):
        torch_checkpoint.read(checkpoint(tensors, storages))
    with pytest.raises(CheckpointError, match=r"it names (posix|nt)\.system"):
        torch_checkpoint.read(pickle.dumps(os.system))


def test_elements_outside_a_storage_are_refused():
    tensors, storages = example()
    tensors["beyond"] = Tensor(storages[0], 20, (5,), (1,))
    with pytest.raises(CheckpointError, match="beyond: expected its elements inside the storage"):
        torch_checkpoint.read(checkpoint(tensors, storages))


def test_other_and_cut_files_are_refused():
    whole = checkpoint(*example())
    for data in (b"", b"PK\x03\x04", whole[:40], whole[:-1], whole + b"!"):
        with pytest.raises(CheckpointError):
            torch_checkpoint.read(data)
    with pytest.raises(CheckpointError, match=r"before 1\.6"):
        torch_checkpoint.read(checkpoint(*example(), magic=1))
    assert set(DTYPES) < set(NAMES)


def test_dividing_filters_changes_no_output():
    rng = np.random.default_rng(1)
    kernel = rng.normal(size=(3, 3, 4, 6)).astype(np.float32)
    kernel[..., 2] = 0
    statistics = {
        "gamma": rng.normal(size=6), "beta": rng.normal(size=6),
        "moving_mean": rng.normal(size=6), "moving_variance": np.array([0, 1e-4, 1, 0, 2, 9]),
    }  # fmt: skip
    made, changed = trained_networks.divided(kernel, statistics)
    x = rng.normal(size=(5, 36))

    def normalized(kernel, s):
        y = x @ kernel.reshape(36, 6) - s["moving_mean"]
        return y / np.sqrt(s["moving_variance"] + trained_networks.EPSILON) * s["gamma"] + s["beta"]

    varied = [1, 4, 5]
    ends = np.stack([made.min(axis=(0, 1, 2)) * 128, made.max(axis=(0, 1, 2)) * 128])[:, varied]
    assert ((ends[0] == -128) | (ends[1] == 127)).all()
    assert (ends[0] >= -128).all()
    assert (ends[1] <= 127).all()
    np.testing.assert_array_equal(made[..., [0, 2, 3]], kernel[..., [0, 2, 3]])
    np.testing.assert_allclose(
        normalized(made, changed), normalized(kernel, statistics), rtol=1e-4, atol=1e-4
    )


def test_the_largest_weights_of_a_kernel_are_stored_exactly():
    kernel = np.random.default_rng(3).normal(size=(1, 1, 90, 40)).astype(np.float32)
    statistics = {"moving_mean": np.zeros(40), "moving_variance": np.ones(40)}
    made, _ = trained_networks.divided(kernel, statistics)
    error = np.abs(quantize(made, "uint8").dequantize() - made)[0, 0]
    largest = np.where(made.max(2) * 128 / 127 > -made.min(2), made.argmax(2), made.argmin(2))
    assert error[largest[0, 0], range(40)].max() < 1e-6
    assert error.max() <= 0.5001 / 128


def test_the_errors_of_a_filter_add_up_to_nothing_where_its_inputs_have_their_means():
    rng = np.random.default_rng(2)
    kernel = rng.uniform(-1, 1, (50, 30)).astype(np.float32)
    inputs = rng.uniform(0, 3, 50)
    made = trained_networks.rounded(kernel, "top_conv/kernel", inputs)
    step = quantize(kernel, "uint8").scale
    error = made - kernel.astype(np.float64)
    nearest = quantize(kernel, "uint8").dequantize() - kernel.astype(np.float64)
    assert np.abs(error).max() < 1.01 * step
    assert np.abs(inputs @ error).max() < 0.5 * step * inputs.max()
    assert np.abs(inputs @ nearest).max() > 0.5 * step * inputs.max()
    assert (error**2).mean() < 1.2 * (nearest**2).mean()
    again = quantize(made, "uint8")
    np.testing.assert_allclose(again.dequantize(), made, atol=1e-6)
