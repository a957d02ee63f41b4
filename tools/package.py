"""Build what people install: a wheel and an sdist of farcall, and the archives for PyScript.

    make package        build/package/: farcall-VERSION.tar.gz, farcall-VERSION-py3-none-any.whl,
                        farcall.zip and nn.zip, SHA256SUMS

The wheel is built from the sdist, as pip builds it. Both have the same bytes whenever they are
made from the same sources.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "package"
ARCHIVES = ("farcall.zip", "nn.zip")  # `make bundle` writes them
EPOCH = "1577836800"  # 2020-01-01: archives can't hold a time before 1980, and none is as good


class PackageError(Exception):
    """A part lacks, or the builder failed."""


def build(folder: Path = FOLDER) -> list[Path]:
    """Write the packages into `folder`, replacing its content, and return their paths.

    Raises:
        PackageError: the builder failed, or what `make kernels bundle` writes is not there.
    """
    made = [ROOT / "static/vendor/python" / name for name in ARCHIVES]
    made += [ROOT / "static/vendor/kernels" / f"{name}.so" for name in ("relaxed", "simd")]
    for path in made:
        if not path.is_file():
            raise PackageError(f"expected {path}, found no file: run `make kernels bundle`")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"`{' '.join(command)}` failed:\n{done.stdout}{done.stderr}")
    for name in ARCHIVES:
        shutil.copyfile(ROOT / "static/vendor/python" / name, folder / name)
    packages = sorted(folder.iterdir())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in packages]
    (folder / "SHA256SUMS").write_text("".join(lines))
    return packages


def wheel(folder: Path = FOLDER) -> Path:
    """Return the wheel that `build` made.

    Raises:
        PackageError: there is none.
    """
    found = sorted(folder.glob("farcall-*.whl"))
    if len(found) != 1:
        raise PackageError(f"expected one wheel in {folder}, found {len(found)}")
    return found[0]


def main() -> int:
    try:
        packages = build()
    except PackageError as error:
        sys.stderr.write(f"package: {error}\n")
        return 1
    for path in packages:
        sys.stdout.write(f"{path.stat().st_size:>10,}  {path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
