"""Who did what with a broadcast, and when: events that follow each other, writer by writer.

Each workspace is a writer with a chain of its own in each broadcast, so that nothing races for
a next number: event ``n`` names the SHA-256 of event ``n - 1``. ``ingested`` events stand apart
(one a revision, written before any chain); they hold the recordings' hashes and roots.

    <prefix>/custody/<writer>-e000001.json      one event
    <prefix>/custody-roll/000001-<hash>.json    copies of so many events in one object

A bundle needs all of them, and reads the newest roll instead of each. What counts is the event; that
the copies are true is checked with the rest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pipeline.archive import Archive, State
from pipeline.errors import EvidenceError, ObjectArchived, UnknownFormat
from pipeline.model import RecordingPart
from pipeline.ports import ObjectStore
from pipeline.provenance import VERSION, canonical_bytes, sha256_hex
from pipeline.timeline import utc_ms

_NUMBERED = re.compile(r"(?P<writer>.+)-e(?P<number>\d{6})")
_TRIES = 50
_ROLL_ALWAYS = 64
_ROLL_EVERY = 8
"""After so many events a roll is written with every eighth only: it grows with each."""


class Event(NamedTuple):
    """One stored event."""

    name: str
    body: dict[str, Any]
    data: bytes


class Fault(NamedTuple):
    """Something in a broadcast's custody that does not hold."""

    name: str
    """The event, or the recording."""
    code: str
    reason: str


class Checked(NamedTuple):
    """What `evidence custody verify` found in one broadcast."""

    broadcast_id: str
    events: int
    writers: int
    recordings: int
    faults: tuple[Fault, ...]
    archived: int = 0
    """Recordings that could not be read again because they are archived; only where asked to."""


def events_of(store: ObjectStore, prefix: str) -> list[Event]:
    """A broadcast's events: those of the ingest, then each writer's chain.

    Raises:
        UnknownFormat: an event is no JSON object.
    """
    keys = [stat.key for stat in store.list(f"{prefix}/custody/")]
    return _in_order(_event(key, store.read(key)) for key in keys)


def rolled_events(store: ObjectStore, prefix: str) -> list[Event]:
    """The same from the newest roll, and one by one only what it does not hold.

    Raises:
        UnknownFormat: an event or the roll cannot be read.
    """
    return _beside(store, prefix, _newest_roll(store, prefix))


def _beside(store: ObjectStore, prefix: str, roll: Sequence[Event]) -> list[Event]:
    known = {event.name: event for event in roll}
    keys = [stat.key for stat in store.list(f"{prefix}/custody/")]
    return _in_order(known.get(_name(key)) or _event(key, store.read(key)) for key in keys)


def _in_order(events: Iterable[Event]) -> list[Event]:
    return sorted(
        events, key=lambda event: (_NUMBERED.fullmatch(event.name) is not None, event.name)
    )


def _event(key: str, data: bytes) -> Event:
    try:
        body = json.loads(data)
    except ValueError as error:
        raise UnknownFormat(f"{key}: is no custody event") from error
    return Event(_name(key), body if isinstance(body, dict) else {}, data)


def _name(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".json")


def _newest_roll(store: ObjectStore, prefix: str) -> list[Event]:
    keys = [stat.key for stat in store.list(f"{prefix}/custody-roll/")]
    if not keys:
        return []
    try:
        rows = json.loads(store.read(max(keys)))["events"]
        return [Event(row["name"], row["body"], canonical_bytes(row["body"])) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise UnknownFormat(f"{max(keys)}: is no roll of custody events") from error


def processed(
    archive: Archive, state: State, *, writer: str, retain_until: datetime | None = None
) -> None:
    """Note once that a release was made and of what, and see that the newest roll holds all.

    Raises:
        SourceError: the store could not take it.
    """
    store, prefix, number = archive.store, state.prefix, state.release.number
    roll = _newest_roll(store, prefix)
    events = _beside(store, prefix, roll)
    if any(_made(event) == number for event in events):
        if len(events) > len(roll):
            _roll(store, prefix, events, retain_until)
        return
    about = {
        "release": number,
        "revision": state.release.revision,
        "outputs": {output.stage: output.content for output in state.release.outputs},
    }
    record(
        archive,
        state,
        "processed",
        writer=writer,
        by=writer,
        about=about,
        retain_until=retain_until,
    )


def _made(event: Event) -> int:
    """The release that an event says was made; 0 for other events."""
    if event.body.get("event") != "processed":
        return 0
    about = event.body.get("about")
    number = about.get("release") if isinstance(about, dict) else 0
    return number if isinstance(number, int) else 0


def _roll(
    store: ObjectStore, prefix: str, events: Sequence[Event], retain_until: datetime | None
) -> None:
    if len(events) > _ROLL_ALWAYS and len(events) % _ROLL_EVERY:
        return
    rows = [{"name": event.name, "body": event.body} for event in events]
    body = canonical_bytes({"schema_version": 1, "events": rows})
    key = f"{prefix}/custody-roll/{len(events):06d}-{sha256_hex(body)[:16]}.json"
    store.put_if_absent(key, body, retain_until=retain_until)


def record(
    archive: Archive,
    state: State,
    event: str,
    *,
    writer: str,
    by: str,
    about: Mapping[str, Any],
    retain_until: datetime | None = None,
) -> str:
    """Add an event to this writer's chain; its name. Two processes of one writer may race.

    Raises:
        SourceError: the store could not take it.
    """
    broadcast_id = state.revision.broadcast.broadcast_id
    return record_at(
        archive.store,
        (state.prefix, broadcast_id),
        event,
        writer=writer,
        by=by,
        about=about,
        retain_until=retain_until,
    )


def record_at(
    store: ObjectStore,
    where: tuple[str, str],
    event: str,
    *,
    writer: str,
    by: str,
    about: Mapping[str, Any],
    retain_until: datetime | None = None,
) -> str:
    """The same by prefix and id, for a broadcast of which nothing but its custody may be left."""
    prefix, broadcast_id = where
    for _ in range(_TRIES):
        events = rolled_events(store, prefix)
        last = next((e for e in reversed(events) if _writer(e) == writer), None)
        number = 1 if last is None else int(last.body["number"]) + 1
        body = {
            "schema_version": 1,
            "event": event,
            "number": number,
            "previous": "" if last is None else sha256_hex(last.data),
            "at_utc_ms": utc_ms(datetime.now(UTC)),
            "writer": writer,
            "by": by,
            "program": f"replay-evidence {VERSION}",
            "broadcast_id": broadcast_id,
            "about": dict(about),
        }
        made = Event(f"{writer}-e{number:06d}", body, canonical_bytes(body))
        key = f"{prefix}/custody/{made.name}.json"
        if store.put_if_absent(key, made.data, retain_until=retain_until):
            _roll(store, prefix, _in_order([*events, made]), retain_until)
            return made.name
    raise EvidenceError("the custody chain is being written by others", hint="try again")


def _writer(event: Event) -> str:
    match = _NUMBERED.fullmatch(event.name)
    return match["writer"] if match else ""


def extract(state: State, events: Sequence[Event], log: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A broadcast's events, and proofs that they are in the log, as a bundle holds them."""
    return {
        "broadcast_id": state.revision.broadcast.broadcast_id,
        "events": [{"name": e.name, "body": e.body} for e in events],
        "log": list(log),
    }


def check(archive: Archive, state: State, *, deep: bool) -> Checked:
    """Whether the chains hold and name the recordings; ``deep`` reads the recordings as well."""
    events = events_of(archive.store, state.prefix)
    faults = [fault for event in events for fault in _event_faults(event, state)]
    writers = sorted({_writer(event) for event in events} - {""})
    for writer in writers:
        faults += _chain_faults([event for event in events if _writer(event) == writer])
    faults += _recording_faults(events, state)
    faults += _roll_faults(archive.store, state.prefix, events)
    archived = 0
    if deep:
        altered, archived = _stored_faults(archive, state)
        faults += altered
    recordings = len(state.revision.recordings)
    name = state.revision.broadcast.broadcast_id
    return Checked(name, len(events), len(writers), recordings, tuple(faults), archived)


def _event_faults(event: Event, state: State) -> list[Fault]:
    if event.data != canonical_bytes(event.body):
        return [Fault(event.name, "altered", "its bytes are not in their canonical form")]
    if event.body.get("broadcast_id") != state.revision.broadcast.broadcast_id:
        return [Fault(event.name, "foreign", "it is of another broadcast")]
    return []


def _chain_faults(chain: list[Event]) -> list[Fault]:
    faults, previous = [], ""
    for number, event in enumerate(chain, 1):
        if event.body.get("number") != number or not event.name.endswith(f"-e{number:06d}"):
            faults.append(Fault(event.name, "gap", f"event {number} of its writer is missing"))
            break
        if event.body.get("previous") != previous:
            faults.append(Fault(event.name, "chain", "it does not follow the event before it"))
        previous = sha256_hex(event.data)
    return faults


def _recording_faults(events: list[Event], state: State) -> list[Fault]:
    taken = {
        (row.get("sha256"), row.get("merkle_root"))
        for event in events
        if event.body.get("event") == "ingested"
        for row in event.body.get("recordings", ())
    }
    return [
        Fault(recording.file_name, "root", "no event took this recording's hash and root")
        for recording in state.revision.recordings
        if (recording.sha256, recording.merkle_root) not in taken
    ]


def _roll_faults(store: ObjectStore, prefix: str, events: list[Event]) -> list[Fault]:
    """Copies in the newest roll that are not the events themselves."""
    there = {event.name: event.data for event in events}
    return [
        Fault(copy.name, "roll", "its copy in the roll is not the event")
        for copy in _newest_roll(store, prefix)
        if there.get(copy.name) != copy.data
    ]


def _stored_faults(archive: Archive, state: State) -> tuple[list[Fault], int]:
    """Recordings whose stored bytes are no longer those of the ingest; how many are archived."""
    faults, archived = list[Fault](), 0
    for recording in state.revision.recordings:
        try:
            faults += [
                Fault(part.name, "bytes", "its stored bytes were altered")
                for part in recording.parts
                if _sha256_of(archive.store, part) != part.sha256
            ]
        except ObjectArchived:
            archived += 1
    return faults, archived


def _sha256_of(store: ObjectStore, part: RecordingPart) -> str:
    digest, step = hashlib.sha256(), 8 << 20
    for at in range(0, part.size_bytes, step):
        digest.update(store.read(part.key, start=at, end=min(at + step, part.size_bytes)))
    return digest.hexdigest()
