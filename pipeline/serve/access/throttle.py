"""Token buckets: so many at once, then so many a minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

_MOST_NAMES = 20_000


class Throttle:
    """One bucket a name; memory stays bounded whatever names come."""

    def __init__(
        self, *, burst: int, per_minute: float, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._per_s = per_minute / 60
        self._clock_s = clock_s
        self._lock = Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, name: str) -> float:
        """How long until something is left for a name; 0 when there is now. Takes nothing."""
        with self._lock:
            left = self._left(name)
        return 0.0 if left >= 1 else (1 - left) / self._per_s

    def take(self, name: str) -> float:
        """Take one; 0 when it was there, else how many seconds to wait."""
        with self._lock:
            left = self._left(name)
            if left < 1:
                return (1 - left) / self._per_s
            if len(self._buckets) >= _MOST_NAMES:
                self._forget()
            self._buckets[name] = (left - 1, self._clock_s())
        return 0.0

    def _left(self, name: str) -> float:
        left, at_s = self._buckets.get(name, (float(self._burst), self._clock_s()))
        return min(self._burst, left + (self._clock_s() - at_s) * self._per_s)

    def _forget(self) -> None:
        """Drop full buckets, else all: a bucket that is not there is a full one."""
        full = [name for name in self._buckets if self._left(name) >= self._burst]
        for name in full:
            del self._buckets[name]
        if not full:
            self._buckets.clear()
