"""Records of people over a broadcast: numbered, each an object of its own, never replaced.

<prefix>/<kind>/000001.json    written by conditional put; of two writers one takes the next
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Generic, Protocol, TypeVar

from pipeline.archive import parsed
from pipeline.model import Frozen
from pipeline.ports import ObjectStore
from pipeline.provenance import canonical_bytes


class Numbered(Frozen):
    """What a record has whatever it says."""

    schema_version: int = 1
    """Version of this form."""
    number: int = 0
    """In the order of writing, over all of the broadcast's of its kind."""


Record = TypeVar("Record", bound=Numbered)
Checked = TypeVar("Checked", bound=Numbered, contravariant=True)


class Check(Protocol[Checked]):
    """Looks at a record beside those that stand."""

    def __call__(self, record: Checked, records: tuple[Checked, ...], *, after: int | None) -> None:
        """Say nothing where it may be written.

        Raises:
            InputError: it may not.
        """


class Book(Generic[Record]):
    """Reads and writes the records of one kind in a store."""

    def __init__(self, store: ObjectStore, kind: str, form: type[Record], check: Check[Record]):
        self._store, self._kind, self._form, self._check = store, kind, form, check
        self._read: dict[str, Record] = {}

    def records(self, prefix: str) -> tuple[Record, ...]:
        """All records of a broadcast, in the order of writing; each is read once a process."""
        return self._of(stat.key for stat in self._store.list(f"{prefix}/{self._kind}/"))

    def below(self, room: str) -> Iterator[tuple[Record, ...]]:
        """The records of everything below ``room/``, in one listing."""
        end = f"/{self._kind}"
        keys = (stat.key for stat in self._store.list(f"{room}/"))
        for prefix, of_one in groupby(keys, key=lambda key: key.rpartition("/")[0]):
            if prefix.endswith(end):
                yield self._of(of_one)

    def _of(self, keys: Iterable[str]) -> tuple[Record, ...]:
        found = []
        for key in keys:
            if key not in self._read:
                self._read[key] = parsed(self._store.read(key), self._form, name=key)
            found.append(self._read[key])
        return tuple(found)

    def add(
        self,
        prefix: str,
        record: Record,
        *,
        after: int | None = None,
        retain_until: datetime | None = None,
    ) -> Record:
        """Write a record under the next free number.

        ``after`` is the last record about the same thing that the writer knew; 0 for none.

        Raises:
            InputError: it is out of order or incomplete, or someone else was faster.
        """
        while True:
            records = self.records(prefix)
            self._check(record, records, after=after)
            number = records[-1].number + 1 if records else 1
            numbered = record.model_copy(update={"number": number})
            body = canonical_bytes(numbered.model_dump(mode="json"))
            key = f"{prefix}/{self._kind}/{number:06d}.json"
            if self._store.put_if_absent(key, body, retain_until=retain_until):
                return numbered
