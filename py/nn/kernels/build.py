"""Compile the kernels for this machine: `python -m nn.kernels.build`, then `nn.kernels.load()`.

Without the library NumPy does the work. `pip install "farcall[kernels]"` brings a compiler for
machines that have none.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from nn.compiler import make, native_target


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the library for this machine."""
    parser = argparse.ArgumentParser(
        prog="python -m nn.kernels.build",
        description="Compile nn's kernels for this machine; nn.kernels.load() then opens them.",
    )
    parser.add_argument("--force", action="store_true", help="compile also what is up to date")
    options = parser.parse_args(arguments)
    return make(lambda: [native_target()], force=options.force)


if __name__ == "__main__":
    sys.exit(main())
