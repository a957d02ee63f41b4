"""Build the kernels in py/nn/kernels/src as WebAssembly side modules and a native library.

    PYTHONPATH=py python -m tools.build_kernels [wasm] [native] [--force]

static/vendor/kernels/relaxed.so and simd.so are dynamic libraries in Emscripten's format, which
Pyodide's ctypes opens; build/kernels/libnn.so is for CPython, where the tests run. A library is
rebuilt only if sources, flags or compiler have changed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nn.compiler import SHARED, Target, make, native_target, zig

WASM = Path(__file__).resolve().parents[1] / "static" / "vendor" / "kernels"
LINK = ("-shared", "--experimental-pic", "--no-entry", "--export-dynamic", "--strip-all")


def wasm_target(name: str, features: str) -> Target:
    compiler = zig()
    return Target(
        WASM / f"{name}.so",
        # Zig enables UBSan's checks by default, which would halve the speed.
        (*compiler, "cc", "-target", "wasm32-freestanding", f"-mcpu=generic+{features}",
         "-fno-sanitize=all", *SHARED),
        (*compiler, "wasm-ld", *LINK),
    )  # fmt: skip


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
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kinds", nargs="*", help="wasm, native; both by default")
    parser.add_argument("--force", action="store_true", help="rebuild also current libraries")
    options = parser.parse_args(arguments)
    unknown = set(options.kinds) - {"wasm", "native"}
    if unknown:
        parser.error(f"expected wasm or native, received {', '.join(sorted(unknown))}")
    return make(lambda: targets(options.kinds), force=options.force)


if __name__ == "__main__":
    sys.exit(main())
