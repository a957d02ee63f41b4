"""nn: xor is learned, by NumPy or by compiled kernels (argument: compiled), saved and opened."""

import asyncio
import sys

import nn
import numpy as np


async def main():
    if "compiled" in sys.argv:
        nn.kernels.load()
    nn.set_random_seed(1)
    inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    answers = np.array([0, 1, 1, 0], np.float32)
    layers = [nn.Input((2,)), nn.Dense(16, activation="tanh"), nn.Dense(1, activation="sigmoid")]
    model = nn.Sequential(layers)
    model.compile(nn.optimizers.Adam(0.05), "binary_crossentropy")
    await model.fit(inputs, answers, epochs=200, batch_size=4, verbose=0)
    said = await model.predict(inputs)
    assert (said[:, 0].round() == answers).all(), said
    opened = nn.io.load(nn.io.save(model, "safetensors"))
    assert np.array_equal(await opened.predict(inputs), said)
    print(f"nn: xor is learned with {nn.kernels.backend().name} kernels ({nn.__file__})")


if __name__ == "__main__":
    asyncio.run(main())
