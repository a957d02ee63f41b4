"""The wire against protobuf's library and flwr's own descriptors: the same bytes, both ways."""

from contextlib import suppress
from typing import Any

import hypothesis.strategies as st
import pytest
from federation import wire
from flwr.proto import (
    error_pb2,
    fleet_pb2,
    heartbeat_pb2,
    message_pb2,
    node_pb2,
    recorddict_pb2,
    run_pb2,
    transport_pb2,
)
from hypothesis import given
from nn.io.errors import CorruptError, FormatError, LimitError, TruncatedError

MODULES = (
    error_pb2, fleet_pb2, heartbeat_pb2, message_pb2, node_pb2, recorddict_pb2, run_pb2,
    transport_pb2,
)  # fmt: skip
INSIDE = {
    "Record": recorddict_pb2.ConfigRecord,
    "Item": recorddict_pb2.ConfigRecord.Item,
    "Value": recorddict_pb2.ConfigRecordValue,
    "Setting": run_pb2.Run.OverrideConfigEntry,
}
TYPES = {"double": 1, "uint64": 4, "bool": 8, "string": 9, "message": 11, "bytes": 12, "sint64": 18}
UNUSED = {
    "PullMessagesRequest": {"message_ids"}, "SendNodeHeartbeatResponse": {"success"},
    "PullMessagesResponse": {"reconnect"}, "PushMessagesResponse": {"reconnect", "results"},
    "Run": {*run_pb2.Run.DESCRIPTOR.fields_by_name} - {"override_config", "series_id"},
}  # fmt: skip
ONE_OF = ("Value", "Scalar")
MAPS = {"GetRunResponse", "Run", "Setting"}  # a map of protobuf: in any order, and only read here
EMPTY = {"RecordDict"}  # always empty on the wire: contents travel as objects


def theirs(kind: str) -> Any:
    """Flower's class of a kind of message."""
    found = [getattr(module, kind) for module in MODULES if hasattr(module, kind)]
    return INSIDE.get(kind) or found[0]


VALUES = {
    "uint64": st.integers(0, 2**64 - 1), "sint64": st.integers(-(2**63), 2**63 - 1),
    "bool": st.booleans(), "double": st.floats(allow_nan=False), "string": st.text(max_size=9),
    "bytes": st.binary(max_size=9),
}  # fmt: skip


def messages(kind: str, depth: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """Draw messages of a kind as dicts; of some only one field is there."""
    drawn = {
        field.name: strategy
        for field in wire.KINDS[kind]
        if (strategy := of_field(field, depth)) is not None
    }
    if kind not in ONE_OF:
        return st.fixed_dictionaries({}, optional=drawn)
    return st.one_of([st.fixed_dictionaries({name: value}) for name, value in drawn.items()])


def of_field(field: wire.Field, depth: int) -> st.SearchStrategy[Any] | None:
    if field.form not in VALUES and depth == 0:
        return None
    one = VALUES[field.form] if field.form in VALUES else messages(field.form, depth - 1)
    return st.lists(one, max_size=3) if field.repeated else one


def proto(kind: str, message: dict[str, Any]) -> Any:
    """Fill in Flower's class from a dict."""
    made = theirs(kind)()
    for field in wire.KINDS[kind]:
        if field.name not in message:
            continue
        value, scalar = message[field.name], field.form in VALUES
        if scalar and not field.repeated:
            setattr(made, field.name, value)
        elif scalar:
            getattr(made, field.name).extend(value)
        elif field.repeated:
            getattr(made, field.name).extend(proto(field.form, item) for item in value)
        else:
            getattr(made, field.name).CopyFrom(proto(field.form, value))
            getattr(made, field.name).SetInParent()
    return made


def completed(kind: str, message: dict[str, Any]) -> dict[str, Any]:
    """What is read of a message that was written: with the defaults of absent fields."""
    found = {}
    for field in wire.KINDS[kind]:
        scalar = field.form in VALUES
        value = message.get(field.name)
        if field.repeated:
            items = value or []
            found[field.name] = items if scalar else [completed(field.form, i) for i in items]
        elif value is not None:
            found[field.name] = value if scalar else completed(field.form, value)
        elif scalar and not field.optional:
            found[field.name] = wire.DEFAULTS[field.form]
    return found


@pytest.mark.parametrize("kind", wire.KINDS)
def test_every_kind_has_flowers_fields(kind):
    fields = theirs(kind).DESCRIPTOR.fields_by_number
    assert kind in EMPTY or set(fields) >= {field.number for field in wire.KINDS[kind]}
    for field in wire.KINDS[kind]:
        there = fields[field.number]
        assert (there.name, there.is_repeated) == (field.name, field.repeated)
        assert there.type in (
            TYPES.get(field.form, TYPES["message"]),
            14 if field.form == "uint64" else 0,
        )
        if field.form not in VALUES and kind not in INSIDE and kind not in MAPS:
            assert there.message_type.name == field.form
        optional = there.has_presence and there.type != TYPES["message"]
        assert optional == field.optional


@pytest.mark.parametrize("kind", sorted(set(wire.KINDS) - EMPTY))
def test_flower_has_no_field_that_a_node_does_not_know(kind):
    there = {field.name for field in theirs(kind).DESCRIPTOR.fields}
    assert there - {field.name for field in wire.KINDS[kind]} == UNUSED.get(kind, set())


WRITTEN = st.sampled_from(sorted(set(wire.KINDS) - MAPS))


@given(WRITTEN.flatmap(lambda kind: st.tuples(st.just(kind), messages(kind))))
def test_messages_are_the_librarys_bytes_and_come_back(drawn):
    kind, message = drawn
    data = wire.encode(kind, message)
    assert data == proto(kind, message).SerializeToString(deterministic=True)
    assert repr(wire.decode(kind, data)) == repr(completed(kind, message))  # -0.0 equals 0.0


SCALARS = st.one_of([st.tuples(st.just(name), value) for name, value in VALUES.items()])


@given(st.dictionaries(st.text(max_size=9), SCALARS, max_size=4), VALUES["uint64"])
def test_the_settings_of_a_run_are_read_as_flower_writes_them(settings, series):
    scalars = {name: transport_pb2.Scalar(**dict([one])) for name, one in settings.items()}
    run = run_pb2.Run(override_config=scalars, series_id=series, account_name="a", run_id=1)
    read = wire.decode("Run", run.SerializeToString())
    found = {one["key"]: one["value"] for one in read["override_config"]}
    assert repr(found) == repr({name: dict([settings[name]]) for name in found})
    assert (set(found), read["series_id"]) == (set(settings), series)
    again = run_pb2.Run.FromString(wire.encode("Run", read))  # as the gateway passes it on
    assert dict(again.override_config) == scalars


@pytest.mark.parametrize("value", [0.0, -0.0, 5e-324])
def test_a_number_is_written_unless_its_bits_are_those_of_zero(value):
    message = {"heartbeat_interval": value}
    data = wire.encode("ActivateNodeRequest", message)
    assert data == proto("ActivateNodeRequest", message).SerializeToString()
    assert str(wire.decode("ActivateNodeRequest", data)["heartbeat_interval"]) == str(value)


def test_lists_of_numbers_are_read_packed_or_not():
    assert wire.decode("SintList", b"\x0a\x02\x01\x02\x08\x03") == {"vals": [-1, 1, -2]}


def test_unknown_fields_are_skipped():
    assert wire.decode("Node", b"\x08\x05\x9a\x06\x03abc") == {"node_id": 5}


@pytest.mark.parametrize(
    ("kind", "data", "error"),
    [
        ("Metadata", b"\x0a\xff", TruncatedError),
        ("Metadata", b"\xff" * 11, CorruptError),
        ("Metadata", b"\x0b", CorruptError),
        ("Metadata", b"\x12\x01\xff", CorruptError),  # no UTF-8
        ("Metadata", b"\x10\x01", CorruptError),  # a number where text is
        ("Node", b"\x0a\x01x", CorruptError),  # bytes where a number is
        ("Metadata", b"\x3d\0\0\0\0", CorruptError),  # 32 bits where 64 are
        ("ObjectTree", b"\x12\x00" * (wire.MOST + 1), LimitError),
        ("SintList", b"\x0a\x81\x80\x10" + bytes(wire.PACKED + 1), LimitError),
    ],
)
def test_damaged_messages_are_refused_with_the_errors_of_files(kind, data, error):
    with pytest.raises(error):
        wire.decode(kind, data)


def test_messages_are_refused_below_a_depth():
    data = b""
    for _ in range(wire.DEPTH):
        data = wire.protobuf.write([(2, data)])
    with pytest.raises(LimitError, match="deep"):
        wire.decode("ObjectTree", data)


def test_values_inside_messages_count_together():
    children = wire.protobuf.write([(2, b"\x12\x00" * 9) for _ in range(9)])
    assert len(wire.decode("ObjectTree", children, most=90)["children"]) == 9
    with pytest.raises(LimitError):
        wire.decode("ObjectTree", children, most=89)


def test_an_unknown_field_is_not_written():
    with pytest.raises(ValueError, match="node_idd"):
        wire.encode("Node", {"node_idd": 1})


@given(st.sampled_from(sorted(wire.KINDS)), st.binary(max_size=99))
def test_any_bytes_are_read_or_refused_with_an_error_of_files(kind, data):
    with suppress(FormatError):
        wire.decode(kind, data)
