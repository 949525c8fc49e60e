"""Stretches of a recording without packets, found while its packets pass by."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.media.clock import to_ms
from pipeline.media.packets import Kind, Timed
from pipeline.model import Hole

LONGEST_GAP_US: dict[Kind, int] = {"audio": 100_000, "video": 2_000_000}
"""Longer gaps are holes: four AAC frames; for pictures what a still scene at a variable
frame rate stays below."""


class HoleFinder:
    """Feed it every packet of one stream in order; then ask for ``holes``."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._holes: list[Hole] = []
        self._last_dts_us: int | None = None
        self._end_us = 0
        self._epoch = 0

    def see(self, timed: Timed) -> None:
        """Take the next packet."""
        if self._last_dts_us is None:
            self._epoch = timed.epoch.number
        elif timed.epoch.number != self._epoch:
            self._epoch = timed.epoch.number
            if timed.epoch.reason != "wrap":
                self._note(timed.epoch.at_us, timed.epoch.at_us, "clock_jump")
        self._gap(timed)
        if timed.packet.is_corrupt:
            self._note(timed.pts_us, timed.end_us, "corrupt")
        self._last_dts_us = timed.dts_us + timed.length_us
        self._end_us = max(self._end_us, timed.end_us)

    def holes(self) -> list[Hole]:
        """What was found, in order, neighbours of one reason joined."""
        return joined(self._holes)

    def _gap(self, timed: Timed) -> None:
        longest_us = LONGEST_GAP_US[self._kind]
        if timed.pts_us - self._end_us <= longest_us:
            return
        last = 0 if self._last_dts_us is None else self._last_dts_us
        if not timed.packet.is_keyframe and timed.dts_us - last <= longest_us:
            return  # only shown before its neighbours, which follow
        late = self._last_dts_us is None and self._kind == "audio"
        self._note(self._end_us, timed.pts_us, "late_audio" if late else "gap")

    def _note(self, start_us: int, end_us: int, reason: str) -> None:
        words = {"audio": "sound", "video": "pictures"}[self._kind]
        detail = {
            "late_audio": "sound begins late",
            "gap": f"no packets of {words}",
            "corrupt": f"damaged packets of {words}",
            "clock_jump": f"the clock of the {words} restarted; how much is missing is unknown",
        }[reason]
        start_ms = max(0, to_ms(start_us))
        self._holes.append(
            Hole(
                start_ms=start_ms,
                end_ms=max(start_ms, to_ms(end_us)),
                reason=reason,
                detail=detail,
                stream=self._kind,
            )
        )


def joined(holes: Iterable[Hole], *, slack_ms: int = 100) -> list[Hole]:
    """Holes in order of time; those of one reason and stream that (nearly) touch become one."""
    result: list[Hole] = []
    for hole in sorted(holes, key=lambda h: (h.stream, h.reason, h.start_ms)):
        last = result[-1] if result else None
        same = last is not None and (last.stream, last.reason) == (hole.stream, hole.reason)
        if last is not None and same and hole.start_ms - last.end_ms <= slack_ms:
            end_ms = max(last.end_ms, hole.end_ms)
            result[-1] = last.model_copy(update={"end_ms": end_ms})
        else:
            result.append(hole)
    return sorted(result, key=lambda h: (h.start_ms, h.end_ms, h.stream))
