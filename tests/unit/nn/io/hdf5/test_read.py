"""The HDF5 reader: against h5py on drawn files, and damaged files by what they cost."""

import io
import time
import tracemalloc
from random import Random

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.io import errors
from nn.io.hdf5 import read
from nn.io.limits import Limits

MEBIBYTE = 1 << 20
DTYPES = ("<f2", "<f4", ">f4", "<f8", "u1", "<i4", ">i8")


def written(fill, **options):
    stream = io.BytesIO()
    with h5py.File(stream, "w", **options) as file:
        fill(file)
    return stream.getvalue()


def drawn(random):
    """A file with storage, groups and attributes of every kind that h5py's default version has."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for number in range(random.randrange(1, 5)):
            group = file.require_group(f"group_{random.randrange(4)}")
            inner = group.create_group(f"inner {number}", track_order=random.random() < 0.5)
            attributes(inner, random)
            for index in range(random.choice((0, 1, 3, 10))):
                dataset(inner, str(index), random)
        attributes(file, random)
    return stream.getvalue()


def attributes(group, random):
    for number in range(random.choice((0, 0, 0, 1, 2, 10))):
        text = "aé\n" * random.choice((0, 1, 5, 300))
        group.attrs[f"a{number}"] = random.choice(
            (text, text.encode(), 3, 2.5, True, [1, 2], [text, "b"], [b"x", b"yz"], np.bytes_("z"))
        )


def dataset(group, name, random):
    shape = tuple(random.randrange(1, 9) for _ in range(random.randrange(4)))
    array = np.arange(np.prod(shape)).reshape(shape).astype(random.choice(DTYPES))
    options = {}
    if shape and random.random() < 0.5:
        options = {
            "chunks": tuple(random.randrange(1, side + 1) for side in shape),
            "compression": random.choice((None, "gzip")),
            "shuffle": random.random() < 0.5,
            "fletcher32": random.random() < 0.5,
        }
    item = group.create_dataset(name, data=array, **options)
    attributes(item, random)


def plain(value):
    if isinstance(value, np.ndarray) and value.dtype.kind in "OSU":
        return [plain(item) for item in value.ravel().tolist()]
    return value.decode() if isinstance(value, bytes) else value


@given(st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_what_h5py_writes_is_read_as_h5py_reads_it(seed):
    data = drawn(Random(seed))
    with h5py.File(io.BytesIO(data)) as file:
        arrays, texts = read.read(data, names=list(file.attrs))
        items = {"": file}
        file.visititems(items.__setitem__)
        for path, item in items.items():
            if isinstance(item, h5py.Dataset):
                found = arrays.pop(path)
                np.testing.assert_array_equal(found, item[()])
                assert (found.shape, found.dtype) == (item.shape, item.dtype)
                continue
            found = texts.pop(path)
            assert sorted(found) == sorted(item.attrs)
            for name, value in item.attrs.items():
                np.testing.assert_array_equal(found[name], plain(value))
    assert not arrays
    assert not texts


@pytest.mark.parametrize("shape", [(3, 3, 1025, 700), (3, 1_500_001), (5, 300_000)])
def test_large_arrays_are_read_in_their_order(shape):
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    data = written(lambda file: file.create_dataset("a", data=array))
    np.testing.assert_array_equal(read.read(data)[0]["a"], array)


# The texts of 40 groups end at any distance from the end of their heap.
@pytest.mark.parametrize("length", range(1, 120))
def test_a_heap_may_end_with_any_number_of_free_bytes(length):
    def fill(file):
        for number in range(40):
            file.create_group(str(number)).attrs["name"] = "x" * (length + number % 2 * 8)

    texts = read.read(written(fill))[1]
    assert {len(texts[str(n)]["name"]) for n in range(40)} == {length, length + 8}


# What is not read.


def link(target):
    return lambda file: file.__setitem__("a", target)


def outside(file):
    file.create_dataset("a", shape=(3,), dtype="f4", external=[("/etc/passwd", 0, 12)])


def virtual(file):
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3,))
    file.create_virtual_dataset("a", layout)


@pytest.mark.parametrize(
    ("fill", "options", "message"),
    [
        (link(h5py.ExternalLink("/etc/passwd", "/")), {}, "ExternalLink"),
        (link(h5py.SoftLink("/b")), {}, "'a': expected data, received SoftLink"),
        (outside, {}, "'a': expected data in this file"),
        (virtual, {}, "'a': expected a layout of HDF5 1.8"),
        (link("text"), {}, "'a': expected numbers"),
        (link(np.zeros(2, "f4,i4")), {}, "'a': expected numbers"),
        (link(np.zeros(2, "V2")), {}, "'a': expected numbers"),
        (lambda file: file.create_dataset("a", data=np.zeros(9), chunks=(2,)), {"libver": "latest"},
         "'a': expected a layout of HDF5 1.8"),
        (lambda file: file.create_dataset("a", data=np.zeros(9), compression="lzf"), {},
         "filter 32000"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named(fill, options, message):
    with pytest.raises(errors.UnsupportedError, match=message):
        read.read(written(fill, **options))


# Damage: no size is believed.


def examine(data, limits=None):
    """Read, and return the error or None; at most 0.5 s and 2 MiB more than the file twice."""
    tracemalloc.start()
    start = time.process_time()
    try:
        read.read(data, limits or Limits(total=64 * MEBIBYTE), ["a0", "a1", "a2"])
    except errors.FormatError as error:
        return error
    finally:
        seconds = time.process_time() - start
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert seconds < 0.5
        assert peak < 2 * MEBIBYTE + 2 * len(data)
    return None


def replaced(data, old, new):
    assert data.count(old) == 1
    return data.replace(old, new)


def of_texts():
    return written(lambda file: file.create_group("g").attrs.__setitem__("a", ["abc", "defg"]))


def the_count(data, value):
    """Change the number of texts in the attribute: its dataspace has one dimension, 2 of 2."""
    two = (2).to_bytes(8, "little")
    return replaced(data, two + two, value.to_bytes(8, "little") * 2)


def the_length(data, value):
    """Change a text's length, stated before its heap's address."""
    address = data.index(b"GCOL").to_bytes(8, "little")
    place = data.index((3).to_bytes(4, "little") + address)
    return data[:place] + value.to_bytes(4, "little") + data[place + 4 :]


@pytest.mark.parametrize("value", [3, 1000, 2**20, 2**28, 2**31, 2**40, 2**62, 2**63, 2**64 - 1])
def test_an_attribute_that_states_another_number_of_texts_is_refused(value):
    assert examine(of_texts()) is None
    assert isinstance(examine(the_count(of_texts(), value)), errors.CorruptError)


@pytest.mark.parametrize("value", [9, 1000, 2**20, 2**28, 2**31, 2**32 - 1])
def test_a_text_that_states_more_bytes_than_the_heap_holds_is_refused(value):
    error = examine(the_length(of_texts(), value))
    assert isinstance(error, errors.CorruptError)
    assert f"a text of {value} bytes: expected at most 3" in str(error)


def test_a_chunk_that_unpacks_to_more_than_its_shape_is_refused():
    big = np.zeros(40 * MEBIBYTE, "u1")
    data = written(lambda f: f.create_dataset("a", data=big, chunks=big.shape, compression="gzip"))
    sizes = big.size.to_bytes(8, "little"), big.size.to_bytes(4, "little")
    small = data.replace(sizes[0], (64).to_bytes(8, "little"))
    small = small.replace(sizes[1], (64).to_bytes(4, "little"))
    error = examine(small)
    assert isinstance(error, errors.CorruptError)
    assert "expected chunks of 64 bytes" in str(error)


def test_a_dataset_without_numbers_in_the_file_is_refused():
    for options in ({}, {"chunks": (1024,)}):
        data = written(lambda f, o=options: f.create_dataset("a", (4 * MEBIBYTE,), "f4", **o))
        assert isinstance(examine(data), errors.CorruptError)


def test_a_header_that_goes_on_in_itself_is_refused():
    """A continuation of a header of version 2 that is its own continuation."""

    def fill(file):
        group = file.create_group("g", track_order=True)
        for number in range(6):
            group.attrs[f"a{number}"] = "x" * 200

    data = written(fill)
    start = data.index(b"OCHK")
    place = data.index(start.to_bytes(8, "little"))
    size = int.from_bytes(data[place + 8 : place + 16], "little")
    circle = b"\x10\x10\0\0" + data[place : place + 16]
    inside = b"OCHK" + circle.ljust(size - 8, b"\0") + data[start + size - 4 : start + size]
    error = examine(data[:start] + inside + data[start + size :])
    assert isinstance(error, errors.CorruptError)


def test_groups_that_contain_themselves_are_refused():
    def fill(file):
        inner = file.create_group("g")
        inner["h"] = inner["i"] = file

    assert isinstance(examine(written(fill)), errors.LimitError)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_bytes_cost_little(seed):
    random = Random(seed)
    whole = drawn(random)
    for _ in range(10):
        data = bytearray(whole)
        for _ in range(random.choice((1, 1, 3))):
            at = random.randrange(len(data))
            width = random.choice((1, 2, 4, 8))
            filling = random.choice((random.randbytes(width), b"\xff" * width, bytes(width)))
            data[at : at + width] = filling
        examine(bytes(data))
