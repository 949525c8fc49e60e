"""Fakes of the ports. Each passes the same contract suite as the real adapters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from threading import Lock

from pipeline.errors import ObjectChanged, ObjectMissing
from pipeline.ingest.keys import checked, checked_prefix
from pipeline.ports import ObjectStat
from pipeline.provenance import sha256_hex

# --- Object store (pipeline.ports.ObjectStore) -----------------------------------------------


class MemoryStore:
    """Objects in a dictionary. ``requests`` counts what a remote store would have been asked."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.retention: dict[str, datetime] = {}
        self.holds: set[str] = set()
        self.requests = 0
        self._lock = Lock()

    def stat(self, key: str) -> ObjectStat | None:
        self.requests += 1
        data = self.objects.get(checked(key))
        return None if data is None else ObjectStat(key, len(data), sha256_hex(data)[:16])

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        for key in sorted(k for k in self.objects if k.startswith(checked_prefix(prefix))):
            stat = self.stat(key)
            if stat is not None:
                yield stat

    def read(
        self, key: str, *, start: int = 0, end: int | None = None, if_match: str = ""
    ) -> bytes:
        stat = self.stat(key)
        if stat is None:
            raise ObjectMissing(f"{key}: no such object")
        if if_match and stat.etag != if_match:
            raise ObjectChanged(f"{key} is no longer the same")
        if start < 0 or (end is not None and end < start):
            raise ValueError(f"range [{start}, {end}) is not a range")
        return self.objects[key][start:end]

    def download(self, key: str, path: Path) -> str:
        data = self.read(key)
        path.write_bytes(data)
        return sha256_hex(data)

    def put(self, key: str, source: bytes | Path, *, retain_until: datetime | None = None) -> str:
        data = source if isinstance(source, bytes) else source.read_bytes()
        if not self.put_if_absent(key, data) and self.objects[key] != data:
            raise ObjectChanged(f"{key} exists with other bytes")
        if retain_until is not None:
            self.retention[key] = max(retain_until, self.retention.get(key, retain_until))
        return sha256_hex(data)

    def put_if_absent(
        self, key: str, source: bytes | Path, *, retain_until: datetime | None = None
    ) -> bool:
        self.requests += 1
        data = source if isinstance(source, bytes) else source.read_bytes()
        with self._lock:
            if checked(key) in self.objects:
                return False
            self.objects[key] = data
        if retain_until is not None:
            self.retention[key] = retain_until
        return True

    def presign(self, key: str, *, expires_s: int) -> str:
        if checked(key) not in self.objects:
            raise ObjectMissing(f"{key}: no such object")
        return f"memory:{key}?expires={expires_s}"

    def hold(self, key: str, *, on: bool) -> None:
        if checked(key) not in self.objects:
            raise ObjectMissing(f"{key}: no such object")
        (self.holds.add if on else self.holds.discard)(key)

    def held(self, key: str) -> bool:
        return key in self.holds

    def retained_until(self, key: str) -> datetime | None:
        return self.retention.get(key)

    def local_path(self, key: str) -> Path | None:
        checked(key)
        return None
