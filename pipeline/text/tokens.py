"""The one tokeniser: the same tokens for SQLite and Elasticsearch, made here.

A text is first *squashed*: normalised, simplified character by character (so that
a substring always simplifies as its text did), punctuation and blanks dropped
beside Chinese characters and turned into one blank between other words. Then

* ``grams``   overlapping pairs of characters (triples inside Latin words), at
  consecutive positions: a phrase of grams is exactly a substring of the squashed text;
* ``ones``    the distinct characters, for queries of one character;
* ``stems``   English stems, at consecutive positions;
* ``sounds``  overlapping pairs of folded pinyin syllables, at consecutive positions;
* ``syllables``  the folded syllables one by one, for a word that was heard almost right.

Tokens hold neither blanks nor ASCII punctuation, so that any tokeniser that splits
at blanks keeps them whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice, pairwise
from operator import add
from typing import Literal, NamedTuple

from pipeline.text.pinyin import pinyin_spellings
from pipeline.text.sound import Syllable, all_readings, fold_syllable, syllables, unit_keys
from pipeline.text.squash import BREAK, WIDE, kind_of, squash, squashed_text
from pipeline.text.stems import stem

Column = Literal["grams", "ones", "stems", "sounds", "syllables"]

TOKENS_VERSION = 2
"""Raised whenever the same text would give other tokens; part of every index's version."""

_PRIVATE = 0xE000
_REPEATED = re.compile(r"(.{1,4}?)\1{16,}", re.S)
_REPEATS_KEPT, _REPEATS_ASKED = 16, 8
_WORD = re.compile(rf"[a-zà-öø-ÿ]+|[0-9]+|{BREAK}")
_JOIN = "0"
_GAP = "00"
_MOST_NEAR = 12
_NUMERALS = frozenset("〇零一二两三四五六七八九十百千万亿半")
_TWO_NARROW = re.compile("[\\x00-\u024f\ue000-\ue07f]{2}")
_MAX_READINGS = 8
_LONGEST_TOKEN = 40


class Tokens(NamedTuple):
    """What one document is found by; each a blank-separated sequence."""

    grams: str
    """Overlapping characters, in order."""
    ones: str
    """Distinct characters."""
    stems: str
    """English stems and numbers, in order."""
    sounds: str
    """Overlapping syllables, in order."""
    syllables: str
    """Single syllables, in order."""


class TokenLists(NamedTuple):
    """:class:`Tokens` before they are joined."""

    grams: list[str]
    ones: list[str]
    stems: list[str]
    sounds: list[str]
    syllables: list[str]


class Phrase(NamedTuple):
    """Tokens that must stand one after the other in a column."""

    column: Column
    """Which column."""
    tokens: tuple[str, ...]
    """At least one."""
    prefix: bool = False
    """Whether the last token may be continued."""


class Near(NamedTuple):
    """A word but for a hole: syllables, then at most ``most`` others, then syllables."""

    before: tuple[str, ...]
    """May be empty."""
    after: tuple[str, ...]
    """May be empty."""
    most: int
    """Syllables that may stand in the hole; none may be missing altogether."""


class QueryTokens(NamedTuple):
    """One search term in its forms, each wider than the one before."""

    literal: Phrase | None
    """The writing; None when the term has no searchable character."""
    stem: Phrase | None
    """Same stems; None without Latin letters."""
    sounds: tuple[Phrase, ...]
    """Same sound, one entry for each reading tried."""
    near: tuple[Near, ...]
    """All but a syllable or two; none for a term of fewer than three."""


def index_tokens(*texts: str) -> Tokens:
    """The tokens of a document made of one or more texts."""
    return Tokens(*map(" ".join, token_lists(*texts)))


def token_lists(*texts: str) -> TokenLists:
    """The tokens of a document, one by one."""
    squashed = _clamp(BREAK.join(map(squashed_text, texts)), _REPEATS_KEPT)
    private = _private(squashed)
    sounds: list[str] = []
    single: list[str] = []
    for text in texts:
        keys = unit_keys(_clamp(text, _REPEATS_KEPT))
        pairs = _sound_pairs(keys)
        sounds += [_GAP, *pairs] if sounds and pairs else pairs
        units = _single(keys)
        single += [_GAP, *units] if single and units else units
    return TokenLists(
        grams=_grams(private)[0],
        ones=list(dict.fromkeys(private.replace(BREAK, ""))),
        stems=_stems(squashed),
        sounds=sounds,
        syllables=single,
    )


@lru_cache(maxsize=4096)
def column_tokens(*texts: str) -> str:
    """Grams and single characters in one sequence, for a field without stems and sounds."""
    tokens = index_tokens(*texts)
    return f"{tokens.grams} {tokens.ones}".strip()


@lru_cache(maxsize=1024)
def query_tokens(text: str) -> QueryTokens:
    """The forms of one search term (a word, or a quoted phrase)."""
    squashed = _clamp(squash(text).text, _REPEATS_ASKED)
    return QueryTokens(
        _literal(_private(squashed)), _stem_phrase(squashed), _sound_phrases(text), _nearly(text)
    )


def _clamp(text: str, repeats: int) -> str:
    """Endless repetitions (哈哈哈…, 买它买它…) cut down, so that they cost nothing."""
    if len(text) - len(set(text)) < repeats - 4:  # a repetition holds four characters at most
        return text
    return _REPEATED.sub(lambda m: m.group(1) * repeats, text)


def _private(text: str) -> str:
    """ASCII that is neither letter nor digit moved to the private-use area."""
    return text.translate(_PRIVATE_TABLE)


_PRIVATE_TABLE = {c: _PRIVATE + c for c in range(128) if not chr(c).isalnum()}


def _narrow(char: str) -> bool:
    """Whether the character belongs to triples (Latin letters, digits, blanks)."""
    return char < "\u0250" or "\ue000" <= char < "\ue080"


def _grams(text: str) -> tuple[list[str], bool]:
    """The grams of a text, and whether the last was cut short by the text's end."""
    if not _TWO_NARROW.search(text):
        return list(map(add, text, text[1:])), False
    narrow = [_narrow(c) for c in text]
    size, grams = len(text), []
    for at in range(size - 1):
        triple = narrow[at] and narrow[at + 1] and at + 2 < size and narrow[at + 2]
        grams.append(text[at : at + 3] if triple else text[at : at + 2])
    cut = size >= 2 and narrow[-1] and narrow[-2]
    return grams, cut


def _literal(text: str) -> Phrase | None:
    """The phrase that is exactly this substring."""
    if len(text) < 2:
        return Phrase("ones", (text,)) if text else None
    grams, cut = _grams(text)
    if cut and len(grams) > 1 and len(grams[-2]) == 3:
        return Phrase("grams", tuple(grams[:-1]))  # the triple before already holds both characters
    return Phrase("grams", tuple(grams), prefix=cut)


def _stems(squashed: str) -> list[str]:
    return [stem(word)[:_LONGEST_TOKEN] for word in _WORD.findall(squashed)]


def _stem_phrase(squashed: str) -> Phrase | None:
    words = tuple(_stems(squashed))
    if not words or any(kind_of(c) == WIDE for c in squashed):
        return None
    return Phrase("stems", words) if any(w[0].isalpha() for w in words) else None


def _sound_pairs(keys: list[str]) -> list[str]:
    """Neighbouring syllables; a break interrupts the positions."""
    pairs: list[str] = []
    for one, two in pairwise(keys):
        if one and two:
            pairs.append(_pair(one, two))
        elif pairs and pairs[-1] != _GAP:
            pairs.append(_GAP)
    return pairs


def _single(keys: Iterable[str]) -> list[str]:
    """Each syllable by itself; a break stands as one token."""
    found: list[str] = []
    for key in keys:
        if key:
            found.append(_unit(key))
        elif found and found[-1] != _GAP:
            found.append(_GAP)
    return found


def _unit(key: str) -> str:
    return key[:_LONGEST_TOKEN].replace(".", "p")


def _nearly(text: str) -> tuple[Near, ...]:
    """A term in Chinese with one syllable heard otherwise or not at all, or two of five and more.

    A number is never taken for another.
    """
    units = [u for u in syllables(_clamp(text, _REPEATS_ASKED)) if u.key]
    keys = tuple(_unit(u.key) for u in units)
    if not 3 <= len(keys) <= _MOST_NEAR or not all(kind_of(u.written[0]) == WIDE for u in units):
        return ()
    return tuple(
        Near(keys[:at], keys[at + size :], size)
        for size in ((1, 2) if len(keys) >= 5 else (1,))
        for at in range(len(keys) - size + 1)
        if not any(unit.written in _NUMERALS for unit in units[at : at + size])
    )


def near_spans(text: str, nears: tuple[Near, ...]) -> Iterator[tuple[int, int]]:
    """Where a text sounds nearly like a term, as ``[start, end)`` in the text."""
    units = syllables(text)
    keys = tuple(_unit(u.key) if u.key else _GAP for u in units)
    for near in nears:
        head, tail = len(near.before), len(near.after)
        for at in range(len(keys)):
            for hole in range(near.most + 1) if head and tail else (0,):
                end = at + head + hole + tail
                if keys[at : at + head] == near.before and keys[end - tail : end] == near.after:
                    yield units[at].start, units[min(end, len(units)) - 1].end


@lru_cache(maxsize=65536)
def _pair(one: str, two: str) -> str:
    """One token; the point of a number is written ``p``, so that no tokeniser splits there."""
    return f"{one[:_LONGEST_TOKEN]}{_JOIN}{two[:_LONGEST_TOKEN]}".replace(".", "p")


def _sound_phrases(text: str) -> tuple[Phrase, ...]:
    """The ways a term may sound: readings of its characters, or typed pinyin."""
    units = [u for u in syllables(_clamp(text, _REPEATS_ASKED)) if u.key]
    wide = any(kind_of(u.written[0]) == WIDE for u in units)
    spoken = _spoken(units) if wide else pinyin_spellings([u.written for u in units])
    found = dict.fromkeys(islice((keys for keys in spoken if len(keys) > 1), _MAX_READINGS))
    return tuple(Phrase("sounds", tuple(_pair(a, b) for a, b in pairwise(keys))) for keys in found)


def sound_spans(text: str, phrases: tuple[Phrase, ...]) -> Iterator[tuple[int, int]]:
    """Where a text sounds like one of the phrases, as ``[start, end)`` in the text."""
    units = syllables(text)
    pairs = [_pair(a.key, b.key) if a.key and b.key else "" for a, b in pairwise(units)]
    for phrase in phrases:
        wanted = list(phrase.tokens)
        for at in range(len(pairs) - len(wanted) + 1):
            if pairs[at : at + len(wanted)] == wanted:
                yield units[at].start, units[at + len(wanted)].end


def _spoken(units: list[Syllable]) -> Iterator[tuple[str, ...]]:
    """The reading by phrase, then every other reading of one character at a time."""
    keys = tuple(u.key for u in units)
    yield keys
    for at, unit in enumerate(units):
        if kind_of(unit.written[0]) == WIDE:
            for other in dict.fromkeys(map(fold_syllable, all_readings(unit.written))):
                if other != unit.key:
                    yield (*keys[:at], other, *keys[at + 1 :])
