"""Model: a graph of layers with its weights, its training and its predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nn.identifiers import expect_settings
from nn.keras_arguments import expects
from nn.lazy import load
from nn.models import inspection, topology
from nn.models import summary as tables
from nn.models.trainer import Trainer
from nn.types import Config

SAVING = "nn.models.saving"


class Model(Trainer):
    """A graph of layers from `inputs` to `outputs` (symbolic tensors, one or a list of them).

    Args:
        inputs: what `Input` returned.
        outputs: what calling layers on them returned.
    """

    # Inspection.

    @expects
    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print a table of the layers with their output shapes and parameter counts.

        Args:
            line_length: accepted; columns are as wide as their longest text.
            positions: accepted, and without effect.
            print_fn: called with the text in place of `print`.
            expand_nested: list the layers of nested models too.
            show_trainable: add a column that says whether a layer is trained.
            layer_range: first and last layer to list, by name.
        """
        text = tables.text(self, expand_nested, show_trainable, layer_range)
        (print_fn or print)(text)

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
            `optimizer_bytes`, `num_bytes` (the sum), `wasm_bytes`: the interpreter's whole
            memory in a browser (0 elsewhere), which never shrinks, and `gpu_bytes` of a GPU while
            `fit` trains on it.
        """
        return inspection.memory(self)

    def profile(self, x: Any, *, repeats: int = 5) -> list[dict[str, Any]]:
        """Time each layer forward and backward on `x`; no weight changes.

        Returns:
            A row {"layer", "forward_ms", "backward_ms", "share"} for each step, medians. Layers
            that one kernel runs together are one row.
        """
        return inspection.profile(self, x, repeats=repeats)

    # Files and copies.

    def save(self, filepath: Any, overwrite: bool = True, **options: Any) -> None:
        """Write the model to a file; see `nn.models.save_model`."""
        load(SAVING).save_model(self, filepath, overwrite, **options)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights to a file; see `nn.models.save_weights`."""
        load(SAVING).save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any) -> None:
        """Copy the weights of a file into the model; see `nn.models.load_weights`."""
        load(SAVING).load_weights(self, filepath)

    def to_json(self, **options: Any) -> str:
        """Return the layers as Keras 3's JSON; see `nn.models.to_json`."""
        text: str = load(SAVING).to_json(self, **options)
        return text

    # Configuration.

    @classmethod
    def from_config(cls, settings: Config, custom_objects: Any = None) -> Model:
        """Return the model that `get_config` described, with new weights."""
        expect_settings(cls, settings, "layers", "input_layers")
        inputs, outputs = topology.connect(settings, custom_objects)
        model = cls(inputs, outputs, name=settings.get("name"))
        model._trainable = settings.get("trainable", True)
        return model
