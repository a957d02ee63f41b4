"""Workers: serve in one, connect to one, start and pool them.

page    `connect`, and what a page may do to a worker
worker  `serve`
life    how each side learns that the other is gone
started `Worker`: started from Python, and again when it died
pool    `Pool`: several of them
rooms   which of them a job waits for
teams   `Team`: workers with ports to each other
"""

from farcall.workers.page import Engine, connect, interrupt, port, terminate
from farcall.workers.worker import Host, host, serve, serve_shared

__all__ = [
    "Engine",
    "Host",
    "connect",
    "host",
    "interrupt",
    "port",
    "serve",
    "serve_shared",
    "terminate",
]
