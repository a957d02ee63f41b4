"""What the figures were measured on: the machine, its load and every version."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.chromium import found


def _first(pattern: str, path: str) -> str:
    match = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    return match[1].strip() if match else "unknown"


def _said(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"


def record() -> dict[str, Any]:
    """Describe this machine and what is installed on it."""
    commit = _said("git", "rev-parse", "--short", "HEAD")
    changed = _said("git", "status", "--porcelain", "py", "static") != "unknown"
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _first(r"^model name\s*:(.*)$", "/proc/cpuinfo"),
        "cores": os.cpu_count(),
        "memory_gib": round(int(_first(r"^MemTotal:\s*(\d+)", "/proc/meminfo")) / 2**20),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "chromium": _said(found("chromium", "chromium-browser", "google-chrome"), "--version"),
        "commit": commit + ("+" if changed else ""),
        "load_before": os.getloadavg()[0],
    }
