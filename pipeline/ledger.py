"""What became of each arrival: done, failed, set aside. Objects alone know it, no database.

    arrivals/<digest>/000001.json    one record a try, numbered by conditional put

An arrival whose files change gets another digest, and with it a clean sheet.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from pydantic import Field

from pipeline.archive import parsed
from pipeline.model import Frozen
from pipeline.ports import ObjectStore
from pipeline.provenance import canonical_bytes

STANDING = Literal["waiting", "done", "quarantined"]
TRIES = 3
"""An arrival that failed this often for a reason of its own is set aside."""


PARKED = frozenset({"parked", "disk_short", "memory_short"})
"""Errors of a worker that had no room: no reason to set a recording aside."""

KILLS = 3
"""So many kills of its process count as one failure of a recording's own."""


class Try(Frozen):
    """One try at an arrival."""

    place: str
    """Where it lay."""
    outcome: Literal["done", "failed", "again"]
    """``again`` is a person's word to try a quarantined one once more."""
    at_utc_ms: int
    """When the try ended."""
    broadcast_id: str = ""
    """The broadcast it became, when done."""
    error: str = ""
    """Error code, when failed."""
    message: str = Field(default="", max_length=4000)
    """What went wrong, and what to do."""
    transient: bool = False
    """Whether the failure may go away by itself; such a one is no reason to set aside."""


class Sheet(NamedTuple):
    """All tries at one arrival."""

    digest: str
    tries: tuple[Try, ...]

    @property
    def standing(self) -> STANDING:
        """Where it stands."""
        if self.tries and self.tries[-1].outcome == "done":
            return "done"
        return "quarantined" if self.failures >= TRIES else "waiting"

    @property
    def parked(self) -> bool:
        """Whether it waits because no worker had room for it."""
        return self.standing == "waiting" and bool(self.tries) and self.tries[-1].error in PARKED

    @property
    def failures(self) -> int:
        """Failures that will not go away by themselves, since a person last said ``again``.

        A process that was killed may have been stopped by a person, or by the kernel because this
        recording takes all memory: so many kills count as one failure.
        """
        count = kills = 0
        for one in self.tries:
            count = 0 if one.outcome == "again" else count + (not one.transient)
            killed = one.transient and one.error == "crashed"
            kills = 0 if one.outcome == "again" else kills + killed
        return count + kills // KILLS


class Ledger:
    """Reads and writes tries in a store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def sheet(self, digest: str) -> Sheet:
        """What is known of an arrival; an empty sheet for a new one."""
        keys = [s.key for s in self._store.list(f"arrivals/{digest}/")]
        return Sheet(digest, tuple(self._load(key) for key in keys))

    def add(self, digest: str, one: Try) -> Sheet:
        """Write a try under the next free number; the sheet after it.

        Being parked again for the same reason is nothing new and leaves no further record; nor
        does a try that stands there already, because only the answer to its writing was lost.
        """
        sheet = self.sheet(digest)
        if one in sheet.tries:
            return sheet
        if sheet.parked and one.error == sheet.tries[-1].error:
            return sheet
        number = len(sheet.tries) + 1
        body = canonical_bytes(one.model_dump(mode="json"))
        while not self._store.put_if_absent(f"arrivals/{digest}/{number:06d}.json", body):
            number += 1
        return self.sheet(digest)

    def sheets(self) -> Iterable[Sheet]:
        """Every arrival ever tried, in order of its digest."""
        tried: dict[str, list[str]] = {}
        for stat in self._store.list("arrivals/"):
            tried.setdefault(stat.key.split("/")[1], []).append(stat.key)
        for digest, keys in tried.items():
            yield Sheet(digest, tuple(self._load(key) for key in keys))

    def _load(self, key: str) -> Try:
        return parsed(self._store.read(key), Try, name=key)
