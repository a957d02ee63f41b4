"""What the engine's worker needs, in one stored zip: nn, the measured loop, data, real MNIST."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.bench.drive import ROOT

PEERS = (
    "__init__.py", "loop.py", "numpy_native.py", "engine.py", "photographs.py", "sequences.py",
    "team.py",
)  # fmt: skip


def write(path: Path, data: Path) -> None:
    """Write the zip; nothing in it is compressed, it comes from this machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for source in sorted((ROOT / "py" / "nn").rglob("*.py")):
            archive.write(source, source.relative_to(ROOT / "py"))
        for name in PEERS:
            archive.write(ROOT / "tests/bench/peers" / name, f"tests/bench/peers/{name}")
        for source in [*data.glob("*.u8"), *data.glob("*.json"), *data.glob("*.nhwc.f32")]:
            archive.write(source, f"data/{source.name}")
        for source in (ROOT / "static/vendor/mnist").glob("train-*.gz"):
            archive.write(source, f"data/{source.name}")
        for source in (ROOT / "static/vendor/kernels").glob("*.so"):
            archive.write(source, f"kernels/{source.name}")
