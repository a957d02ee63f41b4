"""Sequences of one length, as in Keras 3 (`keras.preprocessing.sequence`)."""

from nn.utils.arrays import pad_sequences

__all__ = ["pad_sequences"]
