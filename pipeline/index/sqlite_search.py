"""Answering a query from the embedded index's tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from pipeline.index.answer import FACETS, Answer, FacetCount, Hit, SearchRequest
from pipeline.index.documents import Document
from pipeline.index.hits import coverage_of, hit_of, read_cursor, write_cursor
from pipeline.index.nodes import broadcast_scope, levels
from pipeline.index.sqlite_schema import ORDER, where

MOST_FACET_VALUES = 100
_PLACE = ORDER.split(", ")
_FOUND = "FROM temp.found h JOIN docs d ON d.id = h.id"


def answer(db: sqlite3.Connection, request: SearchRequest) -> Answer:
    """The page asked for, with total, facets and coverage, of one consistent state."""
    _gather(db, request)
    hits, cursor = _grouped(db, request) if request.collapse else _page(db, request)
    return Answer(
        query=request.query,
        hits=tuple(hits),
        total=_total(db, request),
        facets=_facets(db) if request.facets else {},
        coverage=coverage_of(summaries(db, request)),
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
            f" SELECT d.id, ? FROM docs d WHERE d.kind <> 'broadcast' AND {condition}",
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
    found = {}
    for field in FACETS:
        rows = db.execute(
            f"SELECT d.{field}, COUNT(*) AS n {_FOUND} GROUP BY 1 ORDER BY n DESC, 1 LIMIT ?",
            [MOST_FACET_VALUES],
        )
        found[field] = tuple(FacetCount(value=value, count=count) for value, count in rows)
    return found


def summaries(db: sqlite3.Connection, request: SearchRequest) -> Iterator[Document]:
    """The summary documents of the broadcasts that the query's filters admit."""
    condition, values = where(broadcast_scope(request.node), level=0)
    rows = db.execute(
        "SELECT b.body FROM docs d JOIN bodies b ON b.id = d.id"  # noqa: S608
        f" WHERE d.kind = 'broadcast' AND {condition} ORDER BY d.broadcast_id",
        values,
    )
    for (body,) in rows:
        yield _document(body)


def _document(body: str) -> Document:
    return Document.model_validate_json(body)
