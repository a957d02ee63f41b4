"""What `connect` and `Worker` say where they cannot work."""

from typing import Any

import farcall
import pytest
from farcall import messages
from farcall.endpoints import memory_pair


@pytest.mark.asyncio
@pytest.mark.parametrize("target", [None, 3, object(), ["far"]])
async def test_what_is_no_worker_port_or_endpoint_is_refused(target: Any) -> None:
    with pytest.raises(TypeError, match="expected a worker's name, a port or an endpoint, receiv"):
        await farcall.connect(target)


@pytest.mark.asyncio
async def test_only_a_page_connects_to_a_worker_by_its_name_and_starts_workers() -> None:
    with pytest.raises(RuntimeError, match="only a page can connect to worker 'engine' by its nam"):
        await farcall.connect("engine")
    with pytest.raises(RuntimeError, match="only a page can start workers"):
        await farcall.Worker("./worker.py").start()


@pytest.mark.asyncio
@pytest.mark.parametrize("theirs", [messages.VERSION - 1, messages.VERSION + 1])
async def test_a_peer_of_another_version_is_an_error_that_says_which_side_to_update(
    theirs: int, monkeypatch: Any
) -> None:
    near, far = memory_pair()
    monkeypatch.setattr(messages, "VERSION", theirs)
    farcall.Session(far, {})
    monkeypatch.undo()
    older = "this side" if theirs > messages.VERSION else "worker"
    with pytest.raises(farcall.ProtocolError, match=f"update farcall on {older}"):
        await farcall.Session(near, name="worker").ready
