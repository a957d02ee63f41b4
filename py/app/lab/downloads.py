"""Files of this site, fetched by the worker, with errors that name the file and what to do."""

from __future__ import annotations

import js
from pyodide.ffi import JsException

ROOT = "static/vendor/"


class DownloadError(RuntimeError):
    """A file of this site could not be fetched."""


def address(base: str, path: str) -> str:
    """The address of a file of this site; a worker made from a blob has no address of its own."""
    return str(js.URL.new(ROOT + path, base).href)


async def download(url: str) -> bytes:
    """The bytes at an address.

    Raises:
        DownloadError: no answer, or another one than 200, or fewer bytes than announced.
    """
    name = url.rsplit("/", 1)[-1]
    try:
        response = await js.fetch(url)
        if not response.ok:
            raise DownloadError(f"{name}: expected 200, the server answered {response.status}")
        return (await response.arrayBuffer()).to_bytes()  # type: ignore[no-any-return]
    except JsException as error:
        raise DownloadError(f"{name}: the download broke off ({error})") from error


def downloaded() -> dict[str, int]:
    """Bytes that this worker has loaded, by file name, cached files included."""
    entries = js.performance.getEntriesByType("resource")
    return {entry.name.rsplit("/", 1)[-1]: int(entry.decodedBodySize) for entry in entries}
