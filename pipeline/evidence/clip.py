"""A clip of one moment: the copied video, its picture, its words, and where it all comes from.

``<name>.json`` is written last: a clip without it is not there.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline.errors import InputError
from pipeline.media import run as media
from pipeline.model import ClockMap, ClockSpan, Frozen, PacketIndex, Recording, Transcript
from pipeline.provenance import VERSION, sha256_file
from pipeline.timeline import Span, clock, from_utc_ms, srt_clock, subtract

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 100
_NEAR_MS = 500
"""Sound and picture end a hole at about the same time: one chapter."""


class ByteRange(Frozen):
    """Bytes of one part of the recording that hold every packet of the clip."""

    part: int
    """Index into the recording's parts."""
    name: str
    """The part's file name; hostile text."""
    byte_start: int
    """First byte."""
    byte_end: int
    """Exclusive."""
    sha256: str
    """Of the whole part."""


class WallTime(Frozen):
    """An instant on the wall clock."""

    at: str
    """ISO 8601 in the broadcast's offset."""
    uncertainty_ms: int
    """± milliseconds."""
    source: str
    """Which clock says so."""


class Moment(Frozen):
    """One instant on all three clocks."""

    media_ms: int
    """The recording's own time, milliseconds."""
    timeline_ms: int
    """Milliseconds since the broadcast's ``started_at``."""
    wall: WallTime | None = None
    """Null where no wall clock is known."""


class ClipInfo(Frozen):
    """What ``<name>.json`` holds."""

    schema_version: int = 1
    """Version of this form."""
    broadcast_id: str
    """Which broadcast."""
    claim_id: str | None = None
    """The claim it was cut for."""
    recording_id: str
    """Which recording."""
    recording_sha256: str
    """Hash of the recording."""
    merkle_root: str
    """Root of the recording's Merkle tree."""
    file_name: str
    """The recording's name; hostile text, never a path."""
    asked_start_ms: int
    """Span asked for, timeline milliseconds."""
    asked_end_ms: int
    """Exclusive."""
    margin_ms: int
    """Kept before and after it where there was something."""
    start: Moment
    """The clip's first instant."""
    end: Moment
    """The clip's end."""
    picture: Moment | None = None
    """The instant of ``<name>.jpg``."""
    complete: bool
    """Whether all of the span asked for was recorded."""
    missing: tuple[tuple[int, int], ...] = ()
    """Stretches of the span asked for that this recording does not hold, timeline ms."""
    holes: tuple[tuple[int, int, str], ...] = ()
    """Holes within the clip: ``(timeline start, end, reason)``."""
    chapters: tuple[tuple[int, str], ...] = ()
    """Where it goes on after a hole or in another part: ``(milliseconds of the clip, wall-clock
    time)``, as in the MP4; empty: it runs through."""
    source_ranges: tuple[ByteRange, ...]
    """Where its packets lie in the recording."""
    coded_anew: tuple[str, ...] = ()
    """Codecs that MP4 cannot hold and that were coded anew; empty: nothing was altered."""
    files: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of each file beside this one, by name."""
    tools: dict[str, str] = Field(default_factory=dict)
    """Versions of what made it."""


class Clip(Frozen):
    """The files of a clip."""

    video: Path
    """MP4."""
    picture: Path | None
    """JPEG of the frame at the claim; null without pictures."""
    subtitles: Path | None
    """SubRip, times relative to the clip; null without a transcript."""
    sidecar: Path
    """JSON."""
    info: ClipInfo
    """What the sidecar says."""
    packets: tuple[tuple[str, int, int], ...] = Field(default=(), exclude=True)
    """``(kind, part, byte)`` of each packet in order, near which it begins in the recording."""


def make_clip(
    *,
    source: media.MediaSource,
    recording: Recording,
    clock_map: ClockMap,
    broadcast_id: str,
    span_ms: tuple[int, int],
    margin_ms: int,
    transcript: Transcript | None,
    out_dir: Path,
    name: str,
    recording_index: int = 0,
    claim_id: str | None = None,
    index: PacketIndex | None = None,
) -> Clip:
    """Cut a span of the broadcast's timeline out of one recording; what is lacking is listed.

    ``recording_index`` is ``source``'s number in the clock map; ``name`` may be anything;
    with ``index``, the sidecar, a long recording need not be read from its start.

    Raises:
        InputError: the span is empty, or the recording holds nothing of it.
        MediaError: the recording cannot be read.
    """
    asked, stem = Span(*span_ms), safe_name(name)
    spans = [s for s in clock_map.spans if s.recording_index == recording_index]
    inside = _inside(asked, spans, broadcast_id)
    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{stem}.", dir=out_dir) as folder:
        work = Path(folder)
        bounds = _media_bounds(asked, inside, spans, margin_ms)
        out, (first_ms, after_ms) = work / f"{stem}.mp4", bounds
        result = media.cut(source, start_ms=first_ms, end_ms=after_ms, out=out, index=index)
        at_ms = _to_media(max(asked.start_ms, inside[0].start_ms), inside[0])
        shown = _picture(source, at_ms, index, result, work / f"{stem}.jpg")
        _write_words(transcript, spans, result, work / f"{stem}.srt")
        about = _origin(recording, result, spans, clock_map)
        about |= {"broadcast_id": broadcast_id, "claim_id": claim_id, "margin_ms": margin_ms}
        about |= _gaps(asked, inside, spans, recording, result)
        about["chapters"] = _chapters(recording, result, spans, clock_map)
        picture = None if shown is None else moment_of(shown, spans, clock_map)
        clip = _publish(work, out_dir, stem, _info(about, asked, picture, work))
        return clip.model_copy(update={"packets": result.packets})


def media_span(
    clock_map: ClockMap, *, recording_index: int, span_ms: tuple[int, int], margin_ms: int
) -> tuple[int, int]:
    """What of a recording a clip of a timeline span is cut from, in its media time."""
    spans = [s for s in clock_map.spans if s.recording_index == recording_index]
    inside = [s for s in spans if s.span.overlap_ms(Span(*span_ms)) > 0] or spans
    start_ms, end_ms = _media_bounds(Span(*span_ms), inside, spans, margin_ms)
    return start_ms, end_ms


def _info(about: dict[str, Any], asked: Span, picture: Moment | None, work: Path) -> ClipInfo:
    return ClipInfo(
        asked_start_ms=asked.start_ms,
        asked_end_ms=asked.end_ms,
        picture=picture,
        files={p.name: sha256_file(p) for p in sorted(work.iterdir())},
        **about,
    )


def _inside(asked: Span, spans: Sequence[ClockSpan], broadcast_id: str) -> list[ClockSpan]:
    inside = [s for s in spans if s.span.overlap_ms(asked) > 0]
    if not inside:
        raise _nothing(asked, spans, broadcast_id)
    return inside


def _write_words(
    transcript: Transcript | None,
    spans: Sequence[ClockSpan],
    cut: media.CutResult,
    path: Path,
) -> None:
    if transcript is not None:
        path.write_text(subtitles(transcript, spans=spans, cut=cut), encoding="utf-8")


def safe_name(name: str) -> str:
    """A file name made of harmless characters only."""
    return _UNSAFE.sub("_", name).strip("._")[:_LONGEST_NAME] or "clip"


def subtitles(transcript: Transcript, *, spans: Sequence[ClockSpan], cut: media.CutResult) -> str:
    """The words spoken in a cut as SubRip, times relative to the cut."""
    blocks: list[str] = []
    for segment in transcript.segments:
        heard = [s.span.clipped(segment.span) for s in spans]
        inside = [(h, s) for h, s in zip(heard, spans, strict=True) if h.length_ms]
        if not inside:
            continue
        start = _to_media(inside[0][0].start_ms, inside[0][1])
        end = _to_media(inside[-1][0].end_ms, inside[-1][1])
        low = max(start, cut.media_start_ms) - cut.media_start_ms
        high = min(end, cut.media_end_ms) - cut.media_start_ms
        words = " ".join(segment.text.replace("-->", "→").split())
        if high > low and words:
            blocks.append(f"{len(blocks) + 1}\n{srt_clock(low)} --> {srt_clock(high)}\n{words}\n")
    return "\n".join(blocks)


def _publish(work: Path, out_dir: Path, stem: str, info: ClipInfo) -> Clip:
    """Move the finished files into place, the sidecar last."""
    sidecar = work / f"{stem}.json"
    body = info.model_dump(mode="json")
    sidecar.write_text(json.dumps(body, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    (out_dir / sidecar.name).unlink(missing_ok=True)
    for suffix in (".jpg", ".srt", ".mp4", ".json"):
        made, place = work / f"{stem}{suffix}", out_dir / f"{stem}{suffix}"
        if made.exists():
            shutil.move(made, place)
        else:
            place.unlink(missing_ok=True)
    return Clip(
        video=out_dir / f"{stem}.mp4",
        picture=out_dir / f"{stem}.jpg" if f"{stem}.jpg" in info.files else None,
        subtitles=out_dir / f"{stem}.srt" if f"{stem}.srt" in info.files else None,
        sidecar=out_dir / f"{stem}.json",
        info=info,
    )


def _nothing(asked: Span, spans: Sequence[ClockSpan], broadcast_id: str) -> InputError:
    there = ", ".join(f"{clock(s.start_ms)} to {clock(s.end_ms)}" for s in spans) or "nothing"
    return InputError(
        f"{broadcast_id}: nothing was recorded from {clock(asked.start_ms)} to"
        f" {clock(asked.end_ms)}; this recording holds {there}",
        hint="ask for a span inside what was recorded",
        where=clock(asked.start_ms),
    )


def _media_bounds(
    asked: Span, inside: Sequence[ClockSpan], spans: Sequence[ClockSpan], margin_ms: int
) -> Span:
    """The media span to cut: what was recorded of the span asked for, and a margin."""
    first, last = inside[0], inside[-1]
    start = _to_media(max(asked.start_ms, first.start_ms), first) - margin_ms
    end = _to_media(min(asked.end_ms, last.end_ms), last) + margin_ms
    length = max(_to_media(s.end_ms, s) for s in spans)
    return Span(max(0, start), min(end, length))


def _to_media(at_ms: int, span: ClockSpan) -> int:
    return span.media_start_ms + at_ms - span.start_ms


def _to_timeline(media_ms: int, spans: Sequence[ClockSpan]) -> int:
    """The timeline instant of a media time, by the last stretch that begins at or before it."""
    before = [s for s in spans if s.media_start_ms <= media_ms]
    span = max(before, key=lambda s: s.media_start_ms) if before else spans[0]
    return span.start_ms + media_ms - span.media_start_ms


def moment_of(media_ms: int, spans: Sequence[ClockSpan], clock_map: ClockMap) -> Moment:
    """A media instant of one recording on all three clocks; ``spans`` are that recording's."""
    at_ms = _to_timeline(media_ms, spans)
    span = min(spans, key=lambda s: max(s.start_ms - at_ms, at_ms - s.end_ms, 0))
    wall = None
    if span.wall_start_utc_ms is not None:
        instant = from_utc_ms(
            span.wall_start_utc_ms + at_ms - span.start_ms, offset_minutes=clock_map.zone_minutes
        )
        wall = WallTime(
            at=instant.isoformat(timespec="milliseconds"),
            uncertainty_ms=span.uncertainty_ms,
            source=span.source,
        )
    return Moment(media_ms=media_ms, timeline_ms=at_ms, wall=wall)


def _origin(
    recording: Recording,
    result: media.CutResult,
    spans: Sequence[ClockSpan],
    clock_map: ClockMap,
) -> dict[str, Any]:
    return {
        "recording_id": recording.recording_id,
        "recording_sha256": recording.sha256,
        "merkle_root": recording.merkle_root,
        "file_name": recording.file_name,
        "start": moment_of(result.media_start_ms, spans, clock_map),
        "end": moment_of(result.media_end_ms, spans, clock_map),
        "source_ranges": _ranges(recording, result),
        "coded_anew": result.coded_anew,
        "tools": {"replay-evidence": VERSION, **media.library_versions()},
    }


def _gaps(
    asked: Span,
    inside: Sequence[ClockSpan],
    spans: Sequence[ClockSpan],
    recording: Recording,
    result: media.CutResult,
) -> dict[str, Any]:
    missing = subtract(asked, [s.span for s in inside])
    whole = Span(result.media_start_ms, result.media_end_ms)
    holes = [
        (_to_timeline(h.start_ms, spans), _to_timeline(h.end_ms, spans), h.reason)
        for h in recording.holes
        if h.start_ms < whole.end_ms and h.end_ms >= whole.start_ms
    ]
    return {
        "complete": not missing,
        "missing": tuple((m.start_ms, m.end_ms) for m in missing),
        "holes": tuple(holes),
    }


def _chapters(
    recording: Recording,
    result: media.CutResult,
    spans: Sequence[ClockSpan],
    clock_map: ClockMap,
) -> tuple[tuple[int, str], ...]:
    """Written into the clip: its beginning, and where it goes on after a hole or in a new part."""
    start, end = result.media_start_ms, result.media_end_ms
    used = {part for part, _, _ in result.ranges}
    borders = {p.media_start_ms for n, p in enumerate(recording.parts) if n in used}
    borders |= {hole.end_ms for hole in recording.holes if hole.end_ms > hole.start_ms}
    inside = [start]
    for at in sorted(borders):
        inside += [at] if inside[-1] + _NEAR_MS <= at < end else []
    if len(inside) < 2:
        return ()
    moments = [moment_of(at, spans, clock_map) for at in inside]
    said = [m.wall.at if m.wall is not None else clock(m.timeline_ms) for m in moments]
    titled = tuple((at - start, words) for at, words in zip(inside, said, strict=True))
    media.write_chapters(result.path, [media.Chapter(*one) for one in titled])
    return titled


def _ranges(recording: Recording, result: media.CutResult) -> tuple[ByteRange, ...]:
    return tuple(
        ByteRange(
            part=part,
            name=recording.parts[part].name,
            byte_start=start,
            byte_end=end,
            sha256=recording.parts[part].sha256,
        )
        for part, start, end in result.ranges
    )


def _picture(
    source: media.MediaSource,
    media_ms: int,
    index: PacketIndex | None,
    made: media.CutResult,
    out: Path,
) -> int | None:
    """The picture at an instant, out of the clip where it holds the recording's own packets."""
    if not made.has_video:
        return None
    zero_ms = 0
    if index is not None and index.packets and not made.coded_anew:
        source = media.MediaSource((made.path,), "mp4", made.path.name)
        zero_ms, index = made.media_start_ms, None
    picture = media.picture_at(source, media_ms=media_ms - zero_ms, index=index)
    out.write_bytes(media.jpeg_bytes(picture.bgr))
    return picture.media_ms + zero_ms
