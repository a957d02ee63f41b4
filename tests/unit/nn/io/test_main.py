"""`python -m nn.io source target` converts files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nn
import numpy as np
import pytest
from nn.io import __main__ as command
from nn.io import tfjs

from tests.support import damage

X = np.random.default_rng(0).random((2, 6, 6, 2), dtype=np.float32)


def convert(*words):
    return command.main([str(word) for word in words])


def expected():
    return damage.model().predict_on_batch(X)


@pytest.mark.parametrize("source", ["npz", "safetensors", "tfjs", "keras", "h5", "onnx"])
@pytest.mark.parametrize("ending", [".npz", ".keras", ".safetensors", ".onnx", ".zip", ""])
def test_every_format_becomes_every_other(tmp_path, source, ending, capsys):
    start, end = tmp_path / f"model.{source}", tmp_path / f"made{ending}"
    start.write_bytes(damage.whole(source, 0))
    assert convert(start, end) == 0, capsys.readouterr().err
    files = {path.name: path.read_bytes() for path in end.iterdir()} if end.is_dir() else None
    made = nn.io.load(files or end.read_bytes())
    np.testing.assert_allclose(made.predict_on_batch(X), expected(), atol=1e-5)
    assert "parameters" in capsys.readouterr().out
    assert made.compiled == (source in ("npz", "keras", "h5") and ending in (".npz", ".keras"))


def test_a_folder_and_its_document_are_read(tmp_path):
    for name, data in tfjs.save_files(damage.model()).items():
        (tmp_path / name).write_bytes(data)
    for source in (tmp_path, tmp_path / "model.json"):
        assert convert(source, tmp_path / "made.npz") == 0
        made = nn.io.load((tmp_path / "made.npz").read_bytes())
        np.testing.assert_allclose(made.predict_on_batch(X), expected(), atol=1e-5)
        (tmp_path / "made.npz").unlink()


def test_training_may_be_left_out_and_weights_take_fewer_bits(tmp_path):
    start, end = tmp_path / "model.keras", tmp_path / "model.npz"
    start.write_bytes(damage.whole("keras", 0))
    assert convert(start, end) == 0
    whole = end.stat().st_size
    assert convert(start, end, "--without-training", "--quantize", "uint8") == 0
    assert end.stat().st_size < whole
    assert not nn.io.load(end.read_bytes()).compiled


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("gone.h5", "made.npz", "No such file"),
        ("graph.json", "made.npz", "graph-model"),
        ("model.npz", "made.h5", "only read"),
        ("model.npz", "made.txt", ".safetensors"),
    ],
)
def test_what_cannot_be_converted_is_said_with_status_1(tmp_path, source, target, says, capsys):
    (tmp_path / "model.npz").write_bytes(damage.whole("npz", 0))
    graph = tmp_path / "graph.json"
    if source == graph.name:
        graph.write_text(json.dumps({"format": "graph-model", "modelTopology": {}}))
    assert convert(tmp_path / source, tmp_path / target) == 1
    assert says in capsys.readouterr().err
    assert not (tmp_path / target).exists()


def test_the_command_runs_and_helps():
    root = Path(__file__).resolve().parents[4]
    done = subprocess.run(
        [sys.executable, "-m", "nn.io", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root / "py")},
    )
    assert "python -m nn.io model.h5 model.onnx" in done.stdout
