"""Packets of a span from the sidecar's list and byte ranges, without opening the recording.

The list says which bytes of each part are needed, one range a part: the pictures of whole groups,
the sound that lies among them, and what sound the span itself still needs beside them.
"""

from __future__ import annotations

import base64
import io
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from pipeline.errors import HashMismatch, UnreadableMedia
from pipeline.media.clock import Epoch
from pipeline.media.packed import Entry, unpacked
from pipeline.media.packets import Kind, Timed
from pipeline.media.source import audio_of, opened, video_of
from pipeline.model import Gop, PacketIndex
from pipeline.provenance import sha256_hex

_EPOCH = Epoch(0, 0, 0, "")
_MICRO = Fraction(1, 1_000_000)
_TS_ANALYSE_US = 500_000

Ranges = tuple[tuple[int, int, int], ...]
"""``(part, byte_start, byte_end)``, one a part."""
ReadPart = Callable[[int, int, int], bytes]
"""Part, first byte and end to bytes."""


class Slice(NamedTuple):
    """What a span of media time needs."""

    entries: tuple[Entry, ...]
    """Its packets in the order of their bytes."""
    ranges: Ranges
    start_us: int
    """Media time of its first key picture."""
    end_us: int
    """Media time of the key picture after it; of its last packet's end at the end."""
    present: tuple[Entry, ...] = ()
    """In MPEG-TS: all packets that lie in the ranges, also those that are not wanted."""


def sliced(index: PacketIndex, *, start_ms: int, end_ms: int) -> Slice | None:
    """The packets of the whole groups around a span; None where the index lists no packets."""
    if not index.packets or len(index.packets) != len(index.gops):
        return None
    first = max(0, bisect_right(index.gops, start_ms, key=_start) - 1)
    after = max(first + 1, bisect_left(index.gops, end_ms, key=_start))
    return grouped(index, first, after, asked_us=(start_ms * 1000, end_ms * 1000))


def _start(gop: Gop) -> int:
    return gop.start_ms


def grouped(
    index: PacketIndex, first: int, after: int, *, asked_us: tuple[int, int] | None = None
) -> Slice:
    """The packets of groups ``[first, after)``; without ``asked_us`` all of their sound."""
    entries = [e for n in range(first, after) for e in _group(index, n)]
    main: Kind = "video" if any(e.kind == "video" for e in entries) else "audio"
    keys = [e.pts_us for e in entries if e.is_key and e.kind == main]
    start_us = min(keys, default=0) if main == "video" else index.gops[first].start_ms * 1000
    end_us = _next_us(index, after, main)
    inside = [e for e in entries if start_us <= e.pts_us and (end_us is None or e.pts_us < end_us)]
    if not inside:
        return Slice((), (), start_us, end_us or start_us)
    need_us = asked_us or (start_us, end_us or 1 << 62)
    ranges, chosen = _without_holes(inside, main, need_us)
    ends = end_us if end_us is not None else max(e.end_us for e in chosen)
    listed = tuple((part, low, high) for part, (low, high) in sorted(ranges.items()))
    present: tuple[Entry, ...] = ()
    if index.transport:
        near = range(max(0, first - 1), min(after + 1, len(index.gops)))
        present = tuple(e for n in near for e in _group(index, n) if _within(e, ranges))
    return Slice(tuple(chosen), listed, start_us, ends, present)


def _group(index: PacketIndex, number: int) -> tuple[Entry, ...]:
    return _unpacked(index.packets[number], index.transport)


@lru_cache(maxsize=64)
def _unpacked(record: bytes, transport: bool) -> tuple[Entry, ...]:
    return tuple(unpacked(record, transport=transport))


def _next_us(index: PacketIndex, number: int, main: Kind) -> int | None:
    """When the group after begins; None at the end."""
    if number >= len(index.gops):
        return None
    if main == "audio":
        return index.gops[number].start_ms * 1000
    found = [e.pts_us for e in _group(index, number) if e.is_key and e.kind == main]
    return min(found, default=index.gops[number].start_ms * 1000)


def _without_holes(
    inside: Sequence[Entry], main: Kind, need_us: tuple[int, int]
) -> tuple[dict[int, tuple[int, int]], list[Entry]]:
    """The ranges and what lies in them; sound before and after a part's border is both needed."""
    low_us, high_us = need_us
    while True:
        ranges = _ranges(inside, main, (low_us, high_us))
        chosen = [e for e in inside if _within(e, ranges)]
        first_us = min((e.pts_us for e in chosen if e.kind != main), default=low_us)
        last_us = max((e.pts_us + 1 for e in chosen if e.kind != main), default=high_us)
        if low_us <= first_us and last_us <= high_us:
            return ranges, chosen
        low_us, high_us = min(low_us, first_us), max(high_us, last_us)


def _ranges(
    entries: Sequence[Entry], main: Kind, need_us: tuple[int, int]
) -> dict[int, tuple[int, int]]:
    """The bytes of the main stream's packets, and of other packets that are needed for themselves."""
    low_us, high_us = need_us
    found: dict[int, tuple[int, int]] = {}
    for e in entries:
        if e.kind == main or (e.pts_us + e.length_us > low_us and e.pts_us < high_us):
            low, high = found.get(e.part, (e.byte, e.byte_end))
            if e.byte <= low or e.byte_end >= high:
                found[e.part] = (min(low, e.byte), max(high, e.byte_end))
    return found


def _within(entry: Entry, ranges: dict[int, tuple[int, int]]) -> bool:
    low, high = ranges.get(entry.part, (0, 0))
    return low <= entry.byte and entry.byte_end <= high


def loaded(index: PacketIndex, found: Slice, read: ReadPart) -> dict[int, tuple[int, bytes]]:
    """The bytes of a slice: by part where they begin, and they themselves; one read a part.

    Raises:
        HashMismatch: bytes are not those that were taken in.
    """
    data = {part: (low, read(part, low, high)) for part, low, high in found.ranges}
    for part, (low, held) in data.items():
        checked(index, part, low, held)
    return data


def checked(index: PacketIndex, part: int, low: int, held: bytes) -> None:
    """Compare bytes of a part with the hashes taken at ingest, as far as they hold whole leaves.

    Raises:
        HashMismatch: they are not those that were taken in.
    """
    first = bisect_left(index.leaves, (part, low, 0, ""))
    for leaf_part, start, end, digest in islice(index.leaves, first, None):
        if leaf_part != part or end > low + len(held):
            return
        if sha256_hex(b"\0" + held[start - low : end - low]) != digest:
            raise HashMismatch(
                f"part {part} of recording {index.recording_id}: bytes {start} to {end} are"
                " not those taken in",
                hint="the recording in the store was altered; restore it from a copy",
            )


def cut_out(found: Slice, data: dict[int, tuple[int, bytes]]) -> Iterator[tuple[Entry, bytes]]:
    """Each packet with its bytes, where packets lie in one piece."""
    for entry in found.entries:
        low, held = data[entry.part]
        yield entry, held[entry.byte - low : entry.byte_end - low]


@contextmanager
def packets_of(
    index: PacketIndex, found: Slice, data: dict[int, tuple[int, bytes]], *, name: str
) -> Iterator[Iterator[Timed]]:
    """The packets of a slice as the demuxer would give them, on the media clock.

    Raises:
        UnreadableMedia: an MPEG-TS holds other packets than are listed.
    """
    head = base64.b64decode(index.init)
    if index.transport:
        with _transport(head + b"".join(held for _, held in data.values()), name) as media:
            yield _demuxed(media, found, name)
        return
    with opened(io.BytesIO(head), name=name) as media:
        streams = {"video": video_of(media), "audio": audio_of(media)}
        yield (_timed(streams[e.kind], e, body) for e, body in cut_out(found, data))


def _timed(stream: Any, entry: Entry, body: Any) -> Timed:
    """A packet in the place of the demuxer's; ``body`` is one of PyAV's or bytes."""
    import av

    packet = body
    if isinstance(body, bytes):
        packet = av.Packet(body)
        packet.is_keyframe = entry.is_key
    packet.time_base = _MICRO
    packet.pts = entry.pts_us
    packet.dts = entry.dts_us if entry.has_dts else None
    where = (entry.pts_us, entry.dts_us, entry.length_us, entry.byte)
    return Timed(packet, stream, entry.kind, entry.part, *where, _EPOCH)


@contextmanager
def _transport(data: bytes, name: str) -> Iterator[Any]:
    import av
    import av.error

    options = {"analyzeduration": str(_TS_ANALYSE_US), "fpsprobesize": "0"}
    try:
        media = av.open(io.BytesIO(data), format="mpegts", options=options)
    except (av.error.FFmpegError, ValueError) as error:
        raise UnreadableMedia(
            f"{name}: the bytes of the span cannot be read", hint="ingest the recording again"
        ) from error
    with media:
        yield media


def _demuxed(media: Any, found: Slice, name: str) -> Iterator[Timed]:
    """The packets of MPEG-TS bytes, each matched with its entry by order and size."""
    streams = {"video": video_of(media), "audio": audio_of(media)}
    chosen = frozenset(found.entries)
    ordered = sorted(found.present, key=lambda e: (e.part, e.byte))
    left: dict[int, Iterator[Entry]] = {
        stream.index: iter([e for e in ordered if e.kind == kind])
        for kind, stream in streams.items()
        if stream is not None
    }
    given = 0
    for packet in media.demux(tuple(media.streams[n] for n in left)):
        entry = next(left[packet.stream.index], None) if packet.size else None
        if entry is None or entry not in chosen:
            continue
        if packet.size != entry.size:
            raise _other(name)
        given += 1
        yield _timed(packet.stream, entry, packet)
    if given != len(chosen):
        raise _other(name)


def _other(name: str) -> UnreadableMedia:
    return UnreadableMedia(
        f"{name}: its bytes hold other packets than were listed at ingest",
        hint="check the recording with `evidence custody verify --deep`",
    )
