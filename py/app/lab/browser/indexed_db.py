"""IndexedDB in the worker: models, checkpoints, runs and drawings stay in the browser.

Every promise of IndexedDB becomes one await. A browser that refuses (private mode, a full disk)
raises StorageError with what to do; a transaction that fails leaves nothing behind.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

import js
from pyodide.ffi import create_once_callable, to_js

from app.language import tr

NAME = "farcall"
VERSION = 4
STORES = ("models", "checkpoints", "runs", "drawings", "classes")
MODELS, CHECKPOINTS, _, DRAWINGS, _ = STORES
MISSING = "no IndexedDB"


class StorageError(RuntimeError):
    """The browser refused to store or to read something."""


def now() -> str:
    """Return the time as rows have it under `saved`: a text that sorts as the times do."""
    return datetime.datetime.now(datetime.UTC).isoformat()


def _reason(error: Any) -> str:
    name = MISSING if error is None else getattr(error, "name", "") or tr("unknown error")
    if name == "QuotaExceededError":
        return tr("the browser's storage is full: delete a saved model or free disk space")
    if name in (MISSING, "InvalidStateError", "SecurityError", "UnknownError", "NotFoundError"):
        return tr(
            "the browser allows no storage here ({name}: a private window, a "
            "sandboxed frame?); use Download",
            name=name,
        )
    return f"{name}: {getattr(error, 'message', error)}"


async def _done(request: Any, succeeded: str = "onsuccess") -> Any:
    """Return the result of an IDBRequest, or None when a transaction completes."""
    promise = js.Promise.withResolvers()
    setattr(request, succeeded, create_once_callable(lambda _: promise.resolve(True)))
    for event in ("onerror", "onabort"):
        setattr(request, event, create_once_callable(lambda _: promise.resolve(False)))
    if not await promise.promise:
        raise StorageError(_reason(request.error))
    return getattr(request, "result", None)


async def _open() -> Any:
    if not getattr(js, "indexedDB", None):
        raise StorageError(_reason(None))
    try:
        request = js.indexedDB.open(NAME, VERSION)
    except Exception as error:
        raise StorageError(_reason(error)) from error

    def upgrade(_: Any) -> None:
        database = request.result
        by_name = to_js({"keyPath": "name"}, dict_converter=js.Object.fromEntries)
        for store in STORES:  # earlier versions had the first, three or four
            if not database.objectStoreNames.contains(store):
                database.createObjectStore(store, by_name)

    request.onupgradeneeded = create_once_callable(upgrade)
    return await _done(request)


async def change(
    store: str, put: Iterable[tuple[str, bytes, dict[str, Any]]] = (), delete: Iterable[str] = ()
) -> None:
    """Delete rows, then save others, all or none: a page that is closed in between leaves no half.

    Args:
        store: one of STORES.
        put: name, bytes and facts of each row, in place of what was there.
        delete: names of rows.

    Raises:
        StorageError: the browser refused; what was kept before is kept.
    """
    database = await _open()
    try:
        transaction = database.transaction(store, "readwrite")
        rows = transaction.objectStore(store)
        for name in delete:
            rows.delete(name)
        for name, content, about in put:
            words = js.JSON.stringify(to_js(about, dict_converter=js.Object.fromEntries))
            row = {"name": name, "about": words, "octets": content}
            rows.put(to_js(row, dict_converter=js.Object.fromEntries))
        await _done(transaction, "oncomplete")
    finally:
        database.close()


async def put(name: str, content: bytes, about: dict[str, Any], store: str = MODELS) -> None:
    """Save bytes under a name, in place of what was there."""
    await change(store, put=[(name, content, about)])


async def get(name: str, store: str = MODELS) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes and the facts saved under a name. Raises KeyError if there are none."""
    database = await _open()
    try:
        row = await _done(database.transaction(store, "readonly").objectStore(store).get(name))
        if not row:
            raise KeyError(f"nothing named {name!r} is among the {store} kept in this browser")
        return row.octets.to_bytes(), js.JSON.parse(row.about).to_py()
    finally:
        database.close()


async def delete(name: str, store: str = MODELS) -> None:
    await change(store, delete=[name])


async def _rows(store: str) -> list[tuple[dict[str, Any], Any]]:
    """Return the facts of each row with its name, the oldest first, and its JavaScript bytes."""
    database = await _open()
    try:
        rows = await _done(database.transaction(store, "readonly").objectStore(store).getAll())
    finally:
        database.close()
    found = [(dict(js.JSON.parse(row.about).to_py(), name=row.name), row.octets) for row in rows]
    return sorted(found, key=lambda entry: entry[0].get("saved", ""))


async def listing(store: str = MODELS) -> list[dict[str, Any]]:
    """Return what is saved, the newest first: facts, name and size of each."""
    rows = await _rows(store)
    return [dict(about, octets=content.length) for about, content in reversed(rows)]


async def contents(store: str) -> list[tuple[dict[str, Any], bytes]]:
    """Return all that is saved, the oldest first: facts with the name, and the bytes."""
    return [(about, content.to_bytes()) for about, content in await _rows(store)]


async def state() -> str:
    """Return whether this browser can save anything, in words."""
    try:
        await listing()
    except StorageError as error:
        return tr("no: {error}", error=error)
    return tr("yes")
