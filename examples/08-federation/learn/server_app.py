"""What the server does: one of Flower's strategies, guarded, and what participants are shown."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import flwr.serverapp.strategy as strategies
import nn
from federation.server.accountant import DELTA, Accountant
from federation.server.guard import Guard
from flwr.app import ArrayRecord, ConfigRecord, MetricRecord
from flwr.serverapp import ServerApp

from learn import task

app = ServerApp()


class Shown(Guard):
    """A guard that shows each participant how the federation stands, and what noise is worth."""

    def __init__(self, strategy, multiplier, **options):
        super().__init__(strategy, **options)
        self.accountant = Accountant(multiplier)

    def aggregate_train(self, server_round, replies):
        replies = list(replies)
        self.accountant.count(r.metadata.src_node_id for r in replies if r.has_content())
        return super().aggregate_train(server_round, replies)

    def configure_train(self, server_round, arrays, config, grid):
        config["nodes"] = len(list(grid.get_node_ids()))
        return super().configure_train(server_round, arrays, config, grid)

    def configure_evaluate(self, server_round, arrays, config, grid):
        config["nodes"] = len(list(grid.get_node_ids()))
        if self.accountant.multiplier:
            config["epsilon"], config["delta"] = self.accountant.epsilon(), DELTA
        return super().configure_evaluate(server_round, arrays, config, grid)


def strategy(config):
    """Return the run's strategy, one of Flower's by its name."""
    few = int(config["min-nodes"])
    options = {"proximal_mu": config["proximal-mu"]} if config["strategy"] == "FedProx" else {}
    made = getattr(strategies, config["strategy"])(
        fraction_train=config["fraction-train"], min_train_nodes=few, min_evaluate_nodes=few,
        min_available_nodes=few, fraction_evaluate=config["fraction-evaluate"], **options,
    )  # fmt: skip
    return Shown(made, config["noise-multiplier"], most_change=config["most-change"])


def test_set(images):
    """Return a Dataset of images that no participant has."""
    folder = Path(os.environ["LEARN_MNIST"])
    parts = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
    data = nn.Dataset.from_idx(*[(folder / part).read_bytes() for part in parts])
    return data.take(images)


@app.main()
def main(grid, context):
    config = context.run_config
    with suppress(OSError):  # without them NumPy does the work
        nn.kernels.load()
    model, images = task.network(), test_set(int(config["test-images"]))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])

    def evaluate(server_round, arrays):
        model.set_weights(arrays.to_numpy_ndarrays())
        return MetricRecord(asyncio.run(model.evaluate(images, batch_size=500, return_dict=True)))

    names = ("epochs", "learning-rate", "proximal-mu", "clipping-norm", "noise-multiplier")
    rounds = int(config["num-server-rounds"])
    about = {"rounds": rounds, "classes": task.CLASSES}
    strategy(config).start(
        grid=grid, initial_arrays=ArrayRecord(model.get_weights()), num_rounds=rounds,
        timeout=config["timeout"], evaluate_fn=evaluate,
        train_config=ConfigRecord({name: config[name] for name in names} | about),
        evaluate_config=ConfigRecord(about),
    )  # fmt: skip
