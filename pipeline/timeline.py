"""Exact time: half-open spans in integer milliseconds, and how they are written.

Every ``*_ms`` of the pipeline is milliseconds since the broadcast's
``started_at`` unless its name says otherwise (``media_*``, ``*_utc_ms``).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from pipeline.errors import InputError

HOUR_MS = 3_600_000


class Span(NamedTuple):
    """A half-open span ``[start_ms, end_ms)``."""

    start_ms: int
    end_ms: int

    @property
    def length_ms(self) -> int:
        """Milliseconds in the span; never negative."""
        return max(0, self.end_ms - self.start_ms)

    def overlap_ms(self, other: Span) -> int:
        """Milliseconds both spans share; 0 where they only touch."""
        return max(0, min(self.end_ms, other.end_ms) - max(self.start_ms, other.start_ms))

    def holds(self, at_ms: int) -> bool:
        """Whether the instant lies in the span."""
        return self.start_ms <= at_ms < self.end_ms

    def clipped(self, bounds: Span) -> Span:
        """The part of the span inside ``bounds``; empty (start == end) when there is none."""
        start = min(max(self.start_ms, bounds.start_ms), bounds.end_ms)
        return Span(start, max(start, min(self.end_ms, bounds.end_ms)))


def union(spans: Iterable[Span]) -> list[Span]:
    """The spans sorted and merged where they overlap or touch; empty ones vanish."""
    merged: list[Span] = []
    for span in sorted(s for s in spans if s.end_ms > s.start_ms):
        if merged and span.start_ms <= merged[-1].end_ms:
            merged[-1] = Span(merged[-1].start_ms, max(merged[-1].end_ms, span.end_ms))
        else:
            merged.append(span)
    return merged


def subtract(span: Span, holes: Iterable[Span]) -> list[Span]:
    """What is left of ``span`` without ``holes``, in order."""
    left, at = [], span.start_ms
    for hole in union(holes):
        if hole.start_ms > at:
            left.append(Span(at, min(hole.start_ms, span.end_ms)))
        at = max(at, hole.end_ms)
        if at >= span.end_ms:
            break
    if at < span.end_ms:
        left.append(Span(at, span.end_ms))
    return [s for s in left if s.end_ms > s.start_ms]


def covered_ms(span: Span, parts: Iterable[Span]) -> int:
    """Milliseconds of ``span`` that lie in at least one of ``parts``."""
    return sum(span.overlap_ms(part) for part in union(parts))


def parse_instant(text: str, *, field: str = "time") -> datetime:
    """An ISO 8601 instant with an offset.

    Raises:
        InputError: not ISO 8601, or without an offset (an instant would be ambiguous).
    """
    try:
        instant = datetime.fromisoformat(text.strip())
    except (ValueError, AttributeError) as error:
        raise InputError(
            f"{field}: {text!r} is not a date and time",
            hint="write it as ISO 8601 with an offset, such as 2026-06-05T15:00:00+08:00",
            where=field,
        ) from error
    if instant.tzinfo is None:
        raise InputError(
            f"{field}: {text!r} has no time zone",
            hint="add the offset, such as +08:00",
            where=field,
        )
    return instant


def utc_ms(instant: datetime) -> int:
    """Milliseconds since 1970-01-01T00:00Z, rounded down."""
    return int((instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1))


def from_utc_ms(at_utc_ms: int, *, offset_minutes: int = 0) -> datetime:
    """The instant of ``utc_ms`` in the zone ``offset_minutes`` east of Greenwich."""
    zone = timezone(timedelta(minutes=offset_minutes))
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_utc_ms)).astimezone(zone)


def offset_minutes(instant: datetime) -> int:
    """Minutes east of Greenwich of an aware instant."""
    delta = instant.utcoffset()
    return int(delta.total_seconds() // 60) if delta else 0


def clock(at_ms: int, *, sep: str = ".") -> str:
    """``H:MM:SS.mmm`` of a media time; negative times carry a sign."""
    sign, at_ms = ("-", -at_ms) if at_ms < 0 else ("", at_ms)
    seconds, millis = divmod(at_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02d}:{seconds:02d}{sep}{millis:03d}"


def srt_clock(at_ms: int) -> str:
    """``HH:MM:SS,mmm`` as SubRip writes it; negative times become zero."""
    return clock(max(0, at_ms), sep=",").rjust(12, "0")


def parse_clock(text: str) -> int:
    """Milliseconds from ``H:MM:SS.mmm``, ``MM:SS`` or plain seconds (``93.5``).

    Raises:
        InputError: not such a time.
    """
    try:
        parts = [float(p) for p in text.strip().replace(",", ".").split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or any(p < 0 for p in parts):
        raise InputError(
            f"{text!r} is not a time", hint="write 93.5, 1:33.5 or 0:01:33.5", where="time"
        )
    total = 0.0
    for part in parts:
        total = total * 60 + part
    return round(total * 1000)
