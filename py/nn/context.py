"""What a layer remembers between its forward and its backward pass.

A layer holds settings and variables, never intermediate results: these live in a `Context`, one for
each place where the layer stands in a graph. Therefore one layer may stand in several places, and a
model may be trained and asked for predictions in turn without either disturbing the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.types import Array, prod
from nn.variables import Parameters, Variable


class Run:
    """What all contexts of a model share: the random generator and where gradients go.

    Attributes:
        penalty: the sum of the layers' penalties on their outputs in the last forward pass.
    """

    __slots__ = ("dtype", "parameters", "penalty", "pending", "rng", "touched")

    def __init__(self, rng: np.random.Generator, dtype: Any = np.float32) -> None:
        self.rng = rng
        self.dtype = np.dtype(dtype)
        self.parameters: Parameters | None = None
        self.penalty = 0.0
        self.touched: set[Variable] = set()
        self.pending: list[tuple[Array, Array]] = []

    def start_backward(self, parameters: Parameters | None) -> None:
        """Direct the gradients of the coming backward pass into `parameters.gradients`."""
        self.parameters = parameters
        self.touched.clear()

    def settle(self) -> None:
        """Add the gradients of variables that were used more than once."""
        for total, part in self.pending:
            total += part
        self.pending.clear()

    def finish_backward(self) -> None:
        """Zero the gradients of the variables that the loss does not depend on."""
        parameters = self.parameters
        if parameters is None or len(self.touched) == len(parameters.variables):
            return
        for variable, view in parameters.views.items():
            if variable not in self.touched:
                view.fill(0)


class Context:
    """The memory of one layer at one place of a graph.

    Attributes:
        saved: whatever `backward` needs from `forward`.
        needs_input_gradient: False where nobody will use what `backward` returns; it may then be
            None.
        logits: True where a fused loss wants the values before the layer's softmax or sigmoid.
        mask: which steps of the (first) input count: (n, steps) of bool, or None for all.
        masks: the same for each input.
        run: the model-wide part: `run.rng`, `run.dtype`.
    """

    __slots__ = (
        "_arrays", "_children", "_views", "logits", "mask", "masks", "needs_input_gradient", "run",
        "saved",
    )  # fmt: skip

    def __init__(self, run: Run) -> None:
        self.run = run
        self.saved: Any = None
        self.needs_input_gradient = True
        self.logits = False
        self.mask: Any = None
        self.masks: Sequence[Any] = ()
        self._arrays: dict[tuple[str, np.dtype[Any]], Array] = {}
        self._views: dict[tuple[Any, ...], Array] = {}
        self._children: dict[Any, Context] = {}

    def buffer(self, name: str, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """Return a workspace of `shape`, the same memory at every call with this name.

        Its contents are whatever was there. A smaller last batch uses the front of the same memory.
        """
        key = (name, shape, dtype)
        view = self._views.get(key)
        return view if view is not None else self._new_view(key)

    def _new_view(self, key: tuple[Any, ...]) -> Array:
        name, shape, dtype = key
        kind = np.dtype(dtype or self.run.dtype)
        size = prod(shape)
        memory = self._arrays.get((name, kind))
        if memory is None or memory.size < size:
            self._views = {k: v for k, v in self._views.items() if k[0] != name}
            memory = self._arrays[name, kind] = np.empty(size, kind)
        view = self._views[key] = memory[:size].reshape(shape)
        return view

    def child(self, key: Any) -> Context:
        """Return the context of a layer inside this one."""
        context = self._children.get(key)
        if context is None:
            context = self._children[key] = Context(self.run)
        return context

    def trains(self, variable: Variable) -> bool:
        """Say whether the gradient of `variable` is wanted."""
        parameters = self.run.parameters
        return parameters is not None and variable in parameters.views

    def gradient(self, variable: Variable, *, overwrite: bool = False) -> Array:
        """Return the array to add the gradient of `variable` to.

        Args:
            variable: one of the layer's variables.
            overwrite: the caller promises to write every element, so it need not be zeroed first.
        """
        run = self.run
        view = run.parameters.views.get(variable) if run.parameters else None
        if view is None:
            return self._scratch(variable)
        if variable not in run.touched:
            run.touched.add(variable)
            if not overwrite:
                view.fill(0)
            return view
        part = self._scratch(variable)
        run.pending.append((view, part))
        return part

    def _scratch(self, variable: Variable) -> Array:
        part = self.buffer(f"gradient of {variable.name}", variable.shape, variable.dtype)
        part.fill(0)
        return part

    def memory(self) -> tuple[int, int]:
        """Return (number of arrays, bytes) held here and in the contexts inside."""
        count = len(self._arrays)
        size = sum(a.nbytes for a in self._arrays.values())
        for context in self._children.values():
            more, bytes_ = context.memory()
            count, size = count + more, size + bytes_
        return count, size

    def clear(self) -> None:
        """Let go of every workspace."""
        self._arrays.clear()
        self._views.clear()
        self._children.clear()
        self.saved = None
