"""HLS over a stored recording: which groups make a segment, and the playlist (RFC 8216).

Where players take the container as it is (MPEG-TS, HLS of it, fragmented MP4), segments are byte
ranges of the original; other containers are given out in fragments (``media/fragments.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal, NamedTuple

from pipeline.errors import UnreadableMedia
from pipeline.model import Gop, PacketIndex

_SEGMENT_MS = 4000
"""A segment is at least so long where groups are shorter."""
Way = Literal["ranges", "fragments"]


class Piece(NamedTuple):
    """One segment of a playlist."""

    first: int
    """Its first group."""
    after: int
    """The group after its last."""
    start_ms: int
    """Media time."""
    end_ms: int
    part: int
    byte_start: int
    byte_end: int
    restarts: bool
    """Timestamps in the original jump here."""


class Addresses(NamedTuple):
    """Where a player finds things."""

    header: Callable[[], str]
    """The header of all fragments."""
    fragment: Callable[[Piece], str]
    """A segment as a fragment."""
    part: Callable[[int, int, int], str]
    """A part of the original, open between two bytes."""


def way_of(index: PacketIndex) -> Way:
    """How a recording is played.

    Raises:
        UnreadableMedia: its sidecar lists no packets.
    """
    if index.transport or (index.container == "fmp4" and _whole_fragments(index.gops)):
        return "ranges"
    if not index.init:
        raise UnreadableMedia(
            f"recording {index.recording_id} cannot be played in place",
            hint="play the clip; after processing the broadcast again it may play in place",
        )
    return "fragments"


def _whole_fragments(gops: Sequence[Gop]) -> bool:
    return all(a.byte_end <= b.byte_start for a, b in pairwise(gops)) and gops[0].byte_start > 0


def pieces(index: PacketIndex, *, start_ms: int, end_ms: int) -> list[Piece]:
    """The segments around a span of media time, whole groups each."""
    gops = index.gops
    first = max((n for n, gop in enumerate(gops) if gop.start_ms <= start_ms), default=0)
    after = next((n for n, gop in enumerate(gops) if gop.start_ms >= end_ms), len(gops))
    found: list[Piece] = []
    for number in range(first, max(after, first + 1)):
        gop = gops[number]
        last = found[-1] if found else None
        jump = last is not None and any(
            last.start_ms < at <= gop.start_ms for at in index.discontinuities_ms
        )
        full = last is None or last.end_ms - last.start_ms >= _SEGMENT_MS
        if last is None or full or jump or last.part != gop.part:
            found.append(Piece(number, number + 1, *_of(gop), jump))
        else:
            found[-1] = last._replace(
                after=number + 1, end_ms=gop.end_ms, byte_end=max(last.byte_end, gop.byte_end)
            )
    return found


def playlist(
    index: PacketIndex,
    found: Sequence[Piece],
    *,
    at_ms: int,
    wall_utc_ms: Callable[[int], int | None],
    where: Addresses,
) -> str:
    """A playlist of segments that begins to play at media time ``at_ms``."""
    way = way_of(index)
    longest = max(-(-(p.end_ms - p.start_ms) // 1000) for p in found)
    begin = max(0, at_ms - found[0].start_ms) / 1000
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-PLAYLIST-TYPE:VOD"]
    lines += [f"#EXT-X-TARGETDURATION:{max(1, longest)}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines.append(f"#EXT-X-START:TIME-OFFSET={begin:.3f},PRECISE=YES")
    lines += _header(index, way, where)
    for piece in found:
        lines += _segment(piece, found, way, wall_utc_ms, where)
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def _header(index: PacketIndex, way: Way, where: Addresses) -> list[str]:
    if way == "fragments":
        return [f'#EXT-X-MAP:URI="{where.header()}"']
    if index.transport:  # every group of it brings its tables
        return []
    end = index.gops[0].byte_start
    return [f'#EXT-X-MAP:URI="{where.part(0, 0, end)}",BYTERANGE="{end}@0"']


def _segment(
    piece: Piece,
    found: Sequence[Piece],
    way: Way,
    wall_utc_ms: Callable[[int], int | None],
    where: Addresses,
) -> list[str]:
    lines = ["#EXT-X-DISCONTINUITY"] if piece.restarts and way == "ranges" else []
    utc_ms = wall_utc_ms(piece.start_ms)
    if utc_ms is not None:
        at = datetime.fromtimestamp(utc_ms / 1000, UTC).isoformat(timespec="milliseconds")
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{at.replace('+00:00', 'Z')}")
    lines.append(f"#EXTINF:{(piece.end_ms - piece.start_ms) / 1000:.3f},")
    if way == "fragments":
        return [*lines, where.fragment(piece)]
    here = [p for p in found if p.part == piece.part]
    low, high = min(p.byte_start for p in here), max(p.byte_end for p in here)
    length = piece.byte_end - piece.byte_start
    lines.append(f"#EXT-X-BYTERANGE:{length}@{piece.byte_start}")
    return [*lines, where.part(piece.part, low, high)]


def _of(gop: Gop) -> tuple[int, int, int, int, int]:
    return gop.start_ms, gop.end_ms, gop.part, gop.byte_start, gop.byte_end
