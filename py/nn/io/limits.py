"""How much a file may ask for before it is refused.

A file announces its sizes (zip directory, npy header, JSON) in a few bytes and can announce
anything, so every reader here adds them up first and allocates afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from nn.io.errors import LimitError

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds that a reader checks before it allocates.

    Attributes:
        total: bytes of everything in the file once unpacked.
        document: bytes of one JSON (or other text) document.
        entries: number of arrays or archive members.
        expansion: unpacked bytes per packed byte, for archives that unpack to over 64 MiB.
            Deflate reaches 1032 on zeros; float32 weights rarely compress below 0.9.
    """

    total: int = 1024 * MEBIBYTE
    document: int = 16 * MEBIBYTE
    entries: int = 10_000
    expansion: int = 100

    def check_total(self, size: int, where: str) -> None:
        """Raise LimitError if ``size`` bytes are too many for ``where``."""
        if size > self.total:
            raise LimitError(f"{where}: expected at most {self.total} bytes, received {size}")

    def check_document(self, size: int, where: str) -> None:
        """Raise LimitError if a document of ``size`` bytes is too long."""
        if size > self.document:
            raise LimitError(f"{where}: expected at most {self.document} bytes, received {size}")

    def check_entries(self, count: int, where: str) -> None:
        """Raise LimitError if ``count`` entries are too many."""
        if count > self.entries:
            raise LimitError(f"{where}: expected at most {self.entries} entries, received {count}")

    def check_expansion(self, packed: int, unpacked: int, where: str) -> None:
        """Raise LimitError if ``packed`` bytes announce implausibly many unpacked ones."""
        self.check_total(unpacked, where)
        if unpacked > 64 * MEBIBYTE and unpacked > self.expansion * packed:
            raise LimitError(
                f"{where}: {packed} bytes announce {unpacked} unpacked ones, "
                f"more than {self.expansion} times as many"
            )


DEFAULT_LIMITS = Limits()
