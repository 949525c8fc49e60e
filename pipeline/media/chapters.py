"""Chapters in a finished MP4, as a list in its index: no packet and no track is added."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.media.fragments import box, boxes

_TICKS_A_MS = 10_000
_MOST = 255
_LONGEST_BYTES = 255
_WAY_TO_OFFSETS = (b"trak", b"mdia", b"minf", b"stbl")
_OFFSETS = {b"stco": "I", b"co64": "Q"}


class Chapter(NamedTuple):
    """Where a stretch of a clip begins."""

    start_ms: int
    """From the clip's beginning."""
    title: str


def write_chapters(clip: Path, chapters: Sequence[Chapter]) -> None:
    """Write chapters into an MP4 whose index (moov) stands before its media."""
    data = clip.read_bytes()
    places = {name: (low, high) for name, low, high in boxes(data, 0, len(data))}
    start, end = places[b"moov"]
    inside = [(name, data[low:high]) for name, low, high in boxes(data, start, end)]
    own = [body for name, body in inside if name == b"udta"]
    about = box(b"udta", b"".join(own) + box(b"chpl", _listed(chapters)))
    rest = b"".join(box(name, body) for name, body in inside if name != b"udta")
    grown = len(rest) + len(about) - (end - start)
    moved = bytearray(rest)
    for name, low, high in _tables(rest, 0, len(rest), 0):
        _shift(moved, name, low, high, grown)
    clip.write_bytes(data[: start - 8] + box(b"moov", bytes(moved) + about) + data[end:])


def _listed(chapters: Sequence[Chapter]) -> bytes:
    """The body of a chapter list: version 1, times in 100 ns."""
    some = list(chapters)[:_MOST]
    body = struct.pack(">IIB", 1 << 24, 0, len(some))
    for chapter in some:
        title = chapter.title.encode()[:_LONGEST_BYTES]
        body += struct.pack(">QB", chapter.start_ms * _TICKS_A_MS, len(title)) + title
    return body


def _tables(data: bytes, start: int, end: int, depth: int) -> Iterator[tuple[bytes, int, int]]:
    """The tables of all tracks that say where in the file media lies."""
    for name, low, high in boxes(data, start, end):
        if depth < len(_WAY_TO_OFFSETS) and name == _WAY_TO_OFFSETS[depth]:
            yield from _tables(data, low, high, depth + 1)
        elif depth == len(_WAY_TO_OFFSETS) and name in _OFFSETS:
            yield name, low, high


def _shift(data: bytearray, name: bytes, low: int, high: int, by: int) -> None:
    count = struct.unpack_from(">I", data, low + 4)[0]
    form = f">{count}{_OFFSETS[name]}"
    if low + 8 + struct.calcsize(form) <= high:
        places = struct.unpack_from(form, data, low + 8)
        struct.pack_into(form, data, low + 8, *(place + by for place in places))
