from pathlib import Path

import nn
from nn.io.fetch import fetch

__export__ = ["start", "classify"]


def load_kernels(content):
    Path("simd.so").write_bytes(content)
    nn.kernels.load("./simd.so")


async def start(site):
    """Load the kernels and the network from the folder of a site where they are."""
    global model
    load_kernels(await fetch(f"{site}kernels/simd.so"))
    nn.applications.set_folder(f"{site}applications")
    model = await nn.applications.EfficientNetLite0()


async def classify(address):
    """Return the five most likely names of an image, with their scores."""
    image = await nn.applications.load_image(await fetch(address), model)
    [found] = await nn.applications.decode_predictions(await model.predict(image), top=5)
    return [[name, score] for _, name, score in found]
