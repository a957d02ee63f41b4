"""Training session with the API of ONNX Runtime's removed `onnxruntime-web/training`.

Generate four artifacts offline on CPython, then load and train them in the browser:

    artifacts = nn.artifacts.generate_artifacts(model, "adamw", "sparse_categorical_crossentropy")
    artifacts.write("artifacts")                 # or: python -m nn.artifacts model.npz artifacts

    session = await TrainingSession.create(
        checkpoint_state="artifacts/checkpoint.npz", train_model="artifacts/training_model.json",
        optimizer_model="artifacts/optimizer_model.json", eval_model="artifacts/eval_model.json")
    loss = session.run_train_step({"input": images, "labels": labels})["loss"]
    session.run_optimizer_step()
    session.lazy_reset_grad()
    update = session.get_contiguous_parameters()

Names and rules are those of onnxruntime-common 1.19.2, lib/training-session.ts, in snake case.
Gradients accumulate until `lazy_reset_grad` and are averaged over the samples, so that a step after
k micro-batches equals a step on one large batch (ONNX Runtime sums the means of the batches). That
is so where the loss is a mean over the samples: not with reduction="sum", nor where masks leave a
different number of steps in each micro-batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nn.errors import DisposedError
from nn.io import npz, snapshot
from nn.io.errors import MismatchError, MissingEntryError, UnsupportedError
from nn.io.fetch import fetch
from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.io.tree import from_json
from nn.training import loop

if TYPE_CHECKING:
    from nn.models.model import Model

__all__ = ["MissingArtifactError", "TrainingSession"]

Json = dict[str, Any]
Source = str | bytes


class MissingArtifactError(MissingEntryError):
    """A method needs an artifact that the session was created without."""


class TrainingSession:
    """A model with separate gradient, optimizer and evaluation steps. Use `create` to make one."""

    def __init__(self, model: Model, *, optimizer: bool, evaluation: bool) -> None:
        self._model: Model | None = model
        self._has_optimizer = optimizer
        self._has_evaluation = evaluation
        self._sum = np.zeros_like(model.parameters.gradients)
        self._samples = 0
        self._reset = False

    @classmethod
    async def create(
        cls,
        *,
        checkpoint_state: Source | None = None,
        train_model: Source | None = None,
        optimizer_model: Source | None = None,
        eval_model: Source | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> TrainingSession:
        """Create a session from artifacts, each given as a URL or as bytes.

        Args:
            checkpoint_state: the weights; required.
            train_model: required.
            optimizer_model: needed by `run_optimizer_step`.
            eval_model: needed by `run_eval_step`.
            limits: bounds on the sizes in a file.

        Raises:
            MissingArtifactError: a required artifact is None.
            FetchError: a URL cannot be downloaded.
            FormatError: a file is damaged, or is another artifact.
        """
        checkpoint = await _required("checkpoint_state", checkpoint_state, limits)
        training = await _required("train_model", train_model, limits)
        model, settings = _build(training, checkpoint, limits)
        optimizer: Any = "sgd"
        if optimizer_model is not None:
            document = _read(await _bytes(optimizer_model, limits), "nn-optimizer", limits)
            optimizer = snapshot.expect(document, "optimizer", dict, "optimizer_model")
        metrics: list[str] = []
        if eval_model is not None:
            document = _read(await _bytes(eval_model, limits), "nn-eval", limits)
            metrics = snapshot.expect(document, "metrics", list, "eval_model")
        loss = settings["loss"]
        snapshot.guarded(
            lambda: model.compile(optimizer, loss, metrics=metrics), "training artifacts"
        )
        snapshot.guarded(lambda: model.trainer.prepare(), "training artifacts")
        return cls(model, optimizer=optimizer_model is not None, evaluation=eval_model is not None)

    # Inputs and outputs.

    @property
    def training_input_names(self) -> list[str]:
        """Names of the feeds: "input" and "labels".

        With several inputs, each has the name of its layer; with several outputs, the labels are
        named "<layer>_labels".
        """
        return [*self._input_names, *self._label_names]

    @property
    def training_output_names(self) -> list[str]:
        """Names of the values that `run_train_step` returns."""
        return ["loss"]

    @property
    def eval_input_names(self) -> list[str]:
        """Names of the feeds of `run_eval_step`."""
        self._need("eval_model", self._has_evaluation)
        return self.training_input_names

    @property
    def eval_output_names(self) -> list[str]:
        """Names of the values that `run_eval_step` returns, without metrics."""
        self._need("eval_model", self._has_evaluation)
        return ["loss", *self._live.output_names]

    @property
    def _input_names(self) -> list[str]:
        names = [tensor.node.layer.name for tensor in self._live.inputs]
        return ["input"] if len(names) == 1 else names

    @property
    def _label_names(self) -> list[str]:
        names = self._live.output_names
        return ["labels"] if len(names) == 1 else [f"{name}_labels" for name in names]

    # Steps.

    def run_train_step(self, feeds: Mapping[str, Any]) -> dict[str, float]:
        """Add the gradients of a batch to the accumulated ones; return {"loss": mean of the batch}.

        Args:
            feeds: arrays (n, …) by the names of `training_input_names`.

        Raises:
            MissingEntryError: a feed is missing.
            ShapeError: a feed does not have the shape of the model's input.
        """
        model = self._live
        inputs, targets, weights, size = self._batch(feeds)
        loss = model.trainer.gradient_step(inputs, targets, weights, size)
        if self._reset:
            self._sum.fill(0)
            self._samples, self._reset = 0, False
        self._sum += model.parameters.gradients * self._sum.dtype.type(size)
        self._samples += size
        return {"loss": float(loss)}

    def run_optimizer_step(self) -> None:
        """Update the weights from the mean of the accumulated gradients.

        Raises:
            MissingArtifactError: the session has no optimizer model.
            MissingEntryError: no gradients; call `run_train_step` first.
        """
        model = self._live
        self._need("optimizer_model", self._has_optimizer)
        if not self._samples:
            raise MissingEntryError("optimizer step: expected run_train_step before it")
        np.divide(self._sum, self._samples, out=model.parameters.gradients)
        model.optimizer.step()

    def lazy_reset_grad(self) -> None:
        """Reset the accumulated gradients at the next `run_train_step`."""
        self._reset = self._live is not None

    def run_eval_step(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Return {"loss": …, metric: …, output name: array (n, …)} without changing weights.

        Raises:
            MissingArtifactError: the session has no evaluation model.
            MissingEntryError: a feed is missing.
        """
        model = self._live
        self._need("eval_model", self._has_evaluation)
        batch = self._batch(feeds)
        model.trainer.reset_test()
        model.trainer.test_step(*batch)
        logs: dict[str, Any] = dict(model.trainer.test_logs())
        outputs = [output.copy() for output in model.run(batch[0])]
        return logs | dict(zip(model.output_names, outputs, strict=True))

    def _batch(self, feeds: Mapping[str, Any]) -> Any:
        model = self._live
        missing = [name for name in self.training_input_names if name not in feeds]
        if missing:
            raise MissingEntryError(f"feeds: expected {missing}, received {sorted(feeds)}")
        inputs = [feeds[name] for name in self._input_names]
        labels = [feeds[name] for name in self._label_names]
        return loop.one_batch(
            model,
            inputs if len(inputs) > 1 else inputs[0],
            labels if len(labels) > 1 else labels[0],
            None,
            None,
        )

    # Parameters.

    def get_parameters_size(self, trainable_only: bool = True) -> int:
        """Return the number of elements of `get_contiguous_parameters`."""
        return sum(variable.size for variable in self._variables(trainable_only))

    def get_contiguous_parameters(self, trainable_only: bool = True) -> NDArray[np.float32]:
        """Return a float32 copy of the weights, concatenated in C order.

        The trainable weights come first, in the order of `model.trainable_variables`.
        """
        parts = [np.ravel(variable.value) for variable in self._variables(trainable_only)]
        whole: NDArray[np.float32] = np.concatenate([np.empty(0, np.float32), *parts], dtype="f4")
        return whole

    def load_parameters_buffer(self, buffer: Any, trainable_only: bool = True) -> None:
        """Copy what `get_contiguous_parameters` returned into the weights.

        Args:
            buffer: a float32 array, or its bytes (little endian).
            trainable_only: as for `get_contiguous_parameters`.

        Raises:
            MismatchError: the length is wrong; nothing is changed.
        """
        flat = _floats(buffer)
        size = self.get_parameters_size(trainable_only)
        if flat.size != size:
            raise MismatchError(f"parameters: expected {size} float32, received {flat.size}")
        start = 0
        for variable in self._variables(trainable_only):
            variable.assign(flat[start : start + variable.size].reshape(variable.shape))
            start += variable.size

    def _variables(self, trainable_only: bool) -> list[Any]:
        model = self._live
        rest = [] if trainable_only else model.non_trainable_variables
        return [*model.trainable_variables, *rest]

    # Lifetime.

    @property
    def model(self) -> Model:
        """The model being trained. Use it to predict, or save it with `nn.io.save`."""
        return self._live

    def release(self) -> None:
        """Release the model. Later calls of other methods raise DisposedError."""
        self._model = None
        self._sum = np.empty(0, np.float32)

    @property
    def _live(self) -> Model:
        if self._model is None:
            raise DisposedError("training session: released already")
        return self._model

    def _need(self, artifact: str, present: bool) -> None:
        if not present:
            raise MissingArtifactError(f"expected the session to be created with {artifact}")


async def _required(name: str, source: Source | None, limits: Limits) -> bytes:
    if source is None:
        raise MissingArtifactError(f"expected {name} as a URL or bytes, received None")
    return await _bytes(source, limits)


async def _bytes(source: Source, limits: Limits) -> bytes:
    return await fetch(source, limits) if isinstance(source, str) else bytes(source)


def _read(data: bytes, kind: str, limits: Limits) -> Json:
    document = from_json(data, kind, limits)
    if document.get("format") != kind or document.get("version") != 1:
        raise UnsupportedError(
            f"artifact: expected format {kind!r}, version 1, "
            f"received {document.get('format')!r}, {document.get('version')!r}"
        )
    return document


def _build(training: bytes, checkpoint: bytes, limits: Limits) -> tuple[Model, Json]:
    document = _read(training, "nn-training", limits)
    topology = snapshot.expect(document, "topology", dict, "train_model")
    snapshot.expect(topology, "class_name", str, "train_model")
    snapshot.expect(topology, "config", dict, "train_model")
    if not isinstance(document.get("loss"), str | dict | list):
        raise MissingEntryError(
            "train_model: expected 'loss' to be a name or the settings of one, received "
            f"{document.get('loss')!r}"
        )
    model = snapshot.build(topology, limits=limits)
    trained = set(snapshot.expect(document, "trainable", list, "train_model"))
    for path, variable in snapshot.weight_paths(model).items():
        variable.trainable = path in trained
    state = npz.decode(checkpoint, limits)
    snapshot.set_weights(model, snapshot.expect(state, "weights", dict, "checkpoint_state"))
    return model, document


def _floats(buffer: Any) -> NDArray[np.float32]:
    if isinstance(buffer, bytes | bytearray | memoryview):
        if len(buffer) % 4:
            raise MismatchError(f"parameters: expected whole float32, received {len(buffer)} bytes")
        return np.frombuffer(buffer, "<f4").astype(np.float32)
    array = np.asarray(buffer)
    if array.dtype == np.uint8:
        return _floats(array.tobytes())
    return array.astype(np.float32).ravel()
