"""The one tokeniser: the same tokens for SQLite and Elasticsearch, made here.

A text is first *squashed*: normalised, simplified character by character (so that
a substring always simplifies as its text did), punctuation and blanks dropped
beside Chinese characters and turned into one blank between other words. Then

* ``grams``   overlapping pairs of characters (triples inside Latin words), at
  consecutive positions: a phrase of grams is exactly a substring of the squashed text;
* ``ones``    the distinct characters, for queries of one character;
* ``stems``   English stems, at consecutive positions;
* ``sounds``  overlapping pairs of folded pinyin syllables, at consecutive positions.

Tokens hold neither blanks nor ASCII punctuation, so that any tokeniser that splits
at blanks keeps them whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice, pairwise
from typing import Literal, NamedTuple

from pipeline.text.normal import Normal, normalise, to_simplified
from pipeline.text.pinyin import pinyin_spellings
from pipeline.text.sound import Syllable, all_readings, fold_syllable, syllables
from pipeline.text.stems import stem

Column = Literal["grams", "ones", "stems", "sounds"]

TOKENS_VERSION = 1
"""Raised whenever the same text would give other tokens; part of every index's version."""

BREAK = "\uf8ff"
"""Stands between texts that are indexed together; no phrase crosses it."""

_SEPARATOR, _WIDE, _NARROW = range(3)
_KEPT_PUNCTUATION = "%‰&#@"
_PRIVATE = 0xE000
_SAME = {"著": "着", "藉": "借", "馀": "余", "餘": "余", "乾": "干", "徵": "征"}
_REPEATED = re.compile(r"(.{1,4}?)\1{16,}", re.S)
_REPEATS_KEPT, _REPEATS_ASKED = 16, 8
_WORD = re.compile(rf"[a-zà-öø-ÿ]+|[0-9]+|{BREAK}")
_JOIN = "0"
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


class Phrase(NamedTuple):
    """Tokens that must stand one after the other in a column."""

    column: Column
    """Which column."""
    tokens: tuple[str, ...]
    """At least one."""
    prefix: bool = False
    """Whether the last token may be continued."""


class Squashed(NamedTuple):
    """A text without what stands between its words, and where each character comes from."""

    text: str
    """The form in which substrings are looked for."""
    spans: tuple[tuple[int, int], ...]
    """``[start, end)`` in the original of each character."""

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """The original's ``[start, end)`` for characters ``[start, end)``; not empty."""
        return self.spans[start][0], self.spans[end - 1][1]


class QueryTokens(NamedTuple):
    """One search term in its forms, each wider than the one before."""

    literal: Phrase | None
    """The writing; None when the term has no searchable character."""
    stem: Phrase | None
    """Same stems; None without Latin letters."""
    sounds: tuple[Phrase, ...]
    """Same sound, one entry for each reading tried."""


def index_tokens(*texts: str) -> Tokens:
    """The tokens of a document made of one or more texts."""
    squashed = _clamp(BREAK.join(squash(t).text for t in texts), _REPEATS_KEPT)
    spoken = [_sound_pairs(syllables(_clamp(t, _REPEATS_KEPT))) for t in texts]
    return Tokens(
        grams=" ".join(_grams(_private(squashed))[0]),
        ones=" ".join(dict.fromkeys(_private(squashed.replace(BREAK, "")))),
        stems=" ".join(_stems(squashed)),
        sounds=" 00 ".join(" ".join(pairs) for pairs in spoken if pairs),
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
    return QueryTokens(_literal(_private(squashed)), _stem_phrase(squashed), _sound_phrases(text))


def squash(text: str) -> Squashed:
    """The form in which substrings are looked for, traced to ``text``.

    A substring of a text always squashes to a substring of the text's squashed form.
    """
    normal = normalise(text)
    simple = normal.text.translate(_simple_table())
    chars: list[str] = []
    places: list[int] = []
    before, gap = _WIDE, -1
    for at, char in enumerate(simple):
        kind = _kind(char)
        if kind == _SEPARATOR and not _decimal_point(simple, at):
            gap = at if gap < 0 else gap
            continue
        kind = _NARROW if kind == _SEPARATOR else kind
        if gap >= 0 and before == kind == _NARROW:
            chars.append(" ")
            places.append(gap)
        chars.append(char)
        places.append(at)
        before, gap = kind, -1
    return Squashed("".join(chars), tuple(_spans(normal, places)))


def _spans(normal: Normal, places: list[int]) -> Iterator[tuple[int, int]]:
    """The original span of each kept character; characters of one origin share it."""
    offsets = normal.offsets
    for at in places:
        start = end = offsets[at]
        following = at + 1
        while end == start and following < len(offsets):
            end, following = offsets[following], following + 1
        yield start, end


def _decimal_point(text: str, at: int) -> bool:
    """Whether the character is a point between two digits."""
    return text[at] == "." and at > 0 and text[at - 1].isdigit() and text[at + 1 : at + 2].isdigit()


@lru_cache(maxsize=65536)
def _kind(char: str) -> int:
    """Separator, a script written without blanks, or any other character."""
    if char >= "\u2e80" and ("\u3400" <= char <= "\u9fff" or "\u3040" <= char <= "\u30ff"):
        return _WIDE
    if char == BREAK or char == "\u3007" or "\uf900" <= char <= "\ufaff" or char >= "\U00020000":
        return _WIDE
    if char in _KEPT_PUNCTUATION:
        return _NARROW
    return _SEPARATOR if unicodedata.category(char)[0] in "PZC" else _NARROW


@lru_cache(maxsize=1)
def _simple_table() -> dict[int, str]:
    """Traditional to Simplified for single characters, without any context."""
    chars = [chr(c) for c in (*range(0x3400, 0xA000), *range(0xF900, 0xFB00))]
    simple = to_simplified("\n".join(chars)).split("\n")
    table = {ord(a): b for a, b in zip(chars, simple, strict=True) if a != b and len(b) == 1}
    return {**table, **{ord(a): b for a, b in _SAME.items()}}


def _clamp(text: str, repeats: int) -> str:
    """Endless repetitions (哈哈哈…, 买它买它…) cut down, so that they cost nothing."""
    return _REPEATED.sub(lambda m: m.group(1) * repeats, text) if len(text) > repeats else text


def _private(text: str) -> str:
    """ASCII that is neither letter nor digit moved to the private-use area."""
    return text.translate(_PRIVATE_TABLE)


_PRIVATE_TABLE = {c: _PRIVATE + c for c in range(128) if not chr(c).isalnum()}


def _narrow(char: str) -> bool:
    """Whether the character belongs to triples (Latin letters, digits, blanks)."""
    return char < "\u0250" or "\ue000" <= char < "\ue080"


def _grams(text: str) -> tuple[list[str], bool]:
    """The grams of a text, and whether the last was cut short by the text's end."""
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
    if not words or any(_kind(c) == _WIDE for c in squashed):
        return None
    return Phrase("stems", words) if any(w[0].isalpha() for w in words) else None


def _sound_pairs(units: tuple[Syllable, ...]) -> list[str]:
    """Neighbouring syllables; a break interrupts the positions."""
    pairs = []
    for one, two in pairwise(units):
        if one.key and two.key:
            pairs.append(_pair(one.key, two.key))
        elif pairs and pairs[-1] != "00":
            pairs.append("00")
    return pairs


def _pair(one: str, two: str) -> str:
    """One token; the point of a number is written ``p``, so that no tokeniser splits there."""
    return f"{one[:_LONGEST_TOKEN]}{_JOIN}{two[:_LONGEST_TOKEN]}".replace(".", "p")


def _sound_phrases(text: str) -> tuple[Phrase, ...]:
    """The ways a term may sound: readings of its characters, or typed pinyin."""
    units = [u for u in syllables(_clamp(text, _REPEATS_ASKED)) if u.key]
    wide = any(_kind(u.written[0]) == _WIDE for u in units)
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
        if _kind(unit.written[0]) == _WIDE:
            for other in dict.fromkeys(map(fold_syllable, all_readings(unit.written))):
                if other != unit.key:
                    yield (*keys[:at], other, *keys[at + 1 :])
