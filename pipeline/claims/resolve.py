"""Recognition errors: phrases of the trade found by their sound.

Only recognised speech (lines with character probabilities) is looked at. The heard text is never
altered: rules read the resolved form, the claim keeps the heard quote, shows the resolved one
beside it and goes to review.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.text.sound import LITERAL, SAME_TONE, TONELESS, SoundHit, SoundMatcher

_SHORT = 2
"""Phrases of two syllables match only with equal syllables: folded ones are too common."""


class Repair(NamedTuple):
    """A stretch of a line, half-open, and the phrase it sounds like."""

    start: int
    end: int
    heard: str
    phrase: str


class Resolver:
    """Finds phrases by sound, longest first, without overlap."""

    def __init__(self, phrases: Sequence[str]) -> None:
        self._phrases = tuple(phrases)
        self._matcher: SoundMatcher | None = None

    def repairs(self, text: str) -> tuple[Repair, ...]:
        """What in the text sounds like a phrase but is written otherwise."""
        if self._matcher is None:
            self._matcher = SoundMatcher(self._phrases)
        hits = sorted(self._matcher.find(text), key=lambda h: (h.start - h.end, h.grade, h.start))
        taken: list[tuple[int, int]] = []
        out: list[Repair] = []
        for hit in hits:
            if any(hit.start < b and a < hit.end for a, b in taken):
                continue
            if hit.grade == LITERAL:
                taken.append((hit.start, hit.end))
            elif _trusted(hit):
                taken.append((hit.start, hit.end))
                out.append(Repair(hit.start, hit.end, text[hit.start : hit.end], hit.needle))
        return tuple(sorted(out))


def _trusted(hit: SoundHit) -> bool:
    if hit.end - hit.start != len(hit.needle):
        return False
    return hit.grade <= (TONELESS if len(hit.needle) > _SHORT else SAME_TONE)


def apply(text: str, repairs: Sequence[Repair]) -> str:
    """The text with the phrases in place of what was heard; lengths and offsets are kept."""
    for repair in repairs:
        text = text[: repair.start] + repair.phrase + text[repair.end :]
    return text
