"""What is waiting, on air, begun, done and set aside, and since when: from the store and the places."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Literal

from filelock import FileLock, Timeout

from pipeline.archive import broadcast_id_of
from pipeline.bootstrap import Application
from pipeline.evidence import custody
from pipeline.ingest.arrivals import arrivals
from pipeline.journal import Journal
from pipeline.ledger import Ledger
from pipeline.model import Frozen
from pipeline.provenance import shard
from pipeline.runner import bucket_opener
from pipeline.told import all_set_aside

MBIT_S = 2.0
"""Hours are told from bytes by this bit rate, without opening a recording."""


class Item(Frozen):
    """One arrival or broadcast that is not simply done."""

    name: str
    """Place of an arrival, or a broadcast id."""
    standing: Literal["waiting", "parked", "quarantined", "running", "unfinished", "on_air"]
    """``waiting``: not tried, or to be tried again; ``parked``: no worker had room for it, and
    ``message`` says what was short; ``unfinished``: begun, and nobody is at it on
    this machine; ``on_air``: sealed parts and no end yet."""
    age_s: int | None = None
    """Seconds since the last that is known of it; None where nothing is."""
    tries: int = 0
    """For an arrival: how often it was tried."""
    error: str = ""
    """Its last error code."""
    message: str = ""
    """And what it said."""
    hours: float = 0
    """For an arrival: recorded hours, estimated from its size."""


def standings(app: Application, places: Sequence[str] = ()) -> list[Item]:
    """Everything that is not done: arrivals tried or lying in ``places``, broadcasts begun, on air.

    Raises:
        InputError: no such place. StoreUnavailable, AccessDenied.
    """
    now_ms = time.time_ns() // 1_000_000
    found = [*_arrived(app, places, now_ms), *_begun(app, now_ms), *_on_air(app, now_ms)]
    found += _messages(app, now_ms)
    return sorted(found, key=lambda item: (item.standing, item.name))


def _arrived(app: Application, places: Sequence[str], now_ms: int) -> Iterator[Item]:
    ledger = Ledger(app.store)
    sheets = {sheet.digest: sheet for sheet in ledger.sheets()}
    bytes_of: dict[str, tuple[str, int]] = {}
    for place in places:
        for one in arrivals(place, s3=bucket_opener(app)):
            bytes_of[one.digest] = (one.place, one.media_bytes)
    for digest in sorted({*sheets, *bytes_of}):
        sheet = sheets.get(digest) or ledger.sheet(digest)
        if sheet.standing == "done" or (places and digest not in bytes_of):
            continue
        last = sheet.tries[-1] if sheet.tries else None
        place, size = bytes_of.get(digest, (last.place if last else digest, 0))
        yield Item(
            name=place,
            standing="parked" if sheet.parked else sheet.standing,
            age_s=_age(now_ms, last.at_utc_ms if last else None),
            tries=len(sheet.tries),
            error=last.error if last else "",
            message=last.message[:300] if last else "",
            hours=round(size * 8 / (MBIT_S * 1e6) / 3600, 3),
        )


def _begun(app: Application, now_ms: int) -> Iterator[Item]:
    finished = {entry.prefix for entry in app.archive.catalogue()}
    begun = {s.key.partition("/rev/")[0] for s in app.store.list("") if "/rev/" in s.key}
    for prefix in sorted(begun - finished):
        events = custody.events_of(app.store, prefix)
        last = max((int(e.body.get("at_utc_ms", 0)) for e in events), default=0)
        name = broadcast_id_of(prefix)
        yield Item(
            name=name,
            standing="running" if _held(app, name) else "unfinished",
            age_s=_age(now_ms, last or None),
        )


def _on_air(app: Application, now_ms: int) -> Iterator[Item]:
    rooms: dict[str, list[str]] = {}
    for stat in app.store.list("live/"):
        room, _, name = stat.key.rpartition("/")
        rooms.setdefault(room, []).append(name)
    for room, names in sorted(rooms.items()):
        if any(name.startswith("end-") for name in names):
            continue
        seals = [n for n in names if not n.startswith("end-")]
        last = Journal(app.store, room.removeprefix("live/")).sealed_at(max(seals))
        yield Item(name=broadcast_id_of(room), standing="on_air", age_s=_age(now_ms, last))


def _messages(app: Application, now_ms: int) -> Iterator[Item]:
    """Event messages that could not be used."""
    for name, message in all_set_aside(app.store):
        yield Item(
            name=name,
            standing="quarantined",
            age_s=_age(now_ms, message.at_utc_ms or None),
            error="message",
            message=message.reason[:300],
        )


def _held(app: Application, broadcast_id: str) -> bool:
    """Whether a process of this machine works on it now."""
    lock = FileLock(app.scratch / "locks" / f"{shard(broadcast_id)}.lock")
    try:
        with lock.acquire(timeout=0):
            return False
    except (Timeout, OSError):
        return lock.lock_file is not None


def _age(now_ms: int, at_ms: int | None) -> int | None:
    return None if at_ms is None else max(0, (now_ms - at_ms) // 1000)
