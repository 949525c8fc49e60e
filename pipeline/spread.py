"""A broadcast in parts that any worker may take: stretches of sound, and its pictures.

    <prefix>/parts/transcribe-<work key>/<number>-of-<count>.json

A part holds what was heard in the chunks that begin in its stretch, each under the hash of its
sound. So parts can be made anywhere, in any order, even twice: the first to be written stands, and
the stage that joins them hears only what is in none of them, and gives the same bytes as ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.bootstrap import Application
from pipeline.errors import NoAudio
from pipeline.ingest.run import retain_until
from pipeline.media import run as media
from pipeline.model import Revision
from pipeline.plan import sources, workplace
from pipeline.provenance import canonical_bytes
from pipeline.transcribe.readings import Readings, salt_of
from pipeline.transcribe.run import Listening
from pipeline.transcribe.sounds import BYTES_PER_MS, Sounds, sweep

MOST_PARTS = 24
"""With the other objects of a broadcast these stay below forty."""
_SOUND = "sound"
PART_MS = 300_000
"""Sound that takes about a minute to recognise on one processor with the base model."""


def count_of(revision: Revision, *, part_ms: int = PART_MS) -> int:
    """In how many parts a broadcast's sound is heard; 0 where there is nothing to hear."""
    sounding = sum(r.duration_ms for r in revision.recordings if r.has_audio)
    if revision.given_transcript or not sounding:
        return 0
    return min(MOST_PARTS, max(1, sounding // part_ms))


def hear_part(app: Application, prefix: str, *, number: int, count: int, by: str = "") -> int:
    """Recognise one part and keep it; how many chunks it has. A part that is there is left alone.

    Args:
        app: The workspace.
        prefix: The broadcast.
        number: Which part, from 1.
        count: In how many parts the sound is cut.
        by: Who does it, for the record.
    """
    context = app.context()
    folder = workplace(context, prefix, "transcribe")
    revision = app.archive.revision(prefix)
    if folder is None or revision is None:
        return 0
    key = part_key(prefix, folder, number=number, count=count)
    if app.store.stat(key) is not None:
        return len(_read(app, key))
    listening = Listening(revision.broadcast, app.transcriber, app.settings.transcribe, folder)
    sounds = _sounds(app, revision, folder)
    digests = [
        digest
        for recording, low, high in _stretches(revision, number=number, count=count)
        for digest in listening.hear_chunks(sounds.chunks(recording, low_ms=low, high_ms=high))
    ]
    readings = {name: json.loads(data) for name, data in listening.cache.found(digests)}
    body = canonical_bytes({"schema_version": 1, "by": by, "readings": readings})
    retain = retain_until(revision, retention_days=app.settings.retention_days)
    app.store.put_if_absent(key, body, retain_until=retain)
    return len(digests)


def gather(app: Application, prefix: str) -> int:
    """Bring the readings of all parts here, for the stage that joins them; how many."""
    folder = workplace(app.context(), prefix, "transcribe")
    revision = app.archive.revision(prefix)
    if folder is None or revision is None:
        return 0
    readings = Readings(folder, salt_of(app.transcriber.digest, revision.broadcast.language))
    total = 0
    for stat in app.store.list(f"{room(prefix, folder)}/"):
        found = _read(app, stat.key)
        readings.take(found)
        total += len(found)
    return total


def room(prefix: str, folder: Path) -> str:
    """Where the parts of a piece of work lie; ``folder`` is its workplace, named by its key."""
    return f"{prefix}/parts/{folder.name}"


def part_key(prefix: str, folder: Path, *, number: int, count: int) -> str:
    """Where one part lies."""
    return f"{room(prefix, folder)}/{number:03d}-of-{count:03d}.json"


def _read(app: Application, key: str) -> Mapping[str, bytes]:
    found = json.loads(app.store.read(key))["readings"]
    return {name: canonical_bytes(reading) for name, reading in found.items()}


def _sounds(app: Application, revision: Revision, folder: Path) -> Sounds:
    """The chunks of the broadcast on this machine, cut now unless that was done."""
    sweep(app.scratch, name=_SOUND)
    kept = Sounds(folder / _SOUND)
    if kept.ready:
        return kept
    app.require_disk(BYTES_PER_MS * sum(r.duration_ms for r in revision.recordings))
    with sources(app.context(), revision.recordings) as found:
        kept.ensure(map(_blocks, found), max_ms=app.settings.transcribe.chunk_max_ms)
    return kept


def _blocks(source: media.MediaSource) -> Iterator[media.AudioBlock]:
    try:
        yield from media.audio_blocks(source)
    except NoAudio:
        return


def _stretches(revision: Revision, *, number: int, count: int) -> list[tuple[int, int, int]]:
    """The part's stretch in each recording that it touches: all recordings, end to end."""
    sounding = [(n, r.duration_ms) for n, r in enumerate(revision.recordings) if r.has_audio]
    total = sum(length for _, length in sounding)
    low, high = total * (number - 1) // count, total * number // count
    stretches, before = [], 0
    for recording, length in sounding:
        after = before + length
        if low < after and high > before:
            # What lies past the measured end of a recording belongs to its last part.
            end = high - before if high < after else 1 << 62
            stretches.append((recording, max(0, low - before), end))
        before = after
    return stretches
