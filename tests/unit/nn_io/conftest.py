"""Hypothesis without a deadline: other work on the machine is no fault of an example."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
