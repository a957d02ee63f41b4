"""Limits of a connection: what a program may override."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def overridden(known: "Mapping[str, int]", given: "Mapping[str, int] | None") -> "dict[str, int]":
    """Return the limits that there are, with those that are given in their place.

    Raises:
        TypeError: there is no such limit.
    """
    found = dict(known, **(given or {}))
    if len(found) > len(known):
        raise TypeError(f"limits: expected {', '.join(known)}, received {given}")
    return found
