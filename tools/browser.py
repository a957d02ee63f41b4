"""Make sure that the tests' browsers are there; install them where that is ours to do.

python -m tools.browser            Chromium and Firefox, which `make test` drives
python -m tools.browser webkit     and WebKit, which `make bench` measures
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# Debian's and Ubuntu's names; Ubuntu's own chromium is a snap, which containers can't run.
PACKAGES = ("chromium", "chromium-driver", "firefox-esr")
BINARIES = (
    ("chromium", "chromium-browser", "google-chrome"),
    ("chromedriver",),
    ("firefox-esr", "firefox"),
)
WEBKIT_PACKAGES = ("webkit2gtk-driver", "xvfb")
WEBKIT_BINARIES = (("WebKitWebDriver",), ("Xvfb",))
HINT = """browser: Chromium, ChromeDriver and Firefox run the browser tests; missing: {missing}.
  Debian:        sudo apt-get install chromium chromium-driver firefox-esr
                 (`make bench` also: webkit2gtk-driver xvfb)
  Fedora:        sudo dnf install chromium chromedriver firefox
  Arch:          sudo pacman -S chromium firefox
  macOS:         brew install --cask chromium chromedriver firefox
  elsewhere:     put `chromium`, `chromedriver` of one version and `firefox` on PATH"""


def main(arguments: list[str] | None = None) -> None:
    webkit = "webkit" in (sys.argv[1:] if arguments is None else arguments)
    packages = (*PACKAGES, *WEBKIT_PACKAGES) if webkit else PACKAGES
    binaries = (*BINARIES, *WEBKIT_BINARIES) if webkit else BINARIES
    if missing(binaries) and can_install():
        sys.stdout.write(f"browser: apt-get install {' '.join(packages)}\n")
        sys.stdout.flush()
        install(packages)
    if names := missing(binaries):
        raise SystemExit(HINT.format(missing=", ".join(names)))


def missing(binaries: tuple[tuple[str, ...], ...] = BINARIES) -> list[str]:
    return [names[0] for names in binaries if not any(shutil.which(name) for name in names)]


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: tuple[str, ...]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "-qq"], install):
        status = subprocess.run(command, env=environment, check=False).returncode
        if status:
            raise SystemExit(f"browser: `{' '.join(command)}` failed ({status})")


if __name__ == "__main__":
    main()
