"""Where earlier programs for Keras look for what is in `nn.utils` (`keras.preprocessing`)."""

from nn.preprocessing import image, sequence

__all__ = ["image", "sequence"]
