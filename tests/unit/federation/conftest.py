"""Flower, imported once: its dependencies warn about each other, which is not ours to mend."""

import os
import warnings

os.environ.update(FLWR_TELEMETRY_ENABLED="0", FLWR_DISABLE_UPDATE_CHECK="1")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import flwr.app
    import flwr.clientapp
    import flwr.proto.heartbeat_pb2
    import flwr.serverapp.strategy  # noqa: F401
