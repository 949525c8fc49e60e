"""Laying recordings on the broadcast's timeline and tying them to the wall clock.

Rules, in this order:

1. A playlist's EXT-X-PROGRAM-DATE-TIME places each of its stretches.
2. Else the recording's own ``started_at`` places it.
3. Else the first recording begins with the broadcast, and each later one where the one
   before it ends.
4. Where two recordings overlap, the one that began first (the one named first, if both
   began together) keeps the span and the later one is clipped.

Zero is the broadcast's ``started_at``; without one, the earliest known start. A start stated
in whole seconds is good to ± 1 s, one with a fraction to ± 100 ms, unless ``uncertainty_ms``
says otherwise. A recording placed by rule 3 after another one, or after a clock that
restarted in the middle, may be late by an unknown time: ± 60 s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from pipeline.model import ClockMap, ClockSource, ClockSpan, Hole
from pipeline.timeline import utc_ms

WHOLE_SECOND_MS = 1000
FRACTION_MS = 100
UNKNOWN_GAP_MS = 60_000
_DRIFT_MS = 500
"""A playlist date that differs less from the running clock begins no new stretch."""


class RecordingClock(NamedTuple):
    """What is known about one recording's time."""

    duration_ms: int
    started_at: datetime | None = None
    holes: Sequence[Hole] = ()
    program_dates: Sequence[tuple[int, int]] = ()
    """``(media milliseconds, UTC milliseconds)``."""


class _Piece(NamedTuple):
    recording: int
    media_start_ms: int
    media_end_ms: int
    wall_ms: int | None
    """UTC at its start; None: it follows what comes before."""
    source: ClockSource
    uncertainty_ms: int


def build(
    recordings: Sequence[RecordingClock],
    *,
    broadcast_started_at: datetime | None,
    uncertainty_ms: int | None = None,
    zone_minutes: int = 0,
) -> ClockMap:
    """The clock map of a broadcast; see the module's rules. No recording, no spans."""
    pieces = [
        piece
        for number, recording in enumerate(recordings)
        for piece in _pieces(number, recording, uncertainty_ms)
    ]
    zero_ms = _zero(pieces, broadcast_started_at)
    stated = uncertainty_ms if uncertainty_ms is not None else _precision(broadcast_started_at)
    spans = _clipped(_placed(pieces, zero_ms, stated))
    return ClockMap(spans=tuple(spans), zone_minutes=zone_minutes)


def _zero(pieces: Sequence[_Piece], started_at: datetime | None) -> int | None:
    if started_at is not None:
        return utc_ms(started_at)
    return min((p.wall_ms for p in pieces if p.wall_ms is not None), default=None)


def _precision(at: datetime | None) -> int:
    return WHOLE_SECOND_MS if at is None or at.microsecond == 0 else FRACTION_MS


def _pieces(number: int, recording: RecordingClock, uncertainty_ms: int | None) -> list[_Piece]:
    """The stretches of one recording within which its clock runs on."""
    dates = _dates(recording.program_dates)
    jumps = {h.start_ms for h in recording.holes if h.reason == "clock_jump"}
    starts = sorted({0, *jumps, *dates})
    starts = [s for s in starts if s == 0 or s < recording.duration_ms]
    ends = [*starts[1:], recording.duration_ms]
    start_ms = utc_ms(recording.started_at) if recording.started_at is not None else None
    known = uncertainty_ms if uncertainty_ms is not None else _precision(recording.started_at)
    pieces = []
    for start, end in zip(starts, ends, strict=True):
        if start in dates:
            fine = uncertainty_ms if uncertainty_ms is not None else _fine(dates[start])
            piece = _Piece(number, start, end, dates[start], "program_date_time", fine)
        elif start == 0 and start_ms is not None:
            piece = _Piece(number, start, end, start_ms, "recording", known)
        else:
            piece = _Piece(number, start, end, None, "broadcast", UNKNOWN_GAP_MS)
        pieces.append(piece)
    return pieces


def _dates(program_dates: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Media time to UTC where a playlist's dates leave the clock that ran so far."""
    kept: dict[int, int] = {}
    shift: int | None = None
    for media_ms, at_ms in program_dates:
        start = 0 if not kept and media_ms <= 2 * _DRIFT_MS else media_ms
        if shift is None or abs(at_ms - media_ms - shift) > _DRIFT_MS:
            shift = at_ms - media_ms
            kept[start] = start + shift
    return kept


def _fine(at_ms: int) -> int:
    return WHOLE_SECOND_MS if at_ms % 1000 == 0 else FRACTION_MS


def _placed(pieces: Sequence[_Piece], zero_ms: int | None, stated_ms: int) -> list[ClockSpan]:
    spans: list[ClockSpan] = []
    at_ms = 0
    for place, piece in enumerate(pieces):
        source, uncertainty = piece.source, piece.uncertainty_ms
        if piece.wall_ms is not None and zero_ms is not None:
            at_ms = piece.wall_ms - zero_ms
        elif place == 0:
            uncertainty = stated_ms
        end_ms = at_ms + piece.media_end_ms - piece.media_start_ms
        spans.append(
            ClockSpan(
                recording_index=piece.recording,
                start_ms=at_ms,
                end_ms=end_ms,
                media_start_ms=piece.media_start_ms,
                wall_start_utc_ms=None if zero_ms is None else zero_ms + at_ms,
                source="media_only" if zero_ms is None else source,
                uncertainty_ms=0 if zero_ms is None else uncertainty,
            )
        )
        at_ms = end_ms
    return spans


def _clipped(spans: Sequence[ClockSpan]) -> list[ClockSpan]:
    """In timeline order; what an earlier span covers is cut off the front of the later one."""
    kept: list[ClockSpan] = []
    covered: int | None = None
    for span in sorted(spans, key=lambda s: (s.start_ms, s.recording_index, s.media_start_ms)):
        late = 0 if covered is None else max(0, covered - span.start_ms)
        if span.end_ms - span.start_ms > late:
            wall = span.wall_start_utc_ms
            kept.append(
                span.model_copy(
                    update={
                        "start_ms": span.start_ms + late,
                        "media_start_ms": span.media_start_ms + late,
                        "wall_start_utc_ms": None if wall is None else wall + late,
                    }
                )
            )
        covered = span.end_ms if covered is None else max(covered, span.end_ms)
    return kept
