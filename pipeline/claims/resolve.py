"""Recognition errors: words of the trade and of the listing found by their sound.

Only recognised speech (lines with character probabilities) is looked at. The heard text is never
altered: rules read the resolved form, the claim keeps the heard quote, shows the resolved one
beside it and goes to review. Numerals stay as heard. A word that only the broadcast's listing
knows names its field in the reason, so that a comparison with that very field is no confirmation
(``circular``); what the trade's words resolve is resolved without the listing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pipeline.model import Broadcast
from pipeline.text.normal import normalise
from pipeline.text.sound import FUZZY, LITERAL, SAME_TONE, TONELESS, SoundHit, SoundMatcher

_WORST = {2: SAME_TONE, 3: TONELESS}
"""Worst grade trusted by number of syllables; longer words may also match folded syllables."""
_LOOSE = {2: SAME_TONE}
"""The same where the stretch holds no word of its own."""
_LONE = 3
"""Words up to this many syllables are resolved loosely only where what was heard is no word."""
_COMMON = frozenset("是时就里不得的了在才比今这那有我你他它也都还吗呢吧啊个和跟")
"""Characters that are mostly words by themselves."""
_HAN_WORD = re.compile(r"[\u4e00-\u9fff]{2,8}")
_NUMERAL = re.compile(r"[零〇一二两三四五六七八九十百千万半幺\d]")

_COUNT = re.compile(rf"{_NUMERAL.pattern}(?=[年天月日周个件元块折倍斤克])")
"""Numerals that count something; those of set phrases (买一送一) do not."""


class Repair(NamedTuple):
    """A stretch of a line, half-open, and the phrase it sounds like."""

    start: int
    end: int
    heard: str
    phrase: str
    fields: tuple[str, ...] = ()
    """Listing fields that alone know the phrase; empty for a word of the trade."""

    @property
    def reason(self) -> str:
        """In words; ``listing:<field>`` where the listing decided."""
        told = f"{self.heard} sounds like {self.phrase}"
        return told + "".join(f" (listing:{field})" for field in self.fields)


class Resolver:
    """Finds phrases by sound, longest first, without overlap."""

    def __init__(
        self, phrases: Iterable[str], listed: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        self._phrases = tuple(dict.fromkeys(phrases))
        self._listed = dict(listed or {})
        self._matcher: SoundMatcher | None = None

    def with_listing(self, broadcast: Broadcast) -> Resolver:
        """With the words of the broadcast's listing values that the trade's do not know."""
        known = frozenset(self._phrases)
        listed: dict[str, tuple[str, ...]] = {}
        for product in broadcast.products:
            captured = [s.values for s in product.listings]
            for values in (product.listing, *captured):
                for field, text in values.items():
                    for word in _HAN_WORD.findall(text):
                        if word not in known and not _NUMERAL.search(word):
                            fields = (*listed.get(word, ()), field)
                            listed[word] = tuple(dict.fromkeys(fields))
        return Resolver(self._phrases, listed)

    def repairs(self, text: str) -> tuple[Repair, ...]:
        """What in the text sounds like a phrase but is written otherwise."""
        if self._matcher is None:
            self._matcher = SoundMatcher((*self._phrases, *self._listed))
        hits = sorted(self._matcher.find(text), key=self._rank)
        words = _words_of(text) if hits else frozenset()
        taken: list[tuple[int, int]] = []
        out: list[Repair] = []
        for hit in hits:
            if any(hit.start < b and a < hit.end for a, b in taken):
                continue
            heard = text[hit.start : hit.end]
            if hit.grade != LITERAL and not _trusted(hit, heard, words):
                continue
            taken.append((hit.start, hit.end))
            if hit.grade != LITERAL:
                fields = self._listed.get(hit.needle, ())
                out.append(Repair(hit.start, hit.end, heard, hit.needle, fields))
        return tuple(sorted(out))

    def _rank(self, hit: SoundHit) -> tuple[int, bool, int, int, str]:
        """The longer first; of equal ones the trade's word before the listing's."""
        return (
            hit.start - hit.end,
            hit.needle in self._listed,
            hit.grade,
            hit.start,
            hit.needle,
        )


def _trusted(hit: SoundHit, heard: str, words: frozenset[tuple[int, int]]) -> bool:
    """Loud enough an echo, and a short one no word in its own right."""
    size = len(hit.needle)
    if hit.end - hit.start != size:
        return False
    counts = {m.start() for m in _COUNT.finditer(hit.needle)}
    pairs = enumerate(zip(heard, hit.needle, strict=True))
    if any(h != p and (n in counts or _NUMERAL.match(h)) for n, (h, p) in pairs):
        return False
    if hit.grade <= _WORST.get(size, FUZZY) and size >= _LONE:
        return True
    if hit.grade > _LOOSE.get(size, FUZZY) or not _COMMON.isdisjoint(heard):
        return False
    return not any(a < hit.end and hit.start < b for a, b in words)


def _words_of(text: str) -> frozenset[tuple[int, int]]:
    """Spans of the words of two characters and more that pypinyin's phrase list cuts out."""
    from pypinyin.seg.mmseg import seg

    normal = normalise(text)
    out: set[tuple[int, int]] = set()
    for run in _HAN_RUN.finditer(normal.text):
        at = run.start()
        for word in seg.cut(run[0]):
            if len(word) > 1:
                out.add(normal.original_span(at, at + len(word)))
            at += len(word)
    return frozenset(out)


_HAN_RUN = re.compile(r"[\u4e00-\u9fff]+")


def apply(text: str, repairs: Sequence[Repair]) -> str:
    """The text with the phrases in place of what was heard; lengths and offsets are kept."""
    for repair in repairs:
        text = text[: repair.start] + repair.phrase + text[repair.end :]
    return text
