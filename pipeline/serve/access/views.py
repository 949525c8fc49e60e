"""Who looked at what: every view and export is a custody event.

An event is appended to this process's spool file in the workspace before its answer leaves, and
so outlives the process. Spools are sealed into the store as one immutable object each,

    custody/<day>/<writer>-<run>-<number>-<hash>.jsonl

whose first line names the segment before it. One object a view would be thousands a broadcast.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from filelock import FileLock, Timeout

from pipeline.ports import ObjectStore
from pipeline.provenance import VERSION, canonical_bytes, sha256_hex
from pipeline.timeline import from_utc_ms

SEAL_AFTER_EVENTS = 1000
SEAL_AFTER_S = 600
_AGAIN_S = 60
"""A player asks for one clip in many pieces: within this, they are one view."""
_MOST_REMEMBERED = 10_000


class ViewLog:
    """Appends events and seals them; one for a process, safe between threads."""

    def __init__(self, store: ObjectStore, folder: Path, *, writer: str, retention_days: int):
        """Spool in ``folder`` of the workspace, seal into ``store``."""
        self._store = store
        self._folder = folder
        self._writer = writer
        self._retention = timedelta(days=retention_days)
        self._run = uuid.uuid4().hex[:12]
        self._lock = Lock()
        self._number = 0
        self._events = 0
        self._opened_s = 0.0
        self._previous = ""
        self._file: int | None = None
        self._alive: FileLock | None = None
        self._recent: dict[tuple[str, ...], float] = {}

    def add(self, event: dict[str, Any]) -> None:
        """Write one event; it is on its way to the disk when this returns.

        Raises:
            OSError: it cannot be written; then nothing may be shown.
        """
        line = canonical_bytes({"at_utc_ms": time.time_ns() // 1_000_000} | event) + b"\n"
        with self._lock:
            if self._file is None:
                self._open()
            assert self._file is not None  # noqa: S101 - just opened
            os.write(self._file, line)
            self._events += 1
            if self._events >= SEAL_AFTER_EVENTS:
                self._seal()

    def add_once(self, event: dict[str, Any], *subject: str) -> None:
        """Write an event unless the same was written of this subject within a minute."""
        now = time.monotonic()
        with self._lock:
            known = self._recent.get(subject)
            if known is not None and now - known < _AGAIN_S:
                return
            if len(self._recent) >= _MOST_REMEMBERED:
                self._recent.clear()
            self._recent[subject] = now
        self.add(event)

    def seal_if_due(self) -> None:
        """Seal when the oldest event has waited long enough."""
        with self._lock:
            if self._events and time.monotonic() - self._opened_s >= SEAL_AFTER_S:
                self._seal()

    def close(self) -> None:
        """Seal what is left and end."""
        with self._lock:
            self._seal()
            if self._alive is not None:
                self._alive.release()
                Path(self._alive.lock_file).unlink(missing_ok=True)
                self._alive = None

    def recover(self) -> int:
        """Seal what killed processes left behind; how many spools."""
        found = 0
        for lock in sorted(self._folder.glob("*.lock")):
            if lock.stem == self._run:
                continue
            with suppress(Timeout), FileLock(lock, timeout=0):  # held by the living
                for spool in sorted(self._folder.glob(f"{lock.stem}-*.jsonl")):
                    self._keep(spool)
                    found += 1
                lock.unlink(missing_ok=True)
        return found

    def events(self, day: str) -> Iterator[dict[str, Any]]:
        """All events of a UTC day (``YYYY-MM-DD``): sealed ones, then those about to be."""
        for stat in self._store.list(f"custody/{day}/"):
            yield from _rows(self._store.read(stat.key))
        for spool in sorted(self._folder.glob("*.jsonl")):
            with suppress(FileNotFoundError):  # sealed meanwhile
                data = spool.read_bytes()
                if _day(data) == day:
                    yield from _rows(data)

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._alive is None:
            self._alive = FileLock(self._folder / f"{self._run}.lock")
            self._alive.acquire()
        self._number += 1
        self._opened_s = time.monotonic()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL
        self._file = os.open(self._spool(), flags, 0o600)
        head = {"schema_version": 1, "writer": self._writer, "run": self._run}
        head |= {"number": self._number, "previous": self._previous}
        head |= {"program": f"replay-evidence {VERSION}"}
        head |= {"opened_utc_ms": time.time_ns() // 1_000_000}
        os.write(self._file, canonical_bytes(head) + b"\n")

    def _spool(self) -> Path:
        return self._folder / f"{self._run}-{self._number:06d}.jsonl"

    def _seal(self) -> None:
        if self._file is None:
            return
        os.fsync(self._file)
        os.close(self._file)
        self._file = None
        self._events = 0
        self._previous = self._keep(self._spool())

    def _keep(self, spool: Path) -> str:
        """Put a spool into the store under its hash, then remove it; the hash."""
        data = spool.read_bytes()
        digest = sha256_hex(data)
        day = _day(data)
        if day:
            key = f"custody/{day}/{self._writer}-{spool.stem}-{digest[:16]}.jsonl"
            until = datetime.now(UTC) + self._retention
            self._store.put_if_absent(key, data, retain_until=until)
        spool.unlink()
        return digest


def _rows(data: bytes) -> Iterator[dict[str, Any]]:
    """The events of a segment, without its head; a line cut off by a crash is left out."""
    for line in data.split(b"\n")[1:]:
        with suppress(ValueError):
            yield json.loads(line)


def _day(data: bytes) -> str:
    """The UTC day a segment was opened on; empty for one without a whole head."""
    try:
        opened: int = json.loads(data.partition(b"\n")[0])["opened_utc_ms"]
    except ValueError:
        return ""
    return from_utc_ms(opened).date().isoformat()
