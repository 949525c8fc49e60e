"""From a clip back to the recording: source bytes, their Merkle proofs, and where packets stand.

What a recording's tree was made of at ingest are the leaves of its packet sidecar. The leaves
that a clip's packets touch are copied out untouched; each has its audit path to the root.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from pipeline.errors import HashMismatch
from pipeline.evidence.clip import Clip
from pipeline.evidence.verify_bundle import (
    Broken,
    Places,
    elementary,
    nals,
    samples,
    uncovered,
)
from pipeline.model import PacketIndex, Recording
from pipeline.provenance import inclusion_proof

_START_CODE = re.compile(b"\0\0\1")
_WINDOW_BYTES = 1 << 16
_KINDS = {"vide": "video", "soun": "audio"}
_NAL_CODECS = ("h264", "hevc")

ReadRange = Callable[[str, int, int], bytes]
"""Key, first byte and end to bytes."""


class Piece(NamedTuple):
    """A run of neighbouring leaves of one part of a recording."""

    recording: int
    part: int
    first: int
    """Number of its first leaf in the tree."""
    leaves: int
    byte_start: int
    byte_end: int
    data: bytes

    @property
    def file(self) -> str:
        """Its name in the bundle."""
        return f"source/r{self.recording}-p{self.part}-{self.first:06d}.bin"


class Located(NamedTuple):
    """A clip of a bundle and the pieces that hold its packets."""

    name: str
    clip: Clip
    pieces: tuple[Piece, ...]


def pieces_of(
    clips: Sequence[Clip],
    *,
    number: int,
    recording: Recording,
    index: PacketIndex,
    read: ReadRange,
) -> list[Piece]:
    """The source bytes of a recording's clips, in order, each leaf once.

    Raises:
        HashMismatch: the stored bytes are not those of the ingest.
    """
    wanted = {
        n
        for clip in clips
        for piece in clip.info.source_ranges
        for n, (part, start, end, _) in enumerate(index.leaves)
        if part == piece.part and start < piece.byte_end and end > piece.byte_start
    }
    return [_piece(number, recording, index, run, read) for run in _runs(sorted(wanted), index)]


def _runs(leaves: list[int], index: PacketIndex) -> list[list[int]]:
    runs: list[list[int]] = []
    for leaf in leaves:
        near = runs and runs[-1][-1] == leaf - 1
        if near and index.leaves[leaf][0] == index.leaves[leaf - 1][0]:
            runs[-1].append(leaf)
        else:
            runs.append([leaf])
    return runs


def _piece(
    number: int, recording: Recording, index: PacketIndex, run: list[int], read: ReadRange
) -> Piece:
    part, start = index.leaves[run[0]][:2]
    end = index.leaves[run[-1]][2]
    data = read(recording.parts[part].key, start, end)
    for leaf in run:
        _, low, high, digest = index.leaves[leaf]
        if hashlib.sha256(b"\0" + data[low - start : high - start]).hexdigest() != digest:
            raise HashMismatch(
                f"{recording.file_name}: bytes {low} to {high} are not those taken in",
                hint="the recording in the store was altered; restore it from a copy",
            )
    return Piece(number, part, run[0], len(run), start, end, data)


def proof_of(pieces: Sequence[Piece], recording: Recording, index: PacketIndex) -> dict[str, Any]:
    """The audit paths of a recording's pieces."""
    hashes = [bytes.fromhex(leaf[3]) for leaf in index.leaves]
    return {
        "recording": pieces[0].recording,
        "sha256": recording.sha256,
        "merkle_root": recording.merkle_root,
        "leaves": len(hashes),
        "pieces": [
            {
                "file": piece.file,
                "part": piece.part,
                "byte_start": piece.byte_start,
                "byte_end": piece.byte_end,
                "leaves": [
                    {
                        "index": n,
                        "byte_start": index.leaves[n][1],
                        "byte_end": index.leaves[n][2],
                        "path": [side.hex() for side in inclusion_proof(hashes, n)],
                    }
                    for n in range(piece.first, piece.first + piece.leaves)
                ],
            }
            for piece in pieces
        ],
    }


# --- packets ------------------------------------------------------------------------------------


def packets_of(located: Located, recording: Recording) -> dict[str, Any]:
    """Where each packet of a clip stands in its pieces; ``copied`` is false where none does."""
    clip, pieces = located.clip, located.pieces
    said: dict[str, Any] = {"clip": located.name, "pieces": [p.file for p in pieces]}
    none = {**said, "copied": False, "transport": False, "tracks": [], "gaps": {}}
    if clip.info.coded_anew:
        return none
    try:
        return _found(said, located, recording)
    except Broken:  # a container whose packets cannot be compared byte by byte
        return none


def _found(said: dict[str, Any], located: Located, recording: Recording) -> dict[str, Any]:
    data = located.clip.video.read_bytes()
    source = b"".join(piece.data for piece in located.pieces)
    transport = recording.container in ("mpegts", "hls") and source[:1] == b"\x47"
    streams = elementary(source) if transport else {"raw": source}
    tracks, used = [], dict[str, Places]()
    for kind, places in samples(data):
        parts = [data[start:end] for start, end in places]
        if transport:
            nal = _codec(recording, _KINDS[kind]) in _NAL_CODECS
            split = [nals(part) if nal else [part] for part in parts]
            name, begins = _in_streams(streams, split, nal=nal)
        else:
            split, nal, name = [[part] for part in parts], False, "raw"
            begins = [[at] for at in _in_raw(source, parts, _hints(located, _KINDS[kind]))]
        rows = zip(parts, begins, strict=True)
        packets = [[hashlib.sha256(part).hexdigest(), *at] for part, at in rows]
        units = "nal" if nal else "sample"
        tracks.append({"kind": kind, "stream": name, "units": units, "packets": packets})
        placed = zip(split, begins, strict=True)
        pairs = [p for some, ats in placed for p in zip(some, ats, strict=True)]
        used.setdefault(name, []).extend((at, at + len(part)) for part, at in pairs)
    gaps = {name: found for name, places in used.items() if (found := uncovered(places))}
    return {**said, "copied": True, "transport": transport, "tracks": tracks, "gaps": gaps}


def _codec(recording: Recording, kind: str) -> str:
    return next((s.codec for s in recording.streams if s.kind == kind), "")


def _hints(located: Located, kind: str) -> list[int]:
    """Where the demuxer saw each packet begin, as positions in the joined pieces; -1: unknown."""
    bases, at = [], 0
    for piece in located.pieces:
        bases.append((piece, at))
        at += len(piece.data)
    found = []
    for what, part, byte in located.clip.packets:
        if what != kind:
            continue
        inside = (
            base + byte - p.byte_start
            for p, base in bases
            if p.part == part and p.byte_start <= byte < p.byte_end
        )
        found.append(next(inside, -1))
    return found


def _in_raw(source: bytes, parts: Sequence[bytes], hints: Sequence[int]) -> list[int]:
    """The position of each packet, in order, at or shortly after its hint."""
    at, found = 0, []
    for number, part in enumerate(parts):
        hint = hints[number] if number < len(hints) else -1
        low = max(at, hint)
        begin = source.find(part, low, low + len(part) + _WINDOW_BYTES)
        begin = begin if begin >= 0 else source.find(part, at)
        if begin < 0:
            raise Broken("packet", "a packet is not in the source bytes as it is")
        found.append(begin)
        at = begin + len(part)
    return found


def _in_streams(
    streams: dict[str, bytes], split: Sequence[Sequence[bytes]], *, nal: bool
) -> tuple[str, list[list[int]]]:
    """The elementary stream that holds all packets, one right after the other."""
    wanted = [unit for units in split for unit in units]
    for name, stream in sorted(streams.items()):
        places = _nal_places(stream) if nal else _frame_places(stream, wanted)
        first = _run(stream, places, wanted)
        if first is not None:
            flat = iter(places[first : first + len(wanted)])
            return name, [[next(flat)[0] for _ in units] for units in split]
    raise Broken("packet", "no elementary stream holds the packets")


def _nal_places(stream: bytes) -> Places:
    """NAL units of an Annex B stream, each up to the next start code."""
    codes = [m.start() for m in _START_CODE.finditer(stream)] + [len(stream)]
    return [(a + 3, b) for a, b in pairwise(codes)]


def _frame_places(stream: bytes, wanted: Sequence[bytes]) -> Places:
    """Sound frames: the bodies of ADTS frames, else the packets one after another."""
    places, at = [], 0
    while at + 7 <= len(stream) and stream[at] == 0xFF and stream[at + 1] & 0xF6 == 0xF0:
        head = 7 if stream[at + 1] & 1 else 9
        size = (stream[at + 3] & 3) << 11 | stream[at + 4] << 3 | stream[at + 5] >> 5
        if size < head:
            break
        places.append((at + head, min(at + size, len(stream))))
        at += size
    if places:
        return places
    at = stream.find(wanted[0])
    for unit in wanted if at >= 0 else ():
        places.append((at, at + len(unit)))
        at += len(unit)
    return places


def _run(stream: bytes, places: Places, wanted: Sequence[bytes]) -> int | None:
    """The first place from which all wanted units follow each other; None where they do not."""

    def fits(place: tuple[int, int], unit: bytes) -> bool:
        held = stream[place[0] : place[1]]
        return held == unit or held.rstrip(b"\0") == unit.rstrip(b"\0")

    for first in range(len(places) - len(wanted) + 1):
        run = zip(places[first : first + len(wanted)], wanted, strict=True)
        if fits(places[first], wanted[0]) and all(fits(p, u) for p, u in run):
            return first
    return None
