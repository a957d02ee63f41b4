"""A process of `mpirun`, as docs/team.md shows one: trains, and the first prints what came out."""

import asyncio
import json

import nn
import numpy as np
from mpi4py import MPI

from tests.support.documents import DOCS, blocks, run

documented = {}
asyncio.run(run(blocks(DOCS / "team.md")[0], documented))  # train.py as it stands
Mpi = documented["Mpi"]


def network():
    nn.set_random_seed(1)
    layers = [nn.Dense(8), nn.BatchNormalization(), nn.ReLU(), nn.Dropout(0.2)]
    model = nn.Sequential([nn.Input((12,)), *layers, nn.Dense(3, activation="softmax")])
    model.compile(nn.SGD(0.1, 0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


async def train(group):
    nn.distribution.set_distribution(group and nn.distribution.DataParallel(group))
    model = network()
    nn.distribution.set_distribution(None)
    x = np.random.default_rng(0).standard_normal((90, 12), np.float32)
    y = np.random.default_rng(1).integers(0, 3, 90)
    losses = []
    await model.fit(
        x, y, batch_size=16, epochs=3, seed=2,
        on_batch_end=lambda _, logs: losses.append(logs["batch_loss"]),
    )  # fmt: skip
    return losses, b"".join(w.tobytes() for w in model.get_weights()), model.distribution


losses, weights, says = asyncio.run(train(Mpi()))
all_weights = MPI.COMM_WORLD.gather(weights)
if not Mpi.rank:
    found = {"losses": losses, "says": says, "equal": len(set(all_weights)) == 1}
    print(json.dumps(found | {"alone": asyncio.run(train(None))[0]}))  # noqa: T201
