"""Serving: a classifier with managed loading, warm-up, memory and disposal.

digits = nn.Classifier(fetch_bytes, max_memory_mb=50)   # EMPTY
await digits.initialize()                  # READY: loaded and warmed up; may be repeated
await digits.classify(image)               # {"digit": 7, "confidence": 0.98, "probabilities": ...}
digits.dispose()                           # DISPOSED; may be repeated
"""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import Any

import numpy as np

from nn import io
from nn.errors import DisposedError, NotReadyError
from nn.models import inspection
from nn.models.model import Model

EMPTY, LOADING, READY, DISPOSED = "empty", "loading", "ready", "disposed"


class Classifier:
    """A classifier with the states EMPTY -> LOADING -> READY -> DISPOSED.

    Args:
        source: a Model, the bytes of a model file, or a function (possibly async) that returns
            either. The training state in a file is skipped.
        max_memory_mb: limit of the model's memory, in 10^6 bytes. Above it the workspaces are
            released; the next prediction allocates them again. None means no limit.
        cleanup_every: number of predictions between two checks of the limit.

    Attributes:
        loads: number of times the source was read, at most 1.
        cleanups: number of times workspaces were released.
        seconds: {"load": ..., "warm_up": ...}.
    """

    def __init__(
        self, source: Any, *, max_memory_mb: float | None = None, cleanup_every: int = 50
    ) -> None:
        if cleanup_every < 1:
            raise ValueError(f"cleanup_every: expected 1 or more, received {cleanup_every}")
        self._source = source
        self.max_memory_mb = max_memory_mb
        self.cleanup_every = cleanup_every
        self.cleanups = 0
        self._model: Model | None = None
        self._loading: asyncio.Task[None] | None = None
        self.state = EMPTY
        self.loads = 0
        self.predictions = 0
        self.seconds: dict[str, float] = {}

    @property
    def ready(self) -> bool:
        return self.state == READY

    @property
    def model(self) -> Model:
        """The loaded model.

        Raises:
            DisposedError: the classifier was disposed of.
            NotReadyError: the model is not loaded yet.
        """
        if self.state == DISPOSED:
            raise DisposedError("classifier: used after dispose()")
        if self._model is None or self.state != READY:
            raise NotReadyError(f"classifier: expected initialize() first, state is {self.state!r}")
        return self._model

    async def initialize(self) -> None:
        """Load the model and warm it up. Concurrent calls wait for the same load."""
        if self.state == DISPOSED:
            raise DisposedError("classifier: used after dispose()")
        if self.state == READY:
            return
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._load())
        try:
            await asyncio.shield(self._loading)
        finally:
            if self._loading is not None and self._loading.done():
                self._loading = None

    async def _load(self) -> None:
        self.state = LOADING
        start = time.perf_counter()
        try:
            model = await _resolve(self._source)
        except BaseException:
            self.state = EMPTY
            raise
        self.loads += 1
        loaded = time.perf_counter()
        model.warm_up()
        # `warm_up` alone is not enough: the first call of `predict` costs 12 ms more in Chromium.
        await model.predict(inspection.zeros(model))
        self._model, self.state = model, READY
        self.seconds = {"load": loaded - start, "warm_up": time.perf_counter() - loaded}

    async def classify(self, image: Any) -> dict[str, Any]:
        """Return {"digit", "confidence", "probabilities"} of an image, the first of a batch."""
        rows = np.atleast_2d(await self.model.predict(image))
        self.predictions += 1
        if self.predictions % self.cleanup_every == 0:
            self._clean_up()
        digit = int(rows[0].argmax())
        return {"digit": digit, "confidence": float(rows[0, digit]), "probabilities": rows[0]}

    def memory(self) -> dict[str, int]:
        """Return the model's memory use; see `Model.memory`."""
        return self.model.memory()

    def _clean_up(self) -> None:
        limit = self.max_memory_mb
        if limit is not None and self.memory()["num_bytes"] > limit * 1e6:
            inspection.release(self.model)
            self.cleanups += 1

    def dispose(self) -> None:
        """Release the model and its memory."""
        if self._model is not None:
            inspection.release(self._model)
        self._model = None
        self.state = DISPOSED

    def describe(self) -> dict[str, Any]:
        """Return input shape, output shape, number of layers and number of trainable weights."""
        model = self.model
        return {
            "input_shape": model.input_shape,
            "output_shape": model.output_shape,
            "layers": len(model.layers),
            "trainable_weights": len(model.trainable_variables),
        }


async def _resolve(source: Any) -> Model:
    made = source() if callable(source) and not isinstance(source, Model) else source
    made = await made if inspect.isawaitable(made) else made
    return made if isinstance(made, Model) else io.load(made, compile=False)
