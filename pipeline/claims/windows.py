"""Product windows: who was on stage when, from every signal at once.

The talk is cut into units (lines, cut again where a product is announced). Each
product collects evidence on each unit; changing the product costs something,
little where the host hands over. The best course over the whole broadcast is
found by the Viterbi algorithm, and how much worse the best course through another
product would be gives each unit's margin (max-marginals), from which confidence
is read. Linear in the length of the talk.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.claims.confidence import of_margin
from pipeline.claims.course import Scores, best_course
from pipeline.claims.mentions import MentionFinder
from pipeline.claims.schedule import Event, check_schedule
from pipeline.claims.signals import change_costs, follow, hear, see
from pipeline.claims.units import Unit, all_announced, cut, with_gaps, with_introductions
from pipeline.model import Broadcast, Line, Screen, Window
from pipeline.timeline import Span


class Stage(NamedTuple):
    """The windows, and for each line the product on stage with its margin."""

    windows: tuple[Window, ...]
    units: tuple[Unit, ...]
    skus: tuple[str | None, ...]
    """One per unit."""
    margins: tuple[float, ...]
    """One per unit: how much worse the best other course is, in nats."""
    places: tuple[tuple[int, tuple[int, ...]], ...]
    """For each line the number of its first unit and where its units start."""

    def at(self, line: int, char: int) -> int:
        """The number of the unit that holds a character of a line."""
        first, starts = self.places[line]
        return first + max(0, bisect_right(starts, char) - 1)


def find_windows(broadcast: Broadcast, lines: Sequence[Line], screen: Screen | None) -> Stage:
    """Who was on stage when. ``lines`` are the spoken ones, in order of time."""
    finder = MentionFinder(broadcast.products)
    units = tuple(cut(lines, finder))
    bounds = _bounds(broadcast, lines)
    units = with_introductions(units, broadcast.products)
    announced = all_announced(units)
    events = check_schedule(broadcast.product_schedule, announced, bounds=bounds)
    units = with_gaps(units, events, bounds)
    skus = tuple(dict.fromkeys(p.sku_id for p in broadcast.products))
    states = {sku: n for n, sku in enumerate(skus, 1)}
    scores = np.zeros((len(units), len(states) + 1))
    hear(scores, units, states)
    follow(scores, units, states, events)
    see(scores, units, states, screen, finder)
    path, margins = best_course(scores, change_costs(units, states, events, announced))
    chosen = tuple(skus[n - 1] if n else None for n in path)
    windows = _windows(units, chosen, margins, events, broadcast)
    return Stage(windows, units, chosen, tuple(margins.tolist()), _places(units, len(lines)))


def _places(units: Sequence[Unit], count: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    first, starts = [-1] * count, [[] for _ in range(count)]  # type: tuple[list[int], list[list[int]]]
    for n, unit in enumerate(units):
        if unit.line >= 0:
            first[unit.line] = n if first[unit.line] < 0 else first[unit.line]
            starts[unit.line].append(unit.char_start)
    return tuple((f, tuple(s)) for f, s in zip(first, starts, strict=True))


def _bounds(broadcast: Broadcast, lines: Sequence[Line]) -> Span:
    """Where events may lie: until the end of the talk; anywhere after zero without a talk."""
    if lines:
        return Span(0, max(line.end_ms for line in lines))
    return Span(0, max((e.end_ms for e in broadcast.product_schedule), default=0))


def _windows(
    units: Sequence[Unit],
    skus: Sequence[str | None],
    margins: Scores,
    events: Sequence[Event],
    broadcast: Broadcast,
) -> tuple[Window, ...]:
    out, start = [], 0
    scheduled = {e.sku_id for e in broadcast.product_schedule}
    for n in range(1, len(units) + 1):
        if n < len(units) and skus[n] == skus[start]:
            continue
        sku = skus[start]
        if sku is not None:
            end_ms = units[n].start_ms if n < len(units) else units[n - 1].end_ms
            span = Span(units[start].start_ms, max(end_ms, units[n - 1].end_ms))
            margin = float(np.median(margins[start:n]))
            out.append(_window(sku, span, margin, units[start:n], events, sku in scheduled))
        start = n
    return tuple(out)


def _window(
    sku: str,
    span: Span,
    margin: float,
    units: Sequence[Unit],
    events: Sequence[Event],
    scheduled: bool,
) -> Window:
    mine = [e for e in events if e.sku_id == sku and e.span.overlap_ms(span) > 0]
    exact = any(e.standing != "moved" and abs(e.start_ms - span.start_ms) <= 5000 for e in mine)
    reasons = [*dict.fromkeys(e.reason for e in mine)]
    if words := _spoken_reason(sku, units):
        reasons.insert(0, words)
    if scheduled and not mine:
        reasons.append("the platform's event contradicts what was said and was put aside")
    return Window(
        sku_id=sku,
        start_ms=span.start_ms,
        end_ms=span.end_ms,
        source="schedule" if exact else "corrected" if scheduled else "inferred",
        confidence_pm=of_margin(margin),
        reasons=tuple(reasons or ["the run of the talk"]),
    )


def _spoken_reason(sku: str, units: Sequence[Unit]) -> str:
    mine = [m for u in units for m in u.mentions if m.sku_id == sku]
    for mention in mine:
        if mention.manner == "announced":
            return f"announced: “{mention.words}”"
    return f"named: “{mine[0].words}”" if mine else ""
