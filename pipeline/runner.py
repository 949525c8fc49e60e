"""From what a person names to a finished broadcast: the steps the command and the flows share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pipeline import logs
from pipeline.archive import State
from pipeline.bootstrap import Application
from pipeline.budget import budget_of
from pipeline.cases.lines import LineBook, corrected
from pipeline.errors import InputError
from pipeline.index import run as index_room
from pipeline.index.documents import Document, documents_of
from pipeline.ingest import fetch
from pipeline.ingest import run as ingest_room
from pipeline.ingest.formats import parse_broadcast
from pipeline.model import Broadcast, ClaimSet, Output, Screen, Transcript
from pipeline.outputs import claims_of, screen_of, transcript_of
from pipeline.packs import parse_pack, read_tables
from pipeline.patience import INDEX, STORE, Result, Service, Tell, noting, patiently
from pipeline.plan import STAGES, Progress, finish, run_stage
from pipeline.ports import ObjectStore
from pipeline.transcribe.given import from_given, given_warnings


@dataclass(frozen=True)
class Request:
    """What to process."""

    inputs: tuple[str, ...] = ()
    """Paths, folders or ``s3://`` URIs."""
    broadcast_file: Path | None = None
    """A description given apart; wins over one found in a folder."""
    transcript_file: Path | None = None
    """Use these words instead of recognising speech."""
    amend: bool = False
    """Keep other content under a known id as a new revision."""


class Parts(NamedTuple):
    """Everything the store says about one broadcast, read into memory (pictures apart)."""

    state: State
    transcript: Transcript | None
    screen: Screen | None
    claims: ClaimSet | None


def process(
    app: Application,
    request: Request,
    *,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> State:
    """The whole way: take in, run every stage, release, index. ``tell`` hears of waiting.

    Raises:
        EvidenceError: see :func:`take_in` and :func:`pipeline.plan.run_stage`.
    """
    what = ", ".join(request.inputs)
    step = partial(awaited, app, what=what, tell=tell)
    with logs.about(place=what):
        taken = step(lambda: take_in(app, request))
    prefix, name = taken.prefix, taken.revision.broadcast.broadcast_id
    with app.working_on(name), logs.about(broadcast=name):
        context = step(lambda: app.context(progress))
        for stage in STAGES:
            step(partial(run_stage, context, prefix, stage))
        state = step(lambda: finish(context, prefix))
        step(lambda: publish(app, state, tell=tell))
    return state


def awaited(
    app: Application,
    action: Callable[[], Result],
    *,
    what: str,
    tell: Tell | None = None,
    services: Sequence[Service] = (STORE,),
) -> Result:
    """Do a step that finds done what it did before, waiting meanwhile for what is away.

    Raises:
        StoreUnavailable: it was away for longer than ``store.wait_s``; likewise the error of each
            other service waited for (an index: ``index.wait_s``). Whatever the step raises.
    """
    for one in services:
        bounds = app.settings.index if one is INDEX else app.settings.store
        action = partial(
            patiently,
            action,
            service=one,
            wait_s=bounds.wait_s,
            tell=tell or _silent,
            noting=noting(app.scratch, one, what),
        )
    return action()


def _silent(text: str) -> None:
    """Nobody listens."""


def take_in(app: Application, request: Request) -> ingest_room.Ingested:
    """Resolve, check and store the input; nothing is written when it cannot be used.

    Raises:
        InputError, MediaError, SourceError, DiskShort: naming the file and what to do.
    """
    given = read_given(app, request)
    app.require_disk(ingest_room.need_bytes(given.recordings))
    name = given.broadcast.broadcast_id if given.broadcast else str(given.recordings[0])
    known = given.broadcast.broadcast_id if given.broadcast else ""
    with app.working_on(name), logs.about(broadcast=known, stage="ingest"):
        taken = ingest_room.run(
            given,
            archive=app.archive,
            amend=request.amend,
            settings=app.settings,
            writer=app.writer,
        )
    with logs.about(broadcast=taken.revision.broadcast.broadcast_id, stage="ingest"):
        number, length_ms = taken.revision.number, taken.revision.duration_ms
        logs.line("taken_in", revision=number, duration_ms=length_ms)
    return taken


def read_given(app: Application, request: Request) -> ingest_room.Given:
    """The input as values: description parsed, recordings found, transcript checked."""
    found = [
        fetch.resolve(
            text,
            scratch=app.scratch / "inputs",
            s3=bucket_opener(app),
            admit=partial(_admit, app, text),
        )
        for text in request.inputs
    ]
    recordings = tuple(path for inputs in found for path in inputs.recordings)
    described = request.broadcast_file or next(
        (i.broadcast_file for i in found if i.broadcast_file), None
    )
    broadcast, warnings = read_broadcast(described) if described else (None, ())
    _require_something(request, recordings, broadcast)
    given = ingest_room.Given(broadcast, recordings, None, "", 0, warnings)
    return _with_transcript(given, request.transcript_file) if request.transcript_file else given


def _admit(app: Application, what: str, need_bytes: int, folder: Path) -> None:
    """Let a recording into the scratch folder, or park it.

    Raises:
        NoRoom: there is not enough room now.
    """
    budget_of(app.scratch, app.settings).admit(need_bytes, folder=folder, what=what)


def read_broadcast(path: Path) -> tuple[Broadcast, tuple[str, ...]]:
    """``broadcast.json`` from a file, with warnings."""
    return parse_broadcast(read_bytes(path), file_name=str(path))


def read_bytes(path: Path) -> bytes:
    """A small input file.

    Raises:
        InputError: it is not there or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror or 'cannot be read'}",
            hint="check the path and its permissions",
            file=str(path),
        ) from error


def _with_transcript(given: ingest_room.Given, file: Path) -> ingest_room.Given:
    payload = read_bytes(file)
    broadcast_id = given.broadcast.broadcast_id if given.broadcast else ""
    words = from_given(payload, file_name=str(file), broadcast_id=broadcast_id, duration_ms=None)
    end = max((s.end_ms for s in words.segments), default=0)
    return given._replace(
        transcript=payload,
        transcript_name=file.name,
        transcript_end_ms=end,
        warnings=(*given.warnings, *given_warnings(payload, file_name=str(file))),
    )


def _require_something(
    request: Request, recordings: tuple[Path, ...], broadcast: Broadcast | None
) -> None:
    if recordings:
        return
    if request.transcript_file is None:
        raise InputError(
            "no recording and no transcript was given",
            hint="name a recording, a folder that holds one, or a transcript with --transcript",
        )
    if broadcast is None:
        raise InputError(
            "a transcript alone needs a description", hint="add --broadcast broadcast.json"
        )


def bucket_opener(app: Application) -> Callable[[str], ObjectStore]:
    """Opens any bucket with the workspace's S3 settings, for reading recordings."""

    def opened(bucket: str) -> ObjectStore:
        from pipeline.ingest.s3 import S3Store

        settings = app.settings.store.model_copy(
            update={"kind": "s3", "bucket": bucket, "prefix": ""}
        )
        return S3Store(settings, free_keys=True)

    return opened


# --- reading back -------------------------------------------------------------------------


def read_parts(app: Application, broadcast_id: str) -> Parts:
    """A broadcast's current outputs, from the store alone."""
    return parts_of(app, app.archive.state(broadcast_id))


def parts_of(app: Application, state: State, *, screen: bool = True) -> Parts:
    """The outputs of a state; without the screen's lines where they are not needed."""
    archive = app.archive
    heard, seen, claimed = (state.output(s) for s in ("transcribe", "keyframes", "claims"))
    return Parts(
        state,
        transcript_of(parse_pack(archive.pack(heard), name=heard.key)) if heard else None,
        _screen(archive.store, seen) if seen and screen else None,
        claims_of(parse_pack(archive.pack(claimed), name=claimed.key)) if claimed else None,
    )


def _screen(store: ObjectStore, seen: Output) -> Screen:
    tables = ("keyframes", "lines")
    return screen_of(read_tables(store, seen.key, tables=tables, size_bytes=seen.size_bytes))


def documents(app: Application, state: State) -> Iterator[Document]:
    """Everything about a broadcast that an index holds, from the store alone."""
    parts = parts_of(app, state)
    return documents_of(
        state.revision,
        transcript=parts.transcript,
        screen=parts.screen,
        claims=parts.claims,
        release=state.release.number,
        packs={o.stage: o.key for o in state.release.outputs},
        corrected=_corrected(app.store, parts),
    )


def _corrected(store: ObjectStore, parts: Parts) -> dict[int, str]:
    """By the number of a line, the words that a person put over it."""
    output, heard = parts.state.output("transcribe"), parts.transcript
    records = LineBook(store).records(parts.state.prefix) if output and heard else ()
    if output is None or heard is None or not records:
        return {}
    lines = corrected(output, enumerate(heard.segments), records)
    return {line.number: line.correction.text for line in lines if line.correction}


def publish(app: Application, state: State, *, tell: Tell | None = None) -> int:
    """Make a finished broadcast searchable, waiting for an index that is away; how many documents.

    Raises:
        IndexUnavailable: it was away for longer than ``index.wait_s``. MappingConflict, PartialWrite.
    """
    made, name = list(documents(app, state)), state.revision.broadcast.broadcast_id
    with logs.about(broadcast=name, stage="index"):
        count = patiently(
            lambda: index_room.index_documents(app.index, made),
            wait_s=app.settings.index.wait_s,
            tell=tell or _silent,
            noting=noting(app.scratch, INDEX, name),
        )
        logs.line("indexed", documents=count, release=state.release.number)
    return count
