"""One partition of the embedded index: a SQLite file, how it is opened, checked and written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Lock

from pipeline.errors import IndexingError, IndexUnavailable, MappingConflict
from pipeline.index.documents import Document
from pipeline.index.sqlite_schema import (
    DELETE_WORDS,
    INSERT_DOC,
    INSERT_WORDS,
    SCHEMA_VERSION,
    TABLES,
    doc_row,
    word_row,
)
from pipeline.ports import Held

REBUILD = "nothing is lost; run: evidence rebuild"
BATCH = 500
_BUSY_S = 30.0
_CACHE_KIB = 65_536
_MOST_IDLE = 64
_INVENTORY = (
    "SELECT d.broadcast_id, MIN(d.release), MAX(d.release), COUNT(*), COALESCE(MAX(s.documents), 0)"
    " FROM docs d LEFT JOIN summaries s ON s.id = d.id GROUP BY d.broadcast_id ORDER BY 1"
)


class PartitionGone(IndexingError):
    """A partition's file is not there: switched away a moment ago, or lost."""


class Pool:
    """Open connections, kept for the next search; each is used by one thread at a time.

    A connection is never used in a process other than the one that opened it.
    """

    def __init__(self) -> None:
        self._idle: dict[Path, list[sqlite3.Connection]] = {}
        self._lock = Lock()
        self._pid = os.getpid()

    @contextmanager
    def opened(self, path: Path) -> Iterator[sqlite3.Connection]:
        """A connection to a partition whose schema is checked; SQLite's errors translated."""
        if not path.exists():  # what is open may have been removed since
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

    def _take(self, path: Path) -> sqlite3.Connection | None:
        with self._lock:
            if self._pid != os.getpid():  # forked: these belong to the parent
                self._idle, self._pid = {}, os.getpid()
            found = self._idle.get(path)
            return found.pop() if found else None

    def _give(self, path: Path, db: sqlite3.Connection) -> None:
        with self._lock:
            if sum(map(len, self._idle.values())) < _MOST_IDLE:
                self._idle.setdefault(path, []).append(db)
                return
        db.close()


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """A connection; several processes may have one to the same file."""
    mode = "rwc" if create else "rw"
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    db = sqlite3.connect(
        uri, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return db


def checked(path: Path) -> sqlite3.Connection:
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
    """Make a file from documents, its word lists merged for speed; how many."""
    with translated(path):
        db = connect(path, create=True)
        try:
            db.executescript(TABLES)
            db.execute("INSERT INTO about VALUES ('schema', ?)", [SCHEMA_VERSION])
            written = _write_new(db, documents)
            if written:
                db.execute("INSERT INTO words (words) VALUES ('optimize')")
                db.execute("ANALYZE")
        finally:
            db.close()
    return written


def inventory(db: sqlite3.Connection) -> list[Held]:
    """What the file holds, by broadcast."""
    return [Held(*row) for row in db.execute(_INVENTORY)]


def forget(db: sqlite3.Connection, broadcast_id: str, *, keep: Collection[str]) -> int:
    """Remove a broadcast's documents but those to keep; how many."""
    with transaction(db):
        rows = db.execute("SELECT id, doc_id FROM docs WHERE broadcast_id = ?", [broadcast_id])
        ids = [row[0] for row in rows if row[1] not in keep]
        _remove(db, ids)
    return len(ids)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing, and for a reader one consistent state."""
    db.execute("BEGIN")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def write(db: sqlite3.Connection, documents: Iterable[Document]) -> int:
    """Documents in transactions of a few hundred; an unchanged one is left alone."""
    written, rest = 0, iter(documents)
    while batch := list(islice(rest, BATCH)):
        with transaction(db):
            for document in batch:
                _write_one(db, document)
        written += len(batch)
    return written


def _write_new(db: sqlite3.Connection, documents: Iterable[Document]) -> int:
    """As :func:`write`, into a file that is empty: whole batches, no looking first."""
    written, rest = 0, iter(documents)
    while batch := list(islice(rest, BATCH)):
        try:
            with transaction(db):
                _insert(db, batch, first_id=written + 1)
        except sqlite3.IntegrityError:  # an id twice: the later one is to stay
            with transaction(db):
                for document in batch:
                    _write_one(db, document)
        written += len(batch)
    return written


def _write_one(db: sqlite3.Connection, document: Document) -> None:
    body = document.model_dump_json(exclude_defaults=True)
    row = db.execute(
        "SELECT d.id, b.body FROM docs d JOIN bodies b ON b.id = d.id WHERE d.doc_id = ?",
        [document.doc_id],
    ).fetchone()
    if row is not None:
        if row[1] == body:
            return
        _remove(db, [row[0]])
    last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'docs'").fetchone()
    _insert(db, [document], first_id=last[0] + 1 if last else 1)


def _insert(db: sqlite3.Connection, documents: Sequence[Document], *, first_id: int) -> None:
    """Documents whose ids are not there yet, under row ids that were never used."""
    numbered = list(enumerate(documents, first_id))
    bodies = ((n, d.model_dump_json(exclude_defaults=True)) for n, d in numbered)
    summaries = (
        (n, s.duration_ms, s.listened_ms, s.speech_ms, s.listened_pm, s.documents)
        for n, s in ((n, d.summary) for n, d in numbered)
        if s is not None
    )
    words = (word_row(n, d) for n, d in numbered if d.kind != "broadcast")
    amounts = ((unit, number, n) for n, d in numbered for unit, number in d.amounts)
    db.executemany(INSERT_DOC, (doc_row(n, d) for n, d in numbered))
    db.executemany("INSERT INTO bodies (id, body) VALUES (?, ?)", bodies)
    db.executemany("INSERT INTO summaries VALUES (?, ?, ?, ?, ?, ?)", summaries)
    db.executemany(INSERT_WORDS, words)
    db.executemany("INSERT OR IGNORE INTO amounts VALUES (?, ?, ?)", amounts)


def _remove(db: sqlite3.Connection, ids: Sequence[int]) -> None:
    for row_id in ids:
        (body,) = db.execute("SELECT body FROM bodies WHERE id = ?", [row_id]).fetchone()
        document = Document.model_validate_json(body)
        if document.kind != "broadcast":
            db.execute(DELETE_WORDS, word_row(row_id, document))
        for table in ("docs", "bodies", "amounts", "summaries"):
            db.execute(f"DELETE FROM {table} WHERE id = ?", [row_id])  # noqa: S608


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
