"""Hits of the same moment as one: a claim, its spoken line and the card on screen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pipeline.index.answer import Hit
from pipeline.timeline import Span


class FoundMoment(NamedTuple):
    """Hits of one broadcast that overlap, the best first."""

    broadcast_id: str
    """Where."""
    span: Span
    """From the first hit's start to the last hit's end."""
    hits: tuple[Hit, ...]
    """In the order of the answer."""

    @property
    def best(self) -> Hit:
        """The hit to show."""
        return self.hits[0]


def moments(hits: Iterable[Hit], *, within_ms: int = 0) -> list[FoundMoment]:
    """Hits gathered by moment, each where its best hit stood.

    Two hits belong together when their spans overlap or lie at most ``within_ms`` apart;
    a hit joins the first moment it touches, so a moment never grows past its neighbours'
    words.
    """
    found: list[FoundMoment] = []
    for hit in hits:
        document = hit.document
        span = Span(document.start_ms, document.end_ms)
        for place, moment in enumerate(found):
            if moment.broadcast_id == document.broadcast_id and _near(moment.span, span, within_ms):
                wider = Span(
                    min(moment.span.start_ms, span.start_ms), max(moment.span.end_ms, span.end_ms)
                )
                found[place] = FoundMoment(document.broadcast_id, wider, (*moment.hits, hit))
                break
        else:
            found.append(FoundMoment(document.broadcast_id, span, (hit,)))
    return found


def _near(one: Span, other: Span, within_ms: int) -> bool:
    return one.start_ms < other.end_ms + within_ms and other.start_ms < one.end_ms + within_ms
