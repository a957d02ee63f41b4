"""The GPU that was opened, and what opens it in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nn.errors import ConfigError
from nn.gpu import browser

if TYPE_CHECKING:
    from typing import Protocol

    from nn.gpu.plan import Plan
    from nn.gpu.session import Recorded

    class Adapter(Protocol):
        """A GPU: its name, whether it is emulated, and what makes plans on it."""

        name: str
        emulated: bool

        async def record(self, plan: Plan) -> Recorded:
            """Make a plan on the device; its kernels are compiled.

            Raises:
                ConfigError: a buffer is larger than the device allows.
                DeviceLostError: the device is gone.
            """

        async def reopen(self) -> tuple[Adapter | None, str]:
            """Return the GPU opened again, or None and why it can't be."""


_adapter: Adapter | None = None
_reason = "no GPU was opened: await nn.gpu.open() first"


def use(adapter: Adapter | None, reason: str = _reason) -> None:
    """Train on this GPU from now on; None and why there is none."""
    global _adapter, _reason
    _adapter, _reason = adapter, reason


def opened() -> Adapter:
    """Return the GPU.

    Raises:
        ConfigError: there is none; it says why.
    """
    if _adapter is None:
        raise ConfigError(f"device 'gpu': {_reason}")
    return _adapter


async def reopen() -> None:
    """Open the GPU again, which was lost.

    Raises:
        ConfigError: it can't be; it says why.
    """
    use(*await opened().reopen())
    opened()


def reason() -> str | None:
    """Return why there is no GPU, or None."""
    return None if _adapter is not None else _reason


async def open(*, emulated: bool = False) -> str | None:
    """Open the browser's fastest GPU; returns its name, or None (`reason` says why).

    Args:
        emulated: accept a GPU that the browser emulates, which is slower than the CPU: for tests.
    """
    adapter, why = await browser.open(emulated)
    use(adapter, why)
    return None if adapter is None else adapter.name
