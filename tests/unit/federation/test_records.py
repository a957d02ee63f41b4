"""Records and their objects against flwr's own classes: the same bytes, the same ids."""

import itertools
import json
import tracemalloc
from contextlib import suppress
from random import Random

import flwr.app as flower
import numpy as np
import pytest
from federation import objects, records
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
)
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from nn.io.errors import CorruptError, FormatError, LimitError, MissingEntryError, UnsupportedError
from nn.io.limits import Limits

ARRAYS = [
    np.arange(12, dtype=np.float32).reshape(3, 4),
    np.zeros(3_000_000, np.float32),  # three chunks, of which two are the same
    np.zeros(3_000_000, np.float32),
    np.array(3.5),
    np.zeros((0, 3), np.int32),
    np.array([True, False]),
    np.arange(6, dtype=np.uint8).reshape(1, 2, 3),
]
METRICS = {"loss": 0.25, "count": 7, "negative": -3, "many": [1.5, 2.5], "ints": [1, -2, 3],
           "zero": 0, "none": 0.0, "empty": [], "most": 2**63 - 1, "large": 2**63,
           "larges": [1, 2**64 - 1], "least": -(2**63), "infinite": float("inf")}  # fmt: skip
CONFIG = {"flag": True, "off": False, "round": 3, "lr": 0.1, "name": "é", "raw": b"\0\xff",
          "flags": [True, False], "names": ["a", "b"], "raws": [b"a", b""], "far": -(2**62),
          "empty": [], "": ""}  # fmt: skip


def content(module):
    return module.RecordDict(
        {
            "arrays": module.ArrayRecord(ARRAYS),
            "metrics": module.MetricRecord(METRICS),
            "config": module.ConfigRecord(CONFIG),
            "nothing": module.ArrayRecord(),
        }
    )


def small():
    """A content of few bytes, for damage."""
    made = content(records)
    made["arrays"] = records.ArrayRecord(ARRAYS[:1] + ARRAYS[3:])
    return made


def as_dict(tree):
    return {"object_id": tree.object_id, "children": [as_dict(child) for child in tree.children]}


def test_objects_and_trees_are_flowers_bit_for_bit():
    tree, found = objects.deflate(content(records))
    theirs = content(flower)
    assert found == {key: one.deflate() for key, one in get_all_nested_objects(theirs).items()}
    assert tree == as_dict(get_object_tree(theirs))
    assert sorted(objects.identifiers(tree)) == sorted(found)


@pytest.mark.parametrize("read", [inflate_object_from_contents, objects.inflate])
def test_flower_and_we_read_what_was_written(read):
    tree, found = objects.deflate(content(records))
    back = read(tree["object_id"], dict(found))
    assert dict(back["metrics"]) == METRICS
    assert dict(back["config"]) == CONFIG
    assert {type(a) for a in back["config"].values()} == {type(a) for a in CONFIG.values()}
    assert list(back["arrays"]) == [str(number) for number in range(len(ARRAYS))]
    for array, want in zip(back["arrays"].to_numpy_ndarrays(), ARRAYS, strict=True):
        np.testing.assert_array_equal(array, want, strict=True)


def test_an_array_of_any_order_and_byte_order_travels_as_its_values():
    array = np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3))
    ours = objects.deflate(records.RecordDict({"a": records.ArrayRecord([array])}))
    theirs = flower.RecordDict({"a": flower.ArrayRecord([array])})
    nested = {key: one.deflate() for key, one in get_all_nested_objects(theirs).items()}
    for tree, found in (ours, (as_dict(get_object_tree(theirs)), nested)):
        [back] = objects.inflate(tree["object_id"], found)["a"].to_numpy_ndarrays()
        np.testing.assert_array_equal(back, array)


WRONG = [
    ("MetricRecord", {"a": True}), ("MetricRecord", {"a": "b"}), ("MetricRecord", {"a": [1, 2.0]}),
    ("MetricRecord", {1: 1}), ("MetricRecord", {"a": None}), ("MetricRecord", {"a": (1, 2)}),
    ("ConfigRecord", {"a": None}), ("ConfigRecord", {"a": [1, "b"]}), ("ConfigRecord", {"a": {}}),
    ("ConfigRecord", {"a": [True, 1]}), ("ArrayRecord", {"a": ARRAYS[0]}), ("ArrayRecord", {1: 2}),
    ("RecordDict", {"a": {}}), ("RecordDict", {"a": 1}), ("Array", [1.0]), ("Array", 2.0),
    ("Array", None), ("ArrayRecord", [[1.0]]), ("ArrayRecord", [np.float32(1)]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "values"), WRONG)
@pytest.mark.parametrize("module", [records, flower], ids=["ours", "flwr"])
def test_a_value_that_flower_refuses_is_refused(module, kind, values):
    with pytest.raises(TypeError):
        getattr(module, kind)(values)


ITEMS = (1, True, 0.5, np.float64(1), np.float32(1), np.int64(1), np.bool_(1), "a",
         np.str_("a"), b"a", np.bytes_(b"a"), None)  # fmt: skip


@pytest.mark.parametrize("kind", ["MetricRecord", "ConfigRecord"])
def test_records_take_each_value_and_list_of_two_that_flowers_take_and_write_the_same(kind):
    """As [0.5, numpy.float64(1)], losses of a run. Flower takes [1, True] and does not write it."""
    for value in (*ITEMS, [], (1,), *(list(two) for two in itertools.product(ITEMS, repeat=2))):
        ours = theirs = ""
        with suppress(TypeError):
            made = records.RecordDict({"a": getattr(records, kind)({"b": value})})
            ours = objects.deflate(made)[0]["object_id"]
        with suppress(TypeError, ValueError):
            theirs = flower.RecordDict({"a": getattr(flower, kind)({"b": value})}).object_id
        assert ours == theirs, value


@pytest.mark.parametrize("module", [records, flower], ids=["ours", "flwr"])
def test_records_of_the_same_content_are_equal(module):
    def made(last):
        arrays = {"w": module.Array(ARRAYS[0]), "b": module.Array.from_numpy_ndarray(last)}
        kept = module.ArrayRecord.from_array_dict(arrays)
        return module.RecordDict({"a": kept, "l": module.ArrayRecord.from_numpy_ndarrays([last])})

    assert made(ARRAYS[3]) == made(ARRAYS[3])
    assert made(ARRAYS[3]) != made(ARRAYS[4])


@pytest.mark.parametrize("module", [records, flower], ids=["ours", "flwr"])
def test_arguments_have_flowers_names_and_input_is_kept_or_emptied(module):
    array = module.Array(ndarray=ARRAYS[0])
    for name, kind, given in (
        ("array_dict", "ArrayRecord", {"0": array}), ("numpy_ndarrays", "ArrayRecord", ARRAYS[:1]),
        ("metric_dict", "MetricRecord", {"n": [1]}), ("config_dict", "ConfigRecord", {"a": "b"}),
    ):  # fmt: skip
        made = [
            getattr(module, kind)(**{name: given, "keep_input": kept}) for kept in (True, False)
        ]
        assert [*made[0]] == [*made[1]] != []
        assert len(given) == 0
    assert module.RecordDict(records={"made": made[0]})["made"] is made[0]
    with pytest.raises(TypeError):
        module.ArrayRecord({"0": array}, numpy_ndarrays=ARRAYS[:1])


def test_records_are_found_by_their_kind():
    made = content(records)
    assert [*made.array_records] == ["arrays", "nothing"]
    assert [*made.metric_records, *made.config_records] == ["metrics", "config"]


@pytest.mark.parametrize("module", [records, flower], ids=["ours", "flwr"])
def test_a_record_that_is_set_among_those_of_its_kind_is_in_the_whole(module):
    made = module.RecordDict({"metrics": module.MetricRecord({"n": 1})})
    of_kind = made.config_records
    of_kind["seen"] = module.ConfigRecord({"round": 3})
    assert [*made] == ["metrics", "seen"]
    assert made["seen"]["round"] == 3
    assert (len(of_kind), [*of_kind], "metrics" in of_kind) == (1, ["seen"], False)
    assert repr(of_kind) == repr({"seen": made["seen"]})
    with pytest.raises(TypeError):
        of_kind["n"] = module.MetricRecord()
    with pytest.raises(KeyError):
        del of_kind["metrics"]
    assert of_kind.get("metrics") is of_kind.get("missing") is made.get("missing") is None
    del of_kind["seen"]
    assert [*made] == ["metrics"]


def test_arrays_are_given_away_unless_they_are_kept():
    record = records.ArrayRecord(ARRAYS[:1])
    record.to_numpy_ndarrays(keep_input=False)
    assert record == {}


def test_an_array_that_was_pickled_is_refused():
    with pytest.raises(UnsupportedError, match="pickle"):
        records.Array("float32", (3, 4), "pickle", records.Array(ARRAYS[0]).data).numpy()


def test_an_object_under_another_id_is_refused():
    tree, found = objects.deflate(small())
    identifier = tree["object_id"]
    assert objects.verify(identifier, found[identifier]) == found[identifier]
    with pytest.raises(CorruptError, match="sha256"):
        objects.verify(identifier, found[identifier] + b" ")


def test_one_chunk_named_often_counts_each_time():
    found = {}
    data = bytes(1 << 20)
    chunk = objects.pack("ArrayChunk", data, [], found)
    about = {"dtype": "uint8", "shape": [1], "stype": "numpy.ndarray", "arraychunk_ids": [0] * 999}
    array = objects.pack("Array", json.dumps(about).encode(), [chunk], found)
    group = objects.pack("ArrayRecord", json.dumps({"a": array["object_id"]}).encode(), [], found)
    root = objects.pack("RecordDict", json.dumps({"a": group["object_id"]}).encode(), [], found)
    tracemalloc.start()
    try:
        with pytest.raises(LimitError, match="268435456"):
            objects.inflate(root["object_id"], found)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_one_array_named_often_counts_each_time():
    tree, found = objects.deflate(records.RecordDict({"a": records.ArrayRecord(ARRAYS[:1])}))
    array = tree["children"][0]["children"][0]["object_id"]
    names = {str(number): array for number in range(20)}
    group = objects.pack("ArrayRecord", json.dumps(names).encode(), [], found)
    root = objects.pack("RecordDict", json.dumps({"a": group["object_id"]}).encode(), [], found)
    with pytest.raises(LimitError):
        objects.inflate(root["object_id"], found, Limits(entries=20))
    with pytest.raises(LimitError):
        objects.inflate(root["object_id"], found, Limits(total=1000))


def test_a_model_in_a_setting_travels_as_an_array_does_and_counts_each_time():
    """Trees, as of CatBoost: `ConfigRecord({"model": bytes})`; Flower cuts no such record."""
    model = bytes(3 << 20)
    config = {"model": model, "name": "a" * (2 << 20)}
    tree, found = objects.deflate(records.RecordDict({"a": records.ConfigRecord(config)}))
    assert dict(objects.inflate(tree["object_id"], found)["a"]) == config
    one = tree["children"][0]["object_id"]
    root = objects.pack("RecordDict", json.dumps(dict.fromkeys("abc", one)).encode(), [], found)
    with pytest.raises(LimitError, match="ConfigRecord: expected at most 14680064 bytes"):
        objects.inflate(root["object_id"], found, Limits(total=14 << 20, entries=9))


def test_an_object_that_is_not_there_is_named():
    tree, found = objects.deflate(small())
    found.pop(tree["children"][0]["children"][0]["object_id"])
    with pytest.raises(MissingEntryError, match=tree["children"][0]["children"][0]["object_id"]):
        objects.inflate(tree["object_id"], found)


ROUNDS, ALLOWED = 400, 16 << 20


def test_damaged_objects_are_refused_with_the_errors_of_files_and_take_little_memory():
    random = Random(21)
    tree, whole = objects.deflate(small())
    refused = 0
    tracemalloc.start()
    try:
        for _ in range(ROUNDS):
            found = dict(whole)
            identifier = random.choice(sorted(found))
            found[identifier] = damaged(found[identifier], random)
            tracemalloc.reset_peak()
            try:
                for record in objects.inflate(tree["object_id"], found).array_records.values():
                    record.to_numpy_ndarrays()
            except FormatError:
                refused += 1
            assert tracemalloc.get_traced_memory()[1] < ALLOWED
    finally:
        tracemalloc.stop()
    assert refused > ROUNDS // 3


def damaged(data: bytes, random: Random) -> bytes:
    """Change bytes, cut or lengthen, and correct the length that the head announces or not."""
    at, length = random.randrange(len(data)), random.choice((1, 1, 2, 8))
    filling = random.choice((random.randbytes(length), b"\xff" * length, b"9" * length, b""))
    changed = data[:at] + filling + data[at + random.choice((0, length)) :]
    head, divider, body = changed.partition(b"\0")
    if divider and random.random() < 0.7:
        head = head.rsplit(b" ", 1)[0] + f" {len(body)}".encode()
    return head + divider + body
