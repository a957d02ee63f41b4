"""ONNX messages compared with the library, both ways, and damaged files."""

import contextlib

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nn.io import errors, protobuf
from nn.io.limits import Limits
from nn.io.onnx.messages import Graph, Model, Node, Value, decode, encode

DTYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, max_side=3))
)
INT64 = st.integers(-(2**63), 2**63 - 1)


def sample():
    weights = np.arange(12, dtype="f4").reshape(3, 4)
    gemm = Node("Gemm", ["x", "w"], ["y"], {"alpha": 0.5, "transB": 1, "note": "é"})
    pool = Node("MaxPool", ["y"], ["z"], {"kernel_shape": [2, -2], "scales": [0.25, 4.0]})
    graph = Graph([gemm, pool], [Value("x", [None, 4])], [Value("z", [None, 3])], {"w": weights})
    return Model(graph, 17)


def test_the_library_reads_the_graph_written_here():
    read = onnx.load_model_from_string(encode(sample()))
    gemm, pool = read.graph.node
    assert (gemm.op_type, list(gemm.input), list(gemm.output)) == ("Gemm", ["x", "w"], ["y"])
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in gemm.attribute}
    assert attributes == {"alpha": 0.5, "transB": 1, "note": "é".encode()}
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in pool.attribute}
    assert attributes == {"kernel_shape": [2, -2], "scales": [0.25, 4.0]}
    assert read.opset_import[0].version == 17
    sizes = read.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_value or d.dim_param for d in sizes] == ["N", 4]


def test_reads_back_what_it_writes():
    model = decode(encode(sample()))
    expected = sample()
    np.testing.assert_array_equal(
        model.graph.initializers.pop("w"), expected.graph.initializers.pop("w")
    )
    for node in expected.graph.nodes:
        node.name = node.outputs[0]
    assert model == expected


def wrap(tensor):
    graph = onnx.helper.make_graph([], "g", [], [], [tensor])
    return onnx.helper.make_model(graph).SerializeToString()


@given(ARRAYS)
def test_tensors_pass_both_ways(array):
    written = encode(Model(Graph([], [], [], {"a": array}), 17))
    theirs = onnx.numpy_helper.to_array(onnx.load_model_from_string(written).graph.initializer[0])
    ours = decode(wrap(onnx.numpy_helper.from_array(array, "a"))).graph.initializers["a"]
    for read in (theirs, ours):
        assert (read.dtype, read.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(read, array)


@given(ARRAYS)
def test_tensors_kept_as_numbers_are_read_too(array):
    kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    tensor = onnx.helper.make_tensor("a", kind, array.shape, array.ravel().tolist())
    np.testing.assert_array_equal(decode(wrap(tensor)).graph.initializers["a"], array)


@given(st.lists(INT64, max_size=5), st.lists(st.floats(width=32, allow_nan=False), max_size=5))
def test_attributes_the_library_writes_are_read(integers, floats):
    attributes = {"i": integers, "f": floats}
    node = onnx.helper.make_node("X", ["a", ""], ["b"])
    for name, value in attributes.items():
        kind = onnx.AttributeProto.INTS if name == "i" else onnx.AttributeProto.FLOATS
        node.attribute.append(onnx.helper.make_attribute(name, value, attr_type=kind))
    data = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [])).SerializeToString()
    (read,) = decode(data).graph.nodes
    assert read.attributes == attributes
    assert read.inputs == ["a", ""]


@given(st.integers(0, 2**64 - 1))
def test_numbers_of_any_size_survive(value):
    assert protobuf.read(protobuf.write([(1, value)]))[1] == [value]
    assert protobuf.signed(value) == np.uint64(value).astype(np.int64)


@given(st.binary(max_size=100))
def test_any_bytes_give_a_model_or_a_named_error(data):
    with contextlib.suppress(errors.FormatError):
        decode(data)


@given(st.integers(0), st.integers(0, 255), st.integers(0))
def test_damage_gives_a_model_or_a_named_error(position, byte, length):
    data = bytearray(encode(sample()))
    data[position % len(data)] = byte
    with contextlib.suppress(errors.FormatError):
        decode(bytes(data))
    with contextlib.suppress(errors.FormatError):
        decode(bytes(data[: length % len(data)]))


def external():
    tensor = onnx.numpy_helper.from_array(np.ones(3, "f4"), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    return wrap(tensor)


def oversized():
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[1 << 20, 1 << 20])
    return wrap(tensor)


def negative():
    return wrap(onnx.TensorProto(name="w", data_type=1, dims=[-1]))


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", errors.MissingEntryError, "a graph"),
        (protobuf.write([(7, b"")]), errors.MissingEntryError, "operator set"),
        (external(), errors.UnsupportedError, "'w'.*another file"),
        (oversized(), errors.LimitError, "'w'.*4398046511104"),
        (negative(), errors.CorruptError, "at least 0"),
        (wrap(onnx.TensorProto(name="w", data_type=1, dims=[3])), errors.CorruptError, "3 values"),
        (wrap(onnx.TensorProto(name="w", data_type=8)), errors.UnsupportedError, "type 8"),
        (b"\x3a\x7f", errors.TruncatedError, "127 bytes"),
        (b"\xff" * 11, errors.CorruptError, "ten bytes"),
        (b"\x07", errors.CorruptError, "wire type"),
        (b"\x00\x00", errors.CorruptError, "field number"),
    ],
)
def test_names_what_is_wrong(data, error, message):
    with pytest.raises(error, match=message):
        decode(data)


def test_refuses_more_than_the_limits():
    with pytest.raises(errors.LimitError, match="2 entries, received 3"):
        decode(encode(sample()), Limits(entries=2))
    with pytest.raises(errors.LimitError, match="at most 10 bytes"):
        decode(encode(sample()), Limits(total=10))
