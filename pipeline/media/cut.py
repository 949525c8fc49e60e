"""Cutting a clip without touching a coded byte of it, as an MP4 that a browser plays.

A cut begins at the key picture at or before the span and ends at the first key picture at
or after its end, so that every group of pictures is whole. Codecs that MP4 or browsers do
not take are coded anew, and the result says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import InputError, UnreadableMedia
from pipeline.media.clock import to_ms
from pipeline.media.mux import COPIED, Writer, coded_anew
from pipeline.media.packets import Kind, Reader, Timed, codecs_of
from pipeline.media.sliced import Slice, loaded, packets_of, sliced
from pipeline.media.source import MediaSource, source_of
from pipeline.model import PacketIndex
from pipeline.provenance import sha256_file
from pipeline.timeline import clock

_LATE_US = 3_000_000
"""Sound and picture of one moment lie at most this far apart in the file."""


class CutResult(NamedTuple):
    """A clip file and where it comes from."""

    path: Path
    media_start_ms: int
    """The clip's zero, media milliseconds."""
    media_end_ms: int
    """End of its last packet, media milliseconds."""
    ranges: tuple[tuple[int, int, int], ...]
    """``(part, byte_start, byte_end)`` that hold every packet of the clip."""
    sha256: str
    size_bytes: int
    has_video: bool
    coded_anew: tuple[str, ...] = ()
    """Codecs that had to be coded anew (``audio: pcm_s16le``); empty for a pure copy."""
    packets: tuple[tuple[Kind, int, int], ...] = ()
    """``(kind, part, byte)`` of each packet in order, near which it begins; byte -1: unknown."""


class _Bounds(NamedTuple):
    start_us: int
    end_us: int


def cut(
    source: MediaSource,
    *,
    start_ms: int,
    end_ms: int,
    out: Path,
    index: PacketIndex | None = None,
) -> CutResult:
    """Write the clip of media span ``[start_ms, end_ms)`` to ``out``, whole or not at all.

    With the recording's packet ``index`` an FLV or MPEG-TS is entered near the span instead
    of being read from its start; the clip is the same.

    Raises:
        InputError: the span is empty or beyond the recording.
        UnreadableMedia: the source cannot be opened.
    """
    _check_span(start_ms, end_ms)
    found = sliced(index, start_ms=start_ms, end_ms=end_ms) if index is not None else None
    if index is not None and found is not None and found.entries:
        try:
            return _listed(source, index, found, start_ms=start_ms, end_ms=end_ms, out=out)
        except UnreadableMedia:  # damaged bytes: the demuxer knows ways around them
            source = source_of(source.parts, container=source.container, file_name=source.file_name)
    return _read(source, start_ms=start_ms, end_ms=end_ms, out=out, index=index)


def _listed(
    source: MediaSource,
    index: PacketIndex,
    found: Slice,
    *,
    start_ms: int,
    end_ms: int,
    out: Path,
) -> CutResult:
    """The clip from the bytes that the sidecar lists; the recording is not opened."""
    if found.end_us <= start_ms * 1000:
        raise _nothing(source, start_ms, end_ms)
    data = loaded(index, found, lambda part, low, high: bytes_of(source.parts[part], low, high))
    copied = _Copied()
    copied.ranges = found.ranges
    part = out.with_name(f".{out.name}.part")
    try:
        with (
            packets_of(index, found, data, name=source.file_name) as packets,
            Writer(part, start_us=found.start_us) as writer,
        ):
            for timed in packets:
                copied.take(timed)
                writer.put(timed)
        result = _result(part, copied, start_us=found.start_us, end_us=copied.end_us, anew=())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return result._replace(path=out)


def bytes_of(part: Path | Any, low: int, high: int) -> bytes:
    """A range of a part; one request where it lies in a remote store."""
    if not isinstance(part, Path):
        return bytes(part.fetch(low, high))
    with part.open("rb") as file:
        file.seek(low)
        return file.read(high - low)


def _read(
    source: MediaSource, *, start_ms: int, end_ms: int, out: Path, index: PacketIndex | None
) -> CutResult:
    """The clip by the demuxer, for recordings whose packets are not listed."""
    codecs = codecs_of(source)
    anew = tuple(f"{kind}: {name}" for kind, name in codecs.items() if name not in COPIED[kind])
    kinds: frozenset[Kind] = frozenset({"video" if "video" in codecs else "audio"})
    finder = Reader(source, kinds=kinds, index=index)
    bounds = _bounds(finder, start_ms * 1000, end_ms * 1000)
    packets = _chosen(Reader(source, index=index), bounds, frozenset(codecs))
    part = out.with_name(f".{out.name}.part")
    try:
        if anew:
            end_us = coded_anew(source, part, start_us=bounds.start_us, end_us=bounds.end_us)
            copied = _ranges_only(packets)
        else:
            copied = _copy(packets, bounds, part)
            end_us = copied.end_us
        if not copied.ranges or end_us <= start_ms * 1000:
            raise _nothing(source, start_ms, end_ms)
        result = _result(part, copied, start_us=bounds.start_us, end_us=end_us, anew=anew)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return result._replace(path=out)


def _check_span(start_ms: int, end_ms: int) -> None:
    if end_ms <= start_ms:
        raise InputError(
            f"{clock(start_ms)} to {clock(end_ms)} is not a span",
            hint="give an end after the start",
        )


def _result(
    part: Path, copied: _Copied, *, start_us: int, end_us: int, anew: tuple[str, ...]
) -> CutResult:
    return CutResult(
        path=part,
        media_start_ms=to_ms(start_us),
        media_end_ms=to_ms(end_us),
        ranges=copied.ranges,
        sha256=sha256_file(part),
        size_bytes=part.stat().st_size,
        has_video=copied.pictures > 0,
        coded_anew=anew,
        packets=tuple(copied.packets),
    )


def _nothing(source: MediaSource, start_ms: int, end_ms: int) -> InputError:
    return InputError(
        f"{source.file_name}: nothing was recorded from {clock(start_ms)} to {clock(end_ms)}",
        hint="ask for a span inside the recording; `evidence show` lists its holes",
        file=source.file_name,
    )


def _bounds(reader: Reader, start_us: int, end_us: int) -> _Bounds:
    """The span widened to whole groups of pictures; without pictures, to whole packets."""
    first, last = start_us, None
    for timed in reader.read(from_us=start_us):
        if not timed.packet.is_keyframe or timed.packet.is_discard:
            continue
        if timed.pts_us <= start_us:
            first = timed.pts_us
        elif timed.pts_us >= end_us:
            last = timed.pts_us
            break
    return _Bounds(max(0, first), max(reader.clock_now().end_us, end_us) if last is None else last)


class _Copied:
    """What has been copied so far."""

    def __init__(self) -> None:
        self._spans: dict[int, tuple[int, int]] = {}
        self._open: tuple[int, int] | None = None
        self.end_us = 0
        self.pictures = 0
        self.ranges: tuple[tuple[int, int, int], ...] = ()
        """The bytes, one range a part."""
        self.packets: list[tuple[Kind, int, int]] = []

    def take(self, timed: Timed) -> None:
        """Note a packet of the clip."""
        self.end_us = max(self.end_us, timed.end_us)
        self.pictures += timed.kind == "video"
        self.packets.append((timed.kind, timed.part, timed.byte))

    def see(self, timed: Timed, *, chosen: bool) -> None:
        """Note a packet's bytes; in a stream of tags they end where the next one begins."""
        if self._open is not None and timed.byte > self._open[1]:
            part, _ = self._open
            if timed.part == part and timed.byte > self._spans[part][1]:
                self._spans[part] = (self._spans[part][0], timed.byte)
            self._open = None
        if not chosen:
            return
        self.take(timed)
        if timed.byte < 0:
            return
        low, high = self._spans.get(timed.part, (timed.byte, 0))
        high = max(high, timed.byte + timed.packet.size)
        self._spans[timed.part] = (min(low, timed.byte), high)
        self._open = (timed.part, timed.byte)

    def seen(self) -> _Copied:
        """With the ranges of all that was seen."""
        self.ranges = tuple((part, low, high) for part, (low, high) in sorted(self._spans.items()))
        return self


def _copy(packets: Iterator[tuple[Timed, bool]], bounds: _Bounds, out: Path) -> _Copied:
    copied = _Copied()
    with Writer(out, start_us=bounds.start_us) as writer:
        for timed, chosen in packets:
            copied.see(timed, chosen=chosen)
            if chosen:
                writer.put(timed)
    return copied.seen()


def _ranges_only(packets: Iterator[tuple[Timed, bool]]) -> _Copied:
    copied = _Copied()
    for timed, chosen in packets:
        copied.see(timed, chosen=chosen)
    return copied.seen()


def _chosen(
    reader: Reader, bounds: _Bounds, kinds: frozenset[Kind]
) -> Iterator[tuple[Timed, bool]]:
    """Packets near the span, and whether each belongs to it."""
    running, passed = False, set[Kind]()
    for timed in reader.read(from_us=bounds.start_us):
        inside = bounds.start_us <= timed.pts_us < bounds.end_us
        if timed.kind == "video":
            if timed.packet.is_keyframe and not timed.packet.is_discard:
                running = inside
            yield timed, running and inside
        else:
            yield timed, inside and not timed.packet.is_discard
        if timed.dts_us >= bounds.end_us:
            passed.add(timed.kind)
        if timed.dts_us > bounds.end_us + _LATE_US or passed == kinds:
            return
