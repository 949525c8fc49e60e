"""A broadcast in parts that any worker may take: stretches of sound, and its pictures.

    <prefix>/parts/<stage>-<work key>/<number>-of-<count>.json

A part of the sound holds what was heard in the chunks that begin in its stretch, each under the hash
of its sound; a part of the pictures what was read in its stretches, each under the hash of its pixels.
So parts can be made anywhere, in any order, even twice: the first to be written stands, and the stage
that joins them hears and reads only what is in none of them, and gives the same bytes as ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from pipeline import logs
from pipeline.archive import broadcast_id_of
from pipeline.bootstrap import Application
from pipeline.errors import NoAudio
from pipeline.ingest.run import retain_until
from pipeline.kept import Kept
from pipeline.keyframes.readings import KeptReader
from pipeline.keyframes.spans import Stretch, share, stretches
from pipeline.media import run as media
from pipeline.memory import require
from pipeline.model import Revision, StageName
from pipeline.plan import run_stage, workplace
from pipeline.provenance import canonical_bytes
from pipeline.sources import sources
from pipeline.timeline import Span
from pipeline.transcribe.run import Listening
from pipeline.transcribe.sounds import BYTES_PER_MS, Sounds, sweep

MOST_PARTS = 18
MOST_PICTURE_PARTS = 6
"""With the other objects of a broadcast these stay below forty; hearing takes three times as long
as reading."""
_SOUND = "sound"
PART_MS = 300_000
"""Sound that takes about a minute to recognise on one processor with the base model."""


Alive = Callable[[], None]
"""Called again and again while a part is heard or read."""
Item = TypeVar("Item")


class Part(NamedTuple):
    """One piece of work for a worker."""

    stage: StageName
    number: int
    """From 1."""
    of: int
    """Of so many; a single part of the pictures is the whole stage."""


def parts_of(app: Application, revision: Revision, *, part_ms: int = PART_MS) -> list[Part]:
    """All parts of a broadcast, those that take longest first."""
    seen, heard = _picture_parts(app, revision), _sound_parts(revision, part_ms)
    return [
        *(Part("keyframes", n, seen) for n in range(1, seen + 1)),
        *(Part("transcribe", n, heard) for n in range(1, heard + 1)),
    ]


def _sound_parts(revision: Revision, part_ms: int) -> int:
    sounding = sum(r.duration_ms for r in revision.recordings if r.has_audio)
    if revision.given_transcript or not sounding:
        return 0
    return min(MOST_PARTS, max(1, sounding // part_ms))


def _picture_parts(app: Application, revision: Revision) -> int:
    if not any(r.has_video for r in revision.recordings):
        return 0
    asked = app.settings.keyframes
    spans = stretches(revision.clock_map, span_ms=asked.span_ms)
    return min(MOST_PICTURE_PARTS, len(spans)) if asked.ocr else 1


def _silent() -> None:
    """Nobody listens."""


def do_part(
    app: Application, prefix: str, part: Part, *, by: str = "", alive: Alive = _silent
) -> int:
    """Hear or read one part and keep it; how many chunks or pictures it has.

    Args:
        app: The workspace.
        prefix: The broadcast.
        part: Which one; one that is there is left alone.
        by: Who does it, for the record.
        alive: Hears that it goes on.
    """
    name = f"{part.stage} {part.number}/{part.of}"
    ids = {"broadcast": broadcast_id_of(prefix), "stage": part.stage, "chunk": name, "part": name}
    with logs.about(**ids, worker=by):
        logs.line("part_begun")
        count = _do_part(app, prefix, part, by=by, alive=alive)
        logs.line("part_done", count=count)
    return count


def _do_part(app: Application, prefix: str, part: Part, *, by: str, alive: Alive) -> int:
    if part.stage == "transcribe":
        return hear_part(app, prefix, number=part.number, count=part.of, by=by, alive=alive)
    if part.of == 1:
        output = run_stage(app.context(lambda *_: alive()), prefix, part.stage)
        return output.records if output else 0
    return see_part(app, prefix, number=part.number, count=part.of, by=by, alive=alive)


def _heeded(items: Iterable[Item], alive: Alive) -> Iterator[Item]:
    """The same, one after the other; each is a sign of life."""
    for item in items:
        alive()
        yield item


def hear_part(
    app: Application,
    prefix: str,
    *,
    number: int,
    count: int,
    by: str = "",
    alive: Alive = _silent,
) -> int:
    """Recognise one part and keep it; how many chunks it has. A part that is there is left alone.

    Args:
        app: The workspace.
        prefix: The broadcast.
        number: Which part, from 1.
        count: In how many parts the sound is cut.
        by: Who does it, for the record.
        alive: Hears that it goes on.
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
    sounds = _sounds(app, revision, folder, alive)
    digests = [
        digest
        for recording, low, high in _stretches(revision, number=number, count=count)
        for digest in listening.hear_chunks(
            _heeded(sounds.chunks(recording, low_ms=low, high_ms=high), alive)
        )
    ]
    app.transcriber.rest()
    _write(app, revision, key, dict(listening.cache.found(digests)), by=by)
    return len(digests)


def see_part(
    app: Application,
    prefix: str,
    *,
    number: int,
    count: int,
    by: str = "",
    alive: Alive = _silent,
) -> int:
    """Read the pictures of one part and keep what was read; how many pictures were kept."""
    context = app.context()
    folder = workplace(context, prefix, "keyframes")
    revision = app.archive.revision(prefix)
    if folder is None or revision is None:
        return 0
    key = part_key(prefix, folder, number=number, count=count)
    if app.store.stat(key) is not None:
        return len(_read(app, key))
    require(app.settings, revision, "keyframes")
    spans = stretches(revision.clock_map, span_ms=app.settings.keyframes.span_ms)
    reader = KeptReader(app.reader, folder)
    with sources(context, revision.recordings) as found:
        kept = sum(
            _see(app, revision, one, found[one.recording], reader, alive)
            for one in share(spans, number=number, count=count)
        )
    _write(app, revision, key, reader.readings(), by=by)
    return kept


def _see(
    app: Application,
    revision: Revision,
    stretch: Stretch,
    source: media.MediaSource,
    reader: KeptReader,
    alive: Alive,
) -> int:
    from pipeline.keyframes.run import read_stretch

    asked = app.settings.keyframes
    span = Span(stretch.low_ms, stretch.high_ms)
    pictures = media.key_pictures(source, min_gap_ms=asked.change_gap_ms, spans=[span])
    return read_stretch(
        revision.broadcast,
        stretch,
        clock_map=revision.clock_map,
        pictures=_heeded(pictures, alive),
        reader=reader,
        settings=asked,
    )


def _write(
    app: Application, revision: Revision, key: str, readings: Mapping[str, bytes], *, by: str
) -> None:
    plain = {name: json.loads(data) for name, data in readings.items()}
    body = canonical_bytes({"schema_version": 1, "by": by, "readings": plain})
    retain = retain_until(revision, settings=app.settings)
    app.store.put_if_absent(key, body, retain_until=retain)


def gather(app: Application, prefix: str) -> int:
    """Bring the readings of all parts here, for the stages that join them; how many."""
    revision = app.archive.revision(prefix)
    if revision is None:
        return 0
    total = 0
    for stage in ("transcribe", "keyframes"):
        folder = workplace(app.context(), prefix, stage)
        for stat in app.store.list(f"{room(prefix, folder)}/") if folder else ():
            found, kept = _read(app, stat.key), Kept(folder)
            for digest, data in found.items():
                if kept.get(digest) is None:
                    kept.put(digest, data)
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


def _sounds(app: Application, revision: Revision, folder: Path, alive: Alive) -> Sounds:
    """The chunks of the broadcast on this machine, cut now unless that was done."""
    sweep(app.scratch, name=_SOUND)
    kept = Sounds(folder / _SOUND)
    if kept.ready:
        return kept
    app.require_disk(BYTES_PER_MS * sum(r.duration_ms for r in revision.recordings))
    with sources(app.context(), revision.recordings) as found:
        blocks = (_heeded(_blocks(source), alive) for source in found)
        kept.ensure(blocks, max_ms=app.settings.transcribe.chunk_max_ms)
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
