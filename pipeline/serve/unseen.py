"""The words for what is hidden from a viewer: those for what is not there."""

from __future__ import annotations

from pipeline.errors import NotFound


def no_claim(claim_id: str) -> NotFound:
    """The very words of :meth:`Service.claim`."""
    return NotFound(
        f"no claim {claim_id!r} in this workspace",
        hint="ids stand in `evidence claims BROADCAST` and in search results",
    )


def no_broadcast(broadcast_id: str) -> NotFound:
    """The very words of :meth:`Archive.prefix`."""
    return NotFound(
        f"no broadcast {broadcast_id!r} in this workspace",
        hint="`evidence status` lists what is here",
    )
