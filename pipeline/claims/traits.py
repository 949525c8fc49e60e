"""What the classifier sees of a clause: its characters or words, its word lists, its neighbours.

A trait is a short string. Mandarin has groups of one to three characters, English groups of one
to three words and the words' first four letters; both have the lexicons of the rules (``Lmaterial``)
and whether a number is named. Of the clause before, the clause behind and the last clause of the
line before only the shorter traits are taken, marked ``p``, ``n`` and ``q``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pipeline.claims.shape import Shape

_WORD = re.compile(r"[a-z']+|#")
_LONGEST_WORD = 8
"""Characters of the longest Mandarin lexicon word looked for."""
_LONGEST_PHRASE = 4
"""Words of the longest English lexicon phrase looked for."""
_GROUP = 3
"""Characters or words of the longest group."""
_STEM = 4


class Seen(NamedTuple):
    """What is seen of a clause by itself."""

    grams: set[str]
    """Its groups, without the ``g`` of their traits."""
    short: set[str]
    """Those that its neighbours see as well."""
    others: tuple[str, ...]
    """Word lists and, last, its length, as traits."""

    @property
    def lists(self) -> tuple[str, ...]:
        """The word lists, which neighbours see as well."""
        return self.others[:-1]


class Traits:
    """Traits of clauses with the word lists of one language."""

    def __init__(self, lexicons: Mapping[str, Iterable[str]], *, chinese: bool) -> None:
        self._chinese = chinese
        self._lists: dict[str, list[str]] = {}
        for name, words in sorted(lexicons.items()):
            for word in words:
                self._lists.setdefault(word, []).append("L" + name)
        self._words = frozenset(self._lists)
        self._long = frozenset(w[:_GROUP] for w in self._words if len(w) > _GROUP)

    def of(self, shape: Shape, *, before: str = "") -> list[set[str]]:
        """The traits of each clause of a line, its neighbours' with their mark.

        ``before`` is the last clause of the line before.
        """
        seen = [self.seen(shape.text[c.start : c.end]) for c in shape.clauses]
        out = [{"g" + gram for gram in one.grams} | {*one.others} for one in seen]
        short = [{"g" + gram for gram in one.short} | {*one.lists} for one in seen]
        for n in range(1, len(out)):
            out[n] |= {"p" + trait for trait in short[n - 1]}
            out[n - 1] |= {"n" + trait for trait in short[n]}
        if out and before:
            last = self.seen(before)
            out[0] |= {"qg" + gram for gram in last.short} | {"q" + name for name in last.lists}
        return out

    def seen(self, text: str) -> Seen:
        """What is seen of one clause."""
        grams, short = _han(text) if self._chinese else _latin(text)
        found = {*(self._words & grams), *self._longer(text)}
        lists = {name for word in found for name in self._lists[word]}
        length = f"={min(6, len(text) // (3 if self._chinese else 12))}"
        return Seen(grams, short, (*lists, length))

    def _longer(self, text: str) -> Iterator[str]:
        """The words of the lists that are longer than a group."""
        if not self._chinese:
            words = _WORD.findall(text)
            phrases = (" ".join(words[n : n + _LONGEST_PHRASE]) for n in range(len(words) - _GROUP))
            yield from (phrase for phrase in phrases if phrase in self._words)
            return
        for n in range(len(text) - _GROUP):
            if text[n : n + _GROUP] in self._long:
                for end in range(n + _GROUP + 1, min(n + _LONGEST_WORD, len(text)) + 1):
                    if text[n:end] in self._words:
                        yield text[n:end]


def _han(text: str) -> tuple[set[str], set[str]]:
    """Groups of one to three characters and both ends; those of at most two characters."""
    edges = {"^" + text[:2], "$" + text[-2:]}
    short = {*text, *map(str.__add__, text, text[1:]), *(edge for edge in edges if len(edge) <= 2)}
    return {*short, *edges, *map("".join, zip(text, text[1:], text[2:], strict=False))}, short


def _latin(text: str) -> tuple[set[str], set[str]]:
    """Groups of one to three words and the words' beginnings; those without a blank."""
    words = _WORD.findall(text)
    short = {*words, *("~" + word[:_STEM] for word in words)}
    longer = (
        " ".join(words[n : n + size]) for size in (2, 3) for n in range(len(words) - size + 1)
    )
    return {*short, *longer}, short
