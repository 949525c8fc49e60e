"""What can go wrong between a program and the desk, as a tree.

DeskError
├ Unreachable      no answer came
├ NotSignedIn      401: no key, or one that opens nothing
├ NotAllowed       403: the key's role may not do this
├ NotFound         404: not there, or not for this key
├ BadRequest       400, 405, 413, 416, 422: the request is at fault
├ TooMany          429: still refused after all tries
├ Unavailable      502, 503: the store or the index does not answer
├ ServerFault      any other refusal
├ Archived         the recording lies in an archive; ``state`` says until when
└ Damaged          what was fetched is not what the desk says it is
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .records import ClipAway


class DeskError(Exception):
    """Something went wrong; ``status`` is 0 where no answer came."""

    def __init__(self, detail: str, *, status: int = 0, code: str = "", hint: str = "") -> None:
        super().__init__(f"{detail} ({hint})" if hint else detail)
        self.detail, self.status, self.code, self.hint = detail, status, code, hint


class Unreachable(DeskError):
    """No answer came."""


class NotSignedIn(DeskError):
    """No key, or one that opens nothing."""


class NotAllowed(DeskError):
    """The key's role may not do this."""


class NotFound(DeskError):
    """Not there, or not for this key: the desk does not say which."""


class BadRequest(DeskError):
    """The request is at fault; ``detail`` says where."""


class TooMany(DeskError):
    """Still too many requests after all tries."""


class Unavailable(DeskError):
    """The store or the index does not answer now."""


class ServerFault(DeskError):
    """The recording, a stored object or the desk is at fault."""


class Damaged(DeskError):
    """What was fetched is not what the desk says it is; nothing of it was kept."""


class Archived(DeskError):
    """The recording is archived; ask again when it is back."""

    def __init__(self, state: ClipAway) -> None:
        recording = state["recording"]
        said = recording["sentence"].get("en", f"the recording is {recording['state']}")
        super().__init__(said, status=202, code="archived")
        self.state = state
        """When it can be read, and a copy to look at meanwhile."""


_KINDS: dict[int, type[DeskError]] = {
    400: BadRequest,
    401: NotSignedIn,
    403: NotAllowed,
    404: NotFound,
    405: BadRequest,
    413: BadRequest,
    416: BadRequest,
    422: BadRequest,
    429: TooMany,
    502: Unavailable,
    503: Unavailable,
}


def error_of(status: int, body: Any) -> DeskError:
    """The error that an answer tells of; ``body`` is its problem+json, or anything else."""
    said: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    return _KINDS.get(status, ServerFault)(
        str(said.get("detail") or f"the desk answered {status}"),
        status=status,
        code=str(said.get("title", "")),
        hint=str(said.get("hint", "")),
    )
