"""Packs: many records in one immutable object, each readable by its number.

    REPACK1\\n | record bytes … | trailer (canonical JSON) | trailer length (8 bytes) | REPACK1\\n

The trailer holds the kind, a head (small facts about the whole) and, for each table, the
``[offset, length]`` of its records. A reader that wants one record reads the end of the
object and one range. The pack's name is the SHA-256 of all its bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pipeline.errors import EntryMissing, ObjectMissing, UnknownFormat
from pipeline.ports import ObjectStore
from pipeline.provenance import canonical_bytes

MAGIC = b"REPACK1\n"
_FOOT_BYTES = 8 + len(MAGIC)
_TAIL_BYTES = 1 << 16
"""First guess at the trailer's size; a larger trailer costs one more read."""
_NEAR_BYTES = 1 << 20
"""Reading so much in between costs less than another request."""


class Pack(NamedTuple):
    """A pack in memory."""

    kind: str
    head: dict[str, Any]
    tables: dict[str, list[tuple[int, int]]]
    data: bytes

    def records(self, table: str) -> list[bytes]:
        """The records of a table in order; empty when there is no such table."""
        return [self.data[at : at + size] for at, size in self.tables.get(table, [])]


class Spool:
    """Records put aside in a file until their pack is written, so that none stays in memory."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._sizes: list[int] = []
        path.write_bytes(b"")

    def add(self, record: bytes) -> None:
        """Keep one more record."""
        with self._path.open("ab") as file:
            file.write(record)
        self._sizes.append(len(record))

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            for size in self._sizes:
                yield file.read(size)


def pack_bytes(
    kind: str, *, head: Mapping[str, Any], tables: Mapping[str, Iterable[bytes]]
) -> bytes:
    """The bytes of a pack. The same content gives the same bytes."""
    made = BytesIO()
    write_pack(made, kind, head=head, tables=tables)
    return made.getvalue()


def write_pack(
    file: BinaryIO, kind: str, *, head: Mapping[str, Any], tables: Mapping[str, Iterable[bytes]]
) -> None:
    """Write the bytes of a pack to an open file, one record in memory at a time."""
    file.write(MAGIC)
    offsets: dict[str, list[list[int]]] = {}
    at = len(MAGIC)
    for name in sorted(tables):
        offsets[name] = []
        for record in tables[name]:
            offsets[name].append([at, len(record)])
            at += file.write(record)
    trailer = canonical_bytes({"kind": kind, "head": dict(head), "tables": offsets})
    file.write(trailer + len(trailer).to_bytes(8, "big") + MAGIC)


def parse_pack(data: bytes, *, name: str) -> Pack:
    """A whole pack.

    Raises:
        UnknownFormat: not a pack of this version, or cut off.
    """
    trailer = _trailer(data, whole_bytes=len(data), name=name)
    if not data.startswith(MAGIC):
        raise UnknownFormat(f"{name}: is not a pack of version 1")
    return Pack(trailer["kind"], trailer["head"], _tables(trailer), data)


def read_record(store: ObjectStore, key: str, *, table: str, number: int) -> bytes:
    """One record of a stored pack, in two or three small requests.

    Raises:
        ObjectMissing: no such pack. EntryMissing: no such record. UnknownFormat.
    """
    entries = _tables(_stored_trailer(store, key)).get(table, [])
    if not 0 <= number < len(entries):
        raise EntryMissing(f"{key}: no record {number} in {table} ({len(entries)} there)")
    at, length = entries[number]
    return store.read(key, start=at, end=at + length)


def read_records(
    store: ObjectStore, key: str, *, table: str, numbers: Sequence[int], size_bytes: int = 0
) -> list[bytes]:
    """Some records of a stored pack; those that lie near each other in one request.

    Raises:
        ObjectMissing: no such pack. EntryMissing: no such record. UnknownFormat.
    """
    entries = _tables(_stored_trailer(store, key, size_bytes=size_bytes)).get(table, [])
    missing = [n for n in numbers if not 0 <= n < len(entries)]
    if missing:
        raise EntryMissing(f"{key}: no record {missing[0]} in {table} ({len(entries)} there)")
    runs: list[tuple[int, int]] = []
    for at, size in sorted({entries[n] for n in numbers}):
        if runs and at - runs[-1][1] <= _NEAR_BYTES:
            runs[-1] = (runs[-1][0], max(runs[-1][1], at + size))
        else:
            runs.append((at, at + size))
    read = [(start, store.read(key, start=start, end=end)) for start, end in runs]

    def record(at: int, size: int) -> bytes:
        start, data = next((s, d) for s, d in read if s <= at < s + len(d))
        return data[at - start : at - start + size]

    return [record(*entries[n]) for n in numbers]


def read_tables(
    store: ObjectStore, key: str, *, tables: Sequence[str], size_bytes: int = 0
) -> Pack:
    """A pack with some of its tables only: the trailer and one range around their records.

    ``size_bytes`` is the pack's size where it is known, which spares a request.

    Raises:
        ObjectMissing: no such pack. UnknownFormat.
    """
    trailer = _stored_trailer(store, key, size_bytes=size_bytes)
    wanted = {name: rows for name, rows in _tables(trailer).items() if name in tables}
    spans = [(at, at + size) for rows in wanted.values() for at, size in rows]
    start, end = min((a for a, _ in spans), default=0), max((b for _, b in spans), default=0)
    data = store.read(key, start=start, end=end) if spans else b""
    moved = {name: [(at - start, size) for at, size in rows] for name, rows in wanted.items()}
    return Pack(trailer["kind"], trailer["head"], moved, data)


def _stored_trailer(store: ObjectStore, key: str, *, size_bytes: int = 0) -> dict[str, Any]:
    stat = None if size_bytes else store.stat(key)
    if stat is None and not size_bytes:
        raise ObjectMissing(f"no object {key}", hint="restore it, or process the broadcast again")
    size = stat.size_bytes if stat else size_bytes
    tail = store.read(key, start=max(0, size - _TAIL_BYTES), end=size)
    need = _FOOT_BYTES + int.from_bytes(tail[-_FOOT_BYTES : -len(MAGIC)], "big")
    if len(tail) < need <= size:
        tail = store.read(key, start=size - need, end=size)
    return _trailer(tail, whole_bytes=size, name=key)


def _tables(trailer: dict[str, Any]) -> dict[str, list[tuple[int, int]]]:
    return {name: [(at, size) for at, size in rows] for name, rows in trailer["tables"].items()}


def _trailer(tail: bytes, *, whole_bytes: int, name: str) -> dict[str, Any]:
    length = int.from_bytes(tail[-_FOOT_BYTES : -len(MAGIC)], "big")
    if not tail.endswith(MAGIC) or length + _FOOT_BYTES > min(len(tail), whole_bytes):
        raise UnknownFormat(
            f"{name}: is not a complete pack of version 1",
            hint="the object was cut off or written by another program; restore it from a copy",
        )
    found: dict[str, Any] = json.loads(tail[-_FOOT_BYTES - length : -_FOOT_BYTES])
    return found
