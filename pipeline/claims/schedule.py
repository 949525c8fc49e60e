"""The platform's product events held against what was said.

Events come right, late, swapped, with holes, outside the recording or not at all.
An event is trusted where the talk does not speak against it, moved where all of
them are late by the same amount, and put aside where another product was
announced in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Literal, NamedTuple

from pipeline.model import ScheduleEntry
from pipeline.timeline import Span

_EARLIEST_LATE_MS = -15_000
_LATEST_LATE_MS = 60_000
_AGREE_MS = 9_000
_EXACT_MS = 5_000
_SLACK_MS = 6_000

Standing = Literal["confirmed", "unheard", "moved"]


class Announcement(NamedTuple):
    """A product announced by the host."""

    at_ms: int
    sku_id: str


class Event(NamedTuple):
    """A schedule entry as it is used."""

    sku_id: str
    start_ms: int
    end_ms: int
    standing: Standing
    reason: str

    @property
    def span(self) -> Span:
        """Where it lies on the timeline."""
        return Span(self.start_ms, self.end_ms)


def check_schedule(
    entries: Sequence[ScheduleEntry], announced: Sequence[Announcement], *, bounds: Span
) -> tuple[Event, ...]:
    """The entries that can be used, moved where they were late; the rest are left out."""
    inside = [e for e in entries if e.span.clipped(bounds).length_ms > 0]
    late_ms = _lateness(inside, announced)
    events = (_judge(entry, announced, late_ms=late_ms) for entry in inside)
    return tuple(_clip(e, bounds) for e in events if e is not None)


def _clip(event: Event, bounds: Span) -> Event:
    span = event.span.clipped(bounds)
    return event._replace(start_ms=span.start_ms, end_ms=span.end_ms)


def _own_delay(entry: ScheduleEntry, announced: Sequence[Announcement]) -> int | None:
    """How late the entry starts after its product was announced; None when it was not, near it."""
    delays = [entry.start_ms - a.at_ms for a in announced if a.sku_id == entry.sku_id]
    near = [d for d in delays if _EARLIEST_LATE_MS <= d <= _LATEST_LATE_MS]
    return min(near, key=abs) if near else None


def _lateness(entries: Sequence[ScheduleEntry], announced: Sequence[Announcement]) -> int:
    """The delay all events share; 0 when they are on time or do not agree."""
    delays = [d for e in entries if (d := _own_delay(e, announced)) is not None]
    if len(delays) < 2:
        return 0
    middle = int(median(delays))
    agreeing = sum(abs(d - middle) <= _AGREE_MS for d in delays)
    return middle if abs(middle) > _EXACT_MS and agreeing * 2 > len(delays) else 0


def _judge(
    entry: ScheduleEntry, announced: Sequence[Announcement], *, late_ms: int
) -> Event | None:
    delay = _own_delay(entry, announced)
    shift = late_ms if delay is None else delay
    span = Span(entry.start_ms - shift, entry.end_ms - shift)
    if delay is None and _spoken_against(entry.sku_id, span, announced):
        return None
    start, end = _until_next(entry.sku_id, span, announced)
    if delay is not None and abs(delay) <= _EXACT_MS:
        words = "the platform's event, and announced then"
        return Event(entry.sku_id, entry.start_ms, end, "confirmed", words)
    if abs(shift) > _EXACT_MS:
        words = f"the platform's event, {abs(shift) // 1000} s {'late' if shift > 0 else 'early'}"
        return Event(entry.sku_id, start, end, "moved", words)
    return Event(entry.sku_id, start, end, "unheard", "the platform's event")


def _until_next(sku_id: str, span: Span, announced: Sequence[Announcement]) -> Span:
    """The span up to the announcement of another product inside it."""
    others = [a.at_ms for a in announced if a.sku_id != sku_id]
    after = [t for t in others if span.start_ms + _SLACK_MS < t < span.end_ms]
    return Span(span.start_ms, min(after, default=span.end_ms))


def _spoken_against(sku_id: str, span: Span, announced: Sequence[Announcement]) -> bool:
    """Whether this product was announced elsewhere, or another one where it should stand."""
    if any(a.sku_id == sku_id for a in announced):
        return True
    heart = Span(span.start_ms - _SLACK_MS, span.start_ms + span.length_ms * 2 // 3)
    return any(heart.holds(a.at_ms) for a in announced)
