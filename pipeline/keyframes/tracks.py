"""The same text at about the same place across key pictures becomes one line with a span.

Between readings a line is held against the pixels it was read from: as long as they
have not changed, it stands. When they change it is in doubt from that picture on, and the
next reading of its place either confirms it or ends it where the doubt began.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from pipeline.keyframes.pixels import Grey
from pipeline.model import Box
from pipeline.ports import SeenText

HISTORY = 12
"""Grey pictures kept to date a line back to the first one that shows it."""
_PIXEL_CHANGE = 32
_WINDOW_SHARE = 0.04
_WINDOW_HEIGHTS = 0.4
_SURE_PM = 900
_MOVED_LINES = 8


@dataclass
class Track:
    """One line while it is followed."""

    text: str
    box: Box
    confidence_pm: int
    start_ms: int
    keyframe: int
    patch: Grey
    doubt_ms: int | None = None
    end_ms: int = 0
    at: Box | None = None
    """Where it stands now (comments move up); None: still at ``box``."""

    @property
    def place(self) -> Box:
        """Where it stands now."""
        return self.at or self.box


def norm(text: str) -> str:
    """Text for comparison: NFKC, lower case, without spaces."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()


def same_text(first: str, second: str) -> bool:
    """Whether two readings are of the same text: all digits equal, the rest nearly so."""
    first, second = norm(first), norm(second)
    if first == second:
        return True
    if not same_digits(first, second):
        return False
    return len(first) > 3 and SequenceMatcher(None, first, second, autojunk=False).ratio() >= 0.8


def same_digits(first: str, second: str) -> bool:
    """Whether two readings hold the same digits in the same order."""
    return re.findall(r"\d", norm(first)) == re.findall(r"\d", norm(second))


def overlap_share(first: Box, second: Box) -> float:
    """Intersection over union of two boxes."""
    across = min(first.x_px + first.w_px, second.x_px + second.w_px) - max(first.x_px, second.x_px)
    down = min(first.y_px + first.h_px, second.y_px + second.h_px) - max(first.y_px, second.y_px)
    if across <= 0 or down <= 0:
        return 0.0
    shared = across * down
    return shared / (first.w_px * first.h_px + second.w_px * second.h_px - shared)


def cut(grey: Grey, box: Box, scale: float) -> Grey:
    """The box's pixels in the reduced grey picture; may be empty at the border."""
    x, y = round(box.x_px * scale), round(box.y_px * scale)
    w, h = max(1, round(box.w_px * scale)), max(1, round(box.h_px * scale))
    return grey[max(0, y) : y + h, max(0, x) : x + w]


def patch_changed(before: Grey, after: Grey) -> bool:
    """Whether any glyph-sized window of a line's patch shows other strokes.

    A standing overlay differs by a few grey levels (compression); one replaced digit by its
    contrast in at least 8 % of a window 0.4 line heights wide (measured on the example
    broadcasts: 1 to 3 in a 12-pixel digit; standing lines stay under 1 %).
    """
    if before.shape != after.shape or before.size == 0:
        return True
    other = np.abs(before.astype(np.int16) - after.astype(np.int16)) > _PIXEL_CHANGE
    window = max(4, round(_WINDOW_HEIGHTS * before.shape[0]))
    columns = other.mean(axis=0)
    if columns.size <= window:
        return bool(columns.mean() > _WINDOW_SHARE)
    sums = np.convolve(columns, np.full(window, 1 / window), mode="valid")
    return bool(sums.max() > _WINDOW_SHARE)


_Rule = Callable[[Track, SeenText], bool]


class Tracker:
    """All lines of one broadcast, open and closed."""

    def __init__(self) -> None:
        self.open: list[Track] = []
        self.closed: list[Track] = []
        self._past: deque[tuple[int, Grey, float]] = deque(maxlen=HISTORY)

    def look(self, grey: Grey, scale: float, *, at_ms: int) -> list[Track]:
        """Hold every open line against a new picture; those now in doubt."""
        for track in self.open:
            if not patch_changed(track.patch, cut(grey, track.place, scale)):
                track.doubt_ms = None
            elif track.doubt_ms is None:
                track.doubt_ms = at_ms
        self._past.append((at_ms, grey, scale))
        return [t for t in self.open if t.doubt_ms is not None]

    def take(self, seen: Sequence[SeenText], *, region: Box, keyframe: int) -> list[Track]:
        """What was read in a region of the latest picture; the lines that are new."""
        _, grey, scale = self._past[-1]
        inside = [t for t in self.open if _holds(region, t.place)]
        left = list(seen)
        for rule in (_at_place, _same_at_place, _moved):
            left = [s for s in left if not self._continue(s, inside, rule, grey, scale)]
        fresh = [self._start(s, keyframe, grey, scale) for s in left]
        for track in inside:
            if track.doubt_ms is not None:
                self._close(track, track.doubt_ms)
            elif over := [f for f in fresh if overlap_share(track.place, f.box) >= 0.4]:
                self._close(track, min(f.start_ms for f in over))
        self.open.extend(fresh)
        return fresh

    def finish(self, end_ms: int) -> None:
        """Close every open line (end of a recording, a gap)."""
        for track in list(self.open):
            self._close(track, end_ms if track.doubt_ms is None else track.doubt_ms)
        self._past.clear()

    def _continue(
        self, seen: SeenText, inside: list[Track], rule: _Rule, grey: Grey, scale: float
    ) -> bool:
        track = next((t for t in inside if rule(t, seen)), None)
        if track is None:
            return False
        inside.remove(track)
        if track.doubt_ms is not None:
            track.at = seen.box
            track.patch = cut(grey, seen.box, scale).copy()
            track.doubt_ms = None
        if seen.confidence_pm > track.confidence_pm:
            track.text, track.confidence_pm = seen.text, seen.confidence_pm
        return True

    def _start(self, seen: SeenText, keyframe: int, grey: Grey, scale: float) -> Track:
        patch = cut(grey, seen.box, scale).copy()
        start_ms = self._past[-1][0]
        for at_ms, earlier, its_scale in list(self._past)[-2::-1]:
            if patch_changed(patch, cut(earlier, seen.box, its_scale)):
                break
            start_ms = at_ms
        return Track(seen.text, seen.box, seen.confidence_pm, start_ms, keyframe, patch)

    def _close(self, track: Track, end_ms: int) -> None:
        track.end_ms = max(end_ms, track.start_ms + 1)
        self.open.remove(track)
        self.closed.append(track)


def _holds(region: Box, box: Box) -> bool:
    x, y = box.x_px + box.w_px / 2, box.y_px + box.h_px / 2
    return (
        region.x_px <= x < region.x_px + region.w_px
        and region.y_px <= y < region.y_px + region.h_px
    )


def _at_place(track: Track, seen: SeenText) -> bool:
    """Unchanged pixels: the same text, unless the reader is sure of other digits."""
    if track.doubt_ms is not None or overlap_share(track.place, seen.box) < 0.4:
        return False
    return seen.confidence_pm < _SURE_PM or same_digits(track.text, seen.text)


def _same_at_place(track: Track, seen: SeenText) -> bool:
    return overlap_share(track.place, seen.box) >= 0.3 and same_text(track.text, seen.text)


def _moved(track: Track, seen: SeenText) -> bool:
    """A list that scrolls: the same words, the same left edge, some lines up or down."""
    place, height = track.place, max(track.place.h_px, 1)
    return (
        track.doubt_ms is not None
        and norm(track.text) == norm(seen.text)
        and abs(place.x_px - seen.box.x_px) <= height
        and abs(place.y_px - seen.box.y_px) <= _MOVED_LINES * height
    )
