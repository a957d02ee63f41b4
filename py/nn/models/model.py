"""Model: a graph of layers with its weights, its training and its predictions."""

from __future__ import annotations

from typing import Any

from nn.models import inspection, topology
from nn.models import summary as tables
from nn.models.trainer import Trainer
from nn.types import Config


class Model(Trainer):
    """A graph of layers from `inputs` to `outputs` (symbolic tensors, one or a list of them).

    Args:
        inputs: what `Input` returned.
        outputs: what calling layers on them returned.
    """

    # Inspection.

    def summary(self) -> str:
        """Return a table of the layers with their output shapes and parameter counts."""
        return tables.text(self)

    def summary_rows(self) -> list[tables.Row]:
        """Return (name, type, output shape, number of parameters) of each layer."""
        return tables.rows(self)

    def warm_up(self) -> None:
        """Predict zeros, so that a real sample finds memory allocated and calls recorded."""
        for _ in range(2):  # the second run records the kernel calls that later ones repeat
            self.run(inspection.zeros(self))

    def memory(self) -> dict[str, int]:
        """Return what the model holds.

        Returns:
            `num_arrays` and `workspace_bytes` of workspaces, `weight_bytes`, `gradient_bytes`,
            `optimizer_bytes`, `num_bytes` (the sum), and `wasm_bytes`: the interpreter's whole
            memory in a browser (0 elsewhere), which never shrinks.
        """
        return inspection.memory(self)

    def profile(self, x: Any, *, repeats: int = 5) -> list[dict[str, Any]]:
        """Time each layer forward and backward on `x`; no weight changes.

        Returns:
            A row {"layer", "forward_ms", "backward_ms", "share"} for each step, medians. Layers
            that one kernel runs together are one row.
        """
        return inspection.profile(self, x, repeats=repeats)

    # Configuration.

    @classmethod
    def from_config(cls, settings: Config, custom_objects: Any = None) -> Model:
        """Return the model that `get_config` described, with new weights."""
        inputs, outputs = topology.connect(settings, custom_objects)
        model = cls(inputs, outputs, name=settings.get("name"))
        model._trainable = settings.get("trainable", True)
        return model
