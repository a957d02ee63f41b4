"""Check that the browsers for the tests are installed; install them if the machine allows it.

There are three engines: Chromium, Firefox, and WebKit (Safari's) on a virtual screen. Two further
programs are installed with them where they can be: without Open MPI its one test is skipped,
without Chromium's headless shell the tests take longer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# Packages of Debian and Ubuntu. Ubuntu's chromium is a snap, which containers cannot run.
PACKAGES = ("chromium", "chromium-driver", "firefox-esr", "webkit2gtk-driver", "xvfb")
# Program -> its package, for what the tests can do without.
FURTHER = {"mpirun": "openmpi-bin", "chromium-headless-shell": "chromium-headless-shell"}
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
    if (missing() or further()) and can_install():
        install()
    if names := missing():
        raise SystemExit(HINT.format(missing=", ".join(names)))


def missing() -> list[str]:
    return [names[0] for names in BINARIES if not any(shutil.which(name) for name in names)]


def further() -> list[str]:
    """Packages of which this machine lacks the program."""
    return [package for program, package in FURTHER.items() if not shutil.which(program)]


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install() -> None:
    for command in (["update", "-qq"], [*INSTALL, *PACKAGES]):
        if status := apt_get(*command):
            raise SystemExit(f"browser: `apt-get {' '.join(command)}` failed ({status})")
    for package in further():
        if apt_get(*INSTALL, package):
            say(f"the tests do without {package}")


INSTALL = ("install", "-y", "-qq", "--no-install-recommends")


def apt_get(*arguments: str) -> int:
    """Run apt-get without questions; its exit status."""
    say(f"apt-get {' '.join(arguments)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(["apt-get", *arguments], env=environment, check=False).returncode


def say(words: str) -> None:
    sys.stdout.write(f"browser: {words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
