"""The byte structure of containers: headers, places to cut, and whether the tail is missing.

Only lengths are read, never payload, and never more than the file has: every length in a
file is hostile until checked against its size.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_EBML_HEADER, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_UNKNOWN = -1
_SCAN_BYTES = 1 << 20


class Layout(NamedTuple):
    """What the structure of one file says."""

    size_bytes: int
    headers: tuple[tuple[int, int], ...] = ()
    """``[start, end)`` of the headers a cut needs; empty: everything before the first packet."""
    fragments: tuple[int, ...] = ()
    """Starts of self-contained pieces (moof, cluster); cuts go there."""
    truncated: bool = False
    """The last structure says it is longer than the file."""


def layout_of(path: Path, *, head: bytes) -> Layout:
    """The layout of a file that begins with ``head`` (at least 16 bytes where it has them)."""
    size = path.stat().st_size
    if head[4:8] in (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"wide", b"sidx"):
        return mp4_boxes(path)
    if head[:4] == b"\x1aE\xdf\xa3":
        return _matroska(path)
    if head[:3] == b"FLV":
        return Layout(size, truncated=not _flv_ends_whole(path, size))
    if head[:1] == b"G" and head[188:189] in (b"G", b""):
        return Layout(size, truncated=size % 188 != 0)
    return Layout(size)


def mp4_boxes(path: Path) -> Layout:
    """Top-level boxes of an MP4 (ISO/IEC 14496-12, 4.2)."""
    size = path.stat().st_size
    headers, fragments, truncated = [], [], False
    with path.open("rb") as file:
        for at, end, kind in _boxes(file, size):
            if kind in (b"ftyp", b"moov"):
                headers.append((at, min(end, size)))
            elif kind == b"moof":
                fragments.append(at)
            truncated = end > size
    return Layout(size, tuple(headers), tuple(fragments), truncated)


def next_fragment(file: BinaryIO, *, after: int) -> int | None:
    """Where the next movie fragment begins, found by its signature; None when there is none.

    A way back into a fragmented MP4 whose box lengths are damaged.
    """
    at, kept = after, b""
    while True:
        file.seek(at)
        block = file.read(_SCAN_BYTES)
        data = kept + block
        place = data.find(b"moof")
        while place >= 0:
            if place >= 4 and data[place + 8 : place + 12] == b"mfhd":
                return at - len(kept) + place - 4
            place = data.find(b"moof", place + 1)
        if not block:
            return None
        at += len(block)
        kept = data[-16:]


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[int, int, bytes]]:
    at, fragmented = 0, False
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind, least = int.from_bytes(head[:4], "big"), head[4:8], 8
        if length == 1 and len(head) == 16:
            length, least = int.from_bytes(head[8:16], "big"), 16
        elif length == 0:
            length = size - at
        fragmented = fragmented or kind == b"moof"
        if fragmented and (length < least or at + length > size):  # damaged: look for a way back
            found = next_fragment(file, after=at + 8)
            if found is not None:
                at = found
                continue
        if length < least:
            return
        yield at, at + length, kind
        at += length


def _flv_ends_whole(path: Path, size: int) -> bool:
    """Whether the last PreviousTagSize fits the tag before it (FLV specification, E.3)."""
    if size < 13 + 15:
        return False
    with path.open("rb") as file:
        file.seek(size - 4)
        length = int.from_bytes(file.read(4), "big")
        if not 11 <= length <= size - 13:
            return False
        file.seek(size - 4 - length)
        tag = file.read(4)
    return tag[0] & 0x1F in (8, 9, 18) and int.from_bytes(tag[1:4], "big") + 11 == length


def _matroska(path: Path) -> Layout:
    """Clusters of a Matroska or WebM file (RFC 9559; EBML: RFC 8794)."""
    size = path.stat().st_size
    clusters: list[int] = []
    truncated = False
    with path.open("rb") as file:
        at = 0
        while at < size:
            element = _element(file, at)
            if element is None:
                break
            kind, body, length = element
            if kind == _SEGMENT:
                truncated = truncated or (length != _UNKNOWN and body + length > size)
                at = body
                continue
            if kind == _CLUSTER:
                clusters.append(at)
            if length == _UNKNOWN:
                if kind != _CLUSTER:
                    break
                at = body  # a live cluster: its children follow, then the next cluster
                continue
            truncated = truncated or body + length > size
            at = body + length
    headers = ((0, clusters[0]),) if clusters else ()
    return Layout(size, headers, tuple(clusters), truncated)


def _element(file: BinaryIO, at: int) -> tuple[int, int, int] | None:
    """``(id, start of body, length or -1)`` of the EBML element at a position."""
    file.seek(at)
    head = file.read(12)
    if not head or head[0] == 0:
        return None
    id_len = 9 - head[0].bit_length()
    if id_len > 4 or len(head) <= id_len or head[id_len] == 0:
        return None
    size_len = 9 - head[id_len].bit_length()
    raw = head[id_len : id_len + size_len]
    if len(raw) < size_len:
        return None
    mask = (1 << (7 * size_len)) - 1
    length = int.from_bytes(raw, "big") & mask
    body = at + id_len + size_len
    return int.from_bytes(head[:id_len], "big"), body, _UNKNOWN if length == mask else length
