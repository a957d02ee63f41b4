"""Ends without serving."""

import farcall  # noqa: F401
