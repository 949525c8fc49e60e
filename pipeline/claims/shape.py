"""A line as rules see it: normalised, each numeral one ``#``, cut into clauses.

Rules are written against the shape (``#公斤``, ``假#赔#``), so that one pattern covers every way
of saying a number, and stay short enough to read. Spans found in the shape lead back to the
verbatim text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pipeline.claims.dialect import plain_speech
from pipeline.claims.pauses import left_out
from pipeline.text.normal import normalise
from pipeline.text.numerals import Number, find_numbers

_BREAKS = re.compile(
    r"[,。!?;…\n]+ ?|(?<=[a-z#%])\. ?(?![a-z0-9]\.)|(?<=[\u4e00-\u9fff#%])\.(?=[\u4e00-\u9fff]|$)"
)
_HAN = re.compile(r"[\u4e00-\u9fff]")
_BLANK = re.compile(r" (?=[\u4e00-\u9fff#])|(?<=[\u4e00-\u9fff]) ")

_WRITTEN = {"#": "♯", "\u2019": "'", "\u2018": "'", "\u2014": ","}
"""Characters that rules see in one way only."""


class Clause(NamedTuple):
    """A stretch of the shape between breaks, half-open."""

    start: int
    end: int


class Shape(NamedTuple):
    """The line in the form that rules match."""

    text: str
    """Normal form with every numeral replaced by ``#`` and its mark (``%``, ``块``)."""
    numbers: dict[int, Number]
    """Index of each ``#`` to its number."""
    starts: tuple[int, ...]
    """Verbatim start of each character, with the end of the text last."""
    ends: tuple[int, ...]
    """Verbatim end of each character."""
    clauses: tuple[Clause, ...]
    """In order, breaks left out."""
    chinese: bool
    """Whether the line holds Chinese characters."""

    def verbatim(self, start: int, end: int) -> tuple[int, int]:
        """The verbatim span of shape characters ``[start, end)``."""
        if start >= end or not self.ends:
            at = self.starts[min(start, len(self.starts) - 1)]
            return at, at
        return self.starts[start], self.ends[end - 1]

    def clause_of(self, at: int) -> Clause:
        """The clause that holds a character; the whole line when it stands on a break."""
        for clause in self.clauses:
            if clause.start <= at < clause.end:
                return clause
        return Clause(0, len(self.text))

    def written(self, start: int, end: int) -> str:
        """The shape's characters with the numerals as they were said."""
        piece = self.text[start:end]
        if "#" not in piece:
            return piece
        return "".join(self.numbers[start + i].text if c == "#" else c for i, c in enumerate(piece))


def shape_of(text: str) -> Shape:
    """The shape of a verbatim line. Total on any string."""
    normal = normalise(text)
    chars: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    numbers: dict[int, Number] = {}
    at = 0
    plain, offsets = plain_speech(normal.text), normal.offsets
    for number in find_numbers(plain):
        _copy(plain, at, number.start, offsets, chars, starts, ends)
        begin, stop = normal.original_span(number.start, number.end)
        numbers[len(chars)] = number
        for mark in "#" + number.mark:
            chars.append(mark)
            starts.append(begin)
            ends.append(stop)
        at = number.end
    _copy(plain, at, len(plain), offsets, chars, starts, ends)
    chinese = _HAN.search(plain) is not None
    if not chinese:
        numbers = _completed(chars, starts, ends, numbers)
    shape = "".join(chars)
    if ends and offsets[-1] < ends[-1]:
        ends[-1] = offsets[-1]
    return Shape(
        shape, numbers, (*starts, len(text)), tuple(ends), _clauses(shape, chinese), chinese
    )


def _copy(
    plain: str,
    start: int,
    end: int,
    offsets: tuple[int, ...],
    chars: list[str],
    starts: list[int],
    ends: list[int],
) -> None:
    for i in range(start, end):
        char = plain[i]
        chars.append(_WRITTEN.get(char, char))
        begin = offsets[i]
        stop = offsets[i + 1]
        starts.append(begin)
        ends.append(stop if stop > begin else begin + 1)


def _completed(
    chars: list[str], starts: list[int], ends: list[int], numbers: dict[int, Number]
) -> dict[int, Number]:
    """Puts in what the line lacks, each character at a point; the numbers where they are then."""
    added = left_out("".join(chars))
    for at, char in reversed(added):
        chars.insert(at, char)
        starts.insert(at, starts[at])
        ends.insert(at, starts[at])
    if not added:
        return numbers
    return {at + sum(a.at <= at for a in added): n for at, n in numbers.items()}


def _clauses(shape: str, chinese: bool) -> tuple[Clause, ...]:
    out, at = [], 0
    for found in _BREAKS.finditer(shape):
        if found.start() > at:
            out.append(Clause(at, found.start()))
        at = found.end()
    if at < len(shape):
        out.append(Clause(at, len(shape)))
    if not chinese:
        return tuple(out)
    return tuple(part for clause in out for part in _at_blanks(shape, clause))


def _at_blanks(shape: str, clause: Clause) -> list[Clause]:
    """A blank between Chinese characters is a pause."""
    out, at = [], clause.start
    for found in _BLANK.finditer(shape, clause.start, clause.end):
        if found.start() > at:
            out.append(Clause(at, found.start()))
        at = found.end()
    if at < clause.end:
        out.append(Clause(at, clause.end))
    return out
