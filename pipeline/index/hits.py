"""From documents to hits: highlights, times, coverage, cursors. The same for every backend."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.errors import QueryError
from pipeline.index.answer import MATCHES, BroadcastCoverage, Hit, SearchCoverage
from pipeline.index.documents import Document
from pipeline.index.nodes import NEAR, Node, Text, texts
from pipeline.text.squash import Squashed, squash, squashed_text
from pipeline.text.stems import stem
from pipeline.text.tokens import near_spans, query_tokens, sound_spans
from pipeline.timeline import clock, from_utc_ms

MOST_INCOMPLETE = 100
MOST_FACET_VALUES = 100
MOST_COUNTED = 10_000
"""Matches that the embedded index counts for the facets, the best of them; a cluster counts all."""
_MOST_HIGHLIGHTS = 50


class Totals(NamedTuple):
    """Sums over the broadcasts searched."""

    broadcasts: int
    duration_ms: int
    listened_ms: int
    speech_ms: int


def hit_of(document: Document, *, level: int, node: Node, grouped: int = 1) -> Hit:
    """A hit with its highlights and its times written out."""
    return Hit(
        match=MATCHES[level],
        document=document,
        highlights=highlights(document.text, node, level=level),
        wall_time=wall_time(document),
        media_time=clock(document.start_ms),
        grouped=grouped,
    )


def wall_time(document: Document) -> str:
    """The start in the broadcast's own offset, ISO 8601; empty without a wall clock."""
    if document.wall_utc_ms is None:
        return ""
    instant = from_utc_ms(document.wall_utc_ms, offset_minutes=document.zone_minutes)
    return instant.isoformat(timespec="milliseconds")


def highlights(text: str, node: Node, *, level: int = 2) -> tuple[tuple[int, int], ...]:
    """Where the query's words stand in a verbatim text, merged and in order."""
    squashed = squash(text)
    spans: list[tuple[int, int]] = []
    for term in texts(node):
        found = _literal_spans(squashed, term.words)
        if not found and level >= 1:
            wider = (*term.related, *term.pieces)
            found = [s for word in wider for s in _literal_spans(squashed, word)]
            found += [] if term.phrase else _stem_spans(squashed, term)
        if not found and level >= 2:
            found = list(sound_spans(text, query_tokens(term.words).sounds))
        if not found and level >= NEAR:
            found = list(near_spans(text, term.nearly(level)))
        spans += found
    return _merged(spans)[:_MOST_HIGHLIGHTS]


@lru_cache(maxsize=1024)
def _needle(words: str) -> str:
    return squashed_text(words)


def _literal_spans(squashed: Squashed, words: str) -> list[tuple[int, int]]:
    needle = _needle(words)
    found: list[tuple[int, int]] = []
    at = squashed.text.find(needle) if needle else -1
    while at >= 0 and len(found) < _MOST_HIGHLIGHTS:
        found.append(squashed.original_span(at, at + len(needle)))
        at = squashed.text.find(needle, at + len(needle))
    return found


def _stem_spans(squashed: Squashed, term: Text) -> list[tuple[int, int]]:
    wanted = {stem(word) for word in _needle(term.words).split(" ")}
    found, at = [], 0
    for word in squashed.text.split(" "):
        if word and stem(word) in wanted:
            found.append(squashed.original_span(at, at + len(word)))
        at += len(word) + 1
    return found


def _merged(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return tuple(merged)


def coverage_of(totals: Totals, worst: Iterable[Document]) -> SearchCoverage:
    """The coverage of an answer from sums over its broadcasts and the summaries with losses."""
    incomplete = [
        BroadcastCoverage(
            broadcast_id=d.broadcast_id, listened_pm=d.summary.listened_pm, gaps=d.summary.gaps
        )
        for d in worst
        if d.summary is not None
    ]
    return SearchCoverage(**totals._asdict(), incomplete=tuple(incomplete))


def write_cursor(place: Sequence[Any]) -> str:
    """An opaque, URL-safe cursor."""
    data = json.dumps(list(place), ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def read_cursor(cursor: str, *, fields: int) -> list[Any]:
    """The place in a cursor.

    Raises:
        QueryError: not a cursor of this program.
    """
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place = json.loads(data)
    except (binascii.Error, UnicodeError, ValueError):
        place = None
    scalar = isinstance(place, list) and all(isinstance(p, (int, str)) for p in place)
    if not isinstance(place, list) or not scalar or len(place) != fields:
        raise QueryError(
            "the cursor is not one of a former answer", hint="search again without a cursor"
        )
    return place
