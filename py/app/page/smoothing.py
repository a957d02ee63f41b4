"""Smoothing of curves. Pure Python."""


class Smoother:
    """Exponential moving average, corrected at the start as Adam's moments are."""

    def __init__(self, weight: float) -> None:
        self.weight = weight
        self._sum = 0.0
        self._norm = 0.0

    def __call__(self, value: float) -> float:
        self._sum = self.weight * self._sum + (1 - self.weight) * value
        self._norm = self.weight * self._norm + (1 - self.weight)
        return self._sum / self._norm
