"""The ingest room's door: recordings and their description become a revision.

In order: look at every recording (nothing is written for one that cannot be used), lay
them on one timeline, refuse other content under a known id unless asked to amend, copy
the bytes under their hash, keep the packet sidecar, write the revision, write the custody
event. Each step can be repeated, so a killed run is continued by running again. What was
taken in to the end is known by its hashes and is not looked through a second time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from pipeline.archive import Archive, prefix_of
from pipeline.errors import DuplicateBroadcast, InputError, ObjectChanged
from pipeline.ingest.formats import bare_broadcast, clip_schedule
from pipeline.media import run as media
from pipeline.model import (
    Broadcast,
    ClockMap,
    ClockSpan,
    Producer,
    Recording,
    RecordingPart,
    Revision,
)
from pipeline.outputs import sidecar_pack
from pipeline.provenance import VERSION, content_id, sha256_hex, work_key
from pipeline.settings import Settings
from pipeline.timeline import from_utc_ms, utc_ms

STAGE_VERSION = "2"
_KNOWN_VERSIONS = (STAGE_VERSION, "1")
"""Sidecars that can be read; those of the first list no packets."""
_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}$")


class Given(NamedTuple):
    """What a person handed over."""

    broadcast: Broadcast | None
    """Null for bare recordings: the id is then made from their hash."""
    recordings: tuple[Path, ...]
    transcript: bytes | None
    transcript_name: str
    transcript_end_ms: int
    """End of a supplied transcript: the timeline's length where there is no recording."""
    warnings: tuple[str, ...]


class Ingested(NamedTuple):
    """A revision in the store."""

    prefix: str
    revision: Revision
    created: bool
    """Whether this run made it."""


class _Looked(NamedTuple):
    source: media.MediaSource
    seen: media.Inspection


def run(
    given: Given, *, archive: Archive, amend: bool, settings: Settings, writer: str
) -> Ingested:
    """Take a broadcast in.

    Raises:
        UnreadableMedia, OutsideReference: a recording cannot be used; nothing was written.
        DuplicateBroadcast: the id is known with other content and ``amend`` is false.
        DiskShort, StoreUnavailable, AccessDenied: the store could not take the bytes.
    """
    given_sources = [media.open_source(path) for path in given.recordings]
    known = _taken_in(given, given_sources, archive, settings=settings, writer=writer)
    if known is not None:
        return known
    looked = [_Looked(source, media.inspect(source)) for source in given_sources]
    hashes = [one.seen.sha256 for one in looked]
    revision = _described(given, looked, given.broadcast or _bare(hashes))
    prefix = _prefix(revision.broadcast)
    _refuse_other(archive, prefix, revision, amend=amend)
    retain = retain_until(revision, settings=settings)
    revision = _with_retention(revision, retain)
    recordings = tuple(_stored(archive, prefix, one, retain) for one in looked)
    _keep_transcript(archive, prefix, given, retain)
    revision = revision.model_copy(update={"recordings": recordings})
    before = archive.revision(prefix)
    kept = archive.put_revision(prefix, revision, retain_until=retain)
    _keep_sidecar(archive, prefix, looked, retain)
    _keep_event(archive, prefix, kept, writer=writer, retain=retain)
    created = before is None or before.number != kept.number
    return Ingested(prefix, kept, created)


# --- what is here already ------------------------------------------------------------------


def _taken_in(
    given: Given,
    found: Sequence[media.MediaSource],
    archive: Archive,
    *,
    settings: Settings,
    writer: str,
) -> Ingested | None:
    """The newest revision, where a run of this writer took these very bytes in to the end."""
    if given.broadcast and archive.revision(_prefix(given.broadcast)) is None:
        return None  # nothing to compare with: the bytes need not be read twice
    hashes = [media.sha256_of(source) for source in found]
    asked = given.broadcast or _bare(hashes)
    prefix = _prefix(asked)
    known = archive.revision(prefix)
    if known is None or known.input_id != _input_id(asked, hashes, _sha256(given)):
        return None
    retain = retain_until(known, settings=settings)
    longer = _with_retention(known, retain).retain_until_utc_ms != known.retain_until_utc_ms
    if longer or not _all_kept(archive, prefix, known, writer=writer):
        return None
    return Ingested(prefix, known, created=False)


def _all_kept(archive: Archive, prefix: str, known: Revision, *, writer: str) -> bool:
    """Whether everything that belongs to a revision is in the store, its last event too."""
    sizes = {part.key: part.size_bytes for one in known.recordings for part in one.parts}
    for key, size_bytes in sizes.items():
        stat = archive.store.stat(key)
        if stat is None or stat.size_bytes != size_bytes:
            return False
    if known.given_transcript and not archive.store.stat(given_key(prefix, known.given_transcript)):
        return False
    hashes = [one.sha256 for one in known.recordings]
    if hashes and archive.output(prefix, "ingest", sidecar_key(hashes)) is None:
        return False
    return archive.has_event(prefix, _event_name(writer, known))


# --- looking ------------------------------------------------------------------------------


def _bare(hashes: Sequence[str]) -> Broadcast:
    return bare_broadcast(hashes[0] if len(hashes) == 1 else content_id(list(hashes)))


def _sha256(given: Given) -> str:
    return sha256_hex(given.transcript) if given.transcript is not None else ""


def _input_id(asked: Broadcast, media_sha256: Sequence[str], transcript_sha256: str) -> str:
    """What was handed over: the description as given, each recording's hash, the words'."""
    described = asked.model_dump(mode="json")
    return content_id(
        {"broadcast": described, "media": list(media_sha256), "transcript": transcript_sha256}
    )


def _described(given: Given, looked: Sequence[_Looked], asked: Broadcast) -> Revision:
    clock_map = _clock_map(asked, looked, given.transcript_end_ms)
    duration = max([given.transcript_end_ms, *(s.end_ms for s in clock_map.spans)])
    broadcast, warnings = clip_schedule(asked, duration_ms=duration)
    transcript = _sha256(given)
    return Revision(
        number=1,
        input_id=_input_id(asked, [one.seen.sha256 for one in looked], transcript),
        broadcast=broadcast,
        recordings=tuple(_recording("", one) for one in looked),
        clock_map=clock_map,
        duration_ms=duration,
        given_transcript=transcript,
        warnings=(*given.warnings, *warnings, *_oddities(broadcast, looked)),
    )


def _clock_map(broadcast: Broadcast, looked: Sequence[_Looked], end_ms: int) -> ClockMap:
    if not looked:
        return transcript_clock(broadcast, end_ms)
    starts = {item.file: item.started_at for item in broadcast.recordings}
    clocks = [
        media.RecordingClock(
            duration_ms=one.seen.probed.duration_ms,
            started_at=starts.get(one.source.file_name),
            holes=one.seen.probed.holes,
            program_dates=one.seen.probed.program_dates,
        )
        for one in looked
    ]
    return media.build(
        clocks,
        broadcast_started_at=broadcast.started_at,
        uncertainty_ms=broadcast.started_at_uncertainty_ms,
        zone_minutes=broadcast.zone_minutes,
    )


def transcript_clock(broadcast: Broadcast, end_ms: int) -> ClockMap:
    """Without a recording the description's clock is all there is: one span, no media time."""
    uncertainty = broadcast.started_at_uncertainty_ms
    span = ClockSpan(
        recording_index=-1,
        start_ms=0,
        end_ms=max(1, end_ms),
        media_start_ms=0,
        wall_start_utc_ms=broadcast.start_utc_ms,
        source="media_only" if broadcast.started_at is None else "broadcast",
        uncertainty_ms=1000 if uncertainty is None else uncertainty,
    )
    return ClockMap(spans=(span,), zone_minutes=broadcast.zone_minutes)


def _oddities(broadcast: Broadcast, looked: Sequence[_Looked]) -> list[str]:
    odd = []
    if broadcast.started_at is None:
        odd.append("no started_at: times are media times only, no wall-clock time is known")
    for one in looked:
        name, probed = one.source.file_name, one.seen.probed
        if not any(s.kind == "audio" for s in probed.streams):
            odd.append(f"{name}: no sound; nothing is transcribed from it")
        if not any(s.kind == "video" for s in probed.streams):
            odd.append(f"{name}: no picture; there are no keyframes from it")
        odd += [
            f"{name}: {hole.reason} at {hole.start_ms}–{hole.end_ms} ms {hole.detail}".rstrip()
            for hole in probed.holes
        ]
    return odd


# --- the store ----------------------------------------------------------------------------


def _prefix(broadcast: Broadcast) -> str:
    return prefix_of(
        broadcast.broadcast_id, platform=broadcast.platform, merchant_id=broadcast.merchant_id
    )


def _refuse_other(archive: Archive, prefix: str, revision: Revision, *, amend: bool) -> None:
    known = archive.revision(prefix)
    if known is None or known.input_id == revision.input_id or amend:
        return
    broadcast_id = revision.broadcast.broadcast_id
    raise DuplicateBroadcast(
        f"broadcast {broadcast_id!r} is already here with other content "
        f"(revision {known.number}: {_difference(known, revision)})",
        hint="add --amend to keep this as a new revision, or give it another broadcast_id",
        where="broadcast_id",
    )


def _difference(known: Revision, new: Revision) -> str:
    if [r.sha256 for r in known.recordings] != [r.sha256 for r in new.recordings]:
        return "other recordings"
    if known.given_transcript != new.given_transcript:
        return "another transcript"
    return "another description"


def retain_until(revision: Revision, *, settings: Settings) -> datetime:
    """Until when nothing of this revision may be deleted.

    Counted from the end of the broadcast (SAMR live-commerce rules: three years or more);
    from now where no wall clock is known.
    """
    broadcast = revision.broadcast
    end = broadcast.ended_at
    if end is None and broadcast.started_at is not None:
        end = broadcast.started_at + timedelta(milliseconds=revision.duration_ms)
    days = settings.keep_days(broadcast.merchant_id)
    return (end or datetime.now(UTC)).astimezone(UTC) + timedelta(days=days)


def _with_retention(revision: Revision, retain: datetime) -> Revision:
    known = revision.broadcast.started_at is not None or revision.broadcast.ended_at is not None
    return revision.model_copy(update={"retain_until_utc_ms": utc_ms(retain) if known else None})


def _recording(prefix: str, one: _Looked) -> Recording:
    probed, seen = one.seen.probed, one.seen
    return Recording(
        recording_id=seen.recording_id,
        file_name=one.source.file_name,
        parts=tuple(_part(prefix, one, n) for n in range(len(one.source.parts))),
        sha256=seen.sha256,
        size_bytes=sum(path.stat().st_size for path in one.source.parts),
        container=probed.container,
        duration_ms=probed.duration_ms,
        claimed_duration_ms=probed.claimed_duration_ms,
        streams=probed.streams,
        holes=probed.holes,
        merkle_root=seen.merkle_root,
    )


def _part(prefix: str, one: _Looked, number: int) -> RecordingPart:
    path, digest = one.source.parts[number], one.seen.part_sha256[number]
    suffix = _SUFFIX.search(path.name.lower())
    name = f"{number:05d}-{digest[:16]}{suffix.group() if suffix else ''}"
    return RecordingPart(
        name=path.name,
        key=f"{prefix}/media/{one.seen.recording_id}/{name}",
        size_bytes=path.stat().st_size,
        sha256=digest,
        media_start_ms=one.seen.probed.part_starts_ms[number],
    )


def _stored(archive: Archive, prefix: str, one: _Looked, retain: datetime) -> Recording:
    recording = _recording(prefix, one)
    for path, part in zip(one.source.parts, recording.parts, strict=True):
        if archive.store.put(part.key, path, retain_until=retain) != part.sha256:
            raise ObjectChanged(
                f"{path.name} changed while it was read",
                hint="wait until the recording is complete and process it again",
            )
    return recording


def _keep_transcript(archive: Archive, prefix: str, given: Given, retain: datetime) -> None:
    if given.transcript is not None:
        key = given_key(prefix, sha256_hex(given.transcript))
        archive.store.put(key, given.transcript, retain_until=retain)


def given_key(prefix: str, sha256: str) -> str:
    """Where a supplied transcript lies."""
    return f"{prefix}/given/{sha256}"


def _keep_sidecar(
    archive: Archive, prefix: str, looked: Sequence[_Looked], retain: datetime
) -> None:
    if not looked:
        return
    producer = Producer(stage="ingest", version=STAGE_VERSION)
    archive.put_output(
        prefix,
        work_key=sidecar_key([one.seen.sha256 for one in looked]),
        producer=producer,
        pack=sidecar_pack([one.seen.sidecar for one in looked]),
        records=len(looked),
        retain_until=retain,
    )


def sidecar_key(recording_sha256: Sequence[str], *, version: str = STAGE_VERSION) -> str:
    """The work key of a broadcast's packet sidecar."""
    return work_key("ingest", version=version, inputs=recording_sha256)


def sidecar_keys(recording_sha256: Sequence[str]) -> tuple[str, ...]:
    """The work keys under which it may lie, best first."""
    return tuple(sidecar_key(recording_sha256, version=version) for version in _KNOWN_VERSIONS)


def _keep_event(
    archive: Archive, prefix: str, revision: Revision, *, writer: str, retain: datetime
) -> None:
    body = {
        "schema_version": 1,
        "event": "ingested",
        "at_utc_ms": utc_ms(datetime.now(UTC)),
        "writer": writer,
        "program": f"replay-evidence {VERSION}",
        "broadcast_id": revision.broadcast.broadcast_id,
        "revision": revision.number,
        "input_id": revision.input_id,
        "recordings": [
            {"sha256": r.sha256, "merkle_root": r.merkle_root, "size_bytes": r.size_bytes}
            for r in revision.recordings
        ],
        "retain_until": from_utc_ms(utc_ms(retain)).isoformat(),
    }
    archive.put_event(prefix, _event_name(writer, revision), body, retain_until=retain)


def _event_name(writer: str, revision: Revision) -> str:
    return f"{writer}-{revision.number:06d}-ingested"


def need_bytes(recordings: Sequence[Path]) -> int:
    """Disk a broadcast will need: its recordings once more, and three tenths for the outputs.

    Measured on the examples: packs (pictures among them) are 21 % of a four-minute recording
    of 9 MB, the densest case; the share falls with length and bit rate.
    """
    sizes = [size for path in recordings for size in _sizes(path)]
    return sum(sizes) * 13 // 10 + (16 << 20)


def _sizes(path: Path) -> list[int]:
    if path.suffix.lower() in (".m3u8", ".m3u"):
        return [f.stat().st_size for f in path.parent.iterdir() if f.is_file()]
    if not path.exists():
        raise InputError(f"{path}: no such file", hint="check the path", file=str(path))
    return [path.stat().st_size]
