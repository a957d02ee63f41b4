"""Signatures as Flower reads them, and Flower's names where flwr is not."""

import asyncio
import importlib
import re
import sys
from pathlib import Path

import hypothesis.strategies as st
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from federation import flower_names, message, mods, records
from federation.client_app import ClientApp
from federation.errors import UnreachableError
from federation.platform import cpython
from federation.platform.browser import BrowserKey, der
from federation.platform.cpython import CPythonKey, HttpTransport
from flwr.supercore.primitives.asymmetric import bytes_to_public_key, verify_signature
from hypothesis import given

from tests.support.no_space import no_space

NUMBER = st.integers(1, 2**384 - 1)


@given(NUMBER, NUMBER)
def test_a_raw_signature_of_a_browser_becomes_the_usual_sequence(r, s):
    raw = r.to_bytes(48, "big") + s.to_bytes(48, "big")
    assert der(raw) == encode_dss_signature(r, s)


def test_a_browsers_key_is_written_as_the_pem_that_cryptography_writes():
    public = CPythonKey().public
    key = bytes_to_public_key(public)
    spki = key.public_bytes(*formats("DER"))
    assert BrowserKey(None, spki).public == public


def formats(encoding):
    return (
        getattr(serialization.Encoding, encoding),
        serialization.PublicFormat.SubjectPublicKeyInfo,
    )


@pytest.mark.asyncio
async def test_flower_verifies_a_signature():
    key = CPythonKey()
    there = bytes_to_public_key(key.public)
    assert verify_signature(there, b"text", await key.sign(b"text"))
    assert not verify_signature(there, b"other", await key.sign(b"text"))


def other_keys():
    """Files that hold no key of a node."""
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    locked, open_ = serialization.BestAvailableEncryption(b"word"), serialization.NoEncryption()
    node = ec.generate_private_key(ec.SECP384R1())
    return {
        "nothing": b"",
        "half": node.private_bytes(*form, open_)[:100],
        "locked": node.private_bytes(*form, locked),
        "another kind": ed25519.Ed25519PrivateKey.generate().private_bytes(*form, open_),
        "public": node.public_key().public_bytes(*formats("PEM")),
    }


@pytest.mark.parametrize("name", other_keys())
def test_a_file_that_holds_no_key_of_a_node_is_refused_by_name(tmp_path: Path, name: str):
    path = tmp_path / "key.pem"
    path.write_bytes(other_keys()[name])
    with pytest.raises(ValueError, match=f"{path}: expected an EC key, received "):
        CPythonKey(path)


def test_a_key_is_kept_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "key.pem"
    with no_space(100), pytest.raises(OSError, match=str(path)):
        CPythonKey(path)
    assert list(tmp_path.iterdir()) == []
    assert CPythonKey(path).public == CPythonKey(path).public


WHOLE = b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 4\r\n\r\nbody"
OTHER = (b"\0" * 9 + b"\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", WHOLE.replace(b"200", b"503")[:-1])


@pytest.mark.asyncio
async def test_an_answer_that_ends_anywhere_before_its_end_is_none():
    """A server that is stopped while it answers; then the call is made again."""
    left = [WHOLE[:end] for end in range(len(WHOLE) + 1)] + list(OTHER)

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(left[0])
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        transport = HttpTransport(f"http://127.0.0.1:{port}")
        while left:
            try:
                found = await transport.post("/", b"", {})
            except UnreachableError:
                assert left[0] != WHOLE
            else:
                assert (found.status, found.body) == (200, b"body")
                assert left[0] == WHOLE
            left.pop(0)


HEADER = b"HTTP/1.1 200 OK\r\nname: "
BODY = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"


@pytest.mark.parametrize(("start", "drop"), [(b"", b""), (HEADER, b"-"), (BODY, b"-")])
@pytest.mark.asyncio
async def test_an_answer_that_comes_drop_by_drop_is_waited_for_no_longer_than_any_other(
    monkeypatch, start, drop
):
    monkeypatch.setattr(cpython, "SECONDS", 1.0)
    left = asyncio.Event()

    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(start)
        left_here = asyncio.create_task(reader.read())
        while not (await asyncio.wait([left_here], timeout=0.1))[0]:
            writer.write(drop)
        left.set()
        writer.close()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(UnreachableError, match="no whole answer in 1 s"):
            await HttpTransport(address).post("/", b"", {})
        await left.wait()  # its connection is closed


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "http://127.0.0.1:99999", "http://127.0.0.1:0", "http://[::1",
     "https://", "http://:8001", "http://127.0.0.1:x", "http://127.0.0.1:8001/#join=secret", ""],
)  # fmt: skip
def test_an_address_that_is_none_of_http_or_https_is_refused(address):
    with pytest.raises(ValueError, match=re.escape(repr(address))):
        HttpTransport(address)


def test_flower_itself_is_left_where_it_is():
    assert not flower_names.provide()
    assert sys.modules["flwr.app"].Message is not message.Message


def test_flowers_modules_have_no_name_that_is_not_given_but_what_only_writes_logs():
    missing = {
        "flwr.clientapp": {"mod"},
        "flwr.clientapp.mod": {"arrays_size_mod", "message_size_mod"},
    }
    for name, ours in (*flower_names.NAMES.items(), ("flwr.clientapp.mod", mods.__all__)):
        module = importlib.import_module(name)
        there = {*getattr(module, "__all__", ["ClientAppCallable", "Mod"])}
        assert there - {*ours} == missing.get(name, set())  # "mod" is a module, given as such


ABSENT = {  # of Flower's classes: what travels is in `objects`, tensors need torch, the rest is old
    "Array": {"from_torch_tensor", "slice_array"},
    "ArrayRecord": {"from_torch_state_dict", "to_torch_state_dict", "count_bytes"},
    "ConfigRecord": {"count_bytes"}, "MetricRecord": {"count_bytes"},
    "RecordDict": {"parameters_records", "metrics_records", "configs_records"},
    "Message": {"create_reply", "create_error_reply"}, "Metadata": {"delivered_at"},
}  # fmt: skip
TRAVELS = {"children", "deflate", "inflate", "is_dirty", "object_id"}


@pytest.mark.parametrize("name", ["flwr.app", "flwr.clientapp"])
def test_each_class_has_what_flowers_has_or_is_known_not_to(name):
    for kind, ours in flower_names.NAMES[name].items():
        theirs = getattr(importlib.import_module(name), kind)
        if isinstance(theirs, type) and kind not in flower_names.TYPES:
            public = {one for one in dir(theirs) if not one.startswith("_")} - TRAVELS
            fields = {*dir(ours), *getattr(ours, "__annotations__", ())}
            instance = {"metadata"} if kind == "Message" else set()
            assert public - fields - instance == ABSENT.get(kind, set()), kind
        elif kind not in flower_names.TYPES:
            assert ours == theirs, kind


@pytest.mark.parametrize("there", [True, False], ids=["with the mods", "without"])
def test_flowers_names_are_this_packages_classes_where_flwr_is_not(monkeypatch, there):
    """In a tab the modifiers are an archive of their own."""
    specs = {"federation.mods": there or None}
    monkeypatch.setattr(flower_names, "find_spec", specs.get)
    for name in [name for name in sys.modules if name.split(".")[0] == "flwr"]:
        monkeypatch.delitem(sys.modules, name)
    try:
        assert flower_names.provide()
        assert importlib.import_module("flwr.app").ArrayRecord is records.ArrayRecord
        client = importlib.import_module("flwr.clientapp")
        assert client.ClientApp is ClientApp
        if not there:
            with pytest.raises(ModuleNotFoundError, match=r"flwr\.clientapp\.mod"):
                importlib.import_module("flwr.clientapp.mod")
        else:
            assert importlib.import_module("flwr.clientapp.mod") is client.mod
            assert client.mod.LocalDpMod is mods.LocalDpMod
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "flwr"]:
            del sys.modules[name]
