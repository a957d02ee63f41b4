"""The damaged files of `make soak ONLY=io`: how they are made, and what ends a process."""

import os
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from random import Random

from tests.soak import files
from tests.support import damage


def test_a_process_that_a_library_ended_fails_its_format(capsys):
    task = Future()
    task.set_exception(BrokenProcessPool("a process ended"))
    assert not files._ended("h5", task)
    assert "h5: a process ended" in capsys.readouterr().out


def test_formats_are_tried_at_the_same_time_and_one_whose_process_ended_ends_no_other(
    tmp_path, capsys
):
    pipes = [tmp_path / name for name in ("npz", "keras", "onnx")]
    for pipe in pipes:
        os.mkfifo(pipe)
    work = {pipe.name: partial(heard, pipe) for pipe in pipes}
    work |= {"h5": partial(os._exit, 1), "graphs": partial(tell, pipes)}
    assert not files.side_by_side(work)
    said = capsys.readouterr().out
    assert [line.split(":")[0] for line in said.splitlines()] == ["h5"]


def heard(pipe):
    """Wait until another process writes."""
    return pipe.read_bytes() == b"here"


def tell(pipes):
    for pipe in pipes:
        pipe.write_bytes(b"here")
    return True


def test_bytes_are_damaged_after_all_else(monkeypatch):
    """HDF5's library may not see damaged bytes: it ends the process on some."""
    seen = []

    def changed(data, random):
        seen.append(data in (damage.whole("h5", 0), damage.whole("h5", 1)))
        return data

    monkeypatch.setitem(damage._WAYS, "h5", (damage._bytes, changed))
    for seed in range(60):
        damage.damaged("h5", Random(seed))
    assert len(seen) > 20
    assert all(seen)
