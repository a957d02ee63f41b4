"""Check that the browsers for the tests are installed; install them if the machine allows it.

There are three engines: Chromium, Firefox, and WebKit (Safari's) on a virtual screen. Open MPI is
installed with them; where it can't be, its one test is skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# Packages of Debian and Ubuntu. Ubuntu's chromium is a snap, which containers cannot run.
PACKAGES = (
    "chromium", "chromium-driver", "firefox-esr", "webkit2gtk-driver", "xvfb", "openmpi-bin",
)  # fmt: skip
BINARIES = (
    ("chromium", "chromium-browser", "google-chrome"),
    ("chromedriver",),
    ("firefox-esr", "firefox"),
    ("WebKitWebDriver",),
    ("Xvfb",),
)
HINT = """browser: Chromium, Firefox and WebKit run the browser tests; missing: {missing}.
  Debian:        sudo apt-get install chromium chromium-driver firefox-esr webkit2gtk-driver xvfb
  Fedora:        sudo dnf install chromium chromedriver firefox webkit2gtk4.1 xorg-x11-server-Xvfb
  Arch:          sudo pacman -S chromium firefox webkit2gtk-4.1 xorg-server-xvfb
  elsewhere:     put `chromium`, `chromedriver` of one version, `firefox`, WebKitGTK's
                 `WebKitWebDriver` and `Xvfb` on PATH (WebKitGTK and Xvfb are Linux programs)"""


def main() -> None:
    if (missing() or not shutil.which("mpirun")) and can_install():
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
