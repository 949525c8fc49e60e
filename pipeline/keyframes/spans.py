"""Stretches of a recording that are looked at anew, so that they can be read on different machines.

At the beginning of each one nothing is known: its first picture is kept and read whole, and the
allowance for reading is full. So what is read in it depends on nothing before it. Lines that stand on
the screen across such a seam are joined again (:mod:`pipeline.keyframes.seams`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from pipeline.model import ClockMap

ENDLESS_MS = 1 << 62
"""End of a recording's last stretch: what lies past its measured end belongs to it."""


class Stretch(NamedTuple):
    """Pictures of one recording with media times in ``[low_ms, high_ms)``."""

    recording: int
    low_ms: int
    high_ms: int


def stretches(clock_map: ClockMap, *, span_ms: int) -> list[Stretch]:
    """All of a broadcast: each recording in equal stretches of at least ``span_ms``."""
    found = []
    for recording in sorted({s.recording_index for s in clock_map.spans}):
        ends = [
            s.media_start_ms + s.end_ms - s.start_ms
            for s in clock_map.spans
            if s.recording_index == recording
        ]
        count = max(1, max(ends) // span_ms)
        edges = [max(ends) * n // count for n in range(count)] + [ENDLESS_MS]
        found += [Stretch(recording, low, high) for low, high in pairwise(edges)]
    return found


def starts(all_of_them: Sequence[Stretch], recording: int) -> list[int]:
    """Media milliseconds at which a recording is looked at anew."""
    return [one.low_ms for one in all_of_them if one.recording == recording]


def share(all_of_them: Sequence[Stretch], *, number: int, count: int) -> list[Stretch]:
    """Part ``number`` (from 1) of ``count``: about as many stretches as every other part."""
    total = len(all_of_them)
    return list(all_of_them[total * (number - 1) // count : total * number // count])
