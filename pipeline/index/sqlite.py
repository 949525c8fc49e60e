"""The embedded index: a folder of SQLite files, one for each broadcast day.

The file ``current`` names the serving file of each day. A rebuild writes a day's file anew
and then replaces ``current`` in one step, so that a rebuild that is killed leaves the old
file serving; what it left behind is removed by the next. Several processes may search and
write at once.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, groupby, islice
from operator import attrgetter
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import IndexUnavailable
from pipeline.index import sqlite_file
from pipeline.index.answer import Answer, SearchRequest
from pipeline.index.documents import Document
from pipeline.index.sqlite_file import PartitionGone, Pool, conflict
from pipeline.index.sqlite_schema import MOST_IN_SEGMENT, SCHEMA_VERSION
from pipeline.index.sqlite_search import answer
from pipeline.ports import Held

_POINTER = "current"
_WAIT_S = 900.0
_TRIES = 3

Files = dict[str, Path]
"""Day to its serving file."""


class SqliteIndex:
    """``EvidenceIndex`` in a folder. Opening it does nothing; files are made when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool = Pool()
        self._pointed: tuple[bytes, Files] = b"", {}

    def ensure(self) -> None:
        """Make the index if it is not there.

        Raises:
            MappingConflict: it was made by another schema version. IndexUnavailable.
        """
        with self._locked("writer"):
            if not (self._folder / _POINTER).exists():
                self._point({})
        for path in self._files().values():
            with self._pool.opened(path):
                pass

    def put(self, documents: Iterable[Document]) -> int:
        """Write documents, replacing those of the same id and day; how many were given.

        Raises:
            IndexUnavailable, MappingConflict, IndexingError.
        """
        written, rest = 0, iter(documents)
        with self._locked("writer"):
            while batch := sorted(islice(rest, MOST_IN_SEGMENT), key=attrgetter("day")):
                for day, group in groupby(batch, key=attrgetter("day")):
                    with self._pool.opened(self._file_of(day)) as db:
                        sqlite_file.write(db, list(group))
                written += len(batch)
        return written

    def drop(self, broadcast_id: str, *, keep: Collection[str] = (), day: str = "") -> int:
        """Remove a broadcast's documents but those to keep (of ``day``, where given); how many."""
        removed, kept = 0, frozenset(keep)
        with self._locked("writer"):
            for other, path in self._files().items():
                here = kept if day in ("", other) else frozenset[str]()
                with self._pool.opened(path) as db:
                    removed += sqlite_file.forget(db, broadcast_id, keep=here)
        return removed

    def search(self, query: SearchRequest) -> Answer:
        """Answer a query.

        Raises:
            QueryError, IndexUnavailable, MappingConflict.
        """
        for _ in range(_TRIES - 1):
            files = self._files()
            try:
                return answer(files, self._pool, query)
            except PartitionGone:
                if files == self._files():  # not switched away: lost
                    raise
        return answer(self._files(), self._pool, query)

    def swap(
        self, partitions: Iterable[tuple[str, Iterable[Document]]], *, whole: bool = False
    ) -> int:
        """Make partitions anew beside the serving ones, then switch; how many documents.

        Other processes search and write meanwhile, and make other days anew; a second rebuild
        of the same day waits for the first.
        """
        if whole:
            return self._swap_all(partitions)
        self._files()  # refuse to mix schema versions before any work is done
        written = 0
        for day, documents in partitions:
            with self._locked(f"rebuild-{day}"), self._swept(day):
                path, count = self._fill(day, documents)
                self._switch({day: path})
                written += count
        return written

    def _swap_all(self, partitions: Iterable[tuple[str, Iterable[Document]]]) -> int:
        written, ready = 0, dict[str, Path | None]()
        with self._locked("rebuild"), self._swept("*"):
            for day, documents in partitions:
                ready[day], count = self._fill(day, documents)
                written += count
            self._switch(ready, alone=True)
        return written

    def partitions(self) -> list[str]:
        """The days that have documents, in order."""
        return [day for day, path in self._files().items() if self._holds_some(path)]

    def inventory(self, day: str) -> Iterator[Held]:
        """What a partition holds, by broadcast id."""
        path = self._files().get(day)
        if path is not None:
            with self._pool.opened(path) as db:
                held = sqlite_file.inventory(db)
            yield from held

    def _holds_some(self, path: Path) -> bool:
        with self._pool.opened(path) as db:
            return db.execute("SELECT 1 FROM docs LIMIT 1").fetchone() is not None

    def count(self) -> int:
        """Documents in the index, summaries included."""
        return sum(held.documents for day in self._files() for held in self.inventory(day))

    # --- files ----------------------------------------------------------------------------

    def _files(self) -> Files:
        """The serving files by day; empty where there is no index yet.

        Raises:
            MappingConflict: another schema version, or another version of this program, wrote it.
        """
        try:
            pointer = (self._folder / _POINTER).read_bytes()
        except FileNotFoundError:
            return {}
        if pointer != self._pointed[0]:
            self._pointed = pointer, self._named_in(pointer)
            self._pool.keep(self._pointed[1].values())
        return dict(self._pointed[1])

    def _named_in(self, pointer: bytes) -> Files:
        try:
            found = json.loads(pointer)
        except ValueError:
            found = None
        schema = found.get("schema") if isinstance(found, dict) else "before 2"
        if schema != SCHEMA_VERSION:
            raise conflict(self._folder, str(schema))
        named: Mapping[str, str] = found["partitions"]
        return {day: self._folder / Path(name).name for day, name in sorted(named.items())}

    def _file_of(self, day: str) -> Path:
        """The file of a day, made now if it is the day's first; needs the writer's lock."""
        files = self._files()
        if day not in files:
            files[day] = self._named(day)
            sqlite_file.fill(files[day], ())
            self._point(files)
        return files[day]

    def _named(self, day: str) -> Path:
        return self._folder / f"index-{day}-{uuid.uuid4().hex[:12]}.db"

    def _fill(self, day: str, documents: Iterable[Document]) -> tuple[Path | None, int]:
        rest = iter(documents)
        first = next(rest, None)
        if first is None:
            return None, 0
        path = self._named(day)
        return path, sqlite_file.fill(path, chain((first,), rest))

    def _switch(self, ready: Mapping[str, Path | None], *, alone: bool = False) -> None:
        with self._locked("writer"):
            if not all(path is None or path.exists() for path in ready.values()):
                raise IndexUnavailable(
                    f"another rebuild of {self._folder} took its place", hint="run it again"
                )
            files: dict[str, Path | None] = {} if alone else {**self._files()}
            files |= ready
            self._point({day: path for day, path in files.items() if path is not None})

    def _point(self, files: Files) -> None:
        named = {day: path.name for day, path in files.items()}
        beside = self._folder / f"{_POINTER}.{os.getpid()}"
        text = json.dumps({"schema": SCHEMA_VERSION, "partitions": named}, indent=1)
        beside.write_text(text, encoding="utf-8")
        beside.replace(self._folder / _POINTER)

    @contextmanager
    def _swept(self, day: str) -> Iterator[None]:
        """Before and after, remove a day's files that do not serve: a killed rebuild left them.

        Readers that hold one keep it until they close.
        """
        self._sweep(day)
        try:
            yield
        finally:
            self._sweep(day)

    def _sweep(self, day: str) -> None:
        with self._locked("writer"):
            pointer = self._folder / _POINTER
            serving = pointer.read_bytes() if pointer.exists() else b""
            for path in self._folder.glob("index-*.db*" if day == "*" else f"index-{day}-*.db*"):
                name = path.name.partition(".db")[0] + ".db"
                if name.encode() not in serving:  # also right where another version wrote it
                    path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """One at a time, between processes: ``writer``, or a rebuild (taken first)."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._folder / f"{name}.lock", timeout=_WAIT_S):
                yield
        except Timeout as error:
            raise IndexUnavailable(
                f"another process has been writing to {self._folder} for over 15 minutes",
                hint="wait for the rebuild to end, then try again",
            ) from error
