"""What trains: the CPU, or a GPU, whose part is fetched when an option asks for it."""

from __future__ import annotations

import importlib.util
from typing import Any

from app.language import tr


class Hardware:
    """Served as `lab.hardware`.

    Attributes:
        base: the page's address.
        refused: why the last run could not have the GPU that it asked for, or "".
    """

    def __init__(self) -> None:
        self.base = ""
        self.refused = ""

    async def find(self, kind: str) -> dict[str, Any]:
        """Open the browser's GPU, unless it is: {name, emulated, reason}.

        Args:
            kind: "gpu", which takes an emulated one too, or "auto".

        Returns:
            name: of the GPU, or None. emulated: whether the browser emulates it. reason: why there
            is none, or "".

        Raises:
            DownloadError: the part cannot be fetched.
        """
        if importlib.util.find_spec("nn.gpu") is None:
            from app.lab.browser import optional_packages  # not on CPython

            await optional_packages.add_part(self.base, "nn.gpu")
        from nn import gpu
        from nn.gpu import devices

        if gpu.reason() is not None:
            await gpu.open(emulated=kind == "gpu")
        reason = gpu.reason()
        if reason is not None:
            return {"name": None, "emulated": False, "reason": reason}
        adapter = devices.opened()
        return {"name": adapter.name, "emulated": adapter.emulated, "reason": ""}

    async def missing(self, kind: str) -> str:
        """Return why there is no GPU of this kind, whatever the reason, or ""."""
        try:
            found = await self.find(kind)
            if kind == "auto" and found["emulated"]:
                return tr("{name} is emulated", name=found["name"])
            return str(found["reason"])
        except RuntimeError as error:  # DownloadError is in a module of browsers
            return str(error)

    async def choose(self, kind: str) -> str:
        """Return the device of a run: what its option says, or "cpu" where there is no GPU."""
        self.refused = "" if kind == "cpu" else await self.missing(kind)
        return "cpu" if self.refused else kind

    def trained(self, model: Any) -> str:
        """Return what took the steps of the last run: "cpu", "cpu: " and why, or a GPU's name."""
        return f"cpu: {self.refused}" if self.refused else str(model.device)
