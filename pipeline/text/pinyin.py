"""Pinyin typed in Latin letters: ``cangqing`` or ``cang qing`` for 藏青."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

from pipeline.text.sound import fold_syllable

_LONGEST_SYLLABLE = 6
_LONGEST_WORD = 40
_SPELLED = re.compile(r"[bpmfdtnlgkhjqxrzcsyw]{0,2}[aeiouv][a-z]*")


def pinyin_spellings(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every way to read the words as pinyin, as folded syllables.

    Nothing when one of the words cannot be split into syllables without a rest.
    """
    yield from _spell(tuple(words))


def _spell(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not words:
        yield ()
        return
    for head in splits(words[0]):
        for tail in _spell(words[1:]):
            yield head + tail


@lru_cache(maxsize=4096)
def splits(word: str) -> tuple[tuple[str, ...], ...]:
    """All splits of a word into folded syllables, fewest syllables first."""
    if not word or len(word) > _LONGEST_WORD or not word.isascii() or not word.isalpha():
        return ()
    empty: list[tuple[str, ...]] = [()]
    ways = [empty, *(list[tuple[str, ...]]() for _ in word)]
    for end in range(1, len(word) + 1):
        for start in range(max(0, end - _LONGEST_SYLLABLE), end):
            syllable = word[start:end]
            if ways[start] and syllable in _inventory():
                ways[end] += [(*way, fold_syllable(syllable)) for way in ways[start][:8]]
    return tuple(sorted(dict.fromkeys(ways[-1]), key=len)[:4])


@lru_cache(maxsize=1)
def _inventory() -> frozenset[str]:
    """All syllables of the character dictionary, without tones; ``v`` for ``ü``."""
    from pypinyin.constants import PINYIN_DICT

    marked = {reading for entry in PINYIN_DICT.values() for reading in entry.split(",")}
    plain = {_without_tone(reading) for reading in marked}
    return frozenset(p for p in plain if _SPELLED.fullmatch(p))


def _without_tone(reading: str) -> str:
    letters = unicodedata.normalize("NFD", reading).replace("u\u0308", "v")
    return "".join(c for c in letters if not unicodedata.combining(c))
