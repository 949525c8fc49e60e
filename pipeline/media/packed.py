"""Packets as the sidecar lists them: kind, times and bytes of each, a few bytes a packet.

A group's packets are one record: for each packet a flag byte and then, as variable-length
integers (seven bits a byte, lowest first, zigzag where they may be negative), what its flags
do not already say. All differences are to the packet before, or before of its kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pipeline.errors import UnknownFormat
from pipeline.media.packets import Kind

_AUDIO, _KEY, _NO_DTS, _AWAY, _APART, _SHIFTED, _DIFFERS, _REORDERED = (1 << n for n in range(8))


class Entry(NamedTuple):
    """One packet. Times are media microseconds."""

    kind: Kind
    part: int
    """Index into the recording's parts."""
    byte: int
    """Its first byte in the part; in MPEG-TS that of the transport packet it begins in."""
    byte_end: int
    """Exclusive; in MPEG-TS the end of the last transport packet that holds some of it."""
    size: int
    """Bytes of the packet itself."""
    pts_us: int
    dts_us: int
    length_us: int
    is_key: bool
    has_dts: bool
    """False where the container knows no decoding time; ``dts_us`` is then the other."""

    @property
    def end_us(self) -> int:
        """Presentation time of its end."""
        return self.pts_us + self.length_us


class _Before:
    """What the next packet is compared with."""

    def __init__(self) -> None:
        self.part = 0
        self.byte = 0
        self.times: dict[str, tuple[int, int]] = {"video": (0, 0), "audio": (0, 0)}
        """Of each kind where the next one would be decoded, and the last one's length."""

    def see(self, entry: Entry) -> None:
        self.part, self.byte = entry.part, entry.byte_end
        self.times[entry.kind] = (entry.dts_us + entry.length_us, entry.length_us)


def packed(entries: Iterable[Entry], *, transport: bool) -> bytes:
    """The record of a group's packets, in order."""
    out, before = bytearray(), _Before()
    for e in entries:
        next_us, length_us = before.times[e.kind]
        away, apart = e.part - before.part, e.byte - (0 if e.part != before.part else before.byte)
        shifted, differs, late = e.dts_us - next_us, e.length_us - length_us, e.pts_us - e.dts_us
        flags = (_AUDIO if e.kind == "audio" else 0) | (_KEY if e.is_key else 0)
        flags |= 0 if e.has_dts else _NO_DTS
        values = [(_AWAY, away), (_APART, apart), (_SHIFTED, shifted)]
        values += [(_DIFFERS, differs), (_REORDERED, late)]
        out.append(flags | sum(bit for bit, value in values if value))
        for _, value in values:
            if value:
                _put(out, value * 2 if value > 0 else -value * 2 - 1)
        _put(out, e.size)
        if transport:
            _put(out, e.byte_end - e.byte)
        before.see(e)
    return bytes(out)


def unpacked(record: bytes, *, transport: bool) -> list[Entry]:
    """The packets of a record.

    Raises:
        UnknownFormat: it is cut off.
    """
    found, before, at = list[Entry](), _Before(), 0
    try:
        while at < len(record):
            entry, at = _entry(record, at, before, transport=transport)
            before.see(entry)
            found.append(entry)
    except IndexError as error:
        raise UnknownFormat(
            "a list of packets is cut off", hint="process the broadcast again"
        ) from error
    return found


def _entry(record: bytes, at: int, before: _Before, *, transport: bool) -> tuple[Entry, int]:
    flags, at = record[at], at + 1
    kind: Kind = "audio" if flags & _AUDIO else "video"
    values = [0, 0, 0, 0, 0]
    for place, bit in enumerate((_AWAY, _APART, _SHIFTED, _DIFFERS, _REORDERED)):
        if flags & bit:
            raw, at = _take(record, at)
            values[place] = -(raw + 1 >> 1) if raw & 1 else raw >> 1
    away, apart, shifted, differs, late = values
    size, at = _take(record, at)
    byte = apart + (0 if away else before.byte)
    next_us, length_us = before.times[kind]
    dts_us, length = next_us + shifted, length_us + differs
    span = size
    if transport:
        span, at = _take(record, at)
    key, known = bool(flags & _KEY), not flags & _NO_DTS
    part = before.part + away
    return Entry(kind, part, byte, byte + span, size, dts_us + late, dts_us, length, key, known), at


def _put(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _take(record: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while (byte := record[at]) & 128:
        value |= (byte & 127) << shift
        shift += 7
        at += 1
    return value | byte << shift, at + 1
