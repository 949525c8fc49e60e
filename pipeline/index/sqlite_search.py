"""Answering a query from the embedded index: one partition after the other, newest day first."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.index.answer import FACETS, Answer, FacetCount, Hit, SearchCoverage, SearchRequest
from pipeline.index.documents import Document
from pipeline.index.hits import (
    MOST_COUNTED,
    MOST_FACET_VALUES,
    MOST_INCOMPLETE,
    Totals,
    coverage_of,
    hit_of,
    read_cursor,
    write_cursor,
)
from pipeline.index.nodes import Node, broadcast_scope, levels, named_broadcasts, widened
from pipeline.index.sqlite_file import Pool, transaction
from pipeline.index.sqlite_schema import ORDER, where, words_alone

_PLACE = ORDER.split(", ")
_NAMES = ", ".join(f"p{n}" for n in range(len(_PLACE)))
_NAMED = ", ".join(f"{place} AS p{n}" for n, place in enumerate(_PLACE))
_FOUND = "FROM temp.found h CROSS JOIN docs d ON d.id = h.id"
"""CROSS JOIN keeps SQLite from reading all documents to find the few that match."""
_MOST_SKIPPED = 10_000

Place = tuple[Any, ...]
"""The values of :data:`ORDER`; they compare in Python as they do in SQLite."""


class _Row(NamedTuple):
    """A hit to be, or the best of a group."""

    place: Place
    level: int
    body: str


class _Gathered:
    """What has been found in the partitions so far; never more than one page of rows."""

    def __init__(self, request: SearchRequest) -> None:
        self.request = request
        self.total = self.counted = 0
        self.rows: list[_Row] = []
        self.groups: dict[str, tuple[Place, int]] = {}
        self.facets: dict[str, Counter[str]] = {field: Counter() for field in FACETS}
        self.sums = Totals(0, 0, 0, 0)
        self.incomplete: list[tuple[int, str, str]] = []

    def take(self, db: sqlite3.Connection) -> None:
        """Add what one partition has."""
        self._cover(db)
        found = _gather(db, self.request) if _may_hold(db, self.request) else 0
        if not found:
            return
        if self.request.collapse:
            self._group(db)
        else:
            self.total += found
            self._page(db)
        if self.request.facets and self.counted < MOST_COUNTED:
            self.counted += _count(db, self.facets, most=MOST_COUNTED - self.counted)

    def _page(self, db: sqlite3.Connection) -> None:
        size, marks = self.request.size + 1, ",".join("?" * len(_PLACE))
        bounds: list[str] = []
        values: list[Any] = []
        if self.request.cursor:
            bounds.append(f"({ORDER}) > ({marks})")
            values += read_cursor(self.request.cursor, fields=len(_PLACE))
        if len(self.rows) == size:
            bounds.append(f"({ORDER}) < ({marks})")
            values += self.rows[-1].place
        within = f"WHERE {' AND '.join(bounds)}" if bounds else ""
        best = f"SELECT h.id AS id, {_NAMED} {_FOUND} {within} ORDER BY {ORDER} LIMIT ?"
        rows = db.execute(  # the bodies of the page alone are read
            f"SELECT b.body, {_NAMES} FROM ({best}) p JOIN bodies b ON b.id = p.id",  # noqa: S608
            [*values, size],
        )
        self.rows += [_Row(tuple(row[1:]), row[1], row[0]) for row in rows]
        self.rows = sorted(self.rows, key=lambda row: row.place)[:size]

    def _group(self, db: sqlite3.Connection) -> None:
        """The best place and the size of each group; the bodies are read for the page alone."""
        group = f"d.{self.request.collapse}"
        rows = db.execute(
            f"SELECT name, size, {_NAMES} FROM ("  # noqa: S608
            f" SELECT {group} AS name, {_NAMED},"
            f" ROW_NUMBER() OVER (PARTITION BY {group} ORDER BY {ORDER}) AS nth,"
            f" COUNT(*) OVER (PARTITION BY {group}) AS size {_FOUND}) WHERE nth = 1"
        )
        for name, size, *place in rows:
            best, count = self.groups.get(name, (tuple(place), 0))
            self.groups[name] = (min(best, tuple(place)), count + size)

    def _cover(self, db: sqlite3.Connection) -> None:
        """Over the broadcasts that the query's filters admit."""
        condition, values = where(broadcast_scope(self.request.node), level=0)
        searched = f"FROM docs d JOIN summaries s ON s.id = d.id WHERE {condition}"
        sums = "COUNT(*), TOTAL(s.duration_ms), TOTAL(s.listened_ms), TOTAL(s.speech_ms)"
        row = db.execute(f"SELECT {sums} {searched}", values).fetchone()
        self.sums = Totals(*(a + int(b) for a, b in zip(self.sums, row, strict=True)))
        worst = db.execute(
            "SELECT s.listened_pm, d.broadcast_id, b.body "
            f"{searched.replace(' WHERE', ' JOIN bodies b ON b.id = d.id WHERE', 1)}"
            " AND s.listened_pm < 1000 ORDER BY s.listened_pm, d.broadcast_id LIMIT ?",
            [*values, MOST_INCOMPLETE],
        )
        self.incomplete = sorted([*self.incomplete, *worst])[:MOST_INCOMPLETE]


def answer(files: Mapping[str, Path], pool: Pool, request: SearchRequest) -> Answer:
    """The page asked for, with total, facets and coverage; each partition of one state."""
    gathered = _Gathered(request)
    for path in _newest_first(files):
        with pool.opened(path) as db, transaction(db):
            gathered.take(db)
    hits, cursor = (
        _grouped(files, pool, gathered) if request.collapse else _ungrouped(gathered, request)
    )
    return Answer(
        query=request.query,
        hits=tuple(hits),
        total=len(gathered.groups) if request.collapse else gathered.total,
        facets=_facets(gathered) if request.facets else {},
        facets_of=gathered.counted,
        coverage=_coverage(gathered),
        cursor=cursor,
    )


def _newest_first(files: Mapping[str, Path]) -> Iterator[Path]:
    """So that later partitions rarely have a better hit; undated ones come last of all."""
    for day in sorted(files, key=lambda day: (day[:1].isdigit(), day), reverse=True):
        yield files[day]


def _may_hold(db: sqlite3.Connection, request: SearchRequest) -> bool:
    """Whether a query for certain broadcasts has any of them in this partition."""
    names = named_broadcasts(request.node)
    if names is None:
        return True
    marks = ",".join("?" * len(names))
    sql = f"SELECT 1 FROM docs WHERE broadcast_id IN ({marks}) LIMIT 1"  # noqa: S608
    return db.execute(sql, names).fetchone() is not None


def _gather(db: sqlite3.Connection, request: SearchRequest) -> int:
    """All matches into a temporary table, each with its best match class; how many."""
    db.execute(
        "CREATE TEMP TABLE IF NOT EXISTS found (id INTEGER PRIMARY KEY, class INTEGER NOT NULL)"
    )
    db.execute("DELETE FROM temp.found")
    found = 0
    for level in range(levels(request.node)):
        source, values = _matching(widened(request.node, level), level)
        done = db.execute(
            f"INSERT OR IGNORE INTO temp.found (id, class) {source}",
            [level, *values],
        )
        found += done.rowcount
    return found


def _matching(node: Node, level: int) -> tuple[str, list[Any]]:
    """A SELECT of the ids that match at a level, and its values; words alone need no documents."""
    expression = words_alone(node, level=level)
    if expression is None:
        condition, values = where(node, level=level)
        return f"SELECT d.id, ? FROM docs d WHERE +d.kind <> 'broadcast' AND {condition}", values  # noqa: S608
    if not expression:
        return "SELECT id, ? FROM docs WHERE 0", []
    return "SELECT rowid, ? FROM words WHERE words MATCH ?", [expression]


def _count(db: sqlite3.Connection, facets: Mapping[str, Counter[str]], *, most: int) -> int:
    """All fields in one pass over the matches, the best of them where there are more; how many."""
    columns = ", ".join(f"d.{field}" for field in facets)
    chosen = "(SELECT id FROM temp.found ORDER BY class, id LIMIT ?)"
    rows = db.execute(
        f"SELECT {columns} FROM {chosen} h CROSS JOIN docs d ON d.id = h.id",  # noqa: S608
        [most],
    ).fetchall()
    for number, counts in enumerate(facets.values()):
        counts.update(map(itemgetter(number), rows))
    return len(rows)


def _ungrouped(gathered: _Gathered, request: SearchRequest) -> tuple[list[Hit], str]:
    page = gathered.rows[: request.size]
    hits = [hit_of(_document(r.body), level=r.level, node=request.node) for r in page]
    more = len(gathered.rows) > len(page) > 0
    return hits, write_cursor(page[-1].place) if more else ""


def _grouped(files: Mapping[str, Path], pool: Pool, gathered: _Gathered) -> tuple[list[Hit], str]:
    """The best hit of each group on the page, with the group's size."""
    request = gathered.request
    skip = read_cursor(request.cursor, fields=1)[0] if request.cursor else 0
    skip = skip if isinstance(skip, int) and 0 <= skip <= _MOST_SKIPPED else 0
    ranked = sorted(gathered.groups.values())
    page = ranked[skip : skip + request.size]
    bodies = _bodies(files, pool, [place[-1] for place, _ in page])
    hits = [
        hit_of(_document(bodies[p[-1]]), level=p[0], node=request.node, grouped=size)
        for p, size in page
        if p[-1] in bodies
    ]
    more = len(ranked) > skip + len(page) > 0
    return hits, write_cursor([skip + len(page)]) if more else ""


def _bodies(files: Mapping[str, Path], pool: Pool, doc_ids: list[str]) -> dict[str, str]:
    """Documents by id, from whichever partition has them."""
    found: dict[str, str] = {}
    for path in _newest_first(files):
        wanted = [doc_id for doc_id in doc_ids if doc_id not in found]
        marks = ",".join("?" * len(wanted))
        if wanted:
            with pool.opened(path) as db:
                found |= db.execute(
                    "SELECT d.doc_id, b.body FROM docs d JOIN bodies b ON b.id = d.id"  # noqa: S608
                    f" WHERE d.doc_id IN ({marks})",
                    wanted,
                ).fetchall()
    return found


def _facets(gathered: _Gathered) -> dict[str, tuple[FacetCount, ...]]:
    found = {}
    for field, counts in gathered.facets.items():
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_FACET_VALUES]
        found[field] = tuple(FacetCount(value=value, count=count) for value, count in ranked)
    return found


def _coverage(gathered: _Gathered) -> SearchCoverage:
    worst = (_document(body) for _, _, body in gathered.incomplete)
    return coverage_of(gathered.sums, worst)


def _document(body: str) -> Document:
    return Document.model_validate_json(body)
