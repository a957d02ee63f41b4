"""The wire: kinds and fields, nothing else.

A message is a JavaScript array `[header, buffer, ...]`, or the header alone where there are no
buffers: a string costs structured clone half of what an array with a string does (25 instead of
50 us for a round trip). The header is JSON text, the buffers are Uint8Arrays whose memory is
transferred. A long header is empty in its place, and UTF-8 in the first buffer (see endpoints).
The header is `[received, frame, ...]`: `received` counts the peer's messages that had arrived
here when the first frame was sent (results that can no longer be asked for are forgotten by it),
the frames are in the order of the calls. Ids are positive and never reused.

    ["hello", version, description, most]      first frame each way; most: what a message may hold
    ["call", id, target, path, args, kwargs]   id 0: one-way, no reply
    ["get", id, target, path]
    ["set", id, target, path, value]
    ["del", id, target, path]
    ["op", id, target, path, name, args]       len, iter, contains ... see connection/operations.py
    ["ret", id, value]      ["err", id, exception]
    ["cancel", id]          the caller has gone
    ["free", id, count]     `count` of the times that object was sent here are over
    ["pull", stream, credit]     ["items", stream, [value, ...]]   ["end", stream, exception?]
    ["back", buffer, count] buffers that have been copied out of: the receiver may reuse them
    ["alive", lock]         the sender holds that Web Lock as long as it lives
    ["bye", text]           the peer closes on purpose
    ["large", kind, id, characters, objects]   never sent: in the place of a frame for which the
                            receiver has no memory

`target` is an id of the receiver's objects (0 is what it serves), or minus the id of a call of
the sender whose result is meant. A step of `path` is an attribute's name, or `[key]` for an item.

A value is JSON for None, bool, str, int below 2**63 and finite floats, an object for a dict with
str keys, and for all else an array that begins with one of the tags below. Long texts and
containers of many items are in buffers (see values/bulk.py).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from farcall.platform.buffers import Buffer

    Wire = Any  # the wire form of a value: what JSON has, in lists that begin with a tag
    Frame = list[Wire]
    Buffers = Sequence[Buffer]  # that came with a message

VERSION = 2

HELLO = "hello"
CALL = "call"
GET = "get"
SET = "set"
DEL = "del"
OP = "op"
RET = "ret"
ERR = "err"
CANCEL = "cancel"
FREE = "free"
PULL = "pull"
ITEMS = "items"
END = "end"
BACK = "back"
ALIVE = "alive"
BYE = "bye"
LARGE = "large"

LIST = "l"
TUPLE = "t"
DICT = "d"  # key, value, key, value ...
SET_ = "s"
FROZENSET = "z"
INT = "i"  # hexadecimal text
FLOAT = "f"  # nan, inf, -inf
COMPLEX = "c"
BYTES = "b"  # buffer
BYTEARRAY = "B"
HEX = "x"  # bytes as hexadecimal text, in exceptions where no buffers go along
ARRAY = "a"  # buffer, dtype, shape (None: a NumPy scalar), order
JAVASCRIPT = "P"  # buffer: a MessagePort, File, Date ... that stays one
RANGE = "r"
SLICE = "S"
ELLIPSIS = "E"
EXCEPTION = "e"  # names, args, text, traceback, notes, cause, fields?, module?
VALUE = "v"  # type of the standard library, text, parts: see values/standard.py
DATACLASS = "D"  # registered name, fields or what its `encode` gave
FAILED = "!"  # exception: an asynchronous `encode` raised it
OBJECT = "o"  # export id, kind, name, description: an object of the sender
HOME = "h"  # export id: an object of the receiver
PROMISE = "p"  # call id: the result of a call of the sender
TEXT = "u"  # buffer: UTF-8
JSON = "j"  # buffer: a list of None, bools, ints, floats and texts, or of such lists
PARTS = "+"  # tag of a container, its items as lists
TABLE = "T"  # tag of a row, its keys as a list, columns
MAPPING = "m"  # keys, values: a dict of many
GRAPH = "g"  # root, nodes: containers that hold themselves, or nest deeper than codec.DEPTH
NODE = "@"  # index of a node of the graph
HERE = "="  # never sent: a value that is here already, in a wire form that is decoded later
# Tags that a number of a buffer follows.
BUFFERED = (BYTES, BYTEARRAY, ARRAY, JAVASCRIPT, TEXT, JSON)

SERVED = 0  # target: what the peer serves

KIND_OBJECT = "o"
KIND_FUNCTION = "f"
KIND_CLASS = "c"
KIND_STREAM = "s"
KIND_AWAITABLE = "w"  # MicroPython's coroutines; its generators look the same
