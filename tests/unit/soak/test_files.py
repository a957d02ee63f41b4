"""The damaged files of `make soak ONLY=io`: how they are made, and what ends a process."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from random import Random

from tests.soak import files
from tests.support import damage


def test_a_process_that_a_library_ended_fails_its_format(capsys):
    task = Future()
    task.set_exception(BrokenProcessPool("a process ended"))
    assert not files._ended("h5", task)
    assert "h5: a process ended" in capsys.readouterr().out


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
