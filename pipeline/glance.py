"""One look at the store for one question: what was listed or read once is not asked for again.

A question (an order, a broadcast, a clip, a bundle) asks for the release, the revision, the reviews
of one broadcast, all of which stand under one short prefix. The first listing answers for all; no
object is ever replaced, so what was read of one stays true.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pipeline.ports import ObjectStat, ObjectStore, Tier

_MOST_BYTES = 16 << 20
"""Larger objects are not kept in memory,"""
_PIECE_BYTES = 1 << 16
"""nor larger pieces of one."""


class Glance:
    """``ObjectStore`` over another one, to be thrown away after one question.

    Listings are those of the moment of the first; anything written through it is seen.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._listed: dict[str, list[ObjectStat]] = {}
        self._read: dict[tuple[str, int, int | None], bytes] = {}

    def stat(self, key: str) -> ObjectStat | None:
        """From a listing that must have shown it, where there was one."""
        known = next((p for p in self._listed if key.startswith(p)), None)
        if known is None:
            return self._store.stat(key)
        return next((stat for stat in self._listed[known] if stat.key == key), None)

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """From a listing of this or a shorter prefix, where there was one."""
        known = next((p for p in self._listed if prefix.startswith(p)), None)
        if known is None:
            self._listed[prefix] = list(self._store.list(prefix))
            known = prefix
        return (stat for stat in self._listed[known] if stat.key.startswith(prefix))

    def read(
        self, key: str, *, start: int = 0, end: int | None = None, if_match: str = ""
    ) -> bytes:
        """As the store says; what is small is remembered."""
        asked = (key, start, end)
        data = self._read.get(asked)
        if data is None:
            data = self._store.read(key, start=start, end=end, if_match=if_match)
            if len(data) <= (_MOST_BYTES if end is None else _PIECE_BYTES):
                self._read[asked] = data
        return data

    def download(self, key: str, path: Path) -> str:
        """As the store says."""
        return self._store.download(key, path)

    def put(self, key: str, source: bytes | Path, *, retain_until: datetime | None = None) -> str:
        """Written through; listings are made anew."""
        self._listed.clear()
        return self._store.put(key, source, retain_until=retain_until)

    def put_if_absent(
        self, key: str, source: bytes | Path, *, retain_until: datetime | None = None
    ) -> bool:
        """Written through; listings are made anew."""
        self._listed.clear()
        return self._store.put_if_absent(key, source, retain_until=retain_until)

    def presign(self, key: str, *, expires_s: int) -> str:
        """As the store says."""
        return self._store.presign(key, expires_s=expires_s)

    def hold(self, key: str, *, on: bool) -> None:
        """Passed on."""
        self._store.hold(key, on=on)

    def held(self, key: str) -> bool:
        """As the store says."""
        return self._store.held(key)

    def retained_until(self, key: str) -> datetime | None:
        """As the store says."""
        return self._store.retained_until(key)

    def dispose(self, key: str, *, if_match: str) -> bool:
        """Passed on; listings are made anew."""
        self._listed.clear()
        return self._store.dispose(key, if_match=if_match)

    def restore(self, key: str, *, days: int, tier: Tier) -> bool:
        """Passed on; listings are made anew."""
        self._listed.clear()
        return self._store.restore(key, days=days, tier=tier)

    def local_path(self, key: str) -> Path | None:
        """As the store says."""
        return self._store.local_path(key)
