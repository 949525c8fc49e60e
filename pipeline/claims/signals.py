"""What each unit of the talk says for each product, and what changing the product costs there."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.claims.course import Scores
from pipeline.claims.mentions import Mention, MentionFinder
from pipeline.claims.schedule import Announcement, Event
from pipeline.claims.units import OVERVIEW_PRODUCTS, Unit, announcements
from pipeline.model import Screen

# Weights in nats, set by hand on the order of the signals in the domain's notes and
# checked on the labelled broadcasts with their schedules given, removed, late and swapped.
_ANNOUNCED = {"number": 5.0, "name": 3.0}
_PLAIN = {"number": 2.0, "name": 1.0}
_RETURNED = 3.0
_IN_PASSING = 0.2
_BY_SOUND = 0.7
_OVERVIEW = 0.1
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
_EVENT_EDGE_MS = 3_000
_EVENT_HEARD_MS = 15_000


def hear(scores: Scores, units: Sequence[Unit], states: dict[str, int]) -> None:
    """Adds what is said: numbers and names. ``states`` are the columns of the products."""
    for n, unit in enumerate(units):
        overview = len({m.sku_id for m in unit.mentions}) >= OVERVIEW_PRODUCTS
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
    elif mention.manner == "return":
        weight = _RETURNED
    elif mention.manner == "plain":
        weight = _PLAIN[mention.kind]
    else:
        weight = _IN_PASSING
    return weight * (_BY_SOUND if mention.by_sound else 1.0)


def follow(
    scores: Scores, units: Sequence[Unit], states: dict[str, int], events: Sequence[Event]
) -> None:
    """Adds the platform's events, by the seconds they share with a unit."""
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


def see(
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


def change_costs(
    units: Sequence[Unit],
    states: dict[str, int],
    events: Sequence[Event],
    announced: Sequence[Announcement],
) -> Scores:
    """What it costs to change into each product at each unit."""
    costs = np.full((len(units), len(states) + 1), _CHANGE)
    for n, unit in enumerate(units):
        if unit.handover:
            costs[n] = _CHANGE_CUED
        for sku in _called(unit):
            costs[n, states[sku]] = _CHANGE_ANNOUNCED
        if unit.returns:
            at = states[unit.returns]
            costs[n, at] = min(costs[n, at], _CHANGE_CUED)
        if unit.introduces:
            at = states[unit.introduces]
            eased = _CHANGE_ANNOUNCED if unit.handover else _CHANGE_INTRODUCED
            costs[n, at] = min(costs[n, at], eased)
    _ease_at_events(costs, units, states, events, announced)
    return costs


def _called(unit: Unit) -> Iterator[str]:
    """The products a unit calls on stage, for the first time or again."""
    yield from (m.sku_id for m in announcements(unit))
    yield from (m.sku_id for m in unit.mentions if m.manner == "return")


def _ease_at_events(
    costs: Scores,
    units: Sequence[Unit],
    states: dict[str, int],
    events: Sequence[Event],
    announced: Sequence[Announcement],
) -> None:
    """Changing is easy where an event begins whose product was not announced about then."""
    starts = [u.start_ms for u in units]
    for event in events:
        heard = any(
            a.sku_id == event.sku_id and abs(a.at_ms - event.start_ms) < _EVENT_HEARD_MS
            for a in announced
        )
        if heard or event.sku_id not in states:
            continue
        first = bisect_left(starts, event.start_ms - _EVENT_EDGE_MS)
        for n in range(first, bisect_right(starts, event.start_ms + _EVENT_EDGE_MS)):
            state = states[event.sku_id]
            costs[n, state] = min(costs[n, state], _CHANGE_EVENT)
