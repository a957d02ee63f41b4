"""Fails before it imports farcall."""

import there_is_no_such_module  # noqa: F401
