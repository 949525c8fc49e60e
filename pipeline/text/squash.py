"""The form in which substrings are looked for, with every character traced to its original."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pipeline.text.normal import Normal, normal_text, normalise, to_simplified

BREAK = "\uf8ff"
"""Stands between texts that are indexed together; no phrase crosses it."""

_SEPARATOR, WIDE, _NARROW = range(3)
_KEPT_PUNCTUATION = "%‰&#@"
_SAME = {"著": "着", "藉": "借", "馀": "余", "餘": "余", "乾": "干", "徵": "征"}
_KEPT = re.compile("[wn]+")
_MAY_BE_POINT = re.compile(r"\w\.\w")


class Squashed(NamedTuple):
    """A text without what stands between its words, and where each character comes from."""

    text: str
    """The form in which substrings are looked for."""
    spans: tuple[tuple[int, int], ...]
    """``[start, end)`` in the original of each character."""

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """The original's ``[start, end)`` for characters ``[start, end)``; not empty."""
        return self.spans[start][0], self.spans[end - 1][1]


def squashed_text(text: str) -> str:
    """The text of :func:`squash`, without the offsets, several times as fast."""
    simple = normal_text(text).translate(_simple_table())
    kinds = simple.translate(_KINDS)
    if "s" not in kinds:
        return simple
    if _MAY_BE_POINT.search(simple):
        return squash(text).text
    found, before = "", ""
    for match in _KEPT.finditer(kinds):
        start, end = match.span()
        apart = " " if before == "n" == kinds[start] else ""
        found += apart + simple[start:end]
        before = kinds[end - 1]
    return found


def squash(text: str) -> Squashed:
    """The form in which substrings are looked for, traced to ``text``.

    A substring of a text always squashes to a substring of the text's squashed form.
    """
    normal = normalise(text)
    simple = normal.text.translate(_simple_table())
    kinds = simple.translate(_KINDS)
    if "." in simple:
        kinds = "".join(
            "n" if char == "." and _decimal_point(simple, at) else kinds[at]
            for at, char in enumerate(simple)
        )
    found, places, before, end = "", list[int](), "", 0
    for match in _KEPT.finditer(kinds):
        start, gap = match.start(), end
        end = match.end()
        if before == "n" == kinds[start]:
            found += " "
            places.append(gap)
        found += simple[start:end]
        places += range(start, end)
        before = kinds[end - 1]
    return Squashed(found, tuple(_spans(normal, places)))


def _spans(normal: Normal, places: list[int]) -> Iterator[tuple[int, int]]:
    """The original span of each kept character; characters of one origin share it."""
    offsets = normal.offsets
    if offsets == tuple(range(len(offsets))):
        yield from ((at, at + 1) for at in places)
        return
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
def kind_of(char: str) -> int:
    """Separator, a script written without blanks, or any other character."""
    if char >= "\u2e80" and ("\u3400" <= char <= "\u9fff" or "\u3040" <= char <= "\u30ff"):
        return WIDE
    if char == BREAK or char == "\u3007" or "\uf900" <= char <= "\ufaff" or char >= "\U00020000":
        return WIDE
    if char in _KEPT_PUNCTUATION:
        return _NARROW
    return _SEPARATOR if unicodedata.category(char)[0] in "PZC" else _NARROW


class _Kinds(dict[int, str]):
    """For ``str.translate``: each character as the first letter of its kind."""

    def __missing__(self, code: int) -> str:
        kind = self[code] = "swn"[kind_of(chr(code))]
        return kind


_KINDS = _Kinds()


@lru_cache(maxsize=1)
def _simple_table() -> dict[int, str]:
    """Traditional to Simplified for single characters, without any context."""
    chars = [chr(c) for c in (*range(0x3400, 0xA000), *range(0xF900, 0xFB00))]
    simple = to_simplified("\n".join(chars)).split("\n")
    table = {ord(a): b for a, b in zip(chars, simple, strict=True) if a != b and len(b) == 1}
    return {**table, **{ord(a): b for a, b in _SAME.items()}}
