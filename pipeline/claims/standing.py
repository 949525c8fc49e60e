"""What a statement is worth: denied, softened, asked, supposed, someone else's.

Cues with scope ``left`` and ``right`` touch the quote and become part of it; the others mark a
stretch of the line. What lies in a marked stretch is no claim of the host.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.claims.compiled import RunCue
from pipeline.claims.shape import Clause, Shape
from pipeline.model import Polarity

DROPS = frozenset(
    {
        "question", "hypothetical", "other_channel", "comparison", "scarcity", "past",
        "opinion", "joke", "chat", "quoted", "announce",
    }
)  # fmt: skip
"""Cue kinds that keep a statement from being a claim."""


_EXACT = frozenset({"price", "price_guarantee", "quantity", "colour"})
"""Claim types whose numbers are counted out, however they are said."""
_OWN = re.compile(
    r"(?:我们|咱们?|我家|我这儿?|本店)(?:这[里边儿]?|家|直播间|店里?)?(?:今天|今晚|现在)?[只才就也]?[要卖是收]?#"
)
"""Where a host who named another's price comes to the own one without a pause."""
_BARELY = 3
"""Characters that a clause may have besides a cue and still say nothing else."""
_NEIGHBOURS = re.compile(
    r"(?<![一二三四五六七八九])(?:一两|两三|二三|三四|三五|四五|五六|六七|七八|八九)(?![一二三四五六七八九])"
)


class Mark(NamedTuple):
    """A stretch of the shape under a cue, half-open, with the cue's own words."""

    start: int
    end: int
    cue: RunCue
    words: tuple[int, int]

    @property
    def kind(self) -> str:
        """The cue's kind."""
        return self.cue.cue.kind


class Touch(NamedTuple):
    """A quote after the cues beside it: widened, perhaps turned, perhaps softened."""

    start: int
    end: int
    polarity: Polarity
    hedged: bool
    cues: tuple[tuple[str, int, int], ...]


class LineCues:
    """The cues of one line."""

    def __init__(self, shape: Shape, possible: Sequence[RunCue]) -> None:
        self._shape = shape
        self._left = [c for c in possible if c.cue.scope == "left"]
        self._right = [c for c in possible if c.cue.scope == "right"]
        self._inside = [c for c in possible if c.cue.scope == "inside"]
        self.marks = tuple(
            mark
            for c in possible
            if c.cue.scope not in ("left", "right", "inside")
            for mark in _marks(shape, c)
        )

    def over(self, start: int, end: int, claim_type: str) -> list[Mark]:
        """The marks that cover the middle of a quote and concern its type."""
        middle = (start + end) // 2
        return [m for m in self.marks if m.start <= middle < m.end and m.cue.concerns(claim_type)]

    def touch(
        self, start: int, end: int, *, claim_type: str, polarity: Polarity, negatable: bool
    ) -> Touch:
        """The quote with the negations and hedges beside it taken in."""
        clause = self._shape.clause_of(start)
        hedged, turned = False, polarity == "negate"
        found: list[tuple[str, int, int]] = []
        left_open = right_open = True
        for _ in range(3):
            hit = self._beside_left(clause, start, claim_type, negatable) if left_open else None
            left_open = hit is not None
            if hit:
                kind, start = hit[0], hit[1]
                found.append(hit)
                hedged, turned = hedged or kind == "hedge", turned != (kind in ("negate", "flip"))
            hit = self._beside_right(end, claim_type, negatable) if right_open else None
            right_open = hit is not None
            if hit:
                kind, end = hit[0], hit[2]
                found.append(hit)
                hedged, turned = hedged or kind == "hedge", turned != (kind in ("negate", "flip"))
            if not left_open and not right_open:
                break
        for cue in self._inside:
            hit_inside = cue.pattern.regex.search(self._shape.text, start, end)
            if hit_inside and cue.concerns(claim_type):
                hedged = hedged or cue.cue.kind == "hedge"
                found.append((cue.cue.kind, *hit_inside.span()))
        for at in self._loose(start, end) if claim_type not in _EXACT else ():
            hedged = True
            found.append(("hedge", at, at + 1))
        return Touch(start, end, "negate" if turned else "affirm", hedged, tuple(found))

    def _loose(self, start: int, end: int) -> list[int]:
        """Where numbers stand that are said as more or less: 十来, 三十多, 两三."""
        return [
            at for at, number in self._shape.numbers.items()
            if start <= at < end and (number.approx or _NEIGHBOURS.search(number.text))
        ]  # fmt: skip

    def _beside_left(
        self, clause: Clause, start: int, claim_type: str, negatable: bool
    ) -> tuple[str, int, int] | None:
        prefix = self._shape.text[min(clause.start, start) : start]
        if not prefix:
            return None
        for cue in self._left:
            if cue.cue.kind in ("negate", "flip") and not negatable:
                continue
            if cue.concerns(claim_type) and (hit := cue.pattern.regex.search(prefix)):
                at = min(clause.start, start) + hit.start()
                return cue.cue.kind, at, start
        return None

    def _beside_right(
        self, end: int, claim_type: str, negatable: bool
    ) -> tuple[str, int, int] | None:
        for cue in self._right:
            if cue.cue.kind in ("negate", "flip") and not negatable:
                continue
            if cue.concerns(claim_type) and (hit := cue.pattern.regex.match(self._shape.text, end)):
                return cue.cue.kind, end, hit.end()
        return None


def _marks(shape: Shape, cue: RunCue) -> list[Mark]:
    text, scope = shape.text, cue.cue.scope
    if scope in ("clause", "beside"):
        return [
            Mark(*_reach(shape, n, hit.span(), scope), cue, hit.span())
            for n, c in enumerate(shape.clauses)
            if (hit := cue.pattern.regex.search(text, c.start, c.end))
        ]
    out = []
    for hit in cue.pattern.regex.finditer(text):
        start = 0 if scope in ("line", "next") else hit.start()
        end = hit.end() if scope == "match" else len(text)
        if cue.cue.kind == "other_channel" and (own := _OWN.search(text, start, end)):
            end = own.start()
        out.append(Mark(start, end, cue, hit.span()))
    return out[:1] if scope in ("line", "next") else out


def _reach(shape: Shape, number: int, words: tuple[int, int], scope: str) -> Clause:
    """The clause; beside words that are all of it, the one that follows, or the last one's before."""
    clause, clauses = shape.clauses[number], shape.clauses
    said = clause.end - clause.start - (words[1] - words[0])
    if scope == "clause" or said > _BARELY or len(clauses) == 1:
        return clause
    if number + 1 == len(clauses):
        return Clause(clauses[number - 1].start, clause.end)
    return Clause(clause.start, clauses[number + 1].end)
