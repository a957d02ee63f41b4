"""`make bench-gpu`: training and operations on a real card, beside the peers, in turns.

python3 rows.py [--rounds 3] [--out FILE] [--emulated]

It stands in the folder that `pack` wrote and needs Python's standard library, node, and, for
PyTorch's rows, a PyTorch with CUDA. Peers that cannot run a row are named and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NETWORKS = (
    *(("seed", 128), ("seed", 4096), ("cnn_bn", 128), ("cnn_bn", 512)),
    ("mobilenet_v2", 16),
)
OPERATIONS = {"gemm2048": 2 * 2048**3, "conv3x3": 2 * 256 * 28 * 28 * 9 * 64 * 64}
"""Operations, and the floating-point operations of each direction."""
DIRECTIONS = {
    name: {"forward": kernel, "dx": "input_gradient", "dw": "weight_gradient"}
    for name, kernel in (("gemm2048", "dense"), ("conv3x3", "convolution"))
}
"""The kernel of each direction; of several dispatches the longest is the operation's."""
EVERY = (8, 32, 64)
"""Steps of nn to a submit; the best counts. The peers read a loss after every eighth step."""
LOSS_TOLERANCE = (1e-3, 1e-2)
GOALS = (3.0, 0.5, 0.4)
"""Times the peers of the web; share of the peak of the product, and of the convolution."""


class PeerError(RuntimeError):
    """A peer failed; the text says what it said."""


class Process:
    """A peer in a process: a JSON line in, a JSON line out."""

    def __init__(
        self, name: str, folder: Path = HERE, *, emulated: bool = False, backend: str = ""
    ) -> None:
        command = ["node", str(folder / "peer.mjs"), name, str(folder / "data"), backend]
        if name == "torch":
            command = [sys.executable, str(folder / "torch_cuda.py"), str(folder / "data")]
        environment = {**os.environ, **(SWIFTSHADER if emulated else {})}
        self.log = open(folder / f"{name}.log", "w")  # noqa: SIM115 - as long as the process
        self.name = name
        self.process = subprocess.Popen(
            [part for part in command if part],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=environment,
            text=True,
        )

    def call(self, called: str, **given: Any) -> dict[str, Any]:
        """Run one operation.

        Raises:
            PeerError: it failed, or the process ended.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            request = {"operation": called, "arguments": given}
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        while line and not line.startswith("{"):  # Dawn says its own errors there
            self.log.write(line)
            line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"ended with {self.process.wait(10)}"}
        if "error" in answer:
            raise PeerError(f"{self.name}: {answer['error']}")
        return dict(answer)

    def close(self) -> None:
        """End the process by ending its input."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


SWIFTSHADER = {
    "LD_LIBRARY_PATH": "/usr/lib/chromium",
    "VK_ICD_FILENAMES": "/usr/lib/chromium/vk_swiftshader_icd.json",
}
"""What makes Dawn find the SwiftShader of a Chromium."""


class Card:
    """The peers on one card, and the figures so far."""

    def __init__(self, rounds: int, seconds: float, emulated: bool) -> None:
        self.rounds, self.seconds, self.emulated = rounds, seconds, emulated
        self.figures: dict[str, Any] = {}
        self.left_out: dict[str, str] = {}
        self.peers: dict[str, Process] = {}

    def start(self, names: tuple[str, ...]) -> None:
        """Start peers; one that cannot is left out."""
        for name in names:
            try:
                self.peers[name] = Process(name, emulated=self.emulated)
                self.figures[f"{name}.info"] = self.peers[name].call("info")
            except (PeerError, OSError) as error:
                self.leave_out(name, error)

    def leave_out(self, row: str, error: Exception) -> None:
        """Name what could not be measured."""
        self.left_out[row] = str(error)
        say(f"  left out: {row}: {str(error)[:300]}")
        if row in self.peers:
            self.peers.pop(row).close()

    def network(self, network: str, batch: int) -> None:
        """Images a second of training."""
        row = f"{network}.{batch}"
        losses: dict[str, list[float]] = {}
        for name, peer in list(self.peers.items()):
            try:
                loaded = peer.call("load", network=network, batch=batch)
                losses[name] = loaded.pop("losses")
                self.figures[f"{row}.{name}.losses"] = losses[name]
                for key, value in loaded.items():
                    self.figures[f"{row}.{name}.{key}"] = value
                apart = [abs(losses[name][i] - losses["nn"][i]) for i in (0, -1)]
                if any(a > most for a, most in zip(apart, LOSS_TOLERANCE, strict=True)):
                    raise PeerError(f"losses {losses[name]} are not those of nn, {losses['nn']}")
                peer.call("train", network=network, batch=batch, seconds=0.5)
            except PeerError as error:
                losses.pop(name, None)
                self.left_out[f"{row}.{name}"] = str(error)
                say(f"  left out: {row}.{name}: {str(error)[:300]}")
        taken: dict[str, list[float]] = {}
        for _ in range(self.rounds):
            for name in losses:
                for key, options in self.paces(name):
                    given = {"network": network, "batch": batch, "seconds": self.seconds}
                    answer = self.peers[name].call("train", **given, **options)
                    taken.setdefault(f"{row}.{key}", []).append(answer["rate"])
                    self.figures[f"{row}.{key}.host_ms"] = answer.get("host_ms")
        self.keep(taken)
        if "nn" in losses:
            found = self.peers["nn"].call("profile")["dispatches"]
            self.figures[f"{row}.nn.dispatch_ms"] = found
            say(f"  {row}: {sum(d['ms'] for d in found):.4f} ms in {len(found)} dispatches")

    @staticmethod
    def paces(name: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the ways in which a peer takes steps."""
        if name == "nn":
            return [(f"nn/{n}", {"every": n}) for n in EVERY]
        if name == "torch":
            return [("torch", {}), ("torch_graph", {"graph": True})]
        return [(name, {})]

    def operation(self, name: str) -> None:
        """TFLOP/s of an operation: of nn in each direction, by the device's clock."""
        flops = OPERATIONS[name]
        for peer in list(self.peers):
            try:
                if peer == "nn":
                    found = self.peers[peer].call("operation", operation=name)["dispatches"]
                    self.figures[f"{name}.nn.dispatch_ms"] = found
                    for direction, kernel in DIRECTIONS[name].items():
                        ms = max(d["ms"] for d in found if d["name"] == kernel)
                        rate = self.figures[f"{name}.nn.{direction}"] = flops / ms / 1e9
                        share = f"{rate / self.figures['peak']:.0%} of the peak"
                        say(f"  {name}.nn.{direction:<8} {rate:8.2f} TFLOP/s, {share}")
                    continue
                ms = self.peers[peer].call("operation", operation=name, seconds=1.0)["ms"]
                self.figures[f"{name}.{peer}"] = flops / ms / 1e9
                say(f"  {name}.{peer:<20} {flops / ms / 1e9:8.2f} TFLOP/s")
            except PeerError as error:
                self.left_out[f"{name}.{peer}"] = str(error)
                say(f"  left out: {name}.{peer}: {str(error)[:300]}")

    def peak(self) -> None:
        """TFLOP/s of a loop of multiply-adds."""
        self.figures["peak"] = self.peers["nn"].call("peak")["tflops"]
        say(f"  peak {self.figures['peak']:.2f} TFLOP/s")

    def keep(self, taken: dict[str, list[float]]) -> None:
        """Note medians, and every round."""
        for key, values in taken.items():
            self.figures[key] = statistics.median(values)
            self.figures[f"{key}.rounds"] = values
            span = f"{min(values):,.0f} to {max(values):,.0f}"
            say(f"  {key:<28} {self.figures[key]:>14,.0f}   {span}")

    def close(self) -> None:
        """End the peers."""
        for peer in self.peers.values():
            peer.close()


def verdicts(figures: dict[str, Any]) -> list[str]:
    """Return what is compared with the goals, as lines."""
    lines = []

    def judge(text: str, value: float, goal: float) -> None:
        lines.append(f"{'ok  ' if value >= goal else 'FAIL'} {text} {value:.2f} (at least {goal})")

    for network, batch in NETWORKS:
        row = f"{network}.{batch}"
        own = max((figures.get(f"{row}.nn/{n}", 0.0) for n in EVERY), default=0.0)
        for peer in ("tfjs", "jaxjs"):
            if own and f"{row}.{peer}" in figures:
                judge(f"{row}.nn / {row}.{peer}", own / figures[f"{row}.{peer}"], GOALS[0])
    for name, goal in zip(OPERATIONS, GOALS[1:], strict=True):
        for direction in DIRECTIONS[name]:
            key = f"{name}.nn.{direction}"
            if key in figures:
                judge(f"{key} / peak", figures[key] / figures["peak"], goal)
        for peer in ("tfjs", "jaxjs"):
            own, theirs = f"{name}.nn.forward", f"{name}.{peer}"
            if own in figures and theirs in figures:
                judge(f"{own} / {theirs}", figures[own] / figures[theirs], GOALS[0])
    return lines


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)  # noqa: T201


def main() -> int:
    """Measure; returns 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rows", default="")
    parser.add_argument("--peers", default="nn,tfjs,jaxjs,torch")
    parser.add_argument("--out", type=Path, default=HERE / "bench-gpu.json")
    parser.add_argument("--emulated", action="store_true", help="on SwiftShader, to try it")
    given = parser.parse_args()
    card = Card(given.rounds, given.seconds, given.emulated)
    wanted = [w for w in given.rows.split(",") if w]
    try:
        card.start(tuple(given.peers.split(",")))
        say(json.dumps({k: v for k, v in card.figures.items() if k.endswith(".info")}))
        rows = {"peak": card.peak} | {n: (lambda n=n: card.operation(n)) for n in OPERATIONS}
        rows |= {f"{n}.{b}": (lambda n=n, b=b: card.network(n, b)) for n, b in NETWORKS}
        for row, measure in rows.items():
            if wanted and row not in wanted:
                continue
            try:
                measure()
            except (PeerError, KeyError) as error:
                card.left_out[row] = f"{type(error).__name__}: {error}"
                say(f"  left out: {row}: {error}")
            given.out.write_text(json.dumps(card.figures | {"left_out": card.left_out}, indent=1))
    finally:
        card.close()
    lines = verdicts(card.figures)
    say("\n".join(lines))
    return int(any(line.startswith("FAIL") for line in lines))


if __name__ == "__main__":
    sys.exit(main())
