"""The keyframe that shows a claim."""

from __future__ import annotations

from bisect import bisect_left

from pipeline.model import Line, Screen


class Frames:
    """Keyframes by time."""

    def __init__(self, screen: Screen | None) -> None:
        self._lines = screen.lines if screen else ()
        frames = sorted((f.at_ms, f.index) for f in screen.keyframes) if screen else []
        self._times = [at for at, _ in frames]
        self._indexes = [index for _, index in frames]

    def of(self, line: Line, at_ms: int) -> int | None:
        """A screen line's own keyframe, else the one nearest in time; the earlier of two."""
        if line.source == "screen" and line.index < len(self._lines):
            return self._lines[line.index].keyframe
        if not self._times:
            return None
        after = bisect_left(self._times, at_ms)
        near = [n for n in (after - 1, after) if 0 <= n < len(self._times)]
        return self._indexes[min(near, key=lambda n: (abs(self._times[n] - at_ms), n))]
