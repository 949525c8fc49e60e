"""One partition of the embedded index: a SQLite file, how it is opened, checked and written."""

from __future__ import annotations

import os
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from pipeline.errors import IndexingError, IndexUnavailable, MappingConflict
from pipeline.index.documents import Document
from pipeline.index.facets import Array
from pipeline.index.segment import Packed, batches
from pipeline.index.segment_read import Kept, Segment
from pipeline.index.sqlite_schema import (
    INSERT_BODY,
    INSERT_COLUMN,
    INSERT_DOC,
    INSERT_POSTING,
    MOST_IN_SEGMENT,
    PER_SEGMENT,
    SCHEMA_VERSION,
    TABLES,
)
from pipeline.ports import Held

REBUILD = "nothing is lost; run: evidence rebuild"
_BUSY_S = 30.0
_CACHE_KIB = 4_096
_MOST_IDLE = 64
_MOST_VARIABLES = 500
_MOST_OF_A_TIER = 8
"""So many segments of about one size become one."""
_INVENTORY = (
    "SELECT broadcast_id, MIN(release), MAX(release), COUNT(*), MAX(expected)"
    " FROM docs GROUP BY broadcast_id ORDER BY 1"
)


class Partition(sqlite3.Connection):
    """A connection that remembers which segments it saw."""

    seen: tuple[Any, list[tuple[tuple[int, ...], Array]]] | None = None


class PartitionGone(IndexingError):
    """A partition's file is not there: switched away a moment ago, or lost."""


class Pool:
    """Open connections, kept for the next search; each is used by one thread at a time.

    A connection is never used in a process other than the one that opened it.
    """

    def __init__(self) -> None:
        self.kept = Kept()
        self._idle: dict[Path, list[Partition]] = {}
        self._lock = Lock()
        self._pid = os.getpid()

    @contextmanager
    def opened(self, path: Path) -> Iterator[Partition]:
        """A connection to a partition whose schema is checked; SQLite's errors translated."""
        if not os.path.exists(path):  # what is open may have been removed since
            raise PartitionGone(f"{path} is gone", hint=REBUILD)
        with translated(path):
            db = self._take(path) or checked(path)
            try:
                yield db
            except BaseException:
                db.close()
                raise
        self._give(path, db)

    def keep(self, paths: Collection[Path]) -> None:
        """Close what is open to any other file."""
        with self._lock:
            gone = [db for path in set(self._idle) - set(paths) for db in self._idle.pop(path)]
        for db in gone:
            db.close()

    def _take(self, path: Path) -> Partition | None:
        with self._lock:
            if self._pid != os.getpid():  # forked: these belong to the parent
                self._idle, self._pid = {}, os.getpid()
            found = self._idle.get(path)
            return found.pop() if found else None

    def _give(self, path: Path, db: Partition) -> None:
        with self._lock:
            if sum(map(len, self._idle.values())) < _MOST_IDLE:
                self._idle.setdefault(path, []).append(db)
                return
        db.close()


def connect(path: Path, *, create: bool) -> Partition:
    """A connection; several processes may have one to the same file."""
    mode = "rwc" if create else "rw"
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    db = sqlite3.connect(
        uri,
        uri=True,
        timeout=_BUSY_S,
        isolation_level=None,
        check_same_thread=False,
        factory=Partition,
    )
    db.execute("PRAGMA page_size = 8192")
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    if not create:
        db.execute("PRAGMA synchronous = NORMAL")
    return db


def checked(path: Path) -> Partition:
    """A connection to a file that is there and has this program's schema.

    Raises:
        MappingConflict: another schema version made it.
    """
    db = connect(path, create=False)
    try:
        row = db.execute("SELECT value FROM about WHERE name = 'schema'").fetchone()
        if row is None or row[0] != SCHEMA_VERSION:
            raise conflict(path, str(row[0]) if row else "unknown")
    except BaseException:
        db.close()
        raise
    return db


def conflict(path: Path, found: str) -> MappingConflict:
    """The error for an index that another schema version made."""
    return MappingConflict(
        f"{path} has schema {found}, this program reads and writes {SCHEMA_VERSION}",
        hint="the recordings and claims are untouched; run: evidence rebuild",
    )


def fill(path: Path, documents: Iterable[Document]) -> int:
    """Make a file from documents, segment by segment; how many were given."""
    given = _Counted(documents)
    write_packed(path, batches(given, most=MOST_IN_SEGMENT))
    return given.count


def write_packed(path: Path, segments: Iterable[Packed]) -> None:
    """Make a file from segments.

    Nobody reads it before it is whole, and a half-made one is thrown away: so it is written
    without a journal and brought to the disk once, at the end.
    """
    with translated(path):
        db = connect(path, create=True)
        try:
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("PRAGMA synchronous = OFF")
            db.executescript(TABLES)
            db.execute("INSERT INTO about VALUES ('schema', ?)", [SCHEMA_VERSION])
            for number, packed in enumerate(segments):
                with transaction(db):
                    if number:  # the same id in two segments: the later one is to stay
                        _remove(db, _known(db, [row[0] for row in packed.docs]).values())
                    _insert(db, packed)
            db.execute("PRAGMA journal_mode = WAL")
        finally:
            db.close()
        _to_disk(path)


class _Counted:
    """Counts what passes through."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = documents
        self.count = 0

    def __iter__(self) -> Iterator[Document]:
        for document in self._documents:
            self.count += 1
            yield document


def _to_disk(path: Path) -> None:
    with (
        suppress(FileNotFoundError),
        path.open("rb") as file,
    ):  # a rebuild of all may have removed it
        os.fsync(file.fileno())


def inventory(db: Partition) -> list[Held]:
    """What the file holds, by broadcast."""
    return [Held(*row) for row in db.execute(_INVENTORY)]


def forget(db: Partition, broadcast_id: str, *, keep: Collection[str]) -> int:
    """Remove a broadcast's documents but those to keep; how many."""
    with transaction(db):
        rows = db.execute("SELECT id, doc_id FROM docs WHERE broadcast_id = ?", [broadcast_id])
        ids = [row[0] for row in rows if row[1] not in keep]
        _remove(db, ids)
        _tidy(db)
    return len(ids)


def segments(db: Partition, *, file: str, kept: Kept) -> list[Segment]:
    """The segments of the state that the transaction sees; asked again only where it changed."""
    version = (db.execute("PRAGMA data_version").fetchone()[0], db.total_changes)
    if db.seen is None or db.seen[0] != version:
        db.seen = (version, _found(db))
    return [Segment(db, row, gone, file=file, kept=kept) for row, gone in db.seen[1]]


def _found(db: Partition) -> list[tuple[tuple[int, ...], Array]]:
    gone = defaultdict[int, list[int]](list)
    for (row_id,) in db.execute("SELECT id FROM gone ORDER BY id"):
        gone[row_id // PER_SEGMENT].append(row_id % PER_SEGMENT)
    rows = db.execute("SELECT id, size, hits, shift FROM segments ORDER BY id").fetchall()
    return [(row, np.array(gone[row[0]], np.int64)) for row in rows]


@contextmanager
def transaction(db: Partition) -> Iterator[None]:
    """All of it or nothing, and for a reader one consistent state."""
    db.execute("BEGIN")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def write(db: Partition, documents: Sequence[Document]) -> None:
    """Documents in one transaction; an unchanged one is left alone."""
    latest = {document.doc_id: document for document in documents}
    with transaction(db):
        known = _known(db, list(latest))
        bodies = _bodies(db, known)
        for doc_id, body in bodies.items():
            if latest[doc_id].model_dump_json(exclude_defaults=True) == body:
                del latest[doc_id], known[doc_id]
        _remove(db, known.values())
        for packed in batches(latest.values(), most=MOST_IN_SEGMENT):
            _insert(db, packed)
        _tidy(db)


def _known(db: Partition, doc_ids: Sequence[str]) -> dict[str, int]:
    """The row ids of those of the documents that are there."""
    found: dict[str, int] = {}
    for some in _some(doc_ids):
        marks = ",".join("?" * len(some))
        sql = f"SELECT doc_id, id FROM docs WHERE doc_id IN ({marks})"  # noqa: S608
        found |= dict(db.execute(sql, some).fetchall())
    return found


def _bodies(db: Partition, known: dict[str, int]) -> dict[str, str]:
    found: dict[str, str] = {}
    for some in _some(list(known.values())):
        marks = ",".join("?" * len(some))
        sql = "SELECT d.doc_id, b.body FROM docs d JOIN bodies b ON b.id = d.id"
        found |= dict(db.execute(f"{sql} WHERE d.id IN ({marks})", some).fetchall())
    return found


def _some(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (values[at : at + _MOST_VARIABLES] for at in range(0, len(values), _MOST_VARIABLES))


def _insert(db: Partition, packed: Packed) -> None:
    """A segment whose documents' ids are not there."""
    sql = "INSERT INTO segments (size, hits, shift) VALUES (?, ?, ?)"
    segment = db.execute(sql, (packed.size, packed.hits, packed.shift)).lastrowid or 0
    first = segment * PER_SEGMENT
    db.executemany(INSERT_DOC, ((first + n, *row) for n, row in enumerate(packed.docs)))
    db.executemany(INSERT_BODY, ((first + n, body) for n, body in enumerate(packed.bodies)))
    db.executemany(INSERT_COLUMN, ((segment, name, d) for name, d in packed.columns.items()))
    db.executemany(INSERT_POSTING, ((segment, word, places) for word, places in packed.postings))


def _remove(db: Partition, ids: Iterable[int]) -> None:
    for row_id in ids:
        db.execute("DELETE FROM docs WHERE id = ?", [row_id])
        db.execute("DELETE FROM bodies WHERE id = ?", [row_id])
        db.execute("INSERT INTO gone (id) VALUES (?)", [row_id])


class _Live(NamedTuple):
    """A segment, and how many documents are left in it."""

    id: int
    size: int
    left: int

    @property
    def tier(self) -> int:
        """Segments of one tier are of about one size."""
        return (self.left.bit_length() - 1) // 3


def _tidy(db: Partition) -> None:
    """Small segments, and those of which most is gone, become one of their documents."""
    while worn := _worn(db):
        rows: list[str] = []
        for segment in worn:
            first = segment.id * PER_SEGMENT
            sql = "SELECT body FROM bodies WHERE id >= ? AND id < ?"
            rows += [row[0] for row in db.execute(sql, (first, first + PER_SEGMENT))]
            for table in ("docs", "bodies", "gone"):
                sql = f"DELETE FROM {table} WHERE id >= ? AND id < ?"  # noqa: S608
                db.execute(sql, (first, first + PER_SEGMENT))
            for table in ("columns", "postings"):
                db.execute(f"DELETE FROM {table} WHERE segment = ?", [segment.id])  # noqa: S608
            db.execute("DELETE FROM segments WHERE id = ?", [segment.id])
        for packed in batches(map(Document.model_validate_json, rows), most=MOST_IN_SEGMENT):
            _insert(db, packed)


def _worn(db: Partition) -> list[_Live]:
    counted = (
        "SELECT s.id, s.size, s.size - (SELECT COUNT(*) FROM gone g"
        " WHERE g.id >= s.id * ?1 AND g.id < (s.id + 1) * ?1) FROM segments s"
    )
    tiers = defaultdict[int, list[_Live]](list)
    for row in db.execute(counted, [PER_SEGMENT]).fetchall():
        segment = _Live(*row)
        if segment.left * 2 <= segment.size:
            return [segment]
        if segment.left * _MOST_OF_A_TIER <= MOST_IN_SEGMENT:
            tiers[segment.tier].append(segment)
    return next((found for found in tiers.values() if len(found) >= _MOST_OF_A_TIER), [])


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's exceptions as the pipeline's own."""
    try:
        yield
    except sqlite3.OperationalError as error:
        words = str(error).lower()
        if "locked" in words or "busy" in words:
            raise IndexUnavailable(f"{path}: {error}", hint="try again in a moment") from error
        if "unable to open" in words:
            raise PartitionGone(f"{path} cannot be opened: {error}", hint=REBUILD) from error
        if "no such table" in words or "no such column" in words:
            raise MappingConflict(f"{path}: {error}", hint="run: evidence rebuild") from error
        raise IndexingError(
            f"{path}: {error}", hint="check the disk; the index can be made anew: evidence rebuild"
        ) from error
    except sqlite3.DatabaseError as error:
        raise IndexingError(f"{path} is damaged: {error}", hint=REBUILD) from error
