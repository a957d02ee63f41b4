"""Everything that the bench on a GPU runs, in one folder: it needs node, and nothing else here.

python -m tests.bench.gpu.pack            write build/bench-gpu
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.bench import networks

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
PACKED = ROOT / "build" / "bench-gpu"
MODULES = ROOT / "tests" / "bench" / "node_modules"
OWN = ("peer.mjs", "nn.mjs", "peak.mjs", "rows.py", "torch_cuda.py")
BUNDLED = ("tfjs", "jaxjs")


def write() -> Path:
    """Write the folder; returns it."""
    shutil.rmtree(PACKED, ignore_errors=True)
    networks.write_data(ROOT / "static" / "vendor" / "mnist", PACKED / "data")
    for name in OWN:
        shutil.copy(HERE / name, PACKED / name)
    for name in BUNDLED:
        bundle(name)
    shutil.copytree(ROOT / "static" / "vendor" / "runtime", PACKED / "runtime")
    shutil.copy(ROOT / "package.json", PACKED / "runtime")  # which says that .js are modules
    left_out = shutil.ignore_patterns("__pycache__", "*.c", "*.h")
    shutil.copytree(ROOT / "py" / "nn", PACKED / "py" / "nn", ignore=left_out)
    for name in ("gpu_loop.py", "profile.js"):
        shutil.copy(HERE / name, PACKED / "py" / name)
    peers = HERE.parent / "peers"
    shutil.copy(peers / "photographs.py", PACKED / "py" / "photographs.py")
    (PACKED / "tests" / "bench" / "peers").mkdir(parents=True)
    shutil.copy(HERE.parent / "photographs.py", PACKED / "tests" / "bench")
    for name in ("loop", "photographs", "photographs_torch", "torch_1t"):
        shutil.copy(peers / f"{name}.py", PACKED / "tests" / "bench" / "peers")
    dawn = PACKED / "node_modules" / "webgpu"
    keep = shutil.ignore_patterns("darwin*", "win32*", "linux-arm64")
    shutil.copytree(MODULES / "webgpu", dawn, ignore=keep)
    return PACKED


def bundle(name: str) -> None:
    """Put a peer and its packages into one file for node."""
    command = [
        *(str(MODULES / ".bin" / "esbuild"), str(HERE / f"{name}.mjs")),
        *("--bundle", "--format=cjs", "--platform=node", "--main-fields=module,main"),
        *("--log-level=error", f"--outfile={PACKED / name}.cjs"),
    ]
    subprocess.run(command, check=True, env={"NODE_PATH": str(MODULES), "PATH": "/usr/bin:/bin"})


if __name__ == "__main__":
    write()
