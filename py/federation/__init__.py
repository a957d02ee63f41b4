"""A node of a Flower federation, in pure Python: for CPython and for a browser's worker.

>>> from federation import ArrayRecord, ClientApp, Fleet, Message, Node
>>> node = Node(app, Fleet(transport, key))
>>> await node.run()

Names are Flower's (`flwr.app`, `flwr.clientapp`). `federation.platform` has keys and transports;
`nn.federated` the arithmetic of servers.
"""

from federation.client_app import ClientApp, awaited
from federation.errors import (
    FederationError,
    FleetError,
    MissingRecordError,
    NetworkMismatchError,
    UnknownNodeError,
    UnreachableError,
)
from federation.fleet import Answer, Fleet
from federation.message import Context, Error, Message, Metadata
from federation.network import expect_network
from federation.node import Node
from federation.records import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict

__all__ = [
    "Answer",
    "Array",
    "ArrayRecord",
    "ClientApp",
    "ConfigRecord",
    "Context",
    "Error",
    "FederationError",
    "Fleet",
    "FleetError",
    "Message",
    "Metadata",
    "MetricRecord",
    "MissingRecordError",
    "NetworkMismatchError",
    "Node",
    "RecordDict",
    "UnknownNodeError",
    "UnreachableError",
    "awaited",
    "expect_network",
]
