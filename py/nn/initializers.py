"""Weight initializers, named and defined as in Keras 3 (`keras.initializers`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nn import config
from nn.errors import ConfigError
from nn.identifiers import describe, resolve
from nn.keras_arguments import Checked, checked
from nn.lazy import load
from nn.types import Array, Config, prod

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "Random",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "fans",
    "get",
    "serialize",
]


class Initializer(metaclass=Checked):
    """Base class. Subclasses define `__call__(shape, dtype)`, which returns a new array."""

    fields: tuple[str, ...] = ()

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    def get_config(self) -> Config:
        """Return the settings that `from_config` accepts."""
        return {name: getattr(self, name) for name in self.fields}

    @classmethod
    def from_config(cls, settings: Config) -> Initializer:
        """Create an initializer from the settings that `get_config` returned."""
        return cls(**settings)


class Constant(Initializer):
    """All elements equal `value`, a number, or an array that broadcasts to the weight's shape."""

    fields: tuple[str, ...] = ("value",)

    def __init__(self, value: Any = 0.0) -> None:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise ConfigError(f"Constant: expected value to be numbers, received {value!r:.80}")
        self.value = array if array.ndim else value

    def get_config(self) -> Config:
        return {name: np.asarray(getattr(self, name)).tolist() for name in self.fields}

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        return np.full(shape, self.value, dtype or config.floatx())


class Zeros(Constant):
    """All zeros."""

    fields = ()

    def __init__(self) -> None:
        super().__init__(0.0)


class Ones(Constant):
    """All ones."""

    fields = ()

    def __init__(self) -> None:
        super().__init__(1.0)


class Random(Initializer):
    """Base of random initializers. As in Keras, one with a seed always returns the same values."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def generator(self) -> np.random.Generator:
        """Return a generator for one call."""
        return config.generator(self.seed)


class RandomNormal(Random):
    """Normal distribution with mean `mean` and standard deviation `stddev`."""

    fields = ("mean", "stddev", "seed")

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        values = self.generator().normal(self.mean, self.stddev, shape)
        return values.astype(dtype or config.floatx())


class RandomUniform(Random):
    """Uniform distribution between `minval` and `maxval`."""

    fields = ("minval", "maxval", "seed")

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        values = self.generator().uniform(self.minval, self.maxval, shape)
        return values.astype(dtype or config.floatx())


class TruncatedNormal(RandomNormal):
    """Normal distribution; values beyond two standard deviations are drawn again."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        values = self.mean + self.stddev * _truncated(self.generator(), shape)
        return values.astype(dtype or config.floatx())


class VarianceScaling(Random):
    """Random values of variance `scale / n`, where n is fan_in, fan_out or their average.

    `input_axes` and `output_axes`, given both or neither, are the axes that define the fans.
    Source: Glorot and Bengio 2010, He et al. 2015, LeCun et al. 1998, as `keras.initializers`.
    """

    fields: tuple[str, ...] = (
        "scale", "mode", "distribution", "seed", "input_axes", "output_axes",
    )  # fmt: skip

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(seed)
        if scale <= 0:
            raise ConfigError(f"VarianceScaling: scale must be positive, received {scale}")
        _one_of("mode", mode, ("fan_in", "fan_out", "fan_avg"))
        _one_of("distribution", distribution, ("truncated_normal", "untruncated_normal", "uniform"))
        self.scale = scale
        self.mode = mode
        self.input_axes = None if input_axes is None else list(input_axes)
        self.output_axes = None if output_axes is None else list(output_axes)
        self.distribution = distribution

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        variance = self.scale / max(1.0, self._fan(shape))
        rng = self.generator()
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            values = rng.uniform(-limit, limit, shape)
        elif self.distribution == "untruncated_normal":
            values = rng.normal(0.0, math.sqrt(variance), shape)
        else:
            # .8796... is the deviation of a normal distribution truncated at two.
            values = math.sqrt(variance) / 0.87962566103423978 * _truncated(rng, shape)
        return values.astype(dtype or config.floatx())

    def _fan(self, shape: tuple[int, ...]) -> float:
        fan_in, fan_out = fans(shape)
        if self.input_axes is not None and self.output_axes is not None:
            fan_in, fan_out = (
                prod(tuple(shape[a] for a in axes)) for axes in (self.input_axes, self.output_axes)
            )
        return {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]


class _Scaled(VarianceScaling):
    fields = ("seed", "input_axes", "output_axes")
    settings: tuple[float, str, str]

    def __init__(
        self,
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self.settings, seed=seed, input_axes=input_axes, output_axes=output_axes)


class GlorotUniform(_Scaled):
    """Uniform, variance 2 / (fan_in + fan_out): the default of dense and convolution kernels."""

    settings = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal, variance 2 / (fan_in + fan_out)."""

    settings = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform, variance 2 / fan_in: for relu."""

    settings = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal, variance 2 / fan_in: for relu."""

    settings = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform, variance 1 / fan_in."""

    settings = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal, variance 1 / fan_in: for selu."""

    settings = (1.0, "fan_in", "truncated_normal")


class Orthogonal(Random):
    """Orthogonal rows or columns times `gain` (Saxe et al. 2014): the default of recurrent
    kernels."""

    fields = ("gain", "seed")

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        if len(shape) < 2:
            raise ConfigError(f"Orthogonal: expected at least 2 axes, received shape {shape}")
        rows, columns = prod(shape[:-1]), shape[-1]
        flat = self.generator().normal(size=(max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(flat)
        q = q * np.sign(np.diag(r))
        q = q.T if rows < columns else q
        return (self.gain * q.reshape(shape)).astype(dtype or config.floatx())


class Identity(Initializer):
    """The identity matrix times `gain`."""

    fields = ("gain",)

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        if len(shape) != 2:
            raise ConfigError(f"Identity: expected 2 axes, received shape {shape}")
        return np.asarray(self.gain * np.eye(*shape), dtype or config.floatx())


CLASSES: dict[str, type[Initializer]] = {
    c.__name__: c
    for c in (
        Constant, Zeros, Ones, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling,
        GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Orthogonal,
        Identity,
    )
}  # fmt: skip
_ALIASES = {_snake: c for c in CLASSES.values() for _snake in [
    "".join("_" + ch.lower() if ch.isupper() else ch for ch in c.__name__).lstrip("_")
]}  # fmt: skip

_ALIASES |= {"uniform": RandomUniform, "normal": RandomNormal}


def get(identifier: Any) -> Initializer:
    """Return the initializer for a name ("glorot_uniform"), configuration or function.

    Raises:
        ConfigError: the name is unknown.
    """
    return resolve(identifier, Initializer, _named, _of_function)


def _of_function(function: Any) -> Any:
    return load("nn.functions").FunctionInitializer(function)


def _named(name: Any) -> type[Initializer]:
    found = CLASSES.get(name) or _ALIASES.get(name) if isinstance(name, str) else None
    if found is None:
        raise ConfigError(f"initializer: expected one of {sorted(_ALIASES)}, received {name!r}")
    return found


def serialize(initializer: Initializer) -> Config:
    """Return the initializer's class and settings as Keras writes them."""
    return describe(initializer)


deserialize = get


def __getattr__(name: str) -> Any:
    """Return a class by the name that Keras spells like a function's, as `glorot_uniform`."""
    found = _ALIASES.get(name) or CLASSES.get(name.removesuffix("Initializer"))
    if found is not None:
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _truncated(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    values = rng.normal(size=shape)
    flat = values.reshape(-1)
    outside = np.flatnonzero(np.abs(flat) > 2)
    while outside.size:
        flat[outside] = rng.normal(size=outside.size)
        outside = outside[np.abs(flat[outside]) > 2]
    return values


@checked
def fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """Return (fan_in, fan_out) of a kernel whose last two axes are (inputs, outputs)."""
    if len(shape) < 2:
        size = prod(shape)
        return size, size
    field = prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"VarianceScaling: {name} must be one of {known}, received {value!r}")
