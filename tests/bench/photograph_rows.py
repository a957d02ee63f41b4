"""The rows for photographs: one description for nn, ONNX Runtime Web, TensorFlow.js and PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.bench import photographs
from tests.bench.drive import PagePeer, PeerError

PEERS = {
    "nn": "photographs",
    "ort_web_now_1t": "photographs_ort",
    "tfjs_wasm_1t": "photographs_tfjs",
    "torch_1t": "photographs_torch",
}
TOLERANCE = 1e-3  # of the largest score
CALLS = {1: 5, 16: 1}
ANSWERS = (9, *[90] * 11)  # after the first, to the 1,000th


def run(bench: Any) -> None:
    """Measure every network and peer."""
    for network in photographs.NETWORKS:
        photographs.write(bench.data, network)
        found = _loaded(bench, network)
        for batch in CALLS:
            bench.measure(
                {
                    f"{network}.predict{batch}_ms.{name}": _predicting(bench, peer, network, batch)
                    for name, peer in found.items()
                }
            )
    _finetuned(bench, found)
    _opened(bench)


def _opened(bench: Any) -> None:
    """Measure EfficientNet-Lite0 in workers that have done nothing yet."""
    key, folder = "efficientnet_lite0", f"{bench.site}build/bench/data/"
    first, grown = [], [0.0]
    seconds: dict[str, list[float]] = {"features": [], "head": []}
    weights = f"{bench.site}static/vendor/applications/{key}.npz"
    for _ in range(min(3, bench.rounds)):
        page = PagePeer("fresh engine", f"{bench.site}tests/bench/pages/engine.html")
        try:
            opened = page.call("photographs.open", network=key, folder=folder, weights=weights)
            first.append(float(opened["ms"]))
            if len(first) == 1:
                for count in ANSWERS:
                    answered = page.call("photographs.answers", network=key, count=count)
                    grown.append(float(answered["mb"]))
            learned = page.call("photographs.transfer")
            assert learned["known"] == 1, f"the head knows {learned['known']:.0%} of its images"
            for part, values in seconds.items():
                values.append(float(learned[part]))
        finally:
            page.close()
    bench.keep(
        {
            f"{key}.first_ms.nn": first,
            **{f"{key}.{part}30_s.nn": values for part, values in seconds.items()},
            f"{key}.memory_mb.nn": [grown[-1]],
            f"{key}.memory_since_tenth_mb.nn": [grown[-1] - grown[1]],
        }
    )


def _loaded(bench: Any, network: str) -> dict[str, str]:
    """Load a network into all peers; return those that there are.

    Raises:
        AssertionError: their scores differ, so they do not do the same work.
    """
    folder, found, scores = f"{bench.site}build/bench/data/", {}, {}
    for name, peer in PEERS.items():
        try:
            bench.peer(peer).call("load", network=network, folder=folder)
        except (PeerError, OSError) as error:
            bench.failures.append(f"{network}.{name}: {error}")
            bench.say(f"  without {name}: {str(error)[:200]}")
            continue
        found[name] = peer
        answer = bench.peer(peer).call("predict", network=network, batch=1, count=3)
        scores[name] = np.array(answer["scores"])
    for name, own in scores.items():
        apart = np.abs(own - scores["nn"]).max() / np.abs(scores["nn"]).max()
        assert apart <= TOLERANCE, f"{network}: scores of {name} differ from nn's by {apart:.1e}"
    return found


def _predicting(bench: Any, peer: str, network: str, batch: int) -> Callable[[], float]:
    given = {"network": network, "batch": batch, "count": CALLS[batch]}
    return lambda: float(bench.peer(peer).call("predict", **given)["ms"])


def _finetuned(bench: Any, found: dict[str, str]) -> None:
    """Measure training of MobileNetV2's last block, beside its predictions in the same rounds."""
    key = "mobilenet_v2"
    given = {"network": key, "batch": 16, "count": 3}

    def training(peer: str) -> Callable[[], float]:
        return lambda: float(bench.peer(peer).call("finetune", **given)["rate"])

    cases = {
        f"{key}.finetune.{name}": training(found[name])
        for name in ("nn", "torch_1t")
        if name in found
    }
    predicting = _predicting(bench, "photographs", key, 16)
    cases[f"{key}.predict16.nn"] = lambda: 16e3 / predicting()
    training("photographs")()  # the first steps are recorded
    bench.measure(cases)
