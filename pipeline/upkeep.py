"""What is looked after day by day: index and store in step, stored bytes as they were, retention.

Nothing is repaired here but the index, which is a view. A fault in the store is told, never mended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from itertools import islice

from pipeline import runner
from pipeline.archive import State
from pipeline.bootstrap import Application
from pipeline.errors import (
    EvidenceError,
    IntegrityError,
    NotFound,
    ObjectMissing,
    TooManyChanges,
)
from pipeline.evidence import custody
from pipeline.index import rebuild as index_room
from pipeline.model import Frozen


class Finding(Frozen):
    """Something a person should look at."""

    broadcast_id: str
    """Which."""
    code: str
    """``altered``, ``unreadable``, ``retention``, a fault of the custody chain …"""
    detail: str
    """What is wrong."""


class Upkeep(Frozen):
    """What a round of upkeep found."""

    broadcasts: int
    """In the catalogue."""
    reconciled: int
    """Broadcasts whose documents were brought into step with the store."""
    verified: int
    """Broadcasts of this round's sample: every stored byte read and compared with its hash."""
    released: int
    """Broadcasts whose retention has ended: they may be removed, nothing here does it."""
    findings: tuple[Finding, ...]
    """What is wrong."""


def reconcile(app: Application) -> tuple[int, Finding | None]:
    """Bring the index into step with the catalogue; how many broadcasts differed.

    Where so many differ that a person should look first, nothing is changed and that is told.

    Raises:
        IndexUnavailable, SourceError.
    """
    try:
        found = index_room.reconcile(
            app.index,
            app.archive,
            publish=partial(runner.publish, app),
            apply=True,
            most_pm=app.settings.index.reconcile_most_pm,
        )
    except TooManyChanges as error:
        return 0, Finding(
            broadcast_id="", code=error.code, detail=f"{error.message} ({error.hint})"
        )
    return found.applied, None


def sample(prefixes: list[str], *, size: int, seed: str) -> list[str]:
    """So many of them, others each time the seed is another, the same ones for the same seed."""

    def rank(prefix: str) -> str:
        return hashlib.sha256(f"{seed} {prefix}".encode()).hexdigest()

    return sorted(islice(sorted(prefixes, key=rank), size))


def verify(app: Application, prefix: str) -> Iterator[Finding]:
    """Read everything of a broadcast's current state and compare it with its hashes."""
    name = prefix.rpartition("/")[2]
    try:
        state = app.archive.state_at(prefix)
        name = state.revision.broadcast.broadcast_id
        for output in state.release.outputs:
            app.archive.pack(output)
        checked = custody.check(app.archive, state, deep=True)
    except (IntegrityError, ObjectMissing, NotFound) as error:
        yield Finding(broadcast_id=name, code=error.code, detail=error.message)
        return
    for fault in checked.faults:
        yield Finding(broadcast_id=name, code=fault.code, detail=f"{fault.name}: {fault.reason}")


def retention(app: Application, prefix: str, *, now_utc_ms: int) -> Finding | bool:
    """Whether a broadcast's retention has ended; a finding where it is shorter than asked for."""
    try:
        state = app.archive.state_at(prefix)
    except EvidenceError as error:
        if error.transient:
            raise
        return Finding(broadcast_id=prefix, code=error.code, detail=error.message)
    until = state.revision.retain_until_utc_ms
    asked = _asked(app, state)
    if until is not None and asked is not None and until < asked:
        days = (asked - until) // 86_400_000
        return Finding(
            broadcast_id=state.revision.broadcast.broadcast_id,
            code="retention",
            detail=f"kept {days} days less than the settings ask for now",
        )
    return until is not None and until <= now_utc_ms


def _asked(app: Application, state: State) -> int | None:
    """Until when the settings of today would keep it; None without a wall clock."""
    broadcast, revision = state.revision.broadcast, state.revision
    if broadcast.ended_at is None and broadcast.started_at is None:
        return None
    end = broadcast.start_utc_ms or 0
    end = end + revision.duration_ms
    if broadcast.ended_at is not None:
        end = round(broadcast.ended_at.timestamp() * 1000)
    return end + app.settings.retention_days * 86_400_000
