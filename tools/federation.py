"""`make federation`: a SuperLink, the gateway before it, and the app of examples/08-federation.

It prints the address to open, starts the app's rounds, which begin when two nodes are there, and
ends all that it started when it ends. LAN=1 serves https to other machines, with a certificate
made on the spot. Flower's telemetry, its question for updates and its installation of packages
are off.
"""

from __future__ import annotations

import argparse
import datetime
import ipaddress
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tools import site
from tools.serve import ROOT

BIN = Path(sys.executable).parent
APP = ROOT / "examples" / "08-federation"
SETTINGS = """[superlink]
default = "here"

[superlink.here]
address = "127.0.0.1:{port}"
insecure = true
"""


class Federation:
    """The processes of a federation on this machine; none outlives the `with` statement.

    Args:
        folder: for settings and a log of each process; emptied first.
        ports: of the SuperLink and of the gateway; free ones by default.
        environment: further variables of all processes.
    """

    def __init__(
        self,
        folder: Path,
        ports: tuple[int, int] | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.folder, self.home = folder, folder / "home"
        self.home.mkdir(parents=True)
        self.port, self.door = ports or (free_port(), free_port())
        (self.home / "config.toml").write_text(SETTINGS.format(port=self.port))
        self._environment = environment or {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in list(self._processes):
            self.stop(name)
        end = time.monotonic() + 10
        while (left := self._left()) and time.monotonic() < end:
            for pid in left:  # Flower's processes start others, in sessions of their own
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)  # until they are gone

    @property
    def address(self) -> str:
        """Of the SuperLink; programs that run here alone may know it."""
        return f"http://127.0.0.1:{self.port}"

    def superlink(self, *options: str) -> None:
        """Start the SuperLink."""
        self._start(
            "superlink", "flower-superlink", "--insecure", "--port", str(self.port),
            "--disable-runtime-dependency-installation", *options,
        )  # fmt: skip
        self._listens("superlink", self.port)

    def gateway(self, *options: str) -> None:
        """Start the gateway."""
        self._start(
            "gateway", "python", "-m", "federation.server", "--superlink", self.address,
            "--port", str(self.door), *options,
        )  # fmt: skip
        self._listens("gateway", self.door)

    def supernode(self, number: int, port: int = 0) -> None:
        """Start one of Flower's own nodes, with a share of the images; `port` leads to the
        SuperLink, by default its own.
        """
        self._start(
            f"supernode-{number}", "flower-supernode", "--insecure",
            "--superlink", f"127.0.0.1:{port or self.port}", "--port", str(free_port()),
            "--node-config", f"partition-id={number}",
        )  # fmt: skip

    def run(self, app: Path = APP, **config: str | float) -> int:
        """Start the app and return the run's id."""
        text = " ".join(f"{key.replace('_', '-')}={json.dumps(v)}" for key, v in config.items())
        options = ["--run-config", text] if text else []
        return int(self._flwr("run", str(app), "here", *options)["run-id"])

    def worked(self, run: int) -> float:
        """Return the seconds that client apps worked for a run, all together, as nodes say."""
        [found] = self._flwr("list", "here", "--run-id", str(run))["runs"]
        return float(found["compute-time"]["clientapp-seconds"])

    def stop(self, name: str, how: int = signal.SIGTERM) -> None:
        """End a process."""
        process = self._processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def pid(self, name: str) -> int:
        """Return the id of a process."""
        return self._processes[name].pid

    def log(self, name: str) -> str:
        """What a process has written."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def ended(self) -> str:
        """The name of a process that has ended by itself, "" if none has."""
        return next((name for name, p in self._processes.items() if p.poll() is not None), "")

    def _flwr(self, *command: str) -> Any:
        """Run Flower's command line and return what it says."""
        done = subprocess.run(
            [str(BIN / "flwr"), *command, "--format", "json"], env=self._variables(),
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"flwr {command[0]} failed:\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def _start(self, name: str, program: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [str(BIN / program), *arguments], stdout=log, stderr=log, cwd=self.folder,
                stdin=subprocess.DEVNULL, env=self._variables(), start_new_session=True,
            )  # fmt: skip

    def _variables(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return inherited | {
            "PATH": f"{BIN}:{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(ROOT / "py"),
            "PYTHONUNBUFFERED": "1",
            "FLWR_HOME": str(self.home),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "LEARN_MNIST": str(ROOT / "static" / "vendor" / "mnist"),
            **self._environment,
        }

    def _listens(self, name: str, port: int, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._processes[name].poll() is not None:
                raise RuntimeError(f"{name} ended:\n{self.log(name)[-2000:]}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{name} does not listen:\n{self.log(name)[-2000:]}")

    def _left(self) -> list[int]:
        """Processes with this federation's home in their environment."""
        mark, found = f"FLWR_HOME={self.home}".encode(), []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
        return found


# Linux hands out ports from here to programs and connections that do not ask for a certain one.
HANDED_OUT = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """Return a port of this machine that is free now, and that the system hands to no program:
    Flower takes seconds to start until it listens there."""
    first = int(HANDED_OUT.read_text().split()[0]) if HANDED_OUT.exists() else 49_152  # RFC 6335
    ports = range(20_000, first if first > 21_000 else 65_536)
    for port in random.sample(ports, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise SystemExit(f"federation: expected a free port from {ports[0]} to {ports[-1]}")


def own_address() -> str:
    """Return the address by which other machines of the network reach this one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # nothing is sent
        return str(probe.getsockname()[0])
    return "127.0.0.1"


def certificate(folder: Path, address: str) -> tuple[Path, Path]:
    """Write a certificate for an address, valid for a week, and its key; return their paths."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a federation, made here")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(address))]
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(pem))
    paths[1].touch(mode=0o600)
    secret = serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, secret))
    return paths


def check(port: int) -> None:
    """Raises SystemExit, with what to do, where Flower is missing or the port is taken."""
    if not (BIN / "flower-superlink").is_file():
        raise SystemExit(
            "federation: Flower is not installed: `make federation` installs it, or "
            "`python3 tools/environment.py federation`"
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the gateway does
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SystemExit(
                f"federation: cannot listen on port {port}: {error.strerror}. "
                f"Choose another port: make federation PORT={port + 1}"
            ) from None


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.federation", description=__doc__)
    parser.add_argument("--lan", action="store_true", help="https for other machines (LAN=1)")
    parser.add_argument("--port", type=int, default=8001, help="of the page (PORT=...)")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(words)
    check(given.port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # or what was started stays
    try:
        with Federation(ROOT / "build" / "federation", (free_port(), given.port)) as federation:
            serve(federation, given.lan, given.rounds)
    except KeyboardInterrupt:
        say("ended")
    except RuntimeError as error:
        raise SystemExit(f"federation: {error}") from None


def publish(federation: Federation, lan: bool) -> str:
    """Start the gateway with the site, and with nothing else of this folder; return the address."""
    pages = federation.folder / "site"
    site.build(ROOT, pages)
    options = ["--folder", str(pages)]
    if not lan:
        federation.gateway(*options)
        return f"http://localhost:{federation.door}/#join="
    host, token = own_address(), secrets.token_urlsafe(12)
    files = certificate(federation.folder, host)
    options += ["--host", "0.0.0.0", "--certificate", str(files[0]), "--key", str(files[1])]
    options += [f"--token={token}"]  # which may begin with a dash
    for origin in (host, "localhost"):
        options += ["--origin", f"https://{origin}:{federation.door}"]
    federation.gateway(*options)
    files[1].unlink()  # the gateway has read it
    return f"https://{host}:{federation.door}/#join={token}"


def serve(federation: Federation, lan: bool, rounds: int) -> None:
    """Start everything and wait until something ends."""
    federation.superlink()
    address = publish(federation, lan)
    federation.run(num_server_rounds=rounds)
    say(f"open {address} in two tabs or more, and press Join in each")
    if lan:
        say("each browser warns once of a certificate that it does not know: that is this one")
    say(f"{rounds} rounds begin when two nodes are there. For more, in another terminal:")
    switches = f"FLWR_HOME={federation.home} FLWR_TELEMETRY_ENABLED=0 FLWR_DISABLE_UPDATE_CHECK=1"
    say(f"  {switches} {BIN}/flwr run {APP} here")
    say(f"logs are in {federation.folder}; Ctrl-C ends everything")
    while not (name := federation.ended()):
        time.sleep(1)
    raise RuntimeError(f"{name} ended:\n{federation.log(name)[-2000:]}")


def say(text: str) -> None:
    sys.stdout.write(f"federation: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
