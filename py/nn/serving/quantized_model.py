"""Prediction with weights kept quantized; each layer's are converted to float32 when it runs.

small = nn.QuantizedModel(data)            # the bytes of a model file, or a Model no longer needed
await small.predict(images)                # equals the model loaded from a quantized file

`nn.io.load` converts the weights of a quantized file once, which makes predictions faster. This
class takes a quarter of the memory but converts the weights for every batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from nn import io
from nn.io.snapshot import weight_paths
from nn.layers.base import Layer
from nn.models.model import Model
from nn.quantize import Globs, Quantized, quantize_arrays
from nn.variables import Variable


class QuantizedModel:
    """A model that predicts with quantized weights.

    Args:
        source: the bytes of a model file, or a Model. A Model's weights are released and read as
            NaN afterwards, so it can no longer be used.
        quantization: dtype -> globs of weight paths, as for `nn.io.save`; weights of a file that
            are quantized in the same way keep their values.
    """

    def __init__(self, source: Any, quantization: Mapping[str, Globs] | None = None) -> None:
        model: Model = source if isinstance(source, Model) else io.load(source, compile=False)
        paths = weight_paths(model)
        stored = quantize_arrays(
            {path: variable.value for path, variable in paths.items()},
            {"uint8": True} if quantization is None else quantization,
        )
        self._stored = {paths[path]: kept for path, kept in stored.items()}
        self._variables: dict[Layer, list[tuple[Variable, Quantized]]] = {}
        self._model = model
        for variable in self._stored:
            _release(variable)
        model.prepare_weights(self._widened)

    async def predict(self, x: Any, batch_size: int | None = None) -> Any:
        """Return the outputs for `x`, as `Model.predict` does."""
        return await self._model.predict(x, batch_size)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the outputs for one batch, as `Model.predict_on_batch` does."""
        return self._model.predict_on_batch(x)

    def warm_up(self) -> None:
        """Predict one sample of zeros, so that workspaces exist before a real prediction."""
        self._model.warm_up()

    def memory(self) -> dict[str, int]:
        """Return the same as `Model.memory`, with the quantized size as `weight_bytes`."""
        found = self._model.memory()
        kept = sum(stored.data.nbytes for stored in self._stored.values())
        kept += sum(v.value.nbytes for v in self._model.variables if v not in self._stored)
        return found | {
            "weight_bytes": kept,
            "num_bytes": found["num_bytes"] - found["weight_bytes"] + kept,
        }

    @contextmanager
    def _widened(self, layer: Layer) -> Iterator[None]:
        """Give a layer its weights in float32 inside a `with` block."""
        pairs = self._of(layer)
        try:
            for variable, stored in pairs:
                variable.value = stored.dequantize().astype(variable.value.dtype, copy=False)
            yield
        finally:
            for variable, _ in pairs:
                _release(variable)

    def _of(self, layer: Layer) -> list[tuple[Variable, Quantized]]:
        pairs = self._variables.get(layer)
        if pairs is None:
            kept = [v for v in layer.variables if v in self._stored]
            pairs = self._variables[layer] = [(v, self._stored[v]) for v in kept]
        return pairs


def _release(variable: Variable) -> None:
    """Release a variable's memory; its shape and dtype stay."""
    variable.value = np.broadcast_to(variable.value.dtype.type(np.nan), variable.shape)
