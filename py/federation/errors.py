"""Errors of a federation.

FederationError
├── FleetError (ConnectionError)   the SuperLink, or the gateway before it, refused a call
│   └── UnknownNodeError           it does not know this node: its key, or its clock
├── UnreachableError (OSError)     no answer came
├── NetworkMismatchError (ValueError)  the federation trains another network
└── MissingRecordError (KeyError)  a message or a record does not have what was asked for

Damaged bytes raise the errors of files: `nn.io.errors.FormatError` and its kinds.
"""

from __future__ import annotations

__all__ = [
    "FederationError",
    "FleetError",
    "MissingRecordError",
    "NetworkMismatchError",
    "UnknownNodeError",
    "UnreachableError",
]


PASSING = (408, 425, 429)  # statuses after which the same call may succeed; and those above 501


class FederationError(Exception):
    """Base of all errors of a federation.

    Attributes:
        passing: whether the same call may succeed later.
    """

    passing = False


class FleetError(FederationError, ConnectionError):
    """A call was refused.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, call: str, status: int, reason: str) -> None:
        super().__init__(f"{call}: expected status 200, received {status}: {reason}")
        self.status, self.passing = status, status in PASSING or status > 501


class UnknownNodeError(FleetError):
    """The SuperLink does not know this node: it was restarted, or the node's clock is wrong."""


class UnreachableError(FederationError, OSError):
    """No answer came: no network, or no server at this address."""

    passing = True


class NetworkMismatchError(FederationError, ValueError):
    """The federation trains another network than this one."""


class MissingRecordError(FederationError, KeyError):
    """A message, or one of its records, does not have what was asked for."""

    __str__ = Exception.__str__  # a KeyError shows its text in quotes
