"""Training artifacts: the four files of a `TrainingSession`, generated offline from a model.

    artifacts = generate_artifacts(model, "adamw", frozen_params=["conv2d*"])
    artifacts.write("artifacts")

or, from a shell, ``python -m nn.artifacts model.npz artifacts --optimizer adamw``. The files
correspond to those of `onnxruntime.training.artifacts.generate_artifacts`, as JSON and `.npz`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn import losses as losses_
from nn import metrics as metrics_
from nn import optimizers
from nn.errors import ConfigError, NNError
from nn.io import formats, npz, snapshot
from nn.io.errors import FormatError, MissingEntryError, UnsupportedError
from nn.io.file import write
from nn.io.tree import to_json
from nn.models.network import Network
from nn.registry import layers

if TYPE_CHECKING:
    from nn.graph import SymbolicTensor
    from nn.models.model import Model

__all__ = ["FILES", "Artifacts", "generate_artifacts"]

Json = dict[str, Any]

FILES = {
    "training_model": "training_model.json",
    "optimizer_model": "optimizer_model.json",
    "eval_model": "eval_model.json",
    "checkpoint": "checkpoint.npz",
}


@dataclass(frozen=True)
class Artifacts:
    """The four files of a training session, as bytes.

    Attributes:
        training_model: the layers, the loss, and the names of the trained weights.
        optimizer_model: the optimizer and its settings.
        eval_model: the layers, the loss and the metrics.
        checkpoint: the weights.
    """

    training_model: bytes
    optimizer_model: bytes
    eval_model: bytes
    checkpoint: bytes

    def write(self, folder: str | Path) -> list[Path]:
        """Write the four files into a folder, created if missing, and return their paths."""
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        paths = [place / name for name in FILES.values()]
        for path, part in zip(paths, FILES, strict=True):
            write(path, getattr(self, part))
        return paths


def generate_artifacts(
    model: Model,
    optimizer: Any = "adamw",
    loss: Any = "sparse_categorical_crossentropy",
    *,
    metrics: Sequence[str] = (),
    requires_grad: Sequence[str] | None = None,
    frozen_params: Sequence[str] = (),
) -> Artifacts:
    """Return the artifacts of a built model, as `onnxruntime.training.artifacts` does.

    Args:
        model: a built model; not changed.
        optimizer: a name or an Optimizer.
        loss: a name or a Loss; a list or a dict by output name for several outputs. The name of a
            cross-entropy means that of logits for an output that ends without softmax or sigmoid,
            such as a classifier's from PyTorch, as ONNX Runtime's losses do.
        metrics: names of metrics for `run_eval_step`.
        requires_grad: globs of weight paths to train; all trainable ones by default.
        frozen_params: globs of weight paths not to train.

    Raises:
        ConfigError: the optimizer, the loss or a metric is unknown, or no weight is left to train.
        UnsupportedError: the loss is made of functions, which no file holds.
        MissingEntryError: a glob matches no weight.
    """
    paths = snapshot.weight_paths(model)
    trained = {path for path, v in paths.items() if v in model.trainable_variables}
    wanted = _matching(trained, requires_grad) if requires_grad is not None else trained
    trained = wanted - _matching(set(paths), frozen_params)
    if not trained:
        raise ConfigError(
            f"artifacts: expected weights to train, received none of {sorted(paths)}: "
            f"{[*frozen_params]} are frozen"
        )
    for name in metrics:
        if name not in ("accuracy", "acc"):  # which fits is known when there are labels
            metrics_.get(name)
    content = snapshot.get_state(model, include_optimizer=False)
    topology = {key: content[key] for key in ("class_name", "config")}
    losses = _losses(model, loss)
    training = {"topology": topology, "loss": losses, "trainable": sorted(trained)}
    chosen = optimizers.serialize(optimizers.get(optimizer))
    evaluation = {"topology": topology, "loss": losses, "metrics": list(metrics)}
    return Artifacts(
        _document("nn-training", training),
        _document("nn-optimizer", {"optimizer": chosen}),
        _document("nn-eval", evaluation),
        npz.encode({"weights": content["weights"]}),
    )


def _losses(model: Model, loss: Any) -> Any:
    """Return the loss of each output as plain data: one, a list, or a dict by name."""
    ends = dict(zip(model.output_names, model.outputs, strict=True))
    if isinstance(loss, dict) and "class_name" not in loss:
        unknown = sorted(set(loss) - set(ends))
        if unknown:
            raise ConfigError(f"loss: expected output names of {sorted(ends)}, received {unknown}")
        return {name: _loss(item, ends[name]) for name, item in loss.items()}
    if len(ends) == 1 and not isinstance(loss, list | tuple):
        return _loss(loss, next(iter(ends.values())))
    items = list(loss) if isinstance(loss, list | tuple) else [loss] * len(ends)
    if len(items) != len(ends):
        raise ConfigError(f"loss: expected {len(ends)} for {sorted(ends)}, received {len(items)}")
    return [_loss(item, end) for item, end in zip(items, ends.values(), strict=True)]


def _loss(identifier: Any, output: SymbolicTensor) -> Json | None:
    if identifier is None:
        return None
    loss = losses_.get(identifier)
    if type(loss).__name__ not in losses_.CLASSES:
        raise UnsupportedError(
            f"artifacts: expected a loss by Keras' name or class, received {loss.name!r}"
        )
    if isinstance(identifier, str) and hasattr(loss, "from_logits"):
        loss.from_logits = "from_logits" in loss.fields and gives_logits(output)
    return losses_.serialize(loss)


PASS_ON = (
    "Add", "Dropout", "Flatten", "Identity", "Permute", "Reshape", "Subtract", "BatchNormalization",
    "Rescaling", "Activation",
)  # fmt: skip
"""Layers after which logits are logits still (an Activation, where it is linear)."""


def gives_logits(output: SymbolicTensor) -> bool:
    """Return whether an output of a graph is known to come without softmax or sigmoid."""
    layer, inputs = output.node.layer, output.node.inputs
    if isinstance(layer, Network):
        return gives_logits(layer.outputs[output.index])
    activation = getattr(layer, "activation", None)
    name = layer.last_activation or getattr(activation, "name", "linear")
    if type(layer).__name__ not in layers or name != "linear":
        return False
    if type(layer).__name__ in PASS_ON:
        return all(map(gives_logits, inputs))
    return activation is not None


def _matching(paths: Iterable[str], globs: Sequence[str]) -> set[str]:
    found = {glob: {path for path in paths if fnmatchcase(path, glob)} for glob in globs}
    for glob, matches in found.items():
        if not matches:
            raise MissingEntryError(f"{glob!r} matches none of the weights {sorted(paths)}")
    return set().union(*found.values())


def _document(kind: str, content: Json) -> bytes:
    return to_json({"format": kind, "version": 1, **content})


def main(words: Sequence[str] | None = None) -> int:
    """Write the artifacts of a model file: ``python -m nn.artifacts model.npz folder``.

    Returns:
        the exit status, 0 if they were written.
    """
    given = _parser().parse_args(words)
    try:
        model = formats.load(given.model.read_bytes())
        artifacts = generate_artifacts(
            model, given.optimizer, given.loss, metrics=given.metric, frozen_params=given.frozen
        )
        artifacts.write(given.folder)
    except (FormatError, NNError, OSError, ValueError) as error:
        sys.stderr.write(f"{given.model} -> {given.folder}: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nn.artifacts",
        description="Write the artifacts of a model file: python -m nn.artifacts model.npz folder.",
    )
    parser.add_argument("model", type=Path, help="a file that nn.io.load reads")
    parser.add_argument("folder", type=Path, help="where the four artifacts go")
    parser.add_argument("--optimizer", default="adamw", help="default: adamw")
    parser.add_argument("--loss", default="sparse_categorical_crossentropy")
    parser.add_argument("--metric", action="append", default=[], help="may be repeated")
    parser.add_argument("--frozen", action="append", default=[], help="glob of weights")
    return parser


if __name__ == "__main__":
    sys.exit(main())
