"""Measurements of the engine and the RPC layer against their peers, in one run on one machine."""
