"""Which regions of a picture to read now, at a bounded cost.

1. Nothing read yet: the whole picture.
2. A known line's pixels changed, or changed writing has settled: that region, at once.
3. A region that keeps changing (comments, a clock): only at slots, some seconds apart.
4. Writing that never settles because the scene moves: the whole picture at slots, ever
   rarer while that brings nothing new.

Every reading is paid for from an allowance that grows with media time, so that the cost per
recorded hour has a ceiling whatever the picture shows. The costs are a model in
integer microseconds (measured once), never the clock: the choice is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.keyframes.pixels import TILE_PX, Measures
from pipeline.keyframes.tracks import Track
from pipeline.keyframes.watch import Change, Tiles
from pipeline.model import Box

_REGION_COST_US = 30_000
_LINE_COST_US = 25_000
_AREA_COST_US = 250_000
_RATE_US_PER_MS = 65
"""Allowance per media millisecond: 234 s per recorded hour."""
_FULL_US = 4_000_000
SLOT_MS = 16_000
"""Regions that keep changing are read this often."""
_WHOLE_MAX_MS = 64_000
_HOT_AFTER = 2
_COOL_MS = 40_000
_MIN_TILES = 2
_MOVING_TILES = 6
_WHOLE_FROM_SHARE = 0.6


class Region(NamedTuple):
    """A region to read, and the tiles it covers."""

    box: Box
    tiles: Tiles


class Wanted(NamedTuple):
    """What to read on one picture."""

    regions: tuple[Region, ...] = ()
    whole: bool = False
    """Whether it is the whole picture."""
    refused: bool = False
    """Whether something was due that the allowance does not cover."""

    @property
    def picture_px(self) -> int:
        """Pixels of the picture, for regions measured as a share of it."""
        if not self.regions:
            return 0
        region = self.regions[0]
        share = max(1, int(region.tiles.sum())) / region.tiles.size
        return round(area(region.box) / share)


class ReadPlanner:
    """Keeps the allowance, the slots and how often each tile was read."""

    def __init__(self) -> None:
        self._allowance_us = _FULL_US
        self._last_ms: int | None = None
        self._slot_ms = 0
        self._whole_ms = 0
        self._whole_gap_ms = SLOT_MS
        self._counts = np.zeros((0, 0), dtype=np.int16)
        self._when = np.zeros((0, 0), dtype=np.int64)

    def plan(
        self,
        measures: Measures,
        change: Change | None,
        *,
        at_ms: int,
        near_change: bool,
        doubtful: Sequence[Track],
        lines: Sequence[Track],
    ) -> Wanted:
        """What to read on this picture; nothing is spent before :meth:`spent`."""
        self._grow(at_ms)
        grid = _Grid.of(measures)
        if change is None or self._counts.shape != grid.shape:
            self._counts = np.zeros(grid.shape, dtype=np.int16)
            self._when = np.full(grid.shape, at_ms - _COOL_MS, dtype=np.int64)
            return Wanted((grid.whole(),), whole=True)
        slot = at_ms >= self._slot_ms + SLOT_MS
        wanted = change.settled | grid.tiles_of(t.place for t in doubtful)
        if not slot:
            wanted &= ~self._hot(at_ms)
        if slot and self._whole_due(change, at_ms=at_ms, near_change=near_change):
            return self._afford(Wanted((grid.whole(),), whole=True))
        regions = grid.regions(wanted, [t.place for t in lines])
        if sum(area(r.box) for r in regions) > _WHOLE_FROM_SHARE * area(grid.whole().box):
            return self._afford(Wanted((grid.whole(),), whole=True))
        return self._afford(Wanted(regions))

    def spent(self, wanted: Wanted, *, at_ms: int, lines: int, new: int) -> None:
        """Record a reading: how many lines were read and how many of them were new."""
        whole_px = max(1, wanted.picture_px)
        for region in wanted.regions:
            again = region.tiles & (at_ms - self._when < _COOL_MS)
            self._counts[again] += 1
            self._counts[region.tiles & ~again] = 0
            self._when[region.tiles] = at_ms
            self._allowance_us -= _REGION_COST_US + _AREA_COST_US * area(region.box) // whole_px
        self._allowance_us -= _LINE_COST_US * lines
        if at_ms >= self._slot_ms + SLOT_MS or wanted.whole:
            self._slot_ms = at_ms
        if wanted.whole:
            self._whole_ms = at_ms
            self._whole_gap_ms = SLOT_MS if new else min(_WHOLE_MAX_MS, self._whole_gap_ms * 2)

    def _whole_due(self, change: Change, *, at_ms: int, near_change: bool) -> bool:
        gap_ms = min(self._whole_gap_ms, SLOT_MS) if near_change else self._whole_gap_ms
        return int(change.moving.sum()) >= _MOVING_TILES and at_ms >= self._whole_ms + gap_ms

    def _afford(self, wanted: Wanted) -> Wanted:
        refused = bool(wanted.regions) and self._allowance_us <= 0
        return Wanted(refused=True) if refused else wanted

    def _hot(self, at_ms: int) -> Tiles:
        return (self._counts >= _HOT_AFTER) & (at_ms - self._when < _COOL_MS)

    def _grow(self, at_ms: int) -> None:
        if self._last_ms is not None:
            grown = self._allowance_us + _RATE_US_PER_MS * max(0, at_ms - self._last_ms)
            self._allowance_us = min(_FULL_US, grown)
        self._last_ms = at_ms


class _Grid(NamedTuple):
    """Tiles of the edge map and where they lie in the picture."""

    shape: tuple[int, int]
    width_px: int
    height_px: int
    tile_px: float

    @staticmethod
    def of(measures: Measures) -> _Grid:
        rows, columns = (side // TILE_PX for side in measures.edges.shape)
        height, width = (round(side / measures.scale) for side in measures.grey.shape)
        return _Grid((rows, columns), width, height, width / columns)

    def whole(self) -> Region:
        box = Box(x_px=0, y_px=0, w_px=self.width_px, h_px=self.height_px)
        return Region(box, np.ones(self.shape, dtype=np.bool_))

    def tiles_of(self, boxes: Iterable[Box]) -> Tiles:
        """The tiles that boxes touch."""
        tiles = np.zeros(self.shape, dtype=np.bool_)
        down, across = self.height_px / self.shape[0], self.width_px / self.shape[1]
        for b in boxes:
            rows = slice(max(0, int(b.y_px / down)), int((b.y_px + b.h_px - 1) / down) + 1)
            columns = slice(max(0, int(b.x_px / across)), int((b.x_px + b.w_px - 1) / across) + 1)
            tiles[rows, columns] = True
        return tiles

    def regions(self, wanted: Tiles, lines: Sequence[Box]) -> tuple[Region, ...]:
        """Wanted tiles that lie together, as boxes that cut no known line."""
        import cv2

        near = cv2.dilate(wanted.astype(np.uint8), np.ones((3, 3), np.uint8))
        count, labels = cv2.connectedComponents(near, connectivity=8)
        boxes: list[Box] = []
        for label in range(1, count):
            member = np.asarray(labels == label)
            if int((member & wanted).sum()) >= _MIN_TILES:
                boxes.append(self._whole_lines(self._box(member), lines))
        return tuple(Region(b, self.tiles_of([b])) for b in _merged(boxes))

    def _box(self, tiles: Tiles) -> Box:
        rows, columns = np.nonzero(tiles)
        down, across = self.height_px / self.shape[0], self.width_px / self.shape[1]
        x, y = int(columns.min() * across), int(rows.min() * down)
        right, bottom = int((columns.max() + 1) * across), int((rows.max() + 1) * down)
        return Box(x_px=x, y_px=y, w_px=right - x, h_px=bottom - y)

    def _whole_lines(self, box: Box, lines: Sequence[Box]) -> Box:
        """The box, grown over every known line it touches, with a margin."""
        for line in lines:
            if _touch(box, line):
                box = _join(box, line)
        margin = round(self.tile_px / 3)
        x, y = max(0, box.x_px - margin), max(0, box.y_px - margin)
        right = min(self.width_px, box.x_px + box.w_px + margin)
        bottom = min(self.height_px, box.y_px + box.h_px + margin)
        return Box(x_px=x, y_px=y, w_px=right - x, h_px=bottom - y)


def area(box: Box) -> int:
    """Pixels of a box."""
    return box.w_px * box.h_px


def _touch(a: Box, b: Box) -> bool:
    return (
        a.x_px < b.x_px + b.w_px
        and b.x_px < a.x_px + a.w_px
        and a.y_px < b.y_px + b.h_px
        and b.y_px < a.y_px + a.h_px
    )


def _join(a: Box, b: Box) -> Box:
    x, y = min(a.x_px, b.x_px), min(a.y_px, b.y_px)
    right = max(a.x_px + a.w_px, b.x_px + b.w_px)
    bottom = max(a.y_px + a.h_px, b.y_px + b.h_px)
    return Box(x_px=x, y_px=y, w_px=right - x, h_px=bottom - y)


def _merged(boxes: list[Box]) -> list[Box]:
    """Boxes joined until none touches another, top to bottom."""
    left = list(boxes)
    done: list[Box] = []
    while left:
        box = left.pop()
        touching = next((b for b in left if _touch(box, b)), None)
        if touching is None:
            done.append(box)
        else:
            left.remove(touching)
            left += [_join(box, touching), *done]
            done = []
    return sorted(done, key=lambda b: (b.y_px, b.x_px))
