"""Downloads, through the browser's fetch in Pyodide and urllib on CPython."""

from __future__ import annotations

import asyncio
import sys

from nn.io.errors import FormatError, LimitError
from nn.io.limits import DEFAULT_LIMITS, Limits


class FetchError(FormatError):
    """A download failed."""


async def fetch(url: str, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return the bytes at ``url`` (http or https; in a browser also relative to the page).

    Raises:
        FetchError: no response, or a status that is not a success.
        LimitError: the file is longer than ``limits.total``.
    """
    if sys.platform == "emscripten":
        return await _fetch_in_browser(url, limits)
    if not url.startswith(("http://", "https://")):
        raise FetchError(f"{url}: expected an address that begins with http:// or https://")
    return await asyncio.to_thread(_fetch, url, limits)


def _fetch(url: str, limits: Limits) -> bytes:
    # Imported here because urllib imports http and email, which a page does not need.
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=60) as answer:
            data: bytes = answer.read(limits.total + 1)
    except (URLError, OSError, ValueError) as error:
        raise FetchError(f"{url}: {error}") from error
    limits.check_total(len(data), url)
    return data


async def _fetch_in_browser(url: str, limits: Limits) -> bytes:
    from pyodide.http import pyfetch

    try:
        answer = await pyfetch(url)
    except OSError as error:
        raise FetchError(f"{url}: {error}") from error
    if not answer.ok:
        raise FetchError(f"{url}: expected a file, received status {answer.status}")
    announced = answer.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limits.total:
        raise LimitError(f"{url}: expected at most {limits.total} bytes, received {announced}")
    data: bytes = await answer.bytes()
    limits.check_total(len(data), url)
    return data
