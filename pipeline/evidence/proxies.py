"""Viewing proxies: made while the recording is at hand, cut from while it is archived.

    <prefix>/viewing/<sha256>.mp4    one a recording, small, its index first

A clip out of a proxy is a viewing copy: it says so in its name, in its JSON and in words.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from pipeline.archive import Archive, State
from pipeline.errors import InputError
from pipeline.evidence.clip import Moment, media_span, moment_of, safe_name, subtitles
from pipeline.media import proxy as media_proxy
from pipeline.media import run as media
from pipeline.media.remote import whole_source
from pipeline.model import Frozen, Output, Producer, Revision, Transcript, ViewingProxy
from pipeline.outputs import viewing_of
from pipeline.packs import parse_pack
from pipeline.ports import ObjectStore
from pipeline.provenance import VERSION, sha256_file
from pipeline.settings import ViewingSettings

STAGE_VERSION = "1"
NOT_EVIDENCE = {
    "zh": "本片段取自低码率观看副本,仅供观看,不是证据;证据须取自原始录像。",
    "en": "Cut from a low-rate copy for viewing. It is not evidence; the recording itself is.",
}


class ViewingClip(Frozen):
    """What ``<name>.viewing.json`` holds."""

    schema_version: int = 1
    """Version of this form."""
    kind: str = "viewing_copy"
    """Says what it is wherever it turns up."""
    said: dict[str, str] = Field(default_factory=lambda: dict(NOT_EVIDENCE))
    """The same in words, ``zh`` and ``en``."""
    broadcast_id: str
    """Which broadcast."""
    claim_id: str | None = None
    """The claim it was cut for."""
    recording_id: str
    """The recording it shows."""
    recording_sha256: str
    """Hash of that recording."""
    proxy_sha256: str
    """Hash of the proxy it was cut from."""
    producer: Producer
    """What made the proxy."""
    asked_start_ms: int
    """Span asked for, timeline milliseconds."""
    asked_end_ms: int
    """Exclusive."""
    start: Moment
    """The clip's first instant."""
    end: Moment
    """The clip's end."""
    files: dict[str, str]
    """SHA-256 of each file beside this one, by name."""
    tools: dict[str, str]
    """Versions of what cut it."""


class Viewing(Frozen):
    """Files of a viewing copy."""

    video: Path
    """MP4."""
    subtitles: Path | None
    """SubRip; null without a transcript."""
    sidecar: Path
    """JSON."""
    info: ViewingClip
    """What the sidecar says."""


# --- making ---------------------------------------------------------------------------------------


def producer(settings: ViewingSettings, revision: Revision) -> Producer | None:
    """What makes the proxies; None where none are wanted."""
    if not settings.enabled or not revision.recordings:
        return None
    asked = settings.model_dump(mode="json", exclude={"enabled"})
    return Producer(
        stage="viewing", version=STAGE_VERSION, model="libx264 and aac", parameters=asked
    )


def make(
    found: Sequence[media.MediaSource],
    revision: Revision,
    *,
    archive: Archive,
    prefix: str,
    settings: ViewingSettings,
    folder: Path,
    retain_until: datetime,
    report: Callable[[int], None],
) -> list[ViewingProxy]:
    """A proxy of each recording, put into the store.

    Raises:
        UnreadableMedia: nothing of a recording can be decoded. SourceError.
    """
    rates = media_proxy.Rates(**settings.model_dump(exclude={"enabled"}))
    folder.mkdir(parents=True, exist_ok=True)
    made, done_ms = [], 0
    for source, recording in zip(found, revision.recordings, strict=True):
        out = folder / f"{recording.recording_id}.mp4"
        before_ms = done_ms
        one = media_proxy.viewing_proxy(
            source,
            out,
            rates=rates,
            report=lambda at_ms: report(before_ms + at_ms),  # noqa: B023
        )
        done_ms += recording.duration_ms
        digest = sha256_file(out)
        key = f"{prefix}/viewing/{digest}.mp4"
        archive.store.put(key, out, retain_until=retain_until)
        made.append(
            ViewingProxy(
                recording_id=recording.recording_id,
                recording_sha256=recording.sha256,
                key=key,
                sha256=digest,
                size_bytes=out.stat().st_size,
                **one._asdict(),
            )
        )
    return made


def kept(archive: Archive, prefix: str, revision: Revision) -> Output | None:
    """The proxies of an earlier release, where they are of these very recordings."""
    release = archive.release(prefix)
    outputs = release.outputs if release else ()
    found = next((one for one in outputs if one.stage == "viewing"), None)
    if found is None:
        return None
    of = [proxy.recording_sha256 for proxy in _proxies(archive, found)]
    return found if of == [recording.sha256 for recording in revision.recordings] else None


def _proxies(archive: Archive, output: Output) -> tuple[ViewingProxy, ...]:
    return viewing_of(parse_pack(archive.pack(output), name=output.key))


# --- cutting --------------------------------------------------------------------------------------


class Wanted(NamedTuple):
    """A span of the timeline that somebody wants to see."""

    span_ms: tuple[int, int]
    margin_ms: int
    name: str
    claim_id: str | None = None


def viewing_clip(
    archive: Archive,
    state: State,
    wanted: Wanted,
    *,
    number: int,
    transcript: Transcript | None,
    out_dir: Path,
    cache: Path,
) -> Viewing | None:
    """The viewing copy of a span out of recording ``number``; None without a proxy.

    Raises:
        InputError: nothing of the span was recorded. SourceError, MediaError.
    """
    output = state.output("viewing")
    if output is None:
        return None
    proxy = _proxies(archive, output)[number]
    spans = [s for s in state.revision.clock_map.spans if s.recording_index == number]
    stem = f"{safe_name(wanted.name)}.viewing"
    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{stem}.", dir=out_dir) as folder:
        work = Path(folder)
        with _source(archive.store, proxy, cache) as source:
            result = _cut(source, proxy, state, number, wanted, work / f"{stem}.mp4")
        if transcript is not None:
            words = subtitles(transcript, spans=spans, cut=result)
            (work / f"{stem}.srt").write_text(words, encoding="utf-8")
        moments = (result.media_start_ms, result.media_end_ms)
        start, end = (moment_of(at, spans, state.revision.clock_map) for at in moments)
        about = {"start": start, "end": end, "producer": output.producer}
        return _published(work, out_dir, stem, _info(state, proxy, wanted, work, about))


def _cut(
    source: media.MediaSource,
    proxy: ViewingProxy,
    state: State,
    number: int,
    wanted: Wanted,
    out: Path,
) -> media.CutResult:
    """The copied groups of the span, with the recording's own media times."""
    zero, clock_map = proxy.media_start_ms, state.revision.clock_map
    start, end = media_span(
        clock_map, recording_index=number, span_ms=wanted.span_ms, margin_ms=wanted.margin_ms
    )
    first = max(0, start - zero)
    made = media.cut(source, start_ms=first, end_ms=max(first + 1, end - zero), out=out)
    return made._replace(
        media_start_ms=made.media_start_ms + zero, media_end_ms=made.media_end_ms + zero
    )


def _info(
    state: State, proxy: ViewingProxy, wanted: Wanted, work: Path, about: dict[str, Any]
) -> ViewingClip:
    return ViewingClip(
        broadcast_id=state.revision.broadcast.broadcast_id,
        claim_id=wanted.claim_id,
        recording_id=proxy.recording_id,
        recording_sha256=proxy.recording_sha256,
        proxy_sha256=proxy.sha256,
        asked_start_ms=wanted.span_ms[0],
        asked_end_ms=wanted.span_ms[1],
        files={p.name: sha256_file(p) for p in sorted(work.iterdir())},
        tools={"replay-evidence": VERSION, **media.library_versions()},
        **about,
    )


def _source(store: ObjectStore, proxy: ViewingProxy, cache: Path) -> Any:
    return whole_source(
        store, key=proxy.key, sha256=proxy.sha256, size_bytes=proxy.size_bytes, cache=cache
    )


def _published(work: Path, out_dir: Path, stem: str, info: ViewingClip) -> Viewing:
    """Move the finished files into place, the sidecar last."""
    body = json.dumps(info.model_dump(mode="json"), ensure_ascii=False, indent=2)
    (work / f"{stem}.json").write_text(body + "\n", encoding="utf-8")
    for suffix in (".srt", ".mp4", ".json"):
        if (work / f"{stem}{suffix}").exists():
            shutil.move(work / f"{stem}{suffix}", out_dir / f"{stem}{suffix}")
    return viewing_at(out_dir / f"{stem}.json", info)


def viewing_at(sidecar: Path, info: ViewingClip | None = None) -> Viewing:
    """The viewing copy that a sidecar describes.

    Raises:
        InputError: there is none.
    """
    if info is None:
        if not sidecar.is_file():
            raise InputError(f"{sidecar.name}: no viewing copy of this", hint="ask for the clip")
        info = ViewingClip.model_validate_json(sidecar.read_bytes())
    words = sidecar.with_suffix(".srt")
    return Viewing(
        video=sidecar.with_suffix(".mp4"),
        subtitles=words if words.name in info.files else None,
        sidecar=sidecar,
        info=info,
    )
