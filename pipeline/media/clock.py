"""One media clock from timestamps that wrap, restart and jump.

Times inside this room are integer microseconds, the unit of FFmpeg's own
``AV_TIME_BASE``; they become milliseconds at its border. Raw timestamps plus the
shift of their *epoch* are media time. An epoch ends where a stream's timestamps
run backwards or leap: at a 24-bit FLV wrap (2^24 ms, about 4 h 39 min), at a 33-bit
MPEG-TS wrap (2^33/90000 s, about 26.5 h), or where an encoder restarted its clock.
"""

from __future__ import annotations

from typing import NamedTuple

FLV_WRAP_US = (1 << 24) * 1000
TS_WRAP_US = (1 << 33) * 1_000_000 // 90_000

_BACK_US = 500_000
"""Decoding times run forward; recorders' rounding and re-ordering stay far below this."""
_ADOPT_US = 30_000_000
_WRAP_GAP_US = 600_000_000
"""After a wrap time goes on; a larger gap there is taken for a restart. FFmpeg may have added
turns of its own (2^32 ms for FLV), so any whole number of them counts."""
_FORWARD_US = 6 * 3_600_000_000
"""A longer leap is taken for another clock, not for six hours without packets."""


class Epoch(NamedTuple):
    """A stretch in which raw timestamps differ from media time by one shift."""

    number: int
    shift_us: int
    at_us: int
    """Media time at which it begins."""
    reason: str
    """Empty for the first; ``wrap``, ``clock_jump`` or ``discontinuity``."""


class _Track:
    __slots__ = ("epoch", "last_us")

    def __init__(self, epoch: Epoch, last_us: int) -> None:
        self.epoch = epoch
        self.last_us = last_us


class Clock:
    """Raw decoding times of all streams of a recording to media time."""

    def __init__(self, *, zero_us: int, wrap_us: int = 0, may_jump: bool = False) -> None:
        self.epochs = [Epoch(0, -zero_us, 0, "")]
        self.end_us = 0
        self._wrap_us = wrap_us
        self._may_jump = may_jump
        self._tracks: dict[str, _Track] = {}

    def place(self, stream: str, raw_us: int, *, pts_us: int, length_us: int) -> Epoch:
        """The epoch of the next packet of a stream, by its raw decoding time.

        ``pts_us`` is its raw presentation time; where a clock restarted, that is what
        follows the end of everything before.
        """
        track = self._tracks.get(stream)
        epoch = self.epochs[-1] if track is None else track.epoch
        if track is not None and self._may_jump and not _fits(track, raw_us + epoch.shift_us):
            epoch = self._resolve(track, raw_us, pts_us)
        at_us = raw_us + epoch.shift_us
        self._tracks[stream] = _Track(epoch, at_us)
        self.end_us = max(self.end_us, pts_us + epoch.shift_us + length_us)
        return epoch

    def restart(self, raw_start_us: int, *, at_us: int) -> None:
        """Begin a new epoch by decree (EXT-X-DISCONTINUITY)."""
        self._begin(at_us - raw_start_us, at_us, "discontinuity")
        self._tracks.clear()

    def _resolve(self, track: _Track, raw_us: int, pts_us: int) -> Epoch:
        newest = self.epochs[-1]
        if newest is not track.epoch:
            ahead = raw_us + newest.shift_us - track.last_us
            if -_BACK_US <= ahead <= _ADOPT_US:
                return newest
        if self._wrap_us:
            at_us = raw_us + track.epoch.shift_us
            turns = round((track.last_us - at_us) / self._wrap_us)
            shift = track.epoch.shift_us + turns * self._wrap_us
            if turns and -_BACK_US <= raw_us + shift - track.last_us <= _WRAP_GAP_US:
                return self._begin(shift, raw_us + shift, "wrap")
        return self._begin(self.end_us - pts_us, self.end_us, "clock_jump")

    def _begin(self, shift_us: int, at_us: int, reason: str) -> Epoch:
        epoch = Epoch(len(self.epochs), shift_us, at_us, reason)
        self.epochs.append(epoch)
        return epoch


def _fits(track: _Track, at_us: int) -> bool:
    return -_BACK_US <= at_us - track.last_us <= _FORWARD_US


def to_ms(us: int) -> int:
    """Microseconds to the nearest millisecond (half rounds up)."""
    return (us + 500) // 1000
