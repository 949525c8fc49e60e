"""What the API's routes share: who asks, the form of errors, pages with cursors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query, Request, Security
from fastapi.security import HTTPBearer

from pipeline.errors import InputError
from pipeline.index.hits import read_cursor, write_cursor
from pipeline.model import Frozen
from pipeline.serve.desk import Desk, Office

Item = TypeVar("Item")
LONGEST_CURSOR = 4000


class Problem(Frozen):
    """An error (RFC 9457)."""

    type: str
    """``urn:replay-evidence:error:<code>``."""
    title: str
    """The code: stable, for programs."""
    status: int
    """The HTTP status."""
    detail: str
    """What went wrong and where."""
    hint: str
    """What to do next; may be empty."""


class Page(Frozen, Generic[Item]):
    """Some of many."""

    items: tuple[Item, ...]
    """In order."""
    cursor: str
    """Give it back for the next page; empty on the last."""


_SAID = {
    400: "The request cannot be understood.",
    401: "No key, or one that opens nothing.",
    403: "The role may not do this.",
    404: "Not there, or not to be seen by whoever asks.",
    405: "Not done at this address.",
    413: "The request is too large.",
    422: "A parameter has the wrong form.",
    429: "Too many requests; Retry-After says how long to wait.",
    500: "The recording, a stored object or the program is at fault.",
    502: "The object store refused.",
    503: "The store or the index does not answer now, or it took too long.",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": words,
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    for status, words in _SAID.items()
}
bearer = Security(HTTPBearer(auto_error=False, description="A key: `re_…`"))
"""Only described here; the gate has looked at it before any route is reached."""


def office_of(request: Request) -> Office:
    """What this application serves."""
    found: Office = request.app.state.office
    return found


def desk_of(request: Request) -> Desk:
    """The workspace within the limits of whoever asks; the gate has seen to it that one does."""
    return Desk(office_of(request), request.state.viewer)


Works = Annotated[Desk, Depends(desk_of)]
Cursor = Annotated[str, Query(max_length=LONGEST_CURSOR)]
Size = Annotated[int, Query(ge=1, le=1000)]


def cut(
    rows: Sequence[Item], *, size: int, cursor: str, version: int = 0
) -> tuple[tuple[Item, ...], str]:
    """A page of rows, and the cursor after it; ``version`` is that of the whole list.

    Raises:
        QueryError: not a cursor. InputError: the list changed since.
    """
    at = 0
    if cursor:
        known, at = (_number(part) for part in read_cursor(cursor, fields=2))
        if known != version:
            raise InputError("this list changed meanwhile", hint="begin again without a cursor")
    after = at + size
    return tuple(rows[at:after]), write_cursor([version, after]) if after < len(rows) else ""


def _number(part: Any) -> int:
    if not isinstance(part, int) or isinstance(part, bool) or not 0 <= part < 1 << 53:
        raise InputError("the cursor is not one of a former answer", hint="begin without one")
    return part
