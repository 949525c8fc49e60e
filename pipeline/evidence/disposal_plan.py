"""The plan of a disposal: what is past its retention and held by nothing, object by object.

Planning changes nothing. A broadcast without a wall clock has no end to count from and is never
planned; one that was taken in but not finished is in no catalogue and is not planned either.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pipeline.archive import Archive, broadcast_day, broadcast_id_of, catalogue_name
from pipeline.errors import InputError
from pipeline.evidence import holds
from pipeline.model import Frozen, Revision
from pipeline.ports import ObjectStat, ObjectStore
from pipeline.provenance import content_id, sha256_hex
from pipeline.timeline import utc_ms

_STAYS = ("custody/", "custody-roll/", "logged/")
_NAMED = re.compile(r".+/(?:packs|given|viewing)/([0-9a-f]{64})(?:\.\w+)?")
_DAY_MS = 86_400_000
_ZONES = timedelta(days=2)
"""A broadcast's own day is at most this far from that of Greenwich."""

KeepDays = Callable[[str], int]
"""Days from the end of a broadcast, by merchant."""


class Doomed(Frozen):
    """One object to be removed."""

    key: str
    """Where it lies."""
    size_bytes: int
    """Its size."""
    etag: str
    """The store's version tag."""
    sha256: str
    """Hash of its bytes."""


class Leaving(Frozen):
    """One broadcast to be disposed of."""

    broadcast_id: str
    """Which; hostile text."""
    prefix: str
    """Where it lies."""
    retain_until_utc_ms: int
    """When its retention ended, by its revisions and by the settings of the planning."""
    recordings: tuple[str, ...]
    """SHA-256 of its recordings."""
    objects: tuple[Doomed, ...]
    """Everything that is removed; its custody stays."""


class KeptBack(Frozen):
    """A broadcast that is past its retention and stays all the same."""

    broadcast_id: str
    """Which."""
    retain_until_utc_ms: int
    """When its retention ended."""
    held_by: tuple[str, ...]
    """``case:<name>``, ``legal_hold`` or ``object_lock`` in the store."""


class Plan(Frozen):
    """What would be disposed of, to be read by a person before it is carried out."""

    format: str = "replay-evidence-disposal-plan"
    """Says what it is."""
    schema_version: int = 1
    """Version of this form."""
    made_utc_ms: int
    """When."""
    by: str
    """Who asked for it."""
    why: str
    """Why."""
    broadcasts: tuple[Leaving, ...]
    """What would be removed."""
    kept_back: tuple[KeptBack, ...]
    """What is past its retention, and held."""

    @property
    def plan_id(self) -> str:
        """Its name in the store and in custody: a hash of the whole plan."""
        return content_id(plain(self))[:32]

    @property
    def size_bytes(self) -> int:
        """Bytes it removes."""
        return sum(one.size_bytes for item in self.broadcasts for one in item.objects)


def draw_up(
    archive: Archive,
    *,
    keep_days: KeepDays,
    least_days: int,
    now: datetime,
    by: str,
    why: str,
) -> Plan:
    """What is past its retention and not held; ``least_days`` is what every merchant's is kept.

    Raises:
        SourceError, UnknownFormat: something cannot be read.
    """
    leaving: list[Leaving] = []
    back: list[KeptBack] = []
    for prefix in _old(archive, now - timedelta(days=least_days)):
        until = kept_until(archive, prefix, keep_days)
        if until is None or until > utc_ms(now):
            continue
        item = leaving_of(archive, prefix, until)
        held = held_by(archive.store, item, now)
        if held:
            name, at = item.broadcast_id, item.retain_until_utc_ms
            back.append(KeptBack(broadcast_id=name, retain_until_utc_ms=at, held_by=held))
        else:
            leaving.append(item)
    made = utc_ms(now)
    return Plan(made_utc_ms=made, by=by, why=why, broadcasts=tuple(leaving), kept_back=tuple(back))


def _old(archive: Archive, before: datetime) -> list[str]:
    """Broadcasts that may have ended before an instant, by the catalogue's listing alone."""
    last = before.astimezone(UTC).date() + _ZONES
    days = (of for day, of in archive.days() if _no_later(day, last))
    return sorted({one.prefix for of in days for one in of})


def _no_later(day: str, last: date) -> bool:
    try:
        return date.fromisoformat(day) <= last
    except ValueError:
        return True  # undated, or none of our days: its revision says


def kept_until(archive: Archive, prefix: str, keep_days: KeepDays) -> int | None:
    """The latest end of retention of any revision, by itself and by today's settings.

    None where one has no wall clock: it never ends by itself.
    """
    latest = None
    for revision in archive.revisions(prefix):
        until = revision.retain_until_utc_ms
        if until is None:
            return None
        asked = _end_utc_ms(revision, until) + keep_days(revision.broadcast.merchant_id) * _DAY_MS
        latest = max(until, asked, latest or 0)
    return latest


def _end_utc_ms(revision: Revision, unknown: int) -> int:
    broadcast = revision.broadcast
    if broadcast.ended_at is not None:
        return utc_ms(broadcast.ended_at)
    start = broadcast.start_utc_ms
    return unknown if start is None else start + revision.duration_ms


def leaving_of(archive: Archive, prefix: str, until: int) -> Leaving:
    """A broadcast with all its objects and their hashes, as it is now."""
    revisions = list(archive.revisions(prefix))
    parts = [part for r in revisions for one in r.recordings for part in one.parts]
    known = {part.key: part.sha256 for part in parts}
    store = archive.store
    objects = [
        Doomed(
            key=stat.key,
            size_bytes=stat.size_bytes,
            etag=stat.etag,
            sha256=known.get(stat.key) or _sha256(store, stat.key),
        )
        for stat in stats_of(archive, prefix, {broadcast_day(r) for r in revisions})
    ]
    name = revisions[-1].broadcast.broadcast_id if revisions else broadcast_id_of(prefix)
    hashes = dict.fromkeys(one.sha256 for r in revisions for one in r.recordings)
    return Leaving(
        broadcast_id=name,
        prefix=prefix,
        retain_until_utc_ms=until,
        recordings=tuple(hashes),
        objects=tuple(objects),
    )


def stats_of(archive: Archive, prefix: str, days: Collection[str]) -> Iterator[ObjectStat]:
    """Everything of a broadcast but its custody; its places in these days' catalogues last."""
    store = archive.store
    for room in (f"live/{prefix}/", f"{prefix}/"):
        for stat in store.list(room):
            if not stat.key.removeprefix(f"{prefix}/").startswith(_STAYS):
                yield stat
    for day in sorted(days):
        for stat in store.list(f"catalogue/{day}/"):
            stem = stat.key.rpartition("/")[2].removesuffix(".json")
            number = stem.rpartition("~r")[2]
            if number.isdigit() and stem == catalogue_name(prefix, int(number)):
                yield stat


def _sha256(store: ObjectStore, key: str) -> str:
    """By its name, where that is its hash; else of its bytes."""
    named = _NAMED.fullmatch(key)
    return named[1] if named else sha256_hex(store.read(key))


def held_by(store: ObjectStore, item: Leaving, now: datetime) -> tuple[str, ...]:
    """What forbids the removal: cases, and the store's own holds and locks."""
    found = dict.fromkeys(f"case:{case}" for case in holds.covering(store, item.prefix))
    for one in item.objects:
        until = store.retained_until(one.key)
        if store.held(one.key):
            found["legal_hold"] = None
        if until is not None and until > now:
            found["object_lock"] = None
    return tuple(found)


def read_plan(data: bytes, *, name: str) -> Plan:
    """A plan from its file.

    Raises:
        InputError: it is none.
    """
    try:
        plan = Plan.model_validate_json(data)
    except ValueError as error:
        raise InputError(
            f"{name}: is no plan of a disposal",
            hint="make one: evidence dispose --plan plan.json",
            file=name,
        ) from error
    if plan.format != Plan.model_fields["format"].default:
        raise InputError(f"{name}: is no plan of a disposal", hint="give a plan", file=name)
    return plan


def plain(record: Frozen) -> dict[str, Any]:
    """A record as the JSON it is stored as."""
    found: dict[str, Any] = json.loads(record.model_dump_json())
    return found
