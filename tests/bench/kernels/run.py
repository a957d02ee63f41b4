"""Run rates.py on one build of the kernels: in Chromium, or on this Python.

python tests/bench/kernels/run.py relaxed simd native numpy
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import chromium

ROOT = chromium.ROOT
RATES = Path(__file__).with_name("rates.py")
BROWSER = ("relaxed", "simd", "numpy")


def script(variant: str, options: argparse.Namespace) -> str:
    path = {"native": str(ROOT / "build" / "kernels" / "libnn.so"), "numpy": None}
    arguments = {
        "path": path.get(variant, f"./{variant}.so"),
        "channels": options.channels,
        "batches": options.batches,
        "lstm": options.lstm,
    }
    head = "import sys\nsys.path.insert(0, '.')\n"
    return f"{head}ARGUMENTS = {arguments!r}\n{RATES.read_text()}"


def rates(variant: str, options: argparse.Namespace) -> str:
    text = script(variant, options)
    if variant in BROWSER:
        built = sorted((ROOT / "static" / "vendor" / "kernels").glob("*.so"))
        return chromium.run(text, [ROOT / "py" / "nn", *built])
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT / "py", capture_output=True, text=True, check=True
    )
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variants", nargs="*", default=["relaxed"])
    parser.add_argument("--channels", type=int, nargs="*", default=[8, 16, 32, 64])
    parser.add_argument("--batches", type=int, nargs="*", default=[128, 512])
    parser.add_argument("--lstm", action="store_true")
    options = parser.parse_args()
    for variant in options.variants:
        sys.stdout.write(f"{variant}\n{rates(variant, options)}\n")


if __name__ == "__main__":
    main()
