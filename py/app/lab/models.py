"""Models saved in the browser, in files, and with weights in fewer bits."""

from __future__ import annotations

import asyncio
import io
import time
import zipfile
from typing import Any

import nn
from nn import activations, lazy
from nn.io import formats
from nn.layers.base import walk

from app.lab import epochs, precisions
from app.lab.browser import downloads, indexed_db, optional_packages
from app.lab.images.mnist import Mnist

# The page's list of file formats: format of nn.io, ending of the file, options of nn.io.save.
EXPORTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "npz": ("npz", ".npz", {}),
    "npz-uint8": (
        "npz",
        "-uint8.npz",
        {"include_optimizer": False, "quantization": {"uint8": "*"}},
    ),
    "safetensors": ("safetensors", ".safetensors", {}),
    "tfjs": ("tfjs", "-tfjs.zip", {}),
    "keras": ("keras", ".keras", {}),
    "onnx": ("onnx", ".onnx", {}),
}
PREDICTING = "predict.zip"


class Models:
    """Served as `lab.models`.

    Attributes:
        base: the page's address, where optional packages are found.
    """

    def __init__(self, mnist: Mnist) -> None:
        self._mnist = mnist
        self.base = ""
        self._fetched: dict[str, bytes] = {}  # what `parts` has looked into, for `folder`

    # -- in the browser ---------------------------------------------------------------------

    async def save(self, model: Any, name: str, about: dict[str, Any]) -> list[dict[str, Any]]:
        """Save a model in this browser; return all that are saved."""
        content = nn.io.save(model)
        await indexed_db.put(name, content, dict(about, saved=indexed_db.now()))
        return await indexed_db.listing()

    async def saved(self) -> list[dict[str, Any]]:
        """Return what is known of each saved model, the newest first."""
        return await indexed_db.listing()

    async def forget(self, name: str) -> list[dict[str, Any]]:
        """Delete a saved model; return those that are left."""
        await indexed_db.delete(name)
        return await indexed_db.listing()

    async def open(self, name: str) -> Any:
        """Return a saved model, with exactly the weights that it was saved with."""
        content, _ = await indexed_db.get(name)
        return nn.io.load(content)

    def warm_up(self, model: Any) -> float:
        """Run a first prediction, which allocates the workspaces; return its milliseconds."""
        start = time.perf_counter()
        model.warm_up()
        return 1e3 * (time.perf_counter() - start)

    # -- files ------------------------------------------------------------------------------

    async def export(self, model: Any, name: str, choice: str = "npz") -> dict[str, Any]:
        """Write the model to a file: {url (inside this browser), name, size}.

        Args:
            model: the model.
            name: of the file, without its ending.
            choice: one of EXPORTS.

        Raises:
            ValueError: there is no such format.
            DownloadError: the format's part of the engine cannot be fetched.
        """
        if choice not in EXPORTS:
            raise ValueError(f"file format: expected one of {list(EXPORTS)}, received {choice!r}")
        form, ending, options = EXPORTS[choice]
        if form in ("keras", "onnx"):
            await optional_packages.add_part(self.base, "nn.io.onnx")
        content = nn.io.save(model, form, **options)
        return {
            "url": downloads.object_url(content),
            "name": f"{name}{ending}",
            "size": len(content),
        }

    async def parts(self, model: Any) -> list[str]:
        """Return the archives of static/vendor/python that a worker needs to predict with a model.

        Raises:
            DownloadError: the first of them, which the others add to, cannot be fetched.
        """
        content = await self._archive(PREDICTING)
        self._fetched = {PREDICTING: content}
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            held = {name.rsplit(".", 1)[0] for name in archive.namelist()}
        lacking = {name for name in _modules(model) if name.replace(".", "/") not in held}
        return [PREDICTING, *sorted({lazy.archive(name)[0] for name in lacking})]

    async def folder(self, model: Any, page: str, parts: list[str]) -> dict[str, Any]:
        """Zip a page with the network and what it needs: {url (inside this browser), name, size}.

        Args:
            model: the network.
            page: text of index.html.
            parts: names of archives of static/vendor/python.

        Raises:
            DownloadError: an archive cannot be fetched.
        """
        archives = await asyncio.gather(*map(self._archive, parts))
        self._fetched = {}
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as folder:
            folder.writestr("index.html", page)
            folder.writestr("model.npz", nn.io.save(model, include_optimizer=False))
            for name, archive in zip(parts, archives, strict=True):
                folder.writestr(name, archive)
        content = body.getvalue()
        return {
            "url": downloads.object_url(content),
            "name": "farcall-page.zip",
            "size": len(content),
        }

    async def _archive(self, name: str) -> bytes:
        if name in self._fetched:
            return self._fetched[name]
        return await downloads.download(downloads.address(self.base, f"python/{name}"))

    async def load(self, url: str, name: str) -> Any:
        """Return the model in a file that the user chose; `url` is its object URL.

        Raises:
            ValueError: the file, named in the message, holds no model that can be read.
        """
        content = await downloads.download(url)
        try:
            form = formats.sniff(content)
            if form in ("keras", "h5", "onnx"):
                await optional_packages.add_part(self.base, "nn.io.onnx")
            if form in ("keras", "h5"):
                await optional_packages.add(self.base, "pyfive")  # reads its HDF5 part
            return nn.io.load(content)
        except Exception as error:
            raise ValueError(f"{name}: {error}") from error

    def trained(self, model: Any) -> int | None:
        """Return for how many epochs a model was trained, None where its file does not say."""
        return epochs.trained(model)

    # -- weights in fewer bits --------------------------------------------------------------

    async def quantized(self, model: Any) -> list[dict[str, Any]]:
        """Return size in bytes and test accuracy for each precision of the weights."""
        return await precisions.compare(model, self._mnist.test)

    def quantize(self, model: Any, kind: str) -> Any:
        """Return the model with its weights rounded to a precision."""
        return precisions.rounded(model, kind)


def _modules(model: Any) -> set[str]:
    """Return the modules of the engine that are imported when a model's file is read."""
    found = set()
    for layer in walk(model.layers):
        found.add(type(layer).__module__)
        for value in vars(layer).values():
            # Its functions may be kernels: only its name says where it is found.
            if isinstance(value, activations.Activation) and value.name in activations.FURTHER:
                found.add("nn.activations.further")
    return found
