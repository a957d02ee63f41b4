"""A file that is written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a file; a failure, or the end of the process, leaves the one that was there.

    Args:
        path: of the file.
        data: what it holds then.
        mode: of a new file, less what the process's umask takes.

    Raises:
        OSError: the file can't be written: no such folder, no space.
    """
    target = Path(os.path.realpath(path))  # a link stays one
    if target.exists() and not target.is_file():  # a device or a pipe; Python refuses a folder
        target.write_bytes(data)
        return
    beside = target.with_name(f".{os.getpid()}-{id(data):x}.part")
    try:
        beside.touch(mode)
        beside.write_bytes(data)
        if target.exists():
            beside.chmod(target.stat().st_mode)
        beside.replace(target)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        beside.unlink(missing_ok=True)
