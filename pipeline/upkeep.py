"""What is looked after day by day: index and store in step, stored bytes as they were, retention.

Nothing is repaired here but the index, which is a view. A fault in the store is told, never mended.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from pipeline import runner
from pipeline.archive import State
from pipeline.bootstrap import Application
from pipeline.errors import (
    EvidenceError,
    InputError,
    IntegrityError,
    NotFound,
    ObjectMissing,
    TooManyChanges,
    UnknownFormat,
)
from pipeline.evidence import custody, custody_log, holds
from pipeline.index import rebuild as index_room
from pipeline.model import Frozen
from pipeline.ports import ObjectStore
from pipeline.provenance import canonical_bytes, leaf_hash, merkle_root, sha256_hex

_DAY_MS = 86_400_000


class Finding(Frozen):
    """Something a person should look at."""

    broadcast_id: str
    """Which; for the custody log and for bundles the name of the entry, object or file."""
    code: str
    """``bytes``, ``retention``, ``log_root``, a fault of the custody chain, ``bundle_<check>`` …"""
    detail: str
    """What is wrong."""


class Past(Frozen):
    """A broadcast whose retention has ended: it may be removed; nothing here does it."""

    broadcast_id: str
    """Which."""
    retain_until_utc_ms: int
    """When its retention ended."""
    days: int
    """So many whole days ago."""
    held_by: tuple[str, ...] = ()
    """What forbids its removal all the same: ``case:<name>``, ``legal_hold``, ``object_lock`` (a
    later date in the store than in its revision). Empty: nothing does."""


class Upkeep(Frozen):
    """What a round of upkeep found."""

    broadcasts: int
    """In the catalogue."""
    reconciled: int
    """Broadcasts whose documents were brought into step with the store."""
    verified: int
    """Broadcasts of this round's sample: every stored byte read and compared with its hash."""
    log_entries: int
    """Entries of the custody log, whose chain and roots were computed again."""
    bundles: int
    """Sealed bundles of this round's sample that were checked."""
    past: tuple[Past, ...]
    """Broadcasts whose retention has ended, and what holds them."""
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


def size_of(count: int, *, size: int, share: float) -> int:
    """How many of so many a sample has: ``share`` per cent, rounded up, where given; else ``size``."""
    return min(count, math.ceil(count * share / 100) if share else size)


def log(app: Application, prefixes: Collection[str]) -> tuple[int, list[Finding]]:
    """Compute chain and roots of the custody log again; entries, and what does not hold.

    The events themselves are read for these broadcasts alone.
    """
    found: list[Finding] = []
    previous, number = "", 0
    try:
        for number, entry in enumerate(custody_log.entries(app.store), 1):
            name = f"{entry.stem}.json"
            if (entry.head.get("number"), entry.head.get("previous")) != (number, previous):
                found.append(_finding(name, "log_chain", "it does not follow the entry before it"))
            leaves = [bytes.fromhex(leaf) for _, leaf in entry.events]
            if merkle_root(leaves).hex() != entry.head.get("root"):
                found.append(_finding(name, "log_root", "its events do not lead to its root"))
            found += _unlike_log(app, entry, prefixes)
            previous = sha256_hex(canonical_bytes(entry.head))
    except UnknownFormat as error:
        found.append(_finding("", error.code, error.message))
    return number, found


def _unlike_log(
    app: Application, entry: custody_log.Entry, prefixes: Collection[str]
) -> Iterator[Finding]:
    """Events of these broadcasts that are not as the log has them."""
    for key, leaf in entry.events:
        if key.partition("/custody/")[0] not in prefixes:
            continue
        try:
            same = leaf_hash(app.store.read(key)).hex() == leaf
        except ObjectMissing:
            same = False
        if not same:
            yield _finding(key, "log_event", "it is missing, or not as it was gathered")


def bundles(folders: Sequence[Path]) -> list[Path]:
    """The sealed bundles in these folders: folders with a manifest, and zips."""
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(
                f"{folder}: there is no such folder",
                hint="name the folder that bundles are written to",
                file=str(folder),
            )
        inside = sorted(folder.iterdir())
        found += [p for p in inside if p.suffix == ".zip" or (p / "MANIFEST.json").is_file()]
    return found


def bundle(place: Path) -> list[Finding]:
    """Check one sealed bundle by the script that lies in every bundle."""
    from pipeline.evidence.verify_bundle import Asked, verify

    report = verify(Asked(place))
    failed = [check for check in report.checks if check.status == "fail"]
    return [
        _finding(place.name, f"bundle_{c.number}_{c.name}", f"{c.code}: {c.sentence}")
        for c in failed
    ]


@runtime_checkable
class _Holds(Protocol):
    """A store that says what forbids an object's removal."""

    def held(self, key: str) -> bool: ...

    def retained_until(self, key: str) -> datetime | None: ...


def retention(app: Application, prefix: str, *, now_utc_ms: int) -> Finding | Past | None:
    """A broadcast whose retention has ended, or is shorter than asked for; None for any other."""
    try:
        state = app.archive.state_at(prefix)
    except EvidenceError as error:
        if error.transient:
            raise
        return _finding(prefix, error.code, error.message)
    until = state.revision.retain_until_utc_ms
    asked = _asked(app, state)
    name = state.revision.broadcast.broadcast_id
    if until is not None and asked is not None and until < asked:
        days = (asked - until) // _DAY_MS
        return _finding(name, "retention", f"kept {days} days less than the settings ask for now")
    if until is None or until > now_utc_ms:
        return None
    return Past(
        broadcast_id=name,
        retain_until_utc_ms=until,
        days=(now_utc_ms - until) // _DAY_MS,
        held_by=(
            *(f"case:{case}" for case in holds.covering(app.store, prefix)),
            *_held_by(app.store, prefix, now_utc_ms),
        ),
    )


def _held_by(store: object, prefix: str, now_utc_ms: int) -> tuple[str, ...]:
    """What the store itself sets against removing a broadcast, by its revisions and recordings."""
    if not isinstance(store, _Holds):
        return ()
    found: dict[str, None] = {}
    for room in ("rev", "media"):
        for stat in cast("ObjectStore", store).list(f"{prefix}/{room}/"):
            until = store.retained_until(stat.key)
            if store.held(stat.key):
                found["legal_hold"] = None
            if until is not None and until.timestamp() * 1000 > now_utc_ms:
                found["object_lock"] = None
    return tuple(found)


def _finding(name: str, code: str, detail: str) -> Finding:
    return Finding(broadcast_id=name, code=code, detail=detail)


def _asked(app: Application, state: State) -> int | None:
    """Until when the settings of today would keep it; None without a wall clock."""
    broadcast, revision = state.revision.broadcast, state.revision
    if broadcast.ended_at is None and broadcast.started_at is None:
        return None
    end = broadcast.start_utc_ms or 0
    end = end + revision.duration_ms
    if broadcast.ended_at is not None:
        end = round(broadcast.ended_at.timestamp() * 1000)
    return end + app.settings.keep_days(broadcast.merchant_id) * _DAY_MS
