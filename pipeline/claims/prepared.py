"""Lines made ready for the rules, all at once: what is asked of many lines together is cheap.

Each line gets its shape, the rules and cues that its words do not rule out, and the opinion of the
classifier. What follows from the line before (answers, corrections) is read in turn afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.claims.compiled import Possible, RuleBook
from pipeline.claims.learned import Opinion
from pipeline.claims.resolve import Repair, Resolver, apply
from pipeline.claims.shape import Shape, shape_of
from pipeline.model import Line

_UNREAD = ("comment", "clock")


class Prepared(NamedTuple):
    """A line to be read."""

    line: Line
    repairs: tuple[Repair, ...]
    shape: Shape
    possible: Possible
    opinion: Opinion | None
    """None for what stood on the screen."""

    @property
    def heard(self) -> bool:
        """Whether it was recognised."""
        return self.line.source == "speech" and bool(self.line.char_prob_pm)


def prepared(lines: Sequence[Line], *, resolver: Resolver, book: RuleBook) -> list[Prepared]:
    """The lines that may hold claims, in order."""
    read = [line for line in lines if line.role not in _UNREAD and line.text.strip()]
    repairs = [resolver.repairs(line.text) if line.char_prob_pm else () for line in read]
    shapes = [shape_of(apply(n.text, r)) for n, r in zip(read, repairs, strict=True)]
    possible = book.possible(shapes)
    ready = zip(read, repairs, shapes, possible, _opinions(read, shapes, book), strict=True)
    return [Prepared(*one) for one in ready]


def _opinions(
    lines: Sequence[Line], shapes: Sequence[Shape], book: RuleBook
) -> list[Opinion | None]:
    """Of what was said, each line with the line said before it."""
    spoken = [n for n, line in enumerate(lines) if line.source == "speech"]
    before = ["", *(shapes[n].text for n in spoken[:-1])]
    asked = [(shapes[n], text) for n, text in zip(spoken, before, strict=True)] if spoken else []
    out: list[Opinion | None] = [None] * len(lines)
    for n, opinion in zip(spoken, book.opinions(asked), strict=True):
        out[n] = opinion
    return out
