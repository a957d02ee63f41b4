"""Make sure that Chromium and ChromeDriver are there; install them where that is ours to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# Debian's and Ubuntu's names; Ubuntu's own chromium is a snap, which containers can't run.
PACKAGES = ("chromium", "chromium-driver")
BINARIES = (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))
HINT = """browser: the tests in a browser need Chromium and ChromeDriver; missing: {missing}.
  Debian:        sudo apt-get install chromium chromium-driver
  Fedora:        sudo dnf install chromium chromedriver
  Arch:          sudo pacman -S chromium
  macOS:         brew install --cask chromium chromedriver
  elsewhere:     put `chromium` and `chromedriver` of one version on PATH"""


def main() -> None:
    if missing() and can_install():
        sys.stdout.write(f"browser: apt-get install {' '.join(PACKAGES)}\n")
        sys.stdout.flush()
        install()
    if names := missing():
        raise SystemExit(HINT.format(missing=", ".join(names)))


def missing() -> list[str]:
    return [names[0] for names in BINARIES if not any(shutil.which(name) for name in names)]


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install() -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    for command in (["apt-get", "update", "-qq"], install):
        status = subprocess.run(command, env=environment, check=False).returncode
        if status:
            raise SystemExit(f"browser: `{' '.join(command)}` failed ({status})")


if __name__ == "__main__":
    main()
