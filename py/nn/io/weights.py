"""Weights without layers: saving them, and loading them into a model that has the same layers.

>>> data = nn.io.save_weights(model)                    # what keras.Model.load_weights reads
>>> nn.io.load_weights(model, data)                     # or weights of any whole model's file
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nn.data.numeric import contents
from nn.io.errors import UnknownFormatError, UnsupportedError, reads
from nn.io.formats import WEIGHT_ENDINGS, sniff
from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.keras_arguments import expects
from nn.lazy import load as part

if TYPE_CHECKING:
    from nn.models.model import Model


@expects
def save_weights(model: Model, format: str = "weights.h5") -> bytes:
    """Return the weights of a model as the bytes of a file.

    Args:
        model: a built model.
        format: "weights.h5" (Keras 3), "npz" or "safetensors". The last two hold the layers too.

    Raises:
        UnknownFormatError: there is no such format.
    """
    if not isinstance(format, str) or format not in WEIGHT_ENDINGS.values():
        known = ", ".join(WEIGHT_ENDINGS.values())
        raise UnknownFormatError(f"format of weights: expected one of {known}, received {format!r}")
    if format == "weights.h5":
        data: bytes = part("nn.io.hdf5.write").file(*part("nn.io.keras.keras3").layer_arrays(model))
    elif format == "npz":
        data = part("nn.io.npz").save(model, include_optimizer=False)
    else:
        data = part("nn.io.safetensors").save(model)
    return data


@expects
@reads("weights")
def load_weights(model: Model, data: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
    """Copy the weights of a file into a model. If one does not fit, nothing changes.

    Args:
        model: a built model with the layers of the file.
        data: a `.weights.h5`, `.keras`, `.npz` or `.safetensors` file.
        limits: bounds on the sizes in the file.

    Raises:
        FormatError: see `nn.io.errors` for its subclasses.
    """
    before = model.get_weights()
    try:
        _load(model, contents(data, "weights"), limits)
    except Exception:
        model.set_weights(before)
        raise


def _load(model: Model, data: bytes, limits: Limits) -> None:
    format = sniff(data, limits)
    snapshot = part("nn.io.snapshot")
    if format == "npz":
        content = part("nn.io.npz").decode(data, limits)
        snapshot.set_weights(model, snapshot.expect(content, "weights", dict, "npz"))
    elif format == "safetensors":
        snapshot.set_weights(model, part("nn.io.safetensors").decode(data, limits)[0])
    elif format in ("h5", "keras"):
        keras = part("nn.io.keras.keras3")
        if format == "keras":
            data = part("nn.io.archive").Archive(data, limits).read(keras.WEIGHTS)
        arrays, attributes = part("nn.io.hdf5.read").read(data, limits)
        keras.assign_layers(model, arrays, _names(model, attributes))
    else:
        raise UnsupportedError(
            f"weights: expected a .weights.h5, .keras, .npz or .safetensors file, received {format}"
        )


def _names(model: Model, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layer of each group, if the model's layers have these names.

    Keras numbers its names through the whole program (dense_7), so that another model with the
    same layers has other ones; the order of the groups counts then.
    """
    names = {path: item.get("name") for path, item in attributes.items()}
    wanted = {layer.name for layer in model.layers if layer.variables}
    return names if wanted <= set(names.values()) else {}
