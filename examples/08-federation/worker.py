import asyncio
import json
from base64 import b64encode

import farcall  # first: its listener must be there before the page knocks
import nn
from federation import Fleet, Node, flower_names
from federation.platform.browser import BrowserKey, FetchTransport
from nn.io.fetch import fetch

flower_names.provide()  # before the app, which imports flwr
from learn import client_app, task

PARTS = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")


class Participant:
    """What the page may ask of this tab's node."""

    def __init__(self, shown):
        self.shown, self.rounds = shown, []
        self.node = self.running = None

    async def prepare(self, number, data):
        """Take this participant's share of the images."""
        files = [await fetch(data + part) for part in PARTS]
        images = task.share(nn.Dataset.from_idx(*files), number)
        client_app.held["device"] = task.Device(*images)

    async def join(self, address, token):
        """Be a node of the federation at this address."""
        fleet = Fleet(FetchTransport(address), await BrowserKey.load(), token)
        self.address = address
        self.node = Node(self.answer, fleet, on_change=self.changed)
        self.running = asyncio.create_task(self.run())

    async def run(self):
        try:
            await self.node.run()
        except Exception as error:
            self.node.problem = str(error)
            self.changed(self.node)

    async def answer(self, message, context):
        reply = await client_app.app(message, context)
        if message.metadata.message_type == "evaluate":
            accuracy = reply.content["metrics"]["accuracy"]
            config = message.content["config"]
            about = f"{config['nodes']} nodes, {accuracy:.1%} of this device's own images"
            if "epsilon" in config:
                about += f", epsilon {config['epsilon']:.2g} at delta {config['delta']:.0e}"
            self.rounds.append(f"{about} (round {config['server-round']} of {config['rounds']})")
        return reply

    def changed(self, node):
        self.shown(node.state, node.problem, list(self.rounds))

    async def farewell(self):
        """Return what the page posts when it is closed, as JSON."""
        path, body, headers = await self.node.farewell()
        said = {"url": self.address + path, "body": b64encode(body).decode(), "headers": headers}
        return json.dumps(said)

    async def leave(self):
        """Leave the federation; the network stays here."""
        self.node.stop()
        await self.running


farcall.serve({"Participant": Participant})
