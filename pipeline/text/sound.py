"""Chinese by its sound: pinyin syllables with offsets, and matching under recognition errors.

A recogniser writes 敏感机 for 敏感肌 and 买一送益 for 买一送一. Two texts match by
sound when their syllables agree without tones and after folding the pairs that
speakers and recognisers mix up: initials zh/z, ch/c, sh/s, n/l/r, f/h and finals
in/ing, en/eng, an/ang (also ian/iang, uan/uang). Letters and digits keep their
writing. Readings come from pypinyin, polyphones by phrase.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.text.normal import normal_text, normalise

LITERAL, SAME_TONE, TONELESS, FUZZY = range(4)
"""Grades of a sound match, best first: same writing, same tones, same syllables, alike."""

_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNITS = re.compile(
    rf"(?P<han>[{_HAN}]+)|(?P<word>[a-z]+|[0-9]+(?:\.[0-9]+)?)|(?P<gap>\s+)|.", re.S
)
_INITIALS = {"zh": "z", "ch": "c", "sh": "s", "n": "l", "r": "l", "f": "h"}
_SPLIT = re.compile(r"(zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw]?)(.*)")
_CACHED_CHARS = 600
_APART: Any = list
"""Characters without a reading come back one by one (pypinyin allows lists, its types do not)."""


class Syllable(NamedTuple):
    """One spoken unit: a Chinese character, a Latin word, a number, or a break."""

    written: str
    """As it stands in the normal form."""
    pinyin: str
    """Pinyin with its tone number (``qing1``); the writing itself for letters and digits."""
    key: str
    """Toneless and folded; empty for a break (punctuation), which matches nothing."""
    start: int
    """Start in the text given."""
    end: int
    """End, exclusive."""


class SoundHit(NamedTuple):
    """A place where a needle sounds."""

    needle: str
    """As it was given."""
    start: int
    """Start in the text searched."""
    end: int
    """End, exclusive."""
    grade: int
    """``LITERAL``, ``SAME_TONE``, ``TONELESS`` or ``FUZZY``: the worst of its syllables."""


def syllables(text: str) -> tuple[Syllable, ...]:
    """All spoken units of a text, offsets into the text as given."""
    return _cached(text) if len(text) <= _CACHED_CHARS else tuple(_scan(text))


def unit_keys(text: str) -> list[str]:
    """The keys of :func:`syllables`, without anything else, several times as fast."""
    found: list[str] = []
    for match in _UNITS.finditer(normal_text(text)):
        kind = match.lastgroup
        if kind == "han":
            found += _keys(match.group())
        elif kind != "gap":
            found.append(match.group() if kind == "word" else "")
    return found


def sound_key(text: str) -> str:
    """The folded syllables, separated by blanks: equal for texts that sound alike."""
    return " ".join(s.key for s in syllables(text) if s.key)


@lru_cache(maxsize=65536)
def fold_syllable(pinyin: str) -> str:
    """One pinyin syllable, tone or not, in its folded form (``zhang4`` → ``zan``)."""
    bare = pinyin.rstrip("012345").replace("ü", "v")
    match = _SPLIT.fullmatch(bare)
    if match is None:
        return bare
    initial, final = match.groups()
    if final.endswith(("ing", "eng", "ang")):
        final = final[:-1]
    return _INITIALS.get(initial, initial) + final


def find_by_sound(needle: str, hay: str, *, worst: int = FUZZY) -> tuple[tuple[int, int], ...]:
    """All ``(start, end)`` in ``hay`` where ``needle`` sounds, in order; they may overlap."""
    return tuple((h.start, h.end) for h in _one(needle).find(hay) if h.grade <= worst)


@lru_cache(maxsize=1024)
def _one(needle: str) -> SoundMatcher:
    return SoundMatcher([needle])


class _Node:
    __slots__ = ("by_key", "by_written", "needles")

    def __init__(self) -> None:
        self.by_key: dict[str, _Node] = {}
        self.by_written: dict[str, list[_Node]] = {}
        self.needles: list[tuple[str, tuple[Syllable, ...]]] = []


class SoundMatcher:
    """Many needles compiled once; a text is read once whatever their number.

    A character written the same matches whatever its reading, so that a polyphone
    cannot hide a word. Needles without any spoken unit are ignored.
    """

    def __init__(self, needles: Iterable[str]) -> None:
        self._root = _Node()
        for needle in dict.fromkeys(needles):
            self._add(needle)

    def _add(self, needle: str) -> None:
        units = tuple(s for s in syllables(needle) if s.key)
        node = self._root
        for unit in units:
            child = node.by_key.get(unit.key)
            if child is None:
                child = node.by_key[unit.key] = _Node()
            same = node.by_written.setdefault(unit.written, [])
            if child not in same:
                same.append(child)
            node = child
        if units:
            node.needles.append((needle, units))

    def find(self, hay: str) -> Iterator[SoundHit]:
        """Every hit, by start and then from short to long; hits may overlap."""
        units = syllables(hay)
        keys, written = self._root.by_key, self._root.by_written
        for start, unit in enumerate(units):
            if unit.key in keys or unit.written in written:
                yield from self._from(units, start)

    def _from(self, units: tuple[Syllable, ...], start: int) -> Iterator[SoundHit]:
        nodes = [self._root]
        for at in range(start, len(units)):
            nodes = list(_step(nodes, units[at]))
            if not nodes:
                return
            for node in nodes:
                for needle, wanted in node.needles:
                    grade = max(map(_grade, wanted, units[start : at + 1]))
                    yield SoundHit(needle, units[start].start, units[at].end, grade)


def _step(nodes: list[_Node], unit: Syllable) -> Iterator[_Node]:
    if not unit.key:
        return
    for node in nodes:
        heard = node.by_key.get(unit.key)
        if heard is not None:
            yield heard
        for same in node.by_written.get(unit.written, ()):
            if same is not heard:
                yield same


def _grade(wanted: Syllable, heard: Syllable) -> int:
    if wanted.written == heard.written:
        return LITERAL
    if wanted.pinyin == heard.pinyin:
        return SAME_TONE
    same = wanted.pinyin.rstrip("12345") == heard.pinyin.rstrip("12345")
    return TONELESS if same else FUZZY


@lru_cache(maxsize=8192)
def _cached(text: str) -> tuple[Syllable, ...]:
    return tuple(_scan(text))


def _scan(text: str) -> Iterator[Syllable]:
    normal = normalise(text)
    straight = normal.offsets == tuple(range(len(normal.text) + 1))
    for match in _UNITS.finditer(normal.text):
        kind, start = match.lastgroup, match.start()
        if kind == "han":
            for n, (char, pinyin, key) in enumerate(_spoken(match.group()), start):
                span = (n, n + 1) if straight else normal.original_span(n, n + 1)
                yield Syllable(char, pinyin, key, *span)
        elif kind != "gap":
            word = match.group()
            span = normal.original_span(start, match.end())
            yield Syllable(word, word, word if kind == "word" else "", *span)


@lru_cache(maxsize=16384)
def _keys(run: str) -> tuple[str, ...]:
    return tuple(map(fold_syllable, readings(run)))


@lru_cache(maxsize=16384)
def _spoken(run: str) -> tuple[tuple[str, str, str], ...]:
    """Character, reading and folded reading of each; hosts say the same runs again and again."""
    return tuple((c, p, fold_syllable(p)) for c, p in zip(run, readings(run), strict=True))


def readings(run: str) -> list[str]:
    """Pinyin with tone numbers, one entry for each character of a run of Chinese characters.

    Words are cut by pypinyin's own phrase list (longest match), so that polyphones are
    read by phrase. A character without a known reading stands for itself.
    """
    from pypinyin.seg.mmseg import seg

    return [reading for word in seg.cut(run) for reading in _read(word)]


@lru_cache(maxsize=131072)
def _read(word: str) -> tuple[str, ...]:
    """The readings of one word of the phrase list, or of one character."""
    from pypinyin import Style, lazy_pinyin

    found = tuple(lazy_pinyin(word, style=Style.TONE3, errors=_APART))
    if len(found) == len(word):
        return found
    return tuple(lazy_pinyin(char, style=Style.TONE3, errors=_APART)[0] for char in word)


@lru_cache(maxsize=16384)
def all_readings(char: str) -> tuple[str, ...]:
    """Every known reading of one character, toned, without a claim to their order."""
    from pypinyin import Style, pinyin

    return tuple(dict.fromkeys(pinyin(char, style=Style.TONE3, heteronym=True, errors=_APART)[0]))
