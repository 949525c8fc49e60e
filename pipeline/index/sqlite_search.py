"""Answering a query from the embedded index: one partition after the other, newest day first."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.index.answer import Answer, Hit, SearchCoverage, SearchRequest
from pipeline.index.documents import UNDATED, Document, day_number
from pipeline.index.facets import Array, Counts, Vocabulary
from pipeline.index.hits import (
    MOST_COUNTED,
    MOST_INCOMPLETE,
    Totals,
    coverage_of,
    hit_of,
    read_cursor,
    write_cursor,
)
from pipeline.index.nodes import (
    EVERYTHING,
    Node,
    broadcast_scope,
    levels,
    named_broadcasts,
    widened,
)
from pipeline.index.segment_read import Matcher, Plan, Segment, plan
from pipeline.index.sqlite_file import Partition, Pool, segments, transaction
from pipeline.index.sqlite_schema import PER_SEGMENT, RANK

_MOST_SKIPPED = 10_000
_MOST_VARIABLES = 500

Place = tuple[Any, ...]
"""Match class, rank, minus the day, broadcast, start, id: the one order of hits."""
_FIELDS = 6


class _Row(NamedTuple):
    """A hit to be, or the best of a group."""

    place: Place
    body: str


class _Found(NamedTuple):
    """The matches of one segment: their numbers in order, for each match class."""

    segment: Segment
    classes: list[Array]

    def early(self, level: int, numbers: Sequence[int]) -> list[Place]:
        """All of their places but the ids, which are rarely needed."""
        segment, some = self.segment, np.asarray(numbers, np.int64)
        kinds, days, names = (segment.names(f) for f in ("kind", "day", "broadcast_id"))
        columns = (segment.column(f)[some].tolist() for f in ("kind", "day", "broadcast_id"))
        starts = segment.column("start_ms")[some].tolist()
        return [
            (level, RANK[kinds[kind]], -day_number(days[day]), names[name], start)
            for kind, day, name, start in zip(*columns, starts, strict=True)
        ]


class _Gathered:
    """What has been found in the partitions so far; never more than one page of rows."""

    def __init__(self, request: SearchRequest, vocabulary: Vocabulary) -> None:
        self.request = request
        count = levels(request.node, near=request.near)
        self.plan: Plan = plan(widened(request.node, level) for level in range(count))
        self.scope: Node = broadcast_scope(request.node)
        self.named = named_broadcasts(request.node)
        self.after: Place = ()
        if request.cursor and not request.collapse:
            self.after = tuple(read_cursor(request.cursor, fields=_FIELDS))
        self.total = self.counted = 0
        self.rows: list[_Row] = []
        self.groups: dict[str, tuple[Place, int]] = {}
        self.facets = Counts(vocabulary)
        self.sums = Totals(0, 0, 0, 0)
        self.incomplete: list[tuple[int, str, str]] = []

    def take(self, db: Partition, segment: Segment) -> None:
        """Add what one segment has."""
        self._cover(db, segment)
        found = self._matches(segment)
        size = sum(map(len, found.classes))
        if not size:
            return
        if self.request.collapse:
            self._group(db, found)
        else:
            self.total += size
            self._page(db, found)
        if self.request.facets and self.counted < MOST_COUNTED:
            self._count(found)

    def _matches(self, segment: Segment) -> _Found:
        if self.named is not None and not any(
            name in segment.values("broadcast_id") for name in self.named
        ):
            return _Found(segment, [])
        matcher, classes = Matcher(segment, self.plan.words), list[Array]()
        seen = np.zeros(segment.size, np.bool_)
        seen[segment.hits :] = True
        seen[segment.gone] = True
        for level, node in enumerate(self.plan.levels):
            mask = matcher.mask(node, level)
            if mask is None:
                classes.append(segment.gone[:0])
                continue
            new = mask & ~seen
            classes.append(np.flatnonzero(new))
            seen |= new
        return _Found(segment, classes)

    def _page(self, db: Partition, found: _Found) -> None:
        size = self.request.size + 1
        chosen: list[tuple[Place, int]] = []
        for level, numbers in enumerate(found.classes):
            if not len(numbers) or (len(self.rows) == size and level > self.rows[-1].place[0]):
                continue
            some = numbers[self._first(db, found, level) :][:size].tolist()
            if some and len(self.rows) == size and self._later(found.early(level, some[:1])[0]):
                continue
            for early, number in zip(found.early(level, some), some, strict=True):
                if len(self.rows) == size and self._later(early):
                    break
                chosen.append((early, number))
        read = _read(db, found.segment, [number for _, number in chosen[:size]]) if chosen else {}
        self.rows += [_Row((*early, read[n][0]), read[n][1]) for early, n in chosen[:size]]
        self.rows = sorted(self.rows, key=lambda row: row.place)[:size]

    def _later(self, early: Place) -> bool:
        """Whether a place is behind the page that is full."""
        return early > self.rows[-1].place[: _FIELDS - 1]

    def _first(self, db: Partition, found: _Found, level: int) -> int:
        """Where in a match class the page begins: behind the place of the cursor."""
        if not self.after or level > self.after[0]:
            return 0
        if level < self.after[0]:
            return len(found.classes[level])

        def place(number: int) -> Place:
            (early,) = found.early(level, [number])
            if early != self.after[: _FIELDS - 1]:
                return early
            return (*early, _read(db, found.segment, [int(number)])[int(number)][0])

        return bisect_right(found.classes[level], self.after, key=place)

    def _group(self, db: Partition, found: _Found) -> None:
        """The best place and the size of each group; the bodies are read for the page alone."""
        segment, field = found.segment, self.request.collapse
        numbers = np.concatenate(found.classes)
        edges = np.cumsum([len(c) for c in found.classes])
        codes, first, sizes = np.unique(
            segment.column(field)[numbers], return_index=True, return_counts=True
        )
        read = _read(db, segment, numbers[first].tolist())
        names = segment.names(field)
        for code, at, size in zip(codes.tolist(), first.tolist(), sizes.tolist(), strict=True):
            number = int(numbers[at])
            level = int(np.searchsorted(edges, at, side="right"))
            place = (*found.early(level, [number])[0], read[number][0])
            best, count = self.groups.get(names[code], (place, 0))
            self.groups[names[code]] = (min(best, place), count + size)

    def _count(self, found: _Found) -> None:
        """All fields over the matches, the best of them where there are more."""
        numbers = np.concatenate(found.classes)[: MOST_COUNTED - self.counted]
        self.counted += len(numbers)
        self.facets.add(found.segment.faceted(), numbers)

    def _cover(self, db: Partition, segment: Segment) -> None:
        """Over the broadcasts that the query's filters admit."""
        if self.scope == EVERYTHING and not len(segment.gone):
            *added, lossy = segment.whole().tolist()
            if not lossy:
                self._add(added)
                return
        mask = Matcher(segment).mask(self.scope, 0)
        if mask is None:
            return
        chosen = mask.copy()
        chosen[segment.gone] = False
        chosen = chosen[segment.hits :]
        sums = segment.sums()
        self._add([int(chosen.sum()), *sums[chosen][:, :-1].sum(axis=0).tolist()])
        self._lossy(db, segment, np.flatnonzero(chosen & (sums[:, -1] < 1000)).tolist())

    def _add(self, sums: Sequence[int]) -> None:
        self.sums = Totals(*(a + b for a, b in zip(self.sums, sums, strict=True)))

    def _lossy(self, db: Partition, segment: Segment, numbers: Sequence[int]) -> None:
        """Summaries of broadcasts of which something was not listened to."""
        if not numbers:
            return
        sums, first = segment.sums(), segment.hits
        names = [segment.value("broadcast_id", first + n) for n in numbers]
        shares = [int(sums[n, -1]) for n in numbers]
        worst = sorted(zip(shares, names, numbers, strict=True))[:MOST_INCOMPLETE]
        read = _read(db, segment, [first + n for _, _, n in worst])
        lines = [(share, name, read[first + n][1]) for share, name, n in worst]
        self.incomplete = sorted([*self.incomplete, *lines])[:MOST_INCOMPLETE]


def answer(files: Mapping[str, Path], pool: Pool, request: SearchRequest) -> Answer:
    """The page asked for, with total, facets and coverage; each partition of one state."""
    gathered = _Gathered(request, pool.kept.vocabulary)
    for path in _newest_first(files):
        with pool.opened(path) as db, transaction(db):
            for segment in segments(db, file=path.name, kept=pool.kept):
                gathered.take(db, segment)
    hits, cursor = (
        _grouped(files, pool, gathered) if request.collapse else _ungrouped(gathered, request)
    )
    return Answer(
        query=request.query,
        hits=tuple(hits),
        total=len(gathered.groups) if request.collapse else gathered.total,
        facets=gathered.facets.facets() if request.facets else {},
        facets_of=gathered.counted,
        coverage=_coverage(gathered),
        cursor=cursor,
    )


def _newest_first(files: Mapping[str, Path]) -> Iterator[Path]:
    """So that later partitions rarely have a better hit; undated ones come last of all."""
    for day in sorted(files, key=lambda day: (day != UNDATED, day), reverse=True):
        yield files[day]


def _read(db: Partition, segment: Segment, numbers: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Id and body of documents by their numbers."""
    found: dict[int, tuple[str, str]] = {}
    first = segment.id * PER_SEGMENT
    for at in range(0, len(numbers), _MOST_VARIABLES):
        some = [first + number for number in numbers[at : at + _MOST_VARIABLES]]
        marks = ",".join("?" * len(some))
        sql = "SELECT d.id, d.doc_id, b.body FROM docs d JOIN bodies b ON b.id = d.id"
        for row_id, doc_id, body in db.execute(f"{sql} WHERE d.id IN ({marks})", some):
            found[row_id - first] = (doc_id, body)
    return found


def _ungrouped(gathered: _Gathered, request: SearchRequest) -> tuple[list[Hit], str]:
    page = gathered.rows[: request.size]
    hits = [hit_of(_document(r.body), level=r.place[0], node=request.node) for r in page]
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


def _coverage(gathered: _Gathered) -> SearchCoverage:
    worst = (_document(body) for _, _, body in gathered.incomplete)
    return coverage_of(gathered.sums, worst)


def _document(body: str) -> Document:
    return Document.model_validate_json(body)
