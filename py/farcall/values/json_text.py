"""JSON texts: the standard library's encoder and decoder, without what farcall does not need."""

import json

from farcall import platform
from farcall.values.graphs import short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

loads: "Any" = json.loads
dumps: "Any" = json.dumps
if not platform.MICROPYTHON:
    _encoder = json.JSONEncoder(
        ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
    )
    _scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
    # What `encode` makes again each time: half of its time for a short message.
    _iterencode = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
        None,
        _encoder.default,
        json.encoder.encode_basestring,  # type: ignore[attr-defined]
        None,
        ":",
        ",",
        False,
        False,
        False,
    )

    def loads(text: "str") -> "Any":
        """json.loads without the white space around, which no peer sends."""
        try:
            value, end = _scan(text, 0)
        except StopIteration:
            end = -1
        if end != len(text):
            raise ValueError(f"expected JSON, received {short(text)}")
        return value

    def dumps(value: "object") -> str:
        """JSON text of lists, dicts and plain values."""
        return "".join(_iterencode(value, 0))
