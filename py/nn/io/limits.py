"""Size limits of model files.

A file announces its sizes (zip directory, npy header, JSON) in a few bytes, which may claim
anything. So every reader adds up the sizes before it allocates memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from nn.io.errors import LimitError

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds that a reader checks before it allocates memory.

    Attributes:
        total: bytes of the whole file when unpacked.
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
        """Raise LimitError if ``size`` exceeds the total; ``where`` is named in the error."""
        if size > self.total:
            raise LimitError(f"{where}: expected at most {self.total} bytes, received {size}")

    def check_document(self, size: int, where: str) -> None:
        """Raise LimitError if ``size`` bytes are too long for a document."""
        if size > self.document:
            raise LimitError(f"{where}: expected at most {self.document} bytes, received {size}")

    def check_entries(self, count: int, where: str) -> None:
        """Raise LimitError if there are too many entries."""
        if count > self.entries:
            raise LimitError(f"{where}: expected at most {self.entries} entries, received {count}")

    def check_expansion(self, packed: int, unpacked: int, where: str) -> None:
        """Raise LimitError if ``packed`` bytes claim to expand implausibly far."""
        self.check_total(unpacked, where)
        if unpacked > 64 * MEBIBYTE and unpacked > self.expansion * packed:
            raise LimitError(
                f"{where}: {packed} bytes announce {unpacked} unpacked ones, "
                f"more than {self.expansion} times as many"
            )


DEFAULT_LIMITS = Limits()
