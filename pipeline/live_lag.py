"""How a broadcast on air is followed, and how far a search lies behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


def _nobody() -> None:
    """Nobody listens."""


class Pace(NamedTuple):
    """How a broadcast is followed."""

    every_s: float = 1.0
    """Look at the place this often."""
    patience_s: float = 30.0
    """Wait this long for a segment that later ones have overtaken."""
    settle_s: float = 1.0
    """A file of a folder is whole when unchanged for so long."""
    seal_ms: int = 60_000
    """A part is sealed at the first pause after each so many milliseconds of sound."""
    alive: Callable[[], None] = _nobody
    """Called again and again while it waits for what is to come."""


class Lag(NamedTuple):
    """When a stretch of sound could be searched."""

    media_end_ms: int
    """End of the stretch."""
    after_landing_ms: int
    """From the landing of the segment that holds its end until it could be searched."""


class Landed:
    """When the sound up to where had landed."""

    def __init__(self, read_ms: Callable[[], int]) -> None:
        self._read_ms = read_ms
        self._rows: list[tuple[int, float | None]] = []
        self._now: float | None = None

    def begin(self, arrived_s: float | None) -> None:
        """The next segment is read from here on; None where its landing was not seen."""
        self._rows.append((self._read_ms(), self._now))
        self._now = arrived_s

    def come(self, arrived_s: float | None) -> None:
        """As :meth:`begin`, for bytes of one file: those that came together are one row."""
        if not self._rows or arrived_s != self._now:
            self.begin(arrived_s)

    def lag(self, end_ms: int) -> Lag | None:
        """How long ago the sound up to an instant landed; None where that was not seen."""
        arrived = next((at for until_ms, at in self._rows if until_ms >= end_ms), self._now)
        if arrived is None:
            return None
        return Lag(end_ms, round((time.monotonic() - arrived) * 1000))


def lag_figures(lags: Sequence[Lag]) -> dict[str, int]:
    """Longest lag and that of the last words, milliseconds."""
    return {
        "chunks": len(lags),
        "longest_ms": max((lag.after_landing_ms for lag in lags), default=0),
        "last_ms": lags[-1].after_landing_ms if lags else 0,
    }
