"""Build the kernels in py/nn/kernels/src as WebAssembly side modules and a native library.

    python tools/build_kernels.py [wasm] [native] [--force]

static/vendor/kernels/relaxed.so and simd.so are dynamic libraries in Emscripten's format, which
Pyodide's ctypes opens; build/kernels/libnn.so is for CPython, where the tests run. The compiler
comes with the `ziglang` package; the native library uses `cc` or clang if installed. A library is
rebuilt only if sources, flags or compiler have changed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "py" / "nn" / "kernels" / "src"
WASM = ROOT / "static" / "vendor" / "kernels"
NATIVE = ROOT / "build" / "kernels"
SHARED = (
    "-O3", "-fPIC", "-ffreestanding", "-fno-builtin", "-fvisibility=hidden",
    "-Wall", "-Wextra", "-Werror",
)  # fmt: skip
LINK = ("-shared", "--experimental-pic", "--no-entry", "--export-dynamic", "--strip-all")


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


def zig() -> tuple[str, ...]:
    """Return the command of the pinned compiler.

    Raises:
        BuildError: the compiler is not installed.
    """
    if importlib.util.find_spec("ziglang") is None:
        raise BuildError(
            "expected the compiler package 'ziglang' in this Python, found none: "
            f"run `{sys.executable} -m pip install ziglang`, or `make serve`, which does"
        )
    return (sys.executable, "-m", "ziglang")


def wasm_target(name: str, features: str) -> Target:
    compiler = zig()
    return Target(
        WASM / f"{name}.so",
        # Zig enables UBSan's checks by default, which would halve the speed.
        (*compiler, "cc", "-target", "wasm32-freestanding", f"-mcpu=generic+{features}",
         "-fno-sanitize=all", *SHARED),
        (*compiler, "wasm-ld", *LINK),
    )  # fmt: skip


def native_target() -> Target:
    found = next((path for name in ("cc", "clang", "gcc") if (path := shutil.which(name))), None)
    compiler = (found,) if found else (*zig(), "cc")
    march = () if _refuses_march(compiler) else ("-march=native",)
    return Target(
        NATIVE / "libnn.so", (*compiler, *march, *SHARED), (*compiler, "-shared", "-nostdlib")
    )


def _refuses_march(compiler: Sequence[str]) -> bool:
    command = [*compiler, "-march=native", "-E", "-x", "c", "-", "-o", "-"]
    return subprocess.run(command, input=b"", capture_output=True, check=False).returncode != 0


def sources() -> list[Path]:
    """Return the C files, sorted.

    Raises:
        BuildError: there are no C files.
    """
    found = sorted(SOURCES.glob("*.c"))
    if not found:
        raise BuildError(f"expected C files in {SOURCES}, found none")
    return found


def fingerprint(target: Target) -> str:
    """Return a hash of everything that determines the library: sources, headers and commands."""
    digest = hashlib.sha256(repr((target.compile, target.link)).encode())
    for path in sorted(SOURCES.glob("*.[ch]")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def is_current(target: Target) -> bool:
    if not (target.path.exists() and target.stamp.exists()):
        return False
    return target.stamp.read_text().strip() == fingerprint(target)


def build(target: Target) -> None:
    """Build the library; an older one is replaced only when the new one is complete.

    Raises:
        BuildError: a command failed; the message holds the command and its output.
    """
    target.path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        for source in sources():
            objects.append(str(Path(folder, source.stem + ".o")))
            _run([*target.compile, "-c", str(source), "-o", objects[-1]])
        made = Path(folder, "made.so")
        _run([*target.link, *objects, "-o", str(made)])
        partial = target.path.with_suffix(".partial")
        shutil.copyfile(made, partial)
        partial.replace(target.path)
    target.stamp.write_text(fingerprint(target) + "\n")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise BuildError(f"expected this to succeed:\n  {' '.join(command)}\nit said:\n{said}")


def targets(kinds: Sequence[str]) -> list[Target]:
    wanted = kinds or ("wasm", "native")
    found = []
    if "wasm" in wanted:
        found.append(wasm_target("relaxed", "simd128+relaxed_simd"))
        found.append(wasm_target("simd", "simd128"))
    if "native" in wanted:
        found.append(native_target())
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", help="wasm, native; both by default")
    parser.add_argument("--force", action="store_true", help="rebuild also current libraries")
    options = parser.parse_args(arguments)
    unknown = set(options.kinds) - {"wasm", "native"}
    if unknown:
        parser.error(f"expected wasm or native, received {', '.join(sorted(unknown))}")
    try:
        for target in targets(options.kinds):
            name = target.path.relative_to(ROOT)
            if is_current(target) and not options.force:
                sys.stdout.write(f"kernels: {name} is up to date\n")
                continue
            build(target)
            sys.stdout.write(f"kernels: built {name} ({target.path.stat().st_size:,} bytes)\n")
    except BuildError as error:
        sys.stderr.write(f"kernels: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
