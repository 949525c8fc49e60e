"""The clock in the picture: reading it, and holding the clock map against it."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import median_low
from typing import NamedTuple

from pipeline.model import Broadcast, ClockMap, ScreenLine
from pipeline.timeline import utc_ms

AGREE_MS = 1500
"""A clock of whole seconds, drawn up to a frame late, agrees within this."""
_DAY_S = 86_400
_FORM = re.compile(
    r"(?:(?P<year>20\d\d)\s*[-/.年]\s*(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})\s*日?)?\s*"
    r"(?P<hour>[01]?\d|2[0-3])\s*[:.]\s*(?P<minute>[0-5]\d)(?:\s*[:.]\s*(?P<second>[0-5]\d))?"
)


class Dial(NamedTuple):
    """What a clock shows."""

    date: tuple[int, int, int] | None
    second_of_day: int
    whole_seconds: bool
    """False when it shows minutes only."""


def parse_dial(text: str) -> Dial | None:
    """A line that is a time of day (with or without its date) and nothing else."""
    found = _FORM.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if found is None:
        return None
    part = {k: int(v) for k, v in found.groupdict().items() if v is not None}
    date = (part["year"], part["month"], part["day"]) if "year" in part else None
    seconds = part["hour"] * 3600 + part["minute"] * 60 + part.get("second", 0)
    return Dial(date, seconds, "second" in part)


def advances(dials: Sequence[tuple[int, Dial]]) -> bool:
    """Whether readings ``(timeline ms, dial)`` run forward with media time.

    At least two different readings; two in three of the steps must fit to 2 s (to 61 s where
    no seconds are shown). A countdown runs backwards and does not fit.
    """
    ordered = sorted(dials)
    steps = list(itertools.pairwise(ordered))
    fit = 0
    for (t0, d0), (t1, d1) in steps:
        slack_s = 2 if d0.whole_seconds and d1.whole_seconds else 61
        shown_s = (d1.second_of_day - d0.second_of_day) % _DAY_S
        fit += abs(shown_s - (t1 - t0) / 1000) <= slack_s
    different = len({d.second_of_day for _, d in ordered}) > 1
    return different and fit * 3 >= len(steps) * 2


def clock_readings(
    lines: Sequence[ScreenLine], broadcast: Broadcast
) -> tuple[tuple[int, int], ...]:
    """``(timeline ms, wall clock UTC ms)`` of every reading of a clock with seconds.

    The clock is taken to show the broadcast's own offset. Where it shows no date, the day is
    the one nearest to ``started_at``; without either, there is no reading.
    """
    found = []
    for line in lines:
        dial = parse_dial(line.text) if line.role == "clock" else None
        if dial is None or not dial.whole_seconds:
            continue
        wall = _wall_utc_ms(dial, broadcast, line.start_ms)
        if wall is not None:
            found.append((line.start_ms, wall))
    return tuple(found)


def confirm_clock(clock_map: ClockMap, readings: Sequence[tuple[int, int]]) -> tuple[int, int, int]:
    """How far the clock in the picture is ahead of the clock map.

    Returns ``(offset_ms, agreeing, total)``: the median of picture minus map, how many
    readings lie within 1.5 s of that median, and how many could be compared. A clock of whole
    seconds shows up to 1 s too little, so an offset within -1.5 s to 0.5 s says nothing
    against the map. ``(0, 0, 0)`` where nothing can be compared.
    """
    differences = []
    for at_ms, wall_utc_ms in readings:
        known = clock_map.wall_utc_ms(at_ms)
        if known is not None:
            differences.append(wall_utc_ms - known[0])
    if not differences:
        return 0, 0, 0
    offset = median_low(differences)
    agreeing = sum(abs(d - offset) <= AGREE_MS for d in differences)
    return offset, agreeing, len(differences)


def clock_warning(clock_map: ClockMap, readings: Sequence[tuple[int, int]]) -> str:
    """A sentence when the clock in the picture contradicts the clock map; else empty.

    It takes two readings, a clear majority of which agree among themselves.
    """
    offset, agreeing, total = confirm_clock(clock_map, readings)
    doubt_ms = max((s.uncertainty_ms for s in clock_map.spans), default=0) + AGREE_MS
    if agreeing < 2 or agreeing * 3 < total * 2 or abs(offset) <= doubt_ms:
        return ""
    side = "ahead of" if offset > 0 else "behind"
    return (
        f"the clock in the picture is {abs(offset) / 1000:.1f} s {side} the broadcast's clock "
        f"({agreeing} of {total} readings): check started_at"
    )


def _wall_utc_ms(dial: Dial, broadcast: Broadcast, at_ms: int) -> int | None:
    zone = timedelta(minutes=broadcast.zone_minutes)
    if dial.date is not None:
        try:
            midnight = datetime(*dial.date, tzinfo=UTC) - zone
        except ValueError:
            return None
        return utc_ms(midnight) + dial.second_of_day * 1000
    start = broadcast.start_utc_ms
    if start is None:
        return None
    expected = start + at_ms
    offset_ms = broadcast.zone_minutes * 60_000
    day_ms = _DAY_S * 1000
    midnight_ms = (expected + offset_ms) // day_ms * day_ms - offset_ms
    near = [midnight_ms + n * day_ms + dial.second_of_day * 1000 for n in (-1, 0, 1)]
    return min(near, key=lambda wall: abs(wall - expected))
