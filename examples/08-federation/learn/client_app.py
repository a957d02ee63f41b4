"""What a participant does: the same text in a flower-supernode and in a browser's tab.

In a tab `flwr` is not there: `federation.flower_names.provide()` gives its names before this is
imported, and the page's worker sets `held["device"]`.
"""

import os
from contextlib import suppress
from pathlib import Path

import nn
from federation.client_app import awaited
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from learn import task

app = ClientApp()
held = {}


def device(context):
    """Return this participant's device, made at its first message."""
    if "device" not in held:
        with suppress(OSError):  # without them NumPy does the work
            nn.kernels.load()
        folder = Path(os.environ["LEARN_MNIST"])
        parts = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
        data = nn.Dataset.from_idx(*[(folder / part).read_bytes() for part in parts])
        number = int(context.node_config["partition-id"])
        held["device"] = task.Device(task.network(), *task.share(data, number))
    return held["device"]


@app.train()
@awaited
async def train(message, context):
    received = message.content.array_records["arrays"].to_numpy_ndarrays()
    asked = message.content.config_records["config"]
    arrays, metrics = await device(context).train(received, asked)
    content = {"arrays": ArrayRecord(arrays), "metrics": MetricRecord(metrics)}
    return Message(RecordDict(content), reply_to=message)


@app.evaluate()
@awaited
async def evaluate(message, context):
    received = message.content.array_records["arrays"].to_numpy_ndarrays()
    metrics = await device(context).evaluate(received)
    return Message(RecordDict({"metrics": MetricRecord(metrics)}), reply_to=message)
