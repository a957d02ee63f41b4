"""A model's file is written whole or not at all."""

import argparse
import asyncio
import os
import stat

import nn
import numpy as np
import pytest
from nn.io import __main__ as command
from nn.ort import artifacts

from tests.support.no_space import no_space

BEFORE = b"what was there"


@pytest.fixture
def model():
    made = nn.Sequential([nn.Input((40,)), nn.Dense(40), nn.Dense(1)])
    made.compile("sgd", "mse")
    return made


def checkpoint(model, path):
    x = np.zeros((4, 40), np.float32)
    callback = nn.callbacks.ModelCheckpoint(path)
    asyncio.run(model.fit(x, x[:, :1], callbacks=[callback]))


def convert(model, path):
    options = argparse.Namespace(target=path, quantize=None)
    command._write(model, options)


def make_artifacts(model, path):
    artifacts.Artifacts(b"0" * 2000, b"", b"", b"").write(path.parent)


WRITERS = {
    "save": ("a.keras", lambda model, path: model.save(path)),
    "save_model": ("a.npz", lambda model, path: nn.models.save_model(model, path)),
    "save_weights": ("a.weights.h5", lambda model, path: model.save_weights(path)),
    "ModelCheckpoint": ("a.npz", checkpoint),
    "the command": ("a.onnx", convert),
    "training artifacts": ("training_model.json", make_artifacts),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_without_space_leaves_the_file_that_was_there(name, model, tmp_path):
    file, write = WRITERS[name]
    path = tmp_path / file
    path.write_bytes(BEFORE)
    with no_space(), pytest.raises(OSError, match=path.name):
        write(model, path)
    assert path.read_bytes() == BEFORE
    assert os.listdir(tmp_path) == [path.name]


def test_a_file_that_is_written_again_keeps_its_rights_and_its_links(model, tmp_path):
    path, link = tmp_path / "a.npz", tmp_path / "link.npz"
    path.write_bytes(BEFORE)
    path.chmod(0o640)
    link.symlink_to(path)
    model.save(link)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert nn.models.load_model(path).count_params() == model.count_params()
    assert sorted(os.listdir(tmp_path)) == ["a.npz", "link.npz"]


def test_a_pipe_is_written_to(model, tmp_path):
    pipe = tmp_path / "pipe.npz"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        model.save(pipe)
        assert nn.io.load(os.read(reader, 1 << 20)).count_params() == model.count_params()
    finally:
        os.close(reader)


def test_the_error_names_the_file_that_was_asked_for(model, tmp_path):
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(IsADirectoryError, match=r"a\.npz"):
        model.save(tmp_path / "a.npz")
