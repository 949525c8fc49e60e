"""Answering a query from the embedded index's tables."""

from __future__ import annotations

import sqlite3
from collections import Counter
from operator import itemgetter
from typing import Any

from pipeline.index.answer import FACETS, Answer, FacetCount, Hit, SearchCoverage, SearchRequest
from pipeline.index.documents import Document
from pipeline.index.hits import (
    MOST_FACET_VALUES,
    MOST_INCOMPLETE,
    Totals,
    coverage_of,
    hit_of,
    read_cursor,
    write_cursor,
)
from pipeline.index.nodes import broadcast_scope, levels
from pipeline.index.sqlite_schema import ORDER, where

_PLACE = ORDER.split(", ")
_FOUND = "FROM temp.found h CROSS JOIN docs d ON d.id = h.id"
"""CROSS JOIN keeps SQLite from reading all documents to find the few that match."""


def answer(db: sqlite3.Connection, request: SearchRequest) -> Answer:
    """The page asked for, with total, facets and coverage, of one consistent state."""
    _gather(db, request)
    hits, cursor = _grouped(db, request) if request.collapse else _page(db, request)
    return Answer(
        query=request.query,
        hits=tuple(hits),
        total=_total(db, request),
        facets=_facets(db) if request.facets else {},
        coverage=_coverage(db, request),
        cursor=cursor,
    )


def _gather(db: sqlite3.Connection, request: SearchRequest) -> None:
    """All matches into a temporary table, each with its best match class."""
    db.execute(
        "CREATE TEMP TABLE IF NOT EXISTS found (id INTEGER PRIMARY KEY, class INTEGER NOT NULL)"
    )
    db.execute("DELETE FROM temp.found")
    for level in range(levels(request.node)):
        condition, values = where(request.node, level=level)
        db.execute(
            "INSERT OR IGNORE INTO temp.found (id, class)"  # noqa: S608 - values are bound
            f" SELECT d.id, ? FROM docs d WHERE +d.kind <> 'broadcast' AND {condition}",
            [level, *values],
        )


def _page(db: sqlite3.Connection, request: SearchRequest) -> tuple[list[Hit], str]:
    values: list[Any] = []
    after = ""
    if request.cursor:
        values = read_cursor(request.cursor, fields=len(_PLACE))
        after = f"WHERE ({ORDER}) > ({','.join('?' * len(_PLACE))})"
    rows = db.execute(
        f"SELECT h.class, b.body, {ORDER} {_FOUND} JOIN bodies b ON b.id = d.id {after}"
        f" ORDER BY {ORDER} LIMIT ?",
        [*values, request.size + 1],
    ).fetchall()
    page = rows[: request.size]
    hits = [hit_of(_document(r[1]), level=r[0], node=request.node) for r in page]
    return hits, write_cursor(page[-1][2:]) if len(rows) > len(page) > 0 else ""


def _grouped(db: sqlite3.Connection, request: SearchRequest) -> tuple[list[Hit], str]:
    """The best hit of each group, with the group's size."""
    skip = read_cursor(request.cursor, fields=1)[0] if request.cursor else 0
    skip = skip if isinstance(skip, int) and 0 <= skip <= 10_000 else 0
    group = f"d.{request.collapse}"
    rows = db.execute(
        "SELECT h.class, b.body, h.size FROM ("  # noqa: S608
        f" SELECT h.id, h.class, ROW_NUMBER() OVER (PARTITION BY {group} ORDER BY {ORDER}) AS place,"
        f" COUNT(*) OVER (PARTITION BY {group}) AS size {_FOUND}) h"
        " JOIN docs d ON d.id = h.id JOIN bodies b ON b.id = d.id"
        f" WHERE h.place = 1 ORDER BY {ORDER} LIMIT ? OFFSET ?",
        [request.size + 1, skip],
    ).fetchall()
    page = rows[: request.size]
    hits = [hit_of(_document(b), level=c, node=request.node, grouped=n) for c, b, n in page]
    return hits, write_cursor([skip + len(page)]) if len(rows) > len(page) else ""


def _total(db: sqlite3.Connection, request: SearchRequest) -> int:
    counted = f"COUNT(DISTINCT d.{request.collapse})" if request.collapse else "COUNT(*)"
    return int(db.execute(f"SELECT {counted} {_FOUND}").fetchone()[0])


def _facets(db: sqlite3.Connection) -> dict[str, tuple[FacetCount, ...]]:
    """All fields in one pass over the matches."""
    columns = ", ".join(f"d.{field}" for field in FACETS)
    rows = db.execute(f"SELECT {columns} {_FOUND}").fetchall()
    found = {}
    for number, field in enumerate(FACETS):
        counts = Counter(map(itemgetter(number), rows))
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_FACET_VALUES]
        found[field] = tuple(FacetCount(value=value, count=count) for value, count in ranked)
    return found


def _coverage(db: sqlite3.Connection, request: SearchRequest) -> SearchCoverage:
    """Over the broadcasts that the query's filters admit."""
    condition, values = where(broadcast_scope(request.node), level=0)
    searched = f"FROM docs d JOIN summaries s ON s.id = d.id WHERE {condition}"
    sums = "COUNT(*), TOTAL(s.duration_ms), TOTAL(s.listened_ms), TOTAL(s.speech_ms)"
    row = db.execute(f"SELECT {sums} {searched}", values).fetchone()
    worst = db.execute(
        f"SELECT b.body {searched.replace(' WHERE', ' JOIN bodies b ON b.id = d.id WHERE', 1)}"
        " AND s.listened_pm < 1000 ORDER BY s.listened_pm, d.broadcast_id LIMIT ?",
        [*values, MOST_INCOMPLETE],
    )
    return coverage_of(Totals(*map(int, row)), (_document(body) for (body,) in worst))


def _document(body: str) -> Document:
    return Document.model_validate_json(body)
