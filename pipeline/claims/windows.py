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
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import exp
from typing import NamedTuple

import numpy as np

from pipeline.claims.course import Scores, best_course
from pipeline.claims.cues import cues
from pipeline.claims.mentions import Mention, MentionFinder, folded
from pipeline.claims.schedule import Announcement, Event, check_schedule
from pipeline.model import Broadcast, Line, Screen, Window
from pipeline.timeline import Span

# Weights in nats, set by hand on the order of the signals in the domain's notes and
# checked on the labelled broadcasts with their schedules given, removed, late and swapped.
_ANNOUNCED = {"number": 5.0, "name": 3.0}
_PLAIN = {"number": 2.0, "name": 1.0}
_IN_PASSING = 0.2
_BY_SOUND = 0.7
_OVERVIEW = 0.1
_OVERVIEW_PRODUCTS = 3
_CHANGE = 5.0
_CHANGE_ANNOUNCED = 1.0
_CHANGE_CUED = 3.0
_CHANGE_INTRODUCED = 2.0
_INTRODUCED = 2.0
_CHANGE_EVENT = 0.5
_EVENT_PER_S = {"confirmed": 0.08, "moved": 0.06, "unheard": 0.06}
_CARD_PER_S = 0.12
_UNIT_CAP_S = 12.0
_BLANK_CAP_S = 120.0
_GAP_MS = 5_000
_LEAD_CHARS = 12
_EVENT_EDGE_MS = 3_000
_EVENT_HEARD_MS = 15_000


class Unit(NamedTuple):
    """A stretch of talk during which the product is taken not to change."""

    line: int
    """Number of the line among those given; -1 for a stretch without words."""
    char_start: int
    char_end: int
    start_ms: int
    end_ms: int
    mentions: tuple[Mention, ...]
    handover: bool = False
    """Whether words say that something new begins."""
    introduces: str = ""
    """A product never announced that is named here for the first time."""

    @property
    def span(self) -> Span:
        """Where it lies on the timeline."""
        return Span(self.start_ms, self.end_ms)


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


def confidence_pm(margin: float) -> int:
    """Per mille from a margin in nats: even odds at 0, 0.99 at about 4."""
    return round(1000 / (1 + exp(-min(margin, 30.0))))


def find_windows(broadcast: Broadcast, lines: Sequence[Line], screen: Screen | None) -> Stage:
    """Who was on stage when. ``lines`` are the spoken ones, in order of time."""
    finder = MentionFinder(broadcast.products)
    units = tuple(_units(lines, finder))
    bounds = _bounds(broadcast, lines)
    units = _with_introductions(units)
    announced = _all_announced(units)
    events = check_schedule(broadcast.product_schedule, announced, bounds=bounds)
    units = _with_gaps(units, events, bounds)
    skus = tuple(dict.fromkeys(p.sku_id for p in broadcast.products))
    states = {sku: n for n, sku in enumerate(skus, 1)}
    scores = np.zeros((len(units), len(states) + 1))
    _hear(scores, units, states)
    _schedule(scores, units, states, events)
    _see(scores, units, states, screen, finder)
    path, margins = best_course(scores, _change_costs(units, events, announced))
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


# --- units --------------------------------------------------------------------------------


def _units(lines: Sequence[Line], finder: MentionFinder) -> Iterator[Unit]:
    alone = cues().handover_alone
    for n, line in enumerate(lines):
        mentions = finder.find(line.text)
        cuts = [0, *_cut_places(mentions), len(line.text)]
        for start, end in pairwise(cuts):
            if end > start or len(cuts) == 2:
                span = line.span_of(start, end)
                own = tuple(m for m in mentions if start <= m.start < end)
                handover = alone.search(folded(line.text[start:end]).text) is not None
                yield Unit(n, start, end, span.start_ms, span.end_ms, own, handover)


def _cut_places(mentions: Sequence[Mention]) -> list[int]:
    """Where an announcement begins of a product that is not the one last announced.

    Names right before the announcement belong to it (蜂蜜，椴树蜜，三号).
    """
    places: list[int] = []
    last, lead = "", None  # type: tuple[str, Mention | None]
    for mention in mentions:
        if mention.manner not in ("announced", "plain"):
            continue
        if lead is None or lead.sku_id != mention.sku_id or mention.start - lead.end > _LEAD_CHARS:
            lead = mention
        if mention.manner == "announced" and mention.sku_id != last:
            places.append(lead.start)
            last = mention.sku_id
    return [p for p in dict.fromkeys(places) if p > 0]


def _announcements(unit: Unit) -> Iterator[Mention]:
    skus = {m.sku_id for m in unit.mentions if m.manner == "announced"}
    if len(skus) == 1:
        yield next(m for m in unit.mentions if m.manner == "announced")


def _all_announced(units: Sequence[Unit]) -> list[Announcement]:
    """Who was announced when: by number where the host uses numbers for it, else by name."""
    by_number: list[Announcement] = []
    by_name: list[Announcement] = []
    quietly: list[Announcement] = []
    for unit in units:
        for mention in _announcements(unit):
            made = Announcement(unit.start_ms, mention.sku_id)
            numbered = any(m.kind == "number" and m.manner == "announced" for m in unit.mentions)
            (by_number if numbered else by_name).append(made)
        if unit.introduces:
            quietly.append(Announcement(unit.start_ms, unit.introduces))
    out = list(by_number)
    for weaker in (by_name, quietly):
        known = {a.sku_id for a in out}
        out.extend(a for a in weaker if a.sku_id not in known)
    return sorted(out)


def _with_introductions(units: Sequence[Unit]) -> tuple[Unit, ...]:
    """The units, marked where a product that is never announced is named for the first time.

    Somebody must bring it on stage, and its first mention is the likeliest place.
    """
    seen = {m.sku_id for u in units for m in u.mentions if m.manner == "announced"}
    out = []
    for unit in units:
        first = next((m.sku_id for m in unit.mentions if m.pointed and m.sku_id not in seen), "")
        overview = len({m.sku_id for m in unit.mentions}) >= 2
        if first and not overview:
            seen.add(first)
            unit = unit._replace(introduces=first)
        out.append(unit)
    return tuple(out)


def _with_gaps(units: tuple[Unit, ...], events: Sequence[Event], bounds: Span) -> tuple[Unit, ...]:
    """The units with wordless ones where nothing was heard, cut at the platform's events."""
    edges = sorted({t for e in events for t in (e.start_ms, e.end_ms)})
    out: list[Unit] = []
    at = bounds.start_ms
    for unit in units:
        if unit.start_ms - at >= _GAP_MS:
            out.extend(_wordless(at, unit.start_ms, edges))
        out.append(unit)
        at = max(at, unit.end_ms)
    if bounds.end_ms - at >= _GAP_MS:
        out.extend(_wordless(at, bounds.end_ms, edges))
    return tuple(out)


def _wordless(start_ms: int, end_ms: int, edges: Sequence[int]) -> Iterator[Unit]:
    cuts = [start_ms, *(t for t in edges if start_ms < t < end_ms), end_ms]
    for start, end in pairwise(cuts):
        yield Unit(-1, 0, 0, start, end, ())


# --- evidence -----------------------------------------------------------------------------


def _hear(scores: Scores, units: Sequence[Unit], states: dict[str, int]) -> None:
    for n, unit in enumerate(units):
        overview = len({m.sku_id for m in unit.mentions}) >= _OVERVIEW_PRODUCTS
        heard: dict[tuple[str, str], float] = {}
        for mention in unit.mentions:
            key = (mention.sku_id, mention.kind)
            heard[key] = max(heard.get(key, 0.0), _weight(mention))
        if unit.introduces:
            scores[n, states[unit.introduces]] += _INTRODUCED
        for (sku, _), weight in heard.items():
            scores[n, states[sku]] += weight * (_OVERVIEW if overview else 1.0)


def _weight(mention: Mention) -> float:
    if mention.manner == "announced":
        weight = _ANNOUNCED[mention.kind]
    elif mention.manner == "plain":
        weight = _PLAIN[mention.kind]
    else:
        weight = _IN_PASSING
    return weight * (_BY_SOUND if mention.by_sound else 1.0)


def _schedule(
    scores: Scores, units: Sequence[Unit], states: dict[str, int], events: Sequence[Event]
) -> None:
    starts = [u.start_ms for u in units]
    for event in events:
        if event.sku_id not in states:
            continue
        for n in range(max(0, bisect_right(starts, event.start_ms) - 1), len(units)):
            if units[n].start_ms >= event.end_ms:
                break
            cap_s = _BLANK_CAP_S if units[n].line < 0 else _UNIT_CAP_S
            shared_s = min(units[n].span.overlap_ms(event.span) / 1000, cap_s)
            scores[n, states[event.sku_id]] += shared_s * _EVENT_PER_S[event.standing]


def _see(
    scores: Scores,
    units: Sequence[Unit],
    states: dict[str, int],
    screen: Screen | None,
    finder: MentionFinder,
) -> None:
    """Cards on the screen that name exactly one product. Prices are not read: see ``names``."""
    starts = [u.start_ms for u in units]
    for line in screen.lines if screen else ():
        if line.role != "card":
            continue
        named = {m.sku_id for m in finder.find(line.text) if m.kind == "name"}
        if len(named) != 1:
            continue
        state = states[named.pop()]
        for n in range(max(0, bisect_right(starts, line.start_ms) - 1), len(units)):
            if units[n].start_ms >= line.end_ms:
                break
            shared_s = min(units[n].span.overlap_ms(line.span) / 1000, _UNIT_CAP_S)
            scores[n, state] += shared_s * _CARD_PER_S


def _change_costs(
    units: Sequence[Unit], events: Sequence[Event], announced: Sequence[Announcement]
) -> Scores:
    """What it costs to change the product at each unit."""
    heard = {(a.sku_id, a.at_ms) for a in announced}
    edges = sorted(
        e.start_ms
        for e in events
        if not any(s == e.sku_id and abs(t - e.start_ms) < _EVENT_HEARD_MS for s, t in heard)
    )
    costs = np.full(len(units), _CHANGE)
    for n, unit in enumerate(units):
        if any(True for _ in _announcements(unit)):
            costs[n] = _CHANGE_ANNOUNCED
        elif unit.introduces:
            costs[n] = _CHANGE_INTRODUCED
        elif unit.handover:
            costs[n] = _CHANGE_CUED
        at = bisect_right(edges, unit.start_ms + _EVENT_EDGE_MS) - 1
        if at >= 0 and abs(edges[at] - unit.start_ms) <= _EVENT_EDGE_MS:
            costs[n] = min(costs[n], _CHANGE_EVENT)
    return costs


# --- windows ------------------------------------------------------------------------------


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
        confidence_pm=confidence_pm(margin),
        reasons=tuple(reasons or ["the run of the talk"]),
    )


def _spoken_reason(sku: str, units: Sequence[Unit]) -> str:
    mine = [m for u in units for m in u.mentions if m.sku_id == sku]
    for mention in mine:
        if mention.manner == "announced":
            return f"announced: “{mention.words}”"
    return f"named: “{mine[0].words}”" if mine else ""
