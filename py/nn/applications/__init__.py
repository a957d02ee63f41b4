"""Networks for photographs, ready to use: named as in Keras 3 (`keras.applications`).

>>> model = await nn.applications.EfficientNetLite0()
>>> image = await nn.applications.load_image(file, model)
>>> await nn.applications.decode_predictions(await model.predict(image), top=5)
[[("n02124075", "Egyptian cat", 0.37), ...]]

Weights and names are files of their own, downloaded when they are asked for.
"""

from typing import TYPE_CHECKING

from nn.lazy import lookup

if TYPE_CHECKING:
    from nn.applications.efficientnet_lite0 import EfficientNetLite0
    from nn.applications.imagenet import decode_predictions
    from nn.applications.mobilenet_v2 import MobileNetV2
    from nn.applications.photographs import load_image
    from nn.applications.preprocessing import preprocess_input
    from nn.applications.published import set_folder

HOMES = {
    "nn.applications.efficientnet_lite0": ("EfficientNetLite0",),
    "nn.applications.imagenet": ("decode_predictions",),
    "nn.applications.mobilenet_v2": ("MobileNetV2",),
    "nn.applications.photographs": ("load_image",),
    "nn.applications.preprocessing": ("preprocess_input",),
    "nn.applications.published": ("set_folder",),
}
"""Module -> names that the package has from it."""

if not TYPE_CHECKING:  # as in nn
    __all__ = sorted(name for names in HOMES.values() for name in names)
    __getattr__, __dir__ = lookup(__name__, HOMES)
