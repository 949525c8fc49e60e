"""Lines that stand on the screen where one stretch ends and the next begins are one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.keyframes.tracks import Track, overlap_share, same_text

_SAME_PLACE = 0.3


class Seam(NamedTuple):
    """The first picture of a stretch, and the lines that were followed up to it."""

    at_ms: int
    open: tuple[Track, ...]


def joined(closed: Sequence[Track], seams: Sequence[Seam]) -> list[Track]:
    """The lines, those that go on over a seam as one: the earlier one, to the end of the later.

    A line goes on where the first picture behind the seam shows the same text at the same place.
    """
    lines = list(closed)
    stands_for: dict[int, Track] = {}
    for seam in seams:
        later = [t for t in lines if t.start_ms == seam.at_ms]
        for track in seam.open:
            first = stands_for.get(id(track), track)
            second = next((t for t in later if _goes_on(first, t)), None)
            if second is not None:
                later = [t for t in later if t is not second]
                _join(lines, first, second)
                stands_for[id(second)] = first
    return lines


def _goes_on(first: Track, second: Track) -> bool:
    return (
        first is not second
        and overlap_share(first.place, second.box) >= _SAME_PLACE
        and same_text(first.text, second.text)
    )


def _join(lines: list[Track], first: Track, second: Track) -> None:
    """The first takes the place of the second, which ended later."""
    first.end_ms, first.at = second.end_ms, second.place
    if second.confidence_pm > first.confidence_pm:
        first.text, first.confidence_pm = second.text, second.confidence_pm
    # Both by identity: equality of lines would compare their pixels.
    del lines[next(n for n, t in enumerate(lines) if t is first)]
    lines[next(n for n, t in enumerate(lines) if t is second)] = first
