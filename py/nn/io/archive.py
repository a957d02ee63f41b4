"""Zip archives, with sizes checked before allocation and reproducible output.

`zipfile` checks the CRC of each member that is read to its end and never yields more bytes than the
directory announces. This module also checks the sum of the announced sizes and names the errors.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping

from nn.io.errors import CorruptError, MissingEntryError, TruncatedError, UnknownFormatError
from nn.io.limits import DEFAULT_LIMITS, Limits

SIGNATURE = b"PK\x03\x04"

# The earliest time that zip can express, so that files do not depend on when they were made.
_EPOCH = (1980, 1, 1, 0, 0, 0)

# Errors that zipfile raises for damaged directories and members (found by flipping every byte).
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    UnicodeDecodeError,
    OSError,
    ValueError,
)


class Archive:
    """A zip archive in memory whose members are within the limits.

    The names of members have `/` between their parts. A folder that everything is in is left out.

    Args:
        data: the whole file.
        limits: bounds on the number and the total size of the members.

    Raises:
        UnknownFormatError: not a zip archive.
        TruncatedError: the directory at the end is missing.
        CorruptError: the directory contradicts itself.
        LimitError: the members are too large or too many.
    """

    def __init__(self, data: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
        if not data.startswith(SIGNATURE):
            raise UnknownFormatError(
                f"archive: expected a zip file beginning with {SIGNATURE!r}, "
                f"received {len(data)} bytes beginning with {data[:4]!r}"
            )
        self._zip = _open(data)
        self._members = _members(self._zip)
        limits.check_entries(len(self._members), "archive")
        announced = sum(member.file_size for member in self._members.values())
        limits.check_expansion(len(data), announced, "archive")

    @property
    def names(self) -> list[str]:
        """Member names, in the order of the directory."""
        return list(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def size(self, name: str) -> int:
        """Return a member's unpacked size in bytes, as announced (and enforced when it is read)."""
        return self._member(name).file_size

    def read(self, name: str) -> bytes:
        """Return a member's bytes.

        Raises:
            MissingEntryError: there is no such member.
            CorruptError: it does not unpack, or to another checksum or size.
        """
        member = self._member(name)
        try:
            data = self._zip.read(member)
        except _DAMAGE as error:
            raise CorruptError(f"archive member {name!r}: {error}") from error
        if len(data) != member.file_size:
            raise CorruptError(
                f"archive member {name!r}: expected {member.file_size} bytes, received {len(data)}"
            )
        return data

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self._members:
            raise MissingEntryError(
                f"archive: expected a member {name!r}, received {', '.join(self.names) or 'none'}"
            )
        return self._members[name]


def pack(members: Mapping[str, bytes]) -> bytes:
    """Return a reproducible zip archive: members uncompressed and without times."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return stream.getvalue()


def _open(data: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except _DAMAGE as error:
        # The end-of-directory record is 22 bytes plus a comment of at most 65,535.
        if b"PK\x05\x06" not in data[-65_557:]:
            raise TruncatedError(
                f"archive: expected a directory at the end, received {len(data)} bytes without one"
            ) from error
        raise CorruptError(f"archive directory: {error}") from error


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    found = [(plain_name(member.filename), member) for member in archive.infolist()]
    found = [(name, member) for name, member in found if not _is_ignored(name)]
    members = dict(found)
    if len(members) != len(found):
        raise CorruptError("archive directory: expected distinct names, received a name twice")
    while folder := _common_folder(members):
        members = {name[len(folder) :]: member for name, member in members.items()}
    return members


def plain_name(name: str) -> str:
    """Return a path with `/` between its parts, as Windows' tools do not write it, and no `./`."""
    name = name.replace("\\", "/")
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return name


def _is_ignored(name: str) -> bool:
    """Return whether a member is a folder, or what macOS adds to archives."""
    return name.endswith(("/", ".DS_Store")) or name.startswith("__MACOSX/")


def _common_folder(names: Iterable[str]) -> str:
    """Return the folder that all files are in, with its `/`, or ""."""
    folders = {name[: name.find("/") + 1] for name in names}
    return folders.pop() if len(folders) == 1 else ""
