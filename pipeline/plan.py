"""The stages, how they follow each other, and the one way each is run.

    ingest ─┬─ transcribe ─┬─ claims ── release ── index
            └─ keyframes  ─┘
    ingest ─── viewing (where the settings ask for it) ── release

A stage is asked for by ids alone (prefix and stage name): everything it needs it finds in
the store, and what it makes it leaves there under its work key. The plain runner and the
Prefect flow both walk :data:`STAGES`; running again finds the work done and does nothing.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pipeline import logs
from pipeline.archive import Archive, State, broadcast_id_of
from pipeline.claims import run as claims_room
from pipeline.errors import EvidenceError
from pipeline.evidence import custody, proxies
from pipeline.ingest.run import given_key, retain_until, sidecar_keys
from pipeline.media import run as media
from pipeline.memory import require
from pipeline.model import (
    Hole,
    Output,
    Producer,
    Release,
    Revision,
    Screen,
    SkippedFrame,
    StageName,
)
from pipeline.outputs import (
    claims_of,
    claims_pack,
    screen_of,
    transcript_of,
    transcript_pack,
    viewing_pack,
    write_screen,
)
from pipeline.packs import Spool, parse_pack, read_tables
from pipeline.ports import ClaimDetector, TextReader, Transcriber
from pipeline.provenance import content_id, work_key
from pipeline.settings import Settings
from pipeline.sources import sources
from pipeline.transcribe import given as given_transcripts
from pipeline.transcribe import run as transcribe_room

Progress = Callable[[str, int, int], None]
"""Stage, milliseconds of the timeline done, milliseconds in all."""

STAGES: tuple[StageName, ...] = ("transcribe", "keyframes", "claims", "viewing")
"""In an order in which each finds what it needs."""


class Made(NamedTuple):
    """What a stage made: its pack (a large one as a file) and how many records it has."""

    pack: bytes | Path
    records: int


@dataclass(frozen=True)
class Context:
    """What stages need from the outside; the factories are called only when work is to be done."""

    archive: Archive
    settings: Settings
    writer: str
    """Whose custody events these are."""
    scratch: Path
    transcriber: Callable[[], Transcriber]
    reader: Callable[[], TextReader]
    detector: Callable[[], ClaimDetector]
    progress: Progress | None = None

    def report(self, stage: str, done_ms: int, total_ms: int) -> None:
        """Pass progress on, if anybody listens."""
        if self.progress is not None:
            self.progress(stage, done_ms, total_ms)


# --- running ------------------------------------------------------------------------------


def run_stage(context: Context, prefix: str, stage: StageName) -> Output | None:
    """Do one stage of a broadcast, or find it done; None where it does not apply.

    Raises:
        EvidenceError: the stage could do nothing at all; ``transient`` says whether a retry
            makes sense. What it could only partly do is recorded in its output.
    """
    with logs.about(broadcast=broadcast_id_of(prefix), stage=stage):
        revision = _revision(context, prefix)
        producer = producer_of(context, prefix, revision, stage)
        if producer is None:
            return None
        key = _key_of(context, prefix, revision, producer)
        done = context.archive.output(prefix, stage, key)
        if done is None:
            return _do(context, prefix, revision, producer, key)
        logs.line("stage_found", records=done.records, content=done.content)
        return done


def _do(context: Context, prefix: str, revision: Revision, producer: Producer, key: str) -> Output:
    make = {"transcribe": _transcribe, "keyframes": _keyframes, "claims": _claims}
    make |= {"viewing": _viewing}
    require(context.settings, revision, producer.stage)
    logs.line("stage_begun", model=producer.model, version=producer.version)
    begun_s = time.monotonic()
    folder = _folder(context, producer.stage, key)
    made = make[producer.stage](context, prefix, revision, key, folder)
    output = context.archive.put_output(
        prefix,
        work_key=key,
        producer=producer,
        pack=made.pack,
        records=made.records,
        retain_until=retain_until(revision, settings=context.settings),
    )
    shutil.rmtree(folder, ignore_errors=True)
    seconds = round(time.monotonic() - begun_s, 2)
    logs.line("stage_done", seconds=seconds, records=output.records, content=output.content)
    return output


def workplace(context: Context, prefix: str, stage: StageName) -> Path | None:
    """Where a stage keeps what it has not finished; None where it is done or does not apply."""
    revision = _revision(context, prefix)
    producer = producer_of(context, prefix, revision, stage)
    if producer is None:
        return None
    key = _key_of(context, prefix, revision, producer)
    return None if context.archive.output(prefix, stage, key) else _folder(context, stage, key)


def _folder(context: Context, stage: StageName, key: str) -> Path:
    return context.scratch / f"{stage}-{key[:24]}"


def finish(context: Context, prefix: str) -> State:
    """Make the outputs that are there the current state, and enter it in the catalogue."""
    revision = _revision(context, prefix)
    outputs = [_sidecar(context, prefix, revision)]
    outputs += [_found(context, prefix, revision, stage) for stage in STAGES[:-1]]
    made = _found(context, prefix, revision, "viewing")
    outputs.append(made or proxies.kept(context.archive, prefix, revision))
    retain = retain_until(revision, settings=context.settings)
    release = context.archive.put_release(
        prefix,
        Release(number=1, revision=revision.number, outputs=tuple(o for o in outputs if o)),
        retain_until=retain,
    )
    state = State(prefix, revision, release)
    custody.processed(context.archive, state, writer=context.writer, retain_until=retain)
    counts: dict[str, int] = {o.stage: o.records for o in release.outputs}
    context.archive.put_catalogue(state, {**counts, "duration_ms": revision.duration_ms})
    with logs.about(broadcast=revision.broadcast.broadcast_id):
        logs.line("released", release=state.release.number, revision=revision.number)
    return state


# --- what was asked for ---------------------------------------------------------------------


def producer_of(
    context: Context, prefix: str, revision: Revision, stage: StageName
) -> Producer | None:
    """What would make this stage's output now; None where the stage does not apply."""
    settings = context.settings
    if stage == "transcribe" and revision.given_transcript:
        return Producer(stage=stage, version=given_transcripts.STAGE_VERSION, model="given")
    if stage == "transcribe":
        model = context.transcriber()
        asked = transcribe_room.parameters(settings.transcribe)
        version = transcribe_room.STAGE_VERSION
        return _producer(stage, version, model.producer, model.digest, asked)
    if stage == "keyframes":
        from pipeline.keyframes.run import STAGE_VERSION

        if not any(r.has_video for r in revision.recordings):
            return None
        reader = context.reader().producer if settings.keyframes.ocr else ""
        asked = settings.keyframes.model_dump(mode="json")
        return _producer(stage, STAGE_VERSION, reader, "", asked)
    if stage == "viewing":
        return proxies.producer(settings.viewing, revision)
    rules = context.detector()
    return _producer(stage, claims_room.STAGE_VERSION, rules.producer, rules.digest, {})


def _producer(
    stage: StageName, version: str, model: str, digest: str, parameters: dict[str, object]
) -> Producer:
    fields = {"stage": stage, "version": version, "model": model, "model_digest": digest}
    return Producer.model_validate({**fields, "parameters": parameters})


def _key_of(context: Context, prefix: str, revision: Revision, producer: Producer) -> str:
    return work_key(
        producer.stage,
        version=producer.version,
        inputs=_inputs(context, prefix, revision, producer.stage),
        model_digest=content_id([producer.model, producer.model_digest]),
        parameters=producer.parameters,
    )


def _inputs(context: Context, prefix: str, revision: Revision, stage: StageName) -> list[str]:
    broadcast = content_id(revision.broadcast.model_dump(mode="json"))
    if stage == "claims":
        before = [_found(context, prefix, revision, s) for s in ("transcribe", "keyframes")]
        return [broadcast, *(o.content if o else "" for o in before)]
    clock = content_id(revision.clock_map.model_dump(mode="json"))
    recordings = [r.sha256 for r in revision.recordings]
    if stage == "viewing":
        return recordings
    if stage == "transcribe":  # a corrected listing is no reason to listen again
        spoken = [revision.broadcast.broadcast_id, revision.broadcast.language]
        return [*spoken, revision.given_transcript, clock, *recordings]
    return [broadcast, clock, *recordings]


def _found(context: Context, prefix: str, revision: Revision, stage: StageName) -> Output | None:
    producer = producer_of(context, prefix, revision, stage)
    if producer is None:
        return None
    key = _key_of(context, prefix, revision, producer)
    return context.archive.output(prefix, stage, key)


def _sidecar(context: Context, prefix: str, revision: Revision) -> Output | None:
    if not revision.recordings:
        return None
    keys = sidecar_keys([r.sha256 for r in revision.recordings])
    found = (context.archive.output(prefix, "ingest", key) for key in keys)
    return next((output for output in found if output is not None), None)


def _revision(context: Context, prefix: str) -> Revision:
    revision = context.archive.revision(prefix)
    if revision is None:
        raise EvidenceError(f"{prefix}: no revision", hint="take the broadcast in first")
    return revision


# --- the stages ---------------------------------------------------------------------------


def _transcribe(context: Context, prefix: str, revision: Revision, key: str, folder: Path) -> Made:
    if revision.given_transcript:
        payload = context.archive.store.read(given_key(prefix, revision.given_transcript))
        transcript = given_transcripts.from_given(
            payload,
            file_name="transcript",
            broadcast_id=revision.broadcast.broadcast_id,
            duration_ms=revision.duration_ms,
        )
    else:
        with sources(context, revision.recordings) as found:
            transcript = transcribe_room.run(
                revision.broadcast,
                clock_map=revision.clock_map,
                audio=lambda n, report: media.audio_blocks(found[n], report=report),
                recordings=revision.recordings,
                transcriber=context.transcriber(),
                settings=context.settings.transcribe,
                progress=partial(context.report, "transcribe"),
                scratch=folder,
            )
        context.transcriber().rest()
    return Made(transcript_pack(transcript), len(transcript.segments))


def _keyframes(context: Context, prefix: str, revision: Revision, key: str, folder: Path) -> Made:
    from pipeline.keyframes import run as keyframes_room  # numpy and OpenCV, when needed
    from pipeline.keyframes.clocks import clock_readings, clock_warning
    from pipeline.keyframes.readings import KeptReader
    from pipeline.keyframes.spans import starts, stretches

    settings = context.settings.keyframes
    broken: list[list[Hole]] = [[] for _ in revision.recordings]
    images = Spool(folder / "images")
    parts = stretches(revision.clock_map, span_ms=settings.span_ms)
    with sources(context, revision.recordings) as found:
        screen = keyframes_room.run(
            revision.broadcast,
            clock_map=revision.clock_map,
            pictures=lambda n: media.key_pictures(
                found[n],
                min_gap_ms=settings.change_gap_ms,
                anew_ms=starts(parts, n),
                report=broken[n],
            ),
            reader=KeptReader(context.reader(), folder) if settings.ocr else None,
            settings=settings,
            keep=images.add,
            progress=lambda at_ms: context.report("keyframes", at_ms, revision.duration_ms),
        )
    odd = clock_warning(revision.clock_map, clock_readings(screen.lines, revision.broadcast))
    screen = _with_broken(screen, revision, broken)
    screen = screen.model_copy(update={"warnings": (odd,) if odd else ()})
    write_screen(folder / "screen.pack", screen, images)
    return Made(folder / "screen.pack", len(screen.keyframes))


def _with_broken(screen: Screen, revision: Revision, broken: list[list[Hole]]) -> Screen:
    """The screen with the pictures that could not be decoded listed among those skipped."""
    lost = [
        SkippedFrame(at_ms=span.start_ms + hole.start_ms - span.media_start_ms, reason="corrupt")
        for span in revision.clock_map.spans
        for hole in (broken[span.recording_index] if span.recording_index >= 0 else ())
        if 0 <= hole.start_ms - span.media_start_ms < span.end_ms - span.start_ms
    ]
    skipped = sorted([*screen.skipped, *lost], key=lambda frame: (frame.at_ms, frame.reason))
    return screen.model_copy(update={"skipped": tuple(skipped)})


def _claims(context: Context, prefix: str, revision: Revision, key: str, folder: Path) -> Made:
    archive = context.archive
    heard = _found(context, prefix, revision, "transcribe")
    seen = _found(context, prefix, revision, "keyframes")
    transcript = transcript_of(parse_pack(archive.pack(heard), name=heard.key)) if heard else None
    screen = (
        screen_of(read_tables(archive.store, seen.key, tables=("keyframes", "lines")))
        if seen
        else None
    )
    context.report("claims", 0, revision.duration_ms)
    claims = claims_room.run(
        revision.broadcast,
        transcript=transcript,
        screen=screen,
        detector=context.detector(),
        work_key=key,
    )
    context.report("claims", revision.duration_ms, revision.duration_ms)
    made = claims_pack(claims)
    claims_of(parse_pack(made, name="claims"))  # what is kept for years must be readable
    return Made(made, len(claims.claims))


def _viewing(context: Context, prefix: str, revision: Revision, key: str, folder: Path) -> Made:
    with sources(context, revision.recordings) as found:
        made = proxies.make(
            found,
            revision,
            archive=context.archive,
            prefix=prefix,
            settings=context.settings.viewing,
            folder=folder,
            retain_until=retain_until(revision, settings=context.settings),
            report=lambda at_ms: context.report("viewing", at_ms, revision.duration_ms),
        )
    return Made(viewing_pack(made, tools=media.library_versions()), len(made))
