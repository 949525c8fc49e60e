"""Which colour lies within which: 藏青 and navy are blue, in either language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.claims.rules import Language, Lexicon


class ColourFamilies:
    """Families from the lexicons' ``family`` tables and the names of colours across languages."""

    def __init__(
        self,
        lexicons: Mapping[tuple[str, Language], Lexicon],
        across: Mapping[str, str],
    ) -> None:
        self._across = {_bare(k): v for k, v in across.items()}
        self._above: dict[str, set[str]] = {}
        for lexicon in lexicons.values():
            for family, members in lexicon.family.items():
                for member in members:
                    self._above.setdefault(self._one(member), set()).add(self._one(family))

    def _one(self, word: str) -> str:
        bare = _bare(word)
        return self._across.get(bare, bare)

    def within(self, word: str) -> set[str]:
        """The colour's own name, in one language, and its families'."""
        own = self._one(word)
        ending = {self._one(own[-1:])} if not own.isascii() and own[-1:] in self._across else set()
        return {own} | self._above.get(own, set()) | ending

    def meet(self, said: Iterable[str], listed: Iterable[str]) -> bool:
        """Whether one said is one listed, or one of the two lies within the other."""
        ours, theirs = list(said), list(listed)
        return any(
            self._one(a) in self.within(b) or self._one(b) in self.within(a)
            for a in ours
            for b in theirs
        )


def _bare(word: str) -> str:
    word = word.strip().lower()
    return word.removesuffix("色") or word
