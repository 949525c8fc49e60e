"""The embedded index: one SQLite file with FTS5, for several processes, rebuilt beside itself.

The folder holds ``current`` (the name of the serving file) and the files themselves. A
rebuild writes a new file and then replaces ``current`` in one step, so that a rebuild
that is killed leaves the old one serving.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipeline.errors import IndexingError, IndexUnavailable, MappingConflict
from pipeline.index.answer import Answer, SearchRequest
from pipeline.index.documents import Document
from pipeline.index.sqlite_schema import (
    INSERT_DOC,
    INSERT_WORDS,
    SCHEMA_VERSION,
    TABLES,
    doc_row,
    word_row,
)
from pipeline.index.sqlite_search import answer

_POINTER = "current"
_BUSY_S = 30.0
_WRITER_WAIT_S = 900.0
_BATCH = 500
_CACHE_KIB = 65_536


class SqliteIndex:
    """``EvidenceIndex`` in a folder. Opening it does nothing; files are made when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ensure(self) -> None:
        """Make the index if it is not there.

        Raises:
            MappingConflict: it was made by another schema version. IndexUnavailable.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._serving() is None:
            with self._writer():
                if self._serving() is None:
                    self._switch(self._new_file(()))
        with self._open():
            pass

    def put(self, documents: Iterable[Document]) -> int:
        """Write documents, replacing those of the same id; how many were given.

        Raises:
            IndexUnavailable, MappingConflict, IndexingError.
        """
        self._made()
        with self._writer(), self._open() as db:
            return _write(db, documents)

    def drop(self, broadcast_id: str, *, keep: Collection[str] = ()) -> int:
        """Remove a broadcast's documents but those of the ids to ``keep``; how many."""
        self._made()
        with self._writer(), self._open() as db, _transaction(db):
            kept = frozenset(keep)
            rows = db.execute("SELECT id, doc_id FROM docs WHERE broadcast_id = ?", [broadcast_id])
            ids = [(row[0],) for row in rows if row[1] not in kept]
            _remove(db, ids)
            return len(ids)

    def search(self, query: SearchRequest) -> Answer:
        """Answer a query.

        Raises:
            QueryError, IndexUnavailable, MappingConflict.
        """
        self._made()
        with self._open() as db, _transaction(db):
            return answer(db, query)

    def swap(self, documents: Iterable[Document]) -> int:
        """Build a new index from all documents and switch to it at once; how many.

        Writers wait meanwhile; searches go on in the old one.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._writer():
            self._sweep()
            counted = _Counted(documents)
            self._switch(self._new_file(counted))
            self._sweep()
            return counted.count

    def count(self) -> int:
        """Documents in the index, summaries included."""
        self._made()
        with self._open() as db:
            return int(db.execute("SELECT COUNT(*) FROM docs").fetchone()[0])

    def _made(self) -> None:
        """As :meth:`ensure`, but the schema is left to be checked on opening."""
        if self._serving() is None:
            self.ensure()

    def _serving(self) -> Path | None:
        """The file that ``current`` names; None when there is none."""
        try:
            name = (self._folder / _POINTER).read_text(encoding="ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        path = self._folder / Path(name).name
        return path if name and path.exists() else None

    def _new_file(self, documents: Iterable[Document]) -> Path:
        path = self._folder / f"index-{uuid.uuid4().hex[:12]}.db"
        with _translated(path):
            db = _connect(path, create=True)
            try:
                db.executescript(TABLES)
                db.execute("INSERT INTO about VALUES ('schema', ?)", [SCHEMA_VERSION])
                _write(db, documents)
                db.execute("INSERT INTO words (words) VALUES ('optimize')")
                db.execute("ANALYZE")
            finally:
                db.close()
        return path

    def _switch(self, path: Path) -> None:
        beside = self._folder / f"{_POINTER}.{os.getpid()}"
        beside.write_text(path.name, encoding="ascii")
        beside.replace(self._folder / _POINTER)

    def _sweep(self) -> None:
        """Remove files that no longer serve; readers that hold one keep it until they close."""
        serving = self._serving()
        for path in self._folder.glob("index-*.db*"):
            if serving is None or not path.name.startswith(serving.name):
                path.unlink(missing_ok=True)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection to the serving file, whose schema is checked."""
        for attempt in range(3):
            path = self._serving()
            if path is None:
                break
            with _translated(path):
                try:
                    db = _connect(path, create=False)
                    _check(db, path)
                except sqlite3.OperationalError:  # switched away between reading and opening
                    if attempt == 2 or path == self._serving():
                        raise
                    continue
                try:
                    yield db
                finally:
                    db.close()
                return
        raise IndexUnavailable(f"no index in {self._folder}", hint="make it with: evidence rebuild")

    @contextmanager
    def _writer(self) -> Iterator[None]:
        """One writer at a time, between processes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._folder / "writer.lock", timeout=_WRITER_WAIT_S):
                yield
        except Timeout as error:
            raise IndexUnavailable(
                f"another process has been writing to {self._folder} for over 15 minutes",
                hint="wait for the rebuild to end, then try again",
            ) from error


class _Counted:
    """Counts what passes through."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = documents
        self.count = 0

    def __iter__(self) -> Iterator[Document]:
        for document in self._documents:
            self.count += 1
            yield document


def _connect(path: Path, *, create: bool) -> sqlite3.Connection:
    mode = "rwc" if create else "rw"
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    db = sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return db


def _check(db: sqlite3.Connection, path: Path) -> None:
    row = db.execute("SELECT value FROM about WHERE name = 'schema'").fetchone()
    if row is None or row[0] != SCHEMA_VERSION:
        found = row[0] if row else "unknown"
        db.close()
        raise MappingConflict(
            f"{path} has schema {found}, this program writes {SCHEMA_VERSION}",
            hint="run: evidence rebuild",
        )


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _write(db: sqlite3.Connection, documents: Iterable[Document]) -> int:
    """Documents in transactions of a few hundred; an unchanged one is left alone."""
    written, rest = 0, iter(documents)
    while batch := list(islice(rest, _BATCH)):
        with _transaction(db):
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
        _remove(db, [(row[0],)])
    row_id = db.execute(INSERT_DOC, doc_row(document)).lastrowid
    assert row_id is not None  # noqa: S101 - an INSERT always has one
    db.execute("INSERT INTO bodies (id, body) VALUES (?, ?)", [row_id, body])
    if document.summary is not None:
        s = document.summary
        values = [row_id, s.duration_ms, s.listened_ms, s.speech_ms, s.listened_pm]
        db.execute("INSERT INTO summaries VALUES (?, ?, ?, ?, ?)", values)
    if document.kind != "broadcast":
        db.execute(INSERT_WORDS, word_row(row_id, document))
    pairs = [(unit, number, row_id) for unit, number in document.amounts]
    db.executemany("INSERT OR IGNORE INTO amounts VALUES (?, ?, ?)", pairs)


def _remove(db: sqlite3.Connection, ids: list[Any]) -> None:
    for table in ("docs", "bodies", "amounts", "summaries"):
        db.executemany(f"DELETE FROM {table} WHERE id = ?", ids)  # noqa: S608


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's exceptions as the pipeline's own."""
    try:
        yield
    except sqlite3.OperationalError as error:
        words = str(error).lower()
        if "locked" in words or "busy" in words or "unable to open" in words:
            raise IndexUnavailable(f"{path}: {error}", hint="try again in a moment") from error
        if "no such table" in words or "no such column" in words:
            raise MappingConflict(f"{path}: {error}", hint="run: evidence rebuild") from error
        raise IndexingError(
            f"{path}: {error}", hint="check the disk; the index can be made anew: evidence rebuild"
        ) from error
    except sqlite3.DatabaseError as error:
        raise IndexingError(
            f"{path} is damaged: {error}", hint="nothing is lost; run: evidence rebuild"
        ) from error
