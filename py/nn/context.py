"""Contexts: what a layer saves between its forward and its backward pass.

A layer holds settings and variables, never intermediate results. These live in a `Context`, one for
each call of the layer in a graph. So a layer may be called several times in a graph, and a model
may alternate between training and prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.kernels.elementwise import Draw
from nn.types import Array, aligned, prod
from nn.variables import Variable

if TYPE_CHECKING:
    from nn.parameters import Parameters


class Run:
    """The part shared by all contexts of a model: random generator and gradient buffer.

    Attributes:
        moved: how often a workspace got other memory; addresses from before are out of date.
        penalty: the sum of the layers' penalties on their outputs in the last forward pass.
        rows: which rows of a batch these are, where several members of a team share it
            (`nn.distribution.rows.Rows`); None for all.
    """

    __slots__ = ("dtype", "moved", "parameters", "penalty", "pending", "rng", "rows", "touched")

    def __init__(self, rng: np.random.Generator, dtype: Any = np.float32) -> None:
        self.rng = rng
        self.dtype = np.dtype(dtype)
        self.parameters: Parameters | None = None
        self.penalty = 0.0
        self.rows: Any = None
        self.moved = 0
        self.touched: set[Variable] = set()
        self.pending: list[tuple[Array, Array]] = []

    def start_backward(self, parameters: Parameters | None) -> None:
        """Start a backward pass that writes gradients into `parameters.gradients`."""
        self.parameters = parameters
        self.touched.clear()

    def settle(self) -> None:
        """Sum the gradients of variables that were used more than once."""
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
    """The memory of one call of a layer in a graph.

    Attributes:
        saved: values that `forward` saves for `backward`.
        needs_input_gradient: False if the input's gradient is not used; `backward` may then
            return None.
        logits: True if a fused loss needs the values before the layer's softmax or sigmoid.
        mask: (n, steps) of bool, False for steps of the (first) input to skip; None for none.
        masks: the masks of all inputs.
        run: the part shared by the model: `run.rng`, `run.dtype`.
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
        """Return an uninitialized workspace, the same memory for each call with this name.

        A smaller last batch uses the start of the same memory.
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
            self.run.moved += memory is not None
            memory = self._arrays[name, kind] = aligned(size, kind)
        view = self._views[key] = memory[:size].reshape(shape)
        return view

    def child(self, key: Any) -> Context:
        """Return the context of a layer inside this one."""
        context = self._children.get(key)
        if context is None:
            context = self._children[key] = Context(self.run)
        return context

    def adopt(self, key: Any, context: Context) -> None:
        """Make a context that is there already one inside this one."""
        self._children[key] = context

    def generator(self, own: np.random.Generator | None, axis: int | None = 0) -> Any:
        """Return what a layer draws from: its own generator, or the model's.

        Args:
            own: the layer's generator, or None.
            axis: of what is drawn, the axis of the batch's samples; None for draws that all
                samples share.
        """
        run = self.run
        rng = own or run.rng
        return rng if run.rows is None else run.rows.drawing(rng, axis)

    def draw(self, own: np.random.Generator | None, size: int, *, shared: bool = False) -> Draw:
        """Return what decides which of `size` elements dropout keeps.

        Args:
            own: the layer's generator, or None for the model's.
            size: elements of this part of the batch; its samples have the same number each.
            shared: all samples share them.
        """
        rows = self.run.rows
        seed = int(self.generator(own, None).integers(2**31))
        alone = shared or rows is None or rows.empty
        return Draw(seed, 0 if alone else rows.begin * (size // rows.count))

    def trains(self, variable: Variable) -> bool:
        """Return whether the gradient of `variable` is needed."""
        parameters = self.run.parameters
        return parameters is not None and variable in parameters.views

    def gradient(self, variable: Variable, *, overwrite: bool = False) -> Array:
        """Return the array to add the gradient of `variable` to.

        Args:
            variable: one of the layer's variables.
            overwrite: the caller writes every element, so the array need not be zeroed first.
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
        """Return (number of arrays, bytes) of this context and those inside it."""
        count = len(self._arrays)
        size = sum(a.nbytes for a in self._arrays.values())
        for context in self._children.values():
            more, bytes_ = context.memory()
            count, size = count + more, size + bytes_
        return count, size

    def clear(self) -> None:
        """Release all workspaces."""
        self.run.moved += 1
        self._arrays.clear()
        self._views.clear()
        self._children.clear()
        self.saved = None
