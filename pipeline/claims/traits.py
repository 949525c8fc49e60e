"""What the classifier sees of a clause: its characters or words, its word lists, its neighbours.

A trait is a short string. Mandarin has groups of one to three characters, English groups of one
to three words and the words' first four letters; both have the lexicons of the rules (``Lmaterial``)
and whether a number is named. Of the clause before, the clause behind and the last clause of the
line before only the shorter traits are taken, marked ``p``, ``n`` and ``q``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from pipeline.claims.shape import Shape

_WORD = re.compile(r"[a-z']+|#")
_LONGEST_WORD = 8
"""Characters of the longest Mandarin lexicon word looked for."""
_LONGEST_PHRASE = 4
"""Words of the longest English lexicon phrase looked for."""
_STEM = 4


class Traits:
    """Traits of clauses with the word lists of one language."""

    def __init__(self, lexicons: Mapping[str, Iterable[str]], *, chinese: bool) -> None:
        self._chinese = chinese
        self._lists: dict[str, list[str]] = {}
        for name, words in sorted(lexicons.items()):
            for word in words:
                self._lists.setdefault(word, []).append(name)

    def parts(self, shape: Shape, *, before: str = "") -> list[dict[str, set[str]]]:
        """Of each clause of a line: its own traits under ``""``, its neighbours' by their mark.

        ``before`` is the last clause of the line before.
        """
        own = [self._own(shape.text[c.start : c.end]) for c in shape.clauses]
        short = [self._short(traits) for traits in own]
        out: list[dict[str, set[str]]] = [{"": traits} for traits in own]
        for n, part in enumerate(out[1:]):
            part["p"], out[n]["n"] = short[n], short[n + 1]
        if out and before:
            out[0]["q"] = self._short(self._own(before))
        return out

    def of(self, shape: Shape, *, before: str = "") -> list[set[str]]:
        """The same with each trait written out with its mark."""
        parts = self.parts(shape, before=before)
        return [{mark + t for mark, found in part.items() for t in found} for part in parts]

    def _own(self, text: str) -> set[str]:
        grams = _han(text) if self._chinese else _latin(text)
        traits = {"g" + gram for gram in grams}
        for gram in self._phrases(text):
            traits.update("L" + name for name in self._lists.get(gram, ()))
        traits.add(f"={min(6, len(text) // (3 if self._chinese else 12))}")
        return traits

    def _phrases(self, text: str) -> Iterator[str]:
        if self._chinese:
            for n in range(len(text)):
                for size in range(1, min(_LONGEST_WORD, len(text) - n) + 1):
                    yield text[n : n + size]
            return
        words = _WORD.findall(text)
        for n in range(len(words)):
            for size in range(1, min(_LONGEST_PHRASE, len(words) - n) + 1):
                yield " ".join(words[n : n + size])

    def _short(self, traits: set[str]) -> set[str]:
        if self._chinese:
            return {t for t in traits if t[0] == "L" or (t[0] == "g" and len(t) <= 3)}
        return {t for t in traits if t[0] == "L" or (t[0] == "g" and " " not in t)}


def _han(text: str) -> Iterator[str]:
    for size in (1, 2, 3):
        for n in range(len(text) - size + 1):
            yield text[n : n + size]
    yield "^" + text[:2]
    yield "$" + text[-2:]


def _latin(text: str) -> Iterator[str]:
    words = _WORD.findall(text)
    for size in (1, 2, 3):
        for n in range(len(words) - size + 1):
            yield " ".join(words[n : n + size])
    yield from ("~" + word[:_STEM] for word in words)
