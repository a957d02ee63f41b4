"""A key by `cryptography` and requests by urllib."""

from __future__ import annotations

import asyncio
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from nn.io import file

from federation.errors import UnreachableError
from federation.fleet import Answer

__all__ = ["CPythonKey", "UrllibTransport"]

MOST = 64 << 20  # bytes of an answer; Flower's objects have at most 5 MiB
SECONDS = 60.0


class CPythonKey:
    """A P-384 key, new or from a file of its own."""

    def __init__(self, path: Path | None = None) -> None:
        self._key = _kept(path) if path else ec.generate_private_key(ec.SECP384R1())
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self.public = self._key.public_key().public_bytes(serialization.Encoding.PEM, form)

    async def sign(self, data: bytes) -> bytes:
        """Return the DER of the ECDSA signature of the SHA-256 of `data`."""
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))


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


class UrllibTransport:
    """Requests to one address, such as "https://example.org"."""

    def __init__(self, address: str) -> None:
        if not address.startswith(("http://", "https://")):
            raise ValueError(f"expected an address of http or https, received {address!r}")
        self._address = address.rstrip("/")

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Return the answer to a POST; raises UnreachableError where there was none."""
        request = Request(self._address + path, body, headers, method="POST")
        return await asyncio.to_thread(_answer, request)


def _answer(request: Request) -> Answer:
    try:
        try:
            with urlopen(request, timeout=SECONDS) as found:
                return _whole(found)
        except HTTPError as error:
            with error:
                return _whole(error)
    except (URLError, OSError, HTTPException) as error:
        raise UnreachableError(f"{request.full_url}: {error}") from error


def _whole(found: HTTPResponse | HTTPError) -> Answer:
    """Read an answer; raises HTTPException if it ends before its end, as when a server is ended."""
    body, length = found.read(MOST), found.headers.get("content-length", "")
    chunked = found.headers.get("transfer-encoding") == "chunked"
    if not (chunked or (length.isdigit() and len(body) == min(int(length), MOST))):
        raise HTTPException(f"expected {length or 'the length'} of bytes, received {len(body)}")
    return Answer(found.status or 0, body, found.headers.get("date"))
