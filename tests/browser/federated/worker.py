import farcall  # first: its listener must be there before the page knocks
import federation
import nn
from nn.io.fetch import fetch
from nn.ort.session import TrainingSession


class Device:
    """What the page may ask of a device: its client, and what the server does."""

    async def client(self, number, base, data):
        addresses = {name: f"{base}artifacts/{file}" for name, file in federation.PARTS}
        session = await TrainingSession.create(**addresses)
        files = [await fetch(f"{data}t10k-{part}-ubyte.gz") for part in PARTS]
        return federation.Client(number, session, nn.Dataset.from_idx(*files))

    def combine(self, results):
        return federation.combine(results)


PARTS = ("images-idx3", "labels-idx1")
farcall.serve({"Device": Device})
