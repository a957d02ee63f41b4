"""A key by WebCrypto and requests by fetch: the one module of `federation` that meets JavaScript.

On CPython it imports without it; its classes are for a browser's worker or page.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from federation.errors import UnreachableError
from federation.fleet import Answer

__all__ = ["BrowserKey", "FetchTransport", "der"]

SECONDS = 60.0
STORE = "federation"  # the database of keys, and the locks of tabs


@cache
def _driver() -> Any:
    return import_module("js").eval(Path(__file__).with_name("driver.js").read_text())()


class BrowserKey:
    """A P-384 key that the browser keeps and no script can read; each open tab has its own."""

    def __init__(self, pair: Any, spki: bytes, note: bytes = b"", keep: Any = None) -> None:
        self._pair, self._note, self._keep = pair, note, keep
        text = b64encode(spki).decode()
        lines = [text[start : start + 64] for start in range(0, len(text), 64)]
        pem = ["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""]
        self.public = "\n".join(pem).encode()

    @classmethod
    async def load(cls) -> BrowserKey:
        """Return the key of this tab, made at its first visit."""
        found = await _driver().key(STORE)
        return cls(found.pair, found.public.to_bytes(), found.note.to_bytes(), found.keep)

    async def keep(self, note: bytes) -> None:
        """Keep a note for the next visit with this key, as far as the browser keeps anything."""
        self._note = note
        await self._keep(import_module("pyodide.ffi").to_js(note))

    async def kept(self) -> bytes:
        """Return the note that was kept last, of this visit or of the one before."""
        return self._note

    async def sign(self, data: bytes) -> bytes:
        """Return the DER of the ECDSA signature of the SHA-256 of `data`."""
        raw = await _driver().sign(self._pair, import_module("pyodide.ffi").to_js(data))
        return der(raw.to_bytes())


class FetchTransport:
    """Requests to one address, such as "https://example.org"."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Return the answer to a POST; raises UnreachableError where there was none."""
        ffi = import_module("pyodide.ffi")
        pairs = ffi.to_js([[name, value] for name, value in headers.items()])
        address = self._address + path
        try:
            found = await _driver().post(address, ffi.to_js(body), pairs, SECONDS)
        except ffi.JsException as error:
            raise UnreachableError(f"{address}: {error}") from error
        return Answer(found.status, found.body.to_bytes(), found.date or None)


def der(raw: bytes) -> bytes:
    """Return WebCrypto's r || s as the SEQUENCE of two INTEGERs that Flower expects."""
    half = len(raw) // 2
    parts = b""
    for part in (raw[:half], raw[half:]):
        number = part.lstrip(b"\0") or b"\0"
        if number[0] & 128:
            number = b"\0" + number
        parts += bytes([2, len(number)]) + number
    return bytes([48, len(parts)]) + parts
