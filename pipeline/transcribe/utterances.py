"""What was heard in a chunk as utterance-like segments with times of every character.

The aligner gives the start of each token; a pause between two words is then part of the
first. Pauses found by the voice detector are cut out again: the text is split at each long
enough pause, and the words after it start where the voice starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.model import Segment
from pipeline.ports import Heard
from pipeline.text.normal import normalise

SPLIT_PAUSE_MS = 380
"""A pause this long ends an utterance."""
LONGEST_MS = 15_000
"""A longer utterance is split at its longest pause, however short."""
_EARLY_MS = 60
"""A word may be aligned this much before the pause that precedes it."""
_ENDS = "。！？!?；;"
_MIN_CHARS = 2


class Stretch(NamedTuple):
    """Characters with their starts (chunk milliseconds), the end, and their probabilities."""

    text: str
    starts_ms: tuple[int, ...]
    end_ms: int
    probs_pm: tuple[int, ...]


def segments(
    heard: Sequence[Heard],
    *,
    pauses: Sequence[tuple[int, int]],
    origin_ms: int,
    chunk: int,
    flags: tuple[str, ...],
) -> Iterator[Segment]:
    """The chunk's utterances on the timeline, in order.

    Args:
        heard: What was heard, chunk milliseconds.
        pauses: Unvoiced stretches of the chunk, chunk milliseconds.
        origin_ms: Timeline milliseconds of the chunk's start.
        chunk: The chunk's number.
        flags: Guards that fired.
    """
    for piece in heard:
        whole = Stretch(piece.text, piece.char_start_ms[:-1], piece.end_ms, piece.char_prob_pm)
        for stretch in _split(whole, pauses):
            trimmed = _trimmed(stretch)
            if trimmed is not None:
                yield _segment(trimmed, piece, origin_ms, chunk, flags)


def _split(stretch: Stretch, pauses: Sequence[tuple[int, int]]) -> Iterator[Stretch]:
    first = 0
    starts = list(stretch.starts_ms)
    for low, high in pauses:
        at = _first_after(starts, low - _EARLY_MS, first)
        if at is None or at == 0:
            continue
        if high - low < SPLIT_PAUSE_MS and stretch.text[at - 1] not in _ENDS:
            continue
        if starts[at] < high:
            _push(starts, at, high)
        if at - first >= _MIN_CHARS:
            yield _part(stretch, starts, first, at, end_ms=min(low, starts[at]))
            first = at
    yield _part(stretch, starts, first, len(starts), end_ms=stretch.end_ms)


def _first_after(starts: Sequence[int], at_ms: int, first: int) -> int | None:
    """The first character from ``first`` on that starts at or after an instant."""
    return next((n for n in range(first, len(starts)) if starts[n] >= at_ms), None)


def _push(starts: list[int], at: int, to_ms: int) -> None:
    """No character from ``at`` on may start before the voice does."""
    for n in range(at, len(starts)):
        if starts[n] >= to_ms:
            return
        starts[n] = to_ms


def _part(stretch: Stretch, starts: Sequence[int], low: int, high: int, *, end_ms: int) -> Stretch:
    return Stretch(
        stretch.text[low:high],
        tuple(starts[low:high]),
        max(end_ms, starts[high - 1]) if high > low else end_ms,
        stretch.probs_pm[low:high],
    )


def _trimmed(stretch: Stretch) -> Stretch | None:
    low, high = 0, len(stretch.text)
    while low < high and stretch.text[low].isspace():
        low += 1
    while high > low and stretch.text[high - 1].isspace():
        high -= 1
    if low == high:
        return None
    end = stretch.end_ms if high == len(stretch.text) else stretch.starts_ms[high]
    return Stretch(
        stretch.text[low:high], stretch.starts_ms[low:high], end, stretch.probs_pm[low:high]
    )


def _segment(
    stretch: Stretch, piece: Heard, origin_ms: int, chunk: int, flags: tuple[str, ...]
) -> Segment:
    normal = normalise(stretch.text)
    times = tuple(origin_ms + at for at in (*stretch.starts_ms, stretch.end_ms))
    return Segment(
        start_ms=times[0],
        end_ms=max(times[-1], times[-2] + 1),
        text=stretch.text,
        normal_text=normal.text,
        normal_offsets=normal.offsets,
        char_start_ms=(*times[:-1], max(times[-1], times[-2] + 1)),
        char_prob_pm=stretch.probs_pm,
        prob_pm=sum(stretch.probs_pm) // len(stretch.probs_pm),
        no_speech_pm=piece.no_speech_pm,
        chunk=chunk,
        flags=flags,
    )
