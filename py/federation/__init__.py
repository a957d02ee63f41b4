"""A node of a Flower federation, in pure Python: for CPython and for a browser's worker.

>>> from federation import ArrayRecord, ClientApp, Message, Node

`nn.federated` has the arithmetic of servers. Names are Flower's (`flwr.app`, `flwr.clientapp`).
"""
