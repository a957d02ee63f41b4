"""Compiling the kernels' C sources (kernels/src): for this machine, and for `tools` as WebAssembly.

The compiler is `cc`, clang or gcc if one is installed, else the one in the `ziglang` package. In a
checkout the library is build/kernels/libnn.so; an installed package keeps it in the user's cache,
in a folder named after the sources, so that another version never opens it. The module stands above
`kernels` because it needs no NumPy: `make serve` runs it each time.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "kernels" / "src"
CHECKOUT = Path(__file__).resolve().parents[2]
SHARED = (
    "-O3", "-fPIC", "-ffreestanding", "-fno-builtin", "-fvisibility=hidden",
    "-Wall", "-Wextra", "-Werror",
)  # fmt: skip


class BuildError(Exception):
    """A compiler is missing or reported an error."""


@dataclass(frozen=True)
class Target:
    """A library to build: its path and the commands that compile and link it."""

    path: Path
    compile: tuple[str, ...]
    link: tuple[str, ...]

    @property
    def stamp(self) -> Path:
        return self.path.with_suffix(".sha256")

    def fingerprint(self) -> str:
        """Return a hash of everything that determines the library: sources and commands."""
        return _hash_of_sources(repr((self.compile, self.link)))

    def is_current(self) -> bool:
        if not (self.path.exists() and self.stamp.exists()):
            return False
        return self.stamp.read_text().strip() == self.fingerprint()

    def build(self) -> None:
        """Build the library; an older one is replaced only when the new one is complete.

        Raises:
            BuildError: a command failed; the message holds the command and its output.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            objects = []
            for source in _sources():
                objects.append(str(Path(folder, source.stem + ".o")))
                _run([*self.compile, "-c", str(source), "-o", objects[-1]])
            made = Path(folder, "made.so")
            _run([*self.link, *objects, "-o", str(made)])
            partial = self.path.with_suffix(".partial")
            shutil.copyfile(made, partial)
            partial.replace(self.path)
        self.stamp.write_text(self.fingerprint() + "\n")


def native_path() -> Path:
    """Return where the library for this machine is, or will be."""
    if (CHECKOUT / "pyproject.toml").is_file():
        return CHECKOUT / "build" / "kernels" / "libnn.so"
    return _cache() / "farcall" / f"kernels-{_hash_of_sources()[:16]}" / "libnn.so"


def native_target() -> Target:
    """Return the library for this machine.

    Raises:
        BuildError: no compiler is installed.
    """
    found = next((path for name in ("cc", "clang", "gcc") if (path := shutil.which(name))), None)
    compiler = (found,) if found else (*zig(), "cc")
    march = () if _refuses_march(compiler) else ("-march=native",)
    return Target(native_path(), (*compiler, *march, *SHARED), (*compiler, "-shared", "-nostdlib"))


def zig() -> tuple[str, ...]:
    """Return the command of the compiler that the `ziglang` package brings.

    Raises:
        BuildError: the package is not installed.
    """
    if importlib.util.find_spec("ziglang") is None:
        raise BuildError(
            "expected the compiler package 'ziglang' in this Python, found none: "
            f"run `{sys.executable} -m pip install ziglang`"
        )
    return (sys.executable, "-m", "ziglang")


def _cache() -> Path:
    """Return the folder that this system gives programs to keep what can be made again."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _sources() -> list[Path]:
    """Return the C files, sorted.

    Raises:
        BuildError: there are no C files.
    """
    found = sorted(SOURCES.glob("*.c"))
    if not found:
        raise BuildError(f"expected C files in {SOURCES}, found none")
    return found


def _hash_of_sources(beside: str = "") -> str:
    digest = hashlib.sha256(beside.encode())
    for path in sorted(SOURCES.glob("*.[ch]")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _refuses_march(compiler: Sequence[str]) -> bool:
    command = [*compiler, "-march=native", "-E", "-x", "c", "-", "-o", "-"]
    return subprocess.run(command, input=b"", capture_output=True, check=False).returncode != 0


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise BuildError(f"expected this to succeed:\n  {' '.join(command)}\nit said:\n{said}")


def make(targets: Callable[[], Sequence[Target]], *, force: bool = False) -> int:
    """Build the libraries that are not current, print what was done or why it failed.

    Args:
        targets: returns the libraries; may raise BuildError.
        force: build also what is current.

    Returns:
        The exit status of a command: 0, or 1 where it failed.
    """
    try:
        for target in targets():
            if target.is_current() and not force:
                sys.stdout.write(f"kernels: {target.path} is up to date\n")
                continue
            target.build()
            size = target.path.stat().st_size
            sys.stdout.write(f"kernels: built {target.path} ({size:,} bytes)\n")
    except BuildError as error:
        sys.stderr.write(f"kernels: {error}\n")
        return 1
    return 0
