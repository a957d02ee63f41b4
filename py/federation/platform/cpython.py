"""A key by `cryptography` and requests by httpx, which Flower brings along."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from nn.io import file

from federation.errors import UnreachableError
from federation.fleet import Answer

__all__ = ["CPythonKey", "HttpTransport"]

MOST = 64 << 20  # bytes of an answer; Flower's objects have at most 5 MiB
SECONDS = 60.0  # for a whole call, however slowly its answer comes


class CPythonKey:
    """A P-384 key, new or from a file of its own; its note is in a file beside that."""

    def __init__(self, path: Path | None = None) -> None:
        self._note, self._kept = b"", path and path.with_name(f"{path.name}.note")
        self._key = _kept(path) if path else ec.generate_private_key(ec.SECP384R1())
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self.public = self._key.public_key().public_bytes(serialization.Encoding.PEM, form)

    async def sign(self, data: bytes) -> bytes:
        """Return the DER of the ECDSA signature of the SHA-256 of `data`."""
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))

    async def keep(self, note: bytes) -> None:
        """Keep a note for the next visit with this key; without a file, for one of this object."""
        self._note = note
        if self._kept:
            with suppress(OSError):  # a full disk ends no visit
                file.write(self._kept, note, mode=0o600)

    async def kept(self) -> bytes:
        """Return the note that was kept last, of this visit or of the one before."""
        if self._kept and self._kept.exists():
            return self._kept.read_bytes()
        return self._note


def _kept(path: Path) -> ec.EllipticCurvePrivateKey:
    if not path.exists():
        key = ec.generate_private_key(ec.SECP384R1())
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
        file.write(path, key.private_bytes(*form, serialization.NoEncryption()), mode=0o600)
    try:
        found = serialization.load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"{path}: expected an EC key, received none: {error}") from error
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path}: expected an EC key, received another kind")
    return found


class HttpTransport:
    """Requests to one address, such as "https://example.org", each by a connection of its own."""

    def __init__(self, address: str) -> None:
        if not _is_address(address):
            raise ValueError(f"expected an address of http or https, received {address!r}")
        self._address = address.rstrip("/")
        self._client = httpx.AsyncClient(
            headers={"accept-encoding": "identity"},
            limits=httpx.Limits(max_keepalive_connections=0),  # none is left open when all ends
            timeout=None,
            verify=ssl.create_default_context(),  # trusts whom the machine trusts
        )

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Return the answer to a POST; raises UnreachableError where there was none."""
        address = self._address + path
        try:
            async with (
                asyncio.timeout(SECONDS),
                self._client.stream("POST", address, content=body, headers=headers) as found,
            ):
                return await _whole(found)
        except TimeoutError as error:
            raise UnreachableError(f"{address}: no whole answer in {SECONDS:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(f"{address}: {str(error) or type(error).__name__}") from error


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0  # a port above 65535 raises
    except ValueError:
        return False
    return named and parts.scheme in ("http", "https") and not (parts.query or parts.fragment)


async def _whole(found: httpx.Response) -> Answer:
    """Read an answer; httpx raises if it ends before the end that its headers say."""
    if not {"content-length", "transfer-encoding"} & found.headers.keys():
        raise httpx.RemoteProtocolError("expected the length of the answer, received none")
    body = bytearray()
    async for part in found.aiter_raw():
        body += part[: MOST - len(body)]
        if len(body) == MOST:
            break
    return Answer(found.status_code, bytes(body), found.headers.get("date"))
