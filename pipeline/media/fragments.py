"""Groups of a recording as fragments of an MP4 (ISO/IEC 14496-12, 8.8), copied packet by packet.

A player that takes fragments plays any container so, without the recording being rewritten.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from pipeline.errors import UnreadableMedia
from pipeline.media.packed import Entry
from pipeline.media.packets import Kind
from pipeline.media.sliced import ReadPart, cut_out, grouped, loaded
from pipeline.model import PacketIndex

_LEAD_US = 10_000_000
"""Added to every time, because decoding may begin before the recording's zero and no time may be
negative; players count from the first picture."""
_KEY, _OTHER = 0x02000000, 0x01010000
_KINDS: dict[bytes, Kind] = {b"vide": "video", b"soun": "audio"}
_TFHD_FLAGS, _TRUN_FLAGS = 0x020000, 0x000F01


class _Track(NamedTuple):
    number: int
    scale: int
    kind: Kind


class _Sample(NamedTuple):
    entry: Entry
    dts_us: int
    body: bytes


def header_of(index: PacketIndex) -> bytes:
    """What stands before all fragments (the initialization segment).

    Raises:
        UnreadableMedia: the sidecar lists no packets, or they lie in MPEG-TS.
    """
    if not index.init or index.transport:
        raise UnreadableMedia(
            f"recording {index.recording_id} cannot be given out in fragments",
            hint="process the broadcast again: its sidecar lists no packets",
        )
    return base64.b64decode(index.init)


def fragment(index: PacketIndex, first: int, after: int, read: ReadPart) -> bytes:
    """Groups ``[first, after)`` with their sound; one read a part.

    Raises:
        UnreadableMedia: as :func:`header_of`. HashMismatch: bytes are not those taken in.
    """
    tracks = list(_tracks(header_of(index)))
    found = grouped(index, first, after)
    bodies = list(cut_out(found, loaded(index, found, read)))
    samples = {
        t.number: _samples([(e, body) for e, body in bodies if e.kind == t.kind]) for t in tracks
    }
    used = [(t, samples[t.number]) for t in tracks if samples[t.number]]
    size = len(_moof(first, used, 0))
    media = b"".join(sample.body for _, some in used for sample in some)
    return _moof(first, used, size + 8) + box(b"mdat", media)


def _samples(bodies: Sequence[tuple[Entry, bytes]]) -> list[_Sample]:
    """Packets with decoding times that run forward; unknown ones lead up to the next known."""
    found: list[_Sample] = []
    known_us = [e.dts_us if e.has_dts else None for e, _ in bodies]
    for place, (entry, body) in enumerate(bodies):
        ahead = next((n for n in range(place, len(bodies)) if known_us[n] is not None), None)
        dts_us = entry.dts_us
        if not entry.has_dts and ahead is not None:
            dts_us = (known_us[ahead] or 0) - (ahead - place) * entry.length_us
        if found and dts_us <= found[-1].dts_us:
            dts_us = found[-1].dts_us + 100
        found.append(_Sample(entry, dts_us, body))
    return found


def _moof(sequence: int, used: Sequence[tuple[_Track, list[_Sample]]], media_at: int) -> bytes:
    trafs, at = b"", media_at
    for track, samples in used:
        trafs += box(b"traf", _track_part(track, samples, at))
        at += sum(len(sample.body) for sample in samples)
    return box(b"moof", _full(b"mfhd", 0, 0, struct.pack(">I", sequence + 1)) + trafs)


def _track_part(track: _Track, samples: Sequence[_Sample], at: int) -> bytes:
    ticks = [_ticks(sample.dts_us, track) for sample in samples]
    last = samples[-1]
    lengths = [b - a for a, b in pairwise(ticks)]
    lengths.append(_ticks(last.dts_us + last.entry.length_us, track) - ticks[-1])
    rows = [
        struct.pack(
            ">IIIi",
            max(0, length),
            len(s.body),
            _KEY if s.entry.is_key else _OTHER,
            _ticks(s.entry.pts_us, track) - tick,
        )
        for s, tick, length in zip(samples, ticks, lengths, strict=True)
    ]
    return (
        _full(b"tfhd", 0, _TFHD_FLAGS, struct.pack(">I", track.number))
        + _full(b"tfdt", 1, 0, struct.pack(">Q", ticks[0]))
        + _full(b"trun", 1, _TRUN_FLAGS, struct.pack(">Ii", len(samples), at) + b"".join(rows))
    )


def _ticks(us: int, track: _Track) -> int:
    return (us + _LEAD_US) * track.scale // 1_000_000


def _tracks(head: bytes) -> Iterator[_Track]:
    """The tracks that an MP4's header describes."""
    for name, start, end in boxes(head, 0, len(head)):
        if name != b"moov":
            continue
        for inner, low, high in boxes(head, start, end):
            if inner == b"trak":
                yield _track(head, low, high)


def _track(head: bytes, start: int, end: int) -> _Track:
    inside = {name: (low, high) for name, low, high in boxes(head, start, end)}
    wide = head[inside[b"tkhd"][0]]
    number = struct.unpack_from(">I", head, inside[b"tkhd"][0] + (20 if wide else 12))[0]
    media = {name: low for name, low, _ in boxes(head, *inside[b"mdia"])}
    wide = head[media[b"mdhd"]]
    scale = struct.unpack_from(">I", head, media[b"mdhd"] + (20 if wide else 12))[0]
    return _Track(number, scale, _KINDS[head[media[b"hdlr"] + 8 : media[b"hdlr"] + 12]])


def boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes between two positions: name, and where the body begins and ends."""
    while start + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, start)
        if size < 8:
            return
        yield name, start + 8, min(start + size, end)
        start += size


def box(name: bytes, body: bytes) -> bytes:
    """A box with this body."""
    return struct.pack(">I4s", 8 + len(body), name) + body


def _full(name: bytes, version: int, flags: int, body: bytes) -> bytes:
    return box(name, struct.pack(">I", version << 24 | flags) + body)
