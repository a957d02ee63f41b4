"""Run rates.py on builds of the kernels: in Chromium, or on this Python.

PYTHONPATH=py python -m tests.bench.kernels.run relaxed simd native numpy
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support import pyodide
from tests.support.chromium import Page
from tests.support.site import Site
from tools import build_kernels
from tools.serve import ROOT

RATES = Path(__file__).with_name("rates.py")
BROWSER = ("relaxed", "simd", "numpy")
LIMIT_S = 300
CELLS = {"lstm": "LSTM", "gru": "GRU"}


def script(variant: str, options: argparse.Namespace) -> str:
    path = {"native": str(ROOT / "build" / "kernels" / "libnn.so"), "numpy": None}
    arguments = {
        "path": path.get(variant, f"./{variant}.so"),
        "channels": options.channels,
        "batches": options.batches,
        "recurrent": options.recurrent,
    }
    return f"ARGUMENTS = {arguments!r}\n{RATES.read_text()}"


def in_chromium(text: str) -> str:
    with contextlib.closing(Site()) as site, contextlib.ExitStack() as stack:
        page = Page()
        stack.callback(page.quit)
        pyodide.open_python(site, page)
        return pyodide.run(page, text, pyodide.engine_files(), LIMIT_S)


def on_this_python(text: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT / "py", capture_output=True, text=True, check=True
    )
    return done.stdout


def recurrent_table(rates: dict[str, dict[str, Any]]) -> str:
    """Return the rates of the recurrent cells as Markdown, a build a column."""
    lines = [f"| | {' | '.join(rates)} |", f"|---|{'---:|' * len(rates)}"]
    if all("fma_peak" in each for each in rates.values()):
        peaks = [f"{each['fma_peak']:.0f}" for each in rates.values()]
        lines.append(f"| peak, GFLOP/s | {' | '.join(peaks)} |")
    for cell, name in CELLS.items():
        found = [each[cell] for each in rates.values()]
        cells = [
            f"{a['forward_ms']:.2f} + {a['backward_ms']:.2f} ms, {a['gflops']:.0f}" for a in found
        ]
        lines.append(f"| {name}: forward + backward, GFLOP/s | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variants", nargs="*", default=["relaxed"], choices=[*BROWSER, "native"])
    parser.add_argument("--channels", type=int, nargs="*", default=[8, 16, 32, 64])
    parser.add_argument("--batches", type=int, nargs="*", default=[128, 512])
    parser.add_argument("--recurrent", action="store_true")
    options = parser.parse_args()
    build_kernels.main([])
    rates = {}
    for variant in options.variants:
        run = in_chromium if variant in BROWSER else on_this_python
        text = run(script(variant, options))
        rates[variant] = json.loads(text)
        sys.stdout.write(f"{variant}\n{text}\n")
    if options.recurrent:
        sys.stdout.write(f"{recurrent_table(rates)}\n")


if __name__ == "__main__":
    main()
