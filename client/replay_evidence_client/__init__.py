"""Ask a Replay Evidence desk over HTTP."""

from .client import Client
from .errors import (
    Archived,
    BadRequest,
    Damaged,
    DeskError,
    NotAllowed,
    NotFound,
    NotSignedIn,
    ServerFault,
    TooMany,
    Unavailable,
    Unreachable,
)

__all__ = [
    "Archived",
    "BadRequest",
    "Client",
    "Damaged",
    "DeskError",
    "NotAllowed",
    "NotFound",
    "NotSignedIn",
    "ServerFault",
    "TooMany",
    "Unavailable",
    "Unreachable",
]
