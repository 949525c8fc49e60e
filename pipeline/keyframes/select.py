"""Which pictures are kept, and why. Causal: a decision uses earlier pictures only.

A picture is kept when it is the first, when it shows new writing (it is then read), when the
scene is unlike those kept lately, or when nothing was kept for a while. Blurred and
empty pictures are passed over; each one not kept leaves its reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from pipeline.keyframes.pixels import Measures, hash_distance
from pipeline.model import ScheduleEntry
from pipeline.settings import KeyframeSettings
from pipeline.timeline import Span, union

SCHEDULE_LATE_MS = 45_000
"""Platforms report a product change up to this late (20-40 s in the examples)."""
SCHEDULE_EARLY_MS = 10_000
"""And up to this early."""
SCENE_BITS = 16
"""A scene is new when its hash differs in more bits than this from each one kept lately."""
SCENE_GAP_MS = 20_000
"""A new scene without new writing is kept at most this often."""
_KEPT_BEFORE = 6
_SHARPNESS_BEFORE = 15
_BLURRED_SHARE = 0.35
_BLURRED_RUN = 2


class Decision(NamedTuple):
    """What happens to one picture: exactly one of the two reasons is set."""

    keep: str = ""
    """``first``, ``novel``, ``product_change``, ``interval``."""
    skip: str = ""
    """``same``, ``blurred``, ``corrupt``, ``budget``."""


def change_spans(schedule: Sequence[ScheduleEntry]) -> list[Span]:
    """Where a product change may lie, given how late schedules are; timeline milliseconds."""
    edges = [at for entry in schedule for at in (entry.start_ms, entry.end_ms)]
    return union(Span(at - SCHEDULE_LATE_MS, at + SCHEDULE_EARLY_MS) for at in edges)


class Selector:
    """Decides picture by picture."""

    def __init__(self, settings: KeyframeSettings, schedule: Sequence[ScheduleEntry]) -> None:
        self._settings = settings
        self._changes = change_spans(schedule)
        self._looked_ms: int | None = None
        self._kept_ms: int | None = None
        self._hashes: deque[int] = deque(maxlen=_KEPT_BEFORE)
        self._sharp: deque[int] = deque(maxlen=_SHARPNESS_BEFORE)
        self._soft_run = 0

    def near_change(self, at_ms: int) -> bool:
        """Whether the schedule puts a product change near."""
        return any(s.holds(at_ms) for s in self._changes)

    def too_soon(self, at_ms: int) -> bool:
        """Whether a picture comes sooner than the settings look; else it counts as looked at."""
        gap = self._settings.min_gap_ms
        if self.near_change(at_ms):
            gap = min(gap, self._settings.change_gap_ms)
        # Key pictures jitter by a frame or two around their interval.
        if self._looked_ms is not None and at_ms - self._looked_ms < gap * 9 // 10:
            return True
        self._looked_ms = at_ms
        return False

    def blurred(self, measures: Measures, *, at_ms: int) -> bool:
        """Whether a picture is far less sharp than those before it (and can be spared)."""
        usual = median(self._sharp) if len(self._sharp) >= 3 else 0
        self._sharp.append(measures.sharpness)
        soft = measures.sharpness < _BLURRED_SHARE * usual and not self._overdue(at_ms)
        # Motion and fades pass; a picture that stays soft is how the room looks now.
        self._soft_run = self._soft_run + 1 if soft else 0
        return soft and self._soft_run <= _BLURRED_RUN

    def decide(
        self, measures: Measures, *, at_ms: int, new_text: bool, refused: bool = False
    ) -> Decision:
        """Whether to keep a sharp picture; ``new_text`` says that it will be read."""
        reason = self._reason(measures, at_ms=at_ms, new_text=new_text)
        if not reason:
            return Decision(skip="budget" if refused else "same")
        self._kept_ms = at_ms
        self._hashes.append(measures.phash)
        return Decision(keep=reason)

    def _reason(self, measures: Measures, *, at_ms: int, new_text: bool) -> str:
        if self._kept_ms is None:
            return "first"
        near = self.near_change(at_ms)
        scene_gap = SCENE_GAP_MS // 2 if near else SCENE_GAP_MS
        far = all(hash_distance(measures.phash, h) > SCENE_BITS for h in self._hashes)
        if new_text or (far and at_ms - self._kept_ms >= scene_gap):
            return "product_change" if near else "novel"
        return "interval" if self._overdue(at_ms) else ""

    def _overdue(self, at_ms: int) -> bool:
        return self._kept_ms is None or at_ms - self._kept_ms >= self._settings.keep_every_ms
