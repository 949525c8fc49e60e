"""The disk of one worker: what is fetched into its scratch folder is let in first, or waits.

Processes of one machine share the folder. Each holds a lock on a note of what it was let in for, so
that two that begin at once are not both promised the same room; a killed one holds nothing.
Copies of recordings that nobody works on are removed, oldest first, when room is short: they
are fetched again when they are asked for.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from pipeline.errors import NoRoom
from pipeline.settings import Settings

_ROOMS, _INPUTS = "rooms", "inputs"


class Taken(NamedTuple):
    """How a worker's disk stands."""

    used_bytes: int
    """In the scratch folder."""
    promised_bytes: int
    """Let in and perhaps not yet written."""
    budget_bytes: int
    """At most so much may be used; 0 where only the disk itself is the bound."""
    free_bytes: int
    """Free on the disk."""


class Budget:
    """Lets work in.

    Args:
        scratch: The worker's scratch folder.
        budget_mb: It holds at most so many MiB; 0: no bound.
        reserve_mb: So many MiB of the disk stay free.
    """

    def __init__(self, scratch: Path, *, budget_mb: int = 0, reserve_mb: int = 0) -> None:
        self._scratch, self._rooms = scratch, scratch / _ROOMS
        self._budget, self._reserve = budget_mb << 20, reserve_mb << 20
        self._held: list[FileLock] = []

    def admit(self, need_bytes: int, *, folder: Path, what: str) -> None:
        """Promise room for what will be written into a folder, until this process ends.

        Raises:
            NoRoom: there is not enough now.
        """
        self._rooms.mkdir(parents=True, exist_ok=True)
        with FileLock(self._scratch / f"{_ROOMS}.lock"):
            while (why := self._short(need_bytes, folder)) and self._drop_oldest(folder):
                pass
            if why:
                raise NoRoom(f"{what}: {why}", hint="it is tried again when other work is done")
            name = uuid.uuid4().hex
            note = {"bytes": need_bytes, "folder": str(folder)}
            (self._rooms / f"{name}.json").write_text(json.dumps(note), encoding="utf-8")
            lock = FileLock(self._rooms / f"{name}.lock")
            lock.acquire()
            self._held.append(lock)

    def taken(self) -> Taken:
        """How it stands."""
        self._rooms.mkdir(parents=True, exist_ok=True)
        promised = sum(need for need, _ in self._promises())
        free = shutil.disk_usage(self._scratch).free
        return Taken(_size(self._scratch), promised, self._budget, free)

    def _short(self, need_bytes: int, folder: Path) -> str:
        """Why there is no room; empty where there is."""
        promises = list(self._promises())
        busy = {place for _, place in promises} | {folder}
        left = sum(max(0, need - _size(place)) for need, place in promises)
        need = max(0, need_bytes - _size(folder)) + left
        used, free = _size(self._scratch), shutil.disk_usage(self._scratch).free
        mib = f"needs {need_bytes >> 20} MiB with {len(busy) - 1} others at work"
        if self._budget and used + need > self._budget:
            return f"{mib}; {used >> 20} of {self._budget >> 20} MiB of the budget are used"
        if need and free - need < self._reserve:
            return f"{mib}; {free >> 20} MiB are free, {self._reserve >> 20} must stay so"
        return ""

    def _promises(self) -> Iterator[tuple[int, Path]]:
        """What living processes were let in for; notes of dead ones are removed."""
        for note in sorted(self._rooms.glob("*.json")):
            lock = FileLock(note.with_suffix(".lock"))
            try:
                with lock.acquire(timeout=0):
                    note.unlink(missing_ok=True)
                note.with_suffix(".lock").unlink(missing_ok=True)
            except Timeout:
                with suppress(OSError, ValueError):
                    told = json.loads(note.read_text(encoding="utf-8"))
                    yield int(told["bytes"]), Path(told["folder"])

    def _drop_oldest(self, keep: Path) -> bool:
        """Remove the copies that were fetched longest ago and nobody works on; whether there were any."""
        busy = {place for _, place in self._promises()} | {keep}
        folders = [p for p in (self._scratch / _INPUTS).glob("*") if p.is_dir() and p not in busy]
        if not folders:
            return False
        oldest = min(folders, key=lambda path: path.stat().st_mtime)
        shutil.rmtree(oldest, ignore_errors=True)
        return not oldest.exists()


@cache
def _one(scratch: Path, budget_mb: int, reserve_mb: int) -> Budget:
    return Budget(scratch, budget_mb=budget_mb, reserve_mb=reserve_mb)


def budget_of(scratch: Path, settings: Settings) -> Budget:
    """This process's budget over a scratch folder: what it is promised, it is until it ends."""
    return _one(scratch, settings.scratch_budget_mb, settings.disk_reserve_mb)


def _size(folder: Path) -> int:
    """Bytes of the files in and below a folder."""
    total = 0
    for inside, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(inside, name)).st_size
    return total
