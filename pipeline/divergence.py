"""Work that gave other bytes the second time, as between a CPU and a GPU: kept beside the first."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.archive import broadcast_id_of, parsed
from pipeline.model import Frozen, Output
from pipeline.ports import ObjectStore

_MARK = ".diverged-"


class Divergence(Frozen):
    """One work key that gave two outputs; the first to be written is the answer."""

    broadcast_id: str
    """Whose work."""
    stage: str
    """Which."""
    work_key: str
    """The key under which both were made."""
    first: str
    """SHA-256 of the pack that stands."""
    other: str
    """SHA-256 of the one beside it."""
    other_key: str
    """Where that one lies in the store."""


def divergences(store: ObjectStore) -> Iterator[Divergence]:
    """Every one in the store, by broadcast.

    Raises:
        StoreUnavailable, AccessDenied. UnknownFormat: a record is damaged.
    """
    for stat in store.list(""):
        pointer, mark, _ = stat.key.partition(_MARK)
        if not mark or "/work/" not in pointer:
            continue
        first = parsed(store.read(f"{pointer}.json"), Output, name=pointer)
        other = parsed(store.read(stat.key), Output, name=stat.key)
        yield Divergence(
            broadcast_id=broadcast_id_of(pointer.partition("/work/")[0]),
            stage=other.stage,
            work_key=other.work_key,
            first=first.content,
            other=other.content,
            other_key=other.key,
        )
