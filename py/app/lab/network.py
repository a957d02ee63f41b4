"""Networks with fresh weights, built from the page's list of layers or from another network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nn

from app.lab.browser import downloads

INPUT_SHAPE = (28, 28, 1)
TRAINED_BEFORE = "trained-before.npz"
"""The file in static/ that tools/trained_before.py makes: the page's first network, trained."""
ACCURACY = 0.9911
"""The share of MNIST's test images that it reads right."""
PENALISED = ("Conv2D", "Dense")


class Network:
    """Served as `lab.network`."""

    def build(
        self, layers: list[Any], seed: int, l2: float = 0.0, shape: Sequence[int] = INPUT_SHAPE
    ) -> Any:
        """Return a new network.

        Args:
            layers: (class name, {argument: value}) of each layer after the input.
            shape: of an image.
            seed: of the first weights.
            l2: factor of the squared weights of convolutions and dense layers in the loss; 0 is
                none.
        """
        nn.set_random_seed(seed)
        penalty = {"kernel_regularizer": nn.regularizers.L2(l2)} if l2 else {}
        parts = [nn.Input(tuple(shape))]
        for kind, arguments in layers:
            more = penalty if kind in PENALISED else {}
            parts.append(getattr(nn, kind)(**arguments, **more))
        return nn.Sequential(parts)

    async def trained_before(self, base: str) -> dict[str, Any]:
        """Return the network that answers before any training: {model, preset, accuracy, bytes}.

        Args:
            base: the page's address.

        Raises:
            DownloadError: its file cannot be fetched.
        """
        content = await downloads.download(downloads.address(base, f"../{TRAINED_BEFORE}"))
        model = nn.io.load(content)
        return {"model": model, "preset": "seed", "accuracy": ACCURACY, "bytes": len(content)}

    def fits(self, model: Any, shape: Sequence[int], classes: int) -> bool:
        """Return whether a network reads such images and answers with so many classes."""
        read, answered = model.input_shape[1:], model.output_shape[1:]
        return tuple(read) == tuple(shape) and tuple(answered) == (classes,)

    def fresh(self, model: Any, seed: int) -> Any:
        """Return a network of the same architecture with fresh weights."""
        nn.set_random_seed(seed)
        return type(model).from_config(model.get_config())
