"""Serves the far side of the suite."""

import gc

import farcall
import numpy  # noqa: F401 - arrays must not pay for its import
import served

gc.collect()
gc.freeze()  # each behaviour ends with a collection, which then looks at its own objects alone
served.register()
farcall.serve(served.far(lambda: farcall.workers.host.sessions[-1]))
