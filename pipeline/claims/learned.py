"""How likely a clause makes a claim of each type, by what labelled speech taught.

A linear classifier a language over the traits of a clause, one against the rest for every claim
type, trained by ``benchmarks/train_claims.py``. Weights are whole numbers (thousandths of a
logit), so that every machine adds up the same. It finds what no rule's wording foresees, and
doubts what a rule saw where nobody would promise anything; it never makes a value by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.claims.shape import Clause, Shape
from pipeline.claims.traits import Seen, Traits

IMPOSSIBLE = 2_000
"""So far below ``unlikely`` (seven times less likely) even a firm rule is overruled."""
RIVAL = 2_000
"""Where another type is likely and so much likelier (seven times), the words claim that instead."""
View = Literal["", "sure", "learned", "doubted", "unlikely", "impossible"]
"""None; surely a claim; found by the classifier alone and not surely; a rule's claim to hear; one
to drop where the rule is weak; one to drop."""
_AT_ONCE = 64
"""Lines scored at once."""
_CLAUSES_KEPT = 4096
_LAST = re.compile(r"[^,。!?;…]*$")
Scores = NDArray[np.int32]
"""Shape ``(clauses, types)``, thousandths of a logit."""


class Bounds(NamedTuple):
    """Where a classifier's word counts, in thousandths of a logit."""

    sure: int
    """From here a clause that only the classifier found, or only a weak rule, needs no review for
    that."""
    likely: int
    """From here a clause is read though no rule's wording covers it."""
    doubted: int
    """Below it what a rule found goes to review."""
    unlikely: int
    """Below it what a weak rule found is dropped."""


class Opinion(NamedTuple):
    """What a classifier holds of a line."""

    shape: Shape
    scores: Sequence[Sequence[int]]
    """Of every clause, for every type, in thousandths of a logit."""
    types: dict[str, int]
    bounds: Bounds

    def view(self, claim_type: str, start: int, end: int, *, heard: bool = False) -> View:
        """Of a statement at ``[start, end)`` of the shape, by the best of the clauses it touches.

        Of recognised words no rival is asked: misheard ones look like a claim of another type.
        """
        column = self.types[claim_type]
        touched = [
            row
            for c, row in zip(self.shape.clauses, self.scores, strict=True)
            if c.start < end and start < c.end
        ]
        best = max((row[column] for row in touched), default=self.bounds.likely)
        rival = max(map(max, touched), default=best)
        if not heard and best < self.bounds.likely <= rival and rival - best >= RIVAL:
            return "impossible"
        if best < self.bounds.unlikely:
            return "impossible" if best < self.bounds.unlikely - IMPOSSIBLE else "unlikely"
        if best < self.bounds.doubted:
            return "doubted"
        return "sure" if best >= self.bounds.sure else ""

    def likely(self) -> Iterator[tuple[Clause, str, View]]:
        """Every clause with the types it is likely to claim, likeliest first."""
        names, bounds = list(self.types), self.bounds
        for clause, row in zip(self.shape.clauses, self.scores, strict=True):
            if max(row) < bounds.likely:
                continue
            found = (n for n, score in enumerate(row) if score >= bounds.likely)
            for column in sorted(found, key=lambda n: (-row[n], n)):
                yield clause, names[column], "sure" if row[column] >= bounds.sure else "learned"


class _Model(NamedTuple):
    places: dict[str, int]
    """Trait to row; row 0 is nothing, so that no clause is empty."""
    weights: Scores
    bias: NDArray[np.int32]
    types: dict[str, int]
    bounds: Bounds


class _Places(NamedTuple):
    """Trait to row, of one mark; groups apart, so that no name is put together while reading."""

    grams: dict[str, int]
    others: dict[str, int]

    def rows(self, grams: set[str], others: Iterable[str]) -> list[int]:
        """The rows of what is known."""
        known = self.grams.keys() & grams
        return [
            *map(self.grams.__getitem__, known),
            *(self.others[name] for name in others if name in self.others),
        ]


class _Rows(NamedTuple):
    """What a clause adds: to its own score, and to those of its neighbours."""

    own: list[int]
    to_next: list[int]
    to_last: list[int]
    to_next_line: list[int]


_NO_ROWS = _Rows([], [], [], [])


class Learned:
    """The classifier of one language; loaded when first asked."""

    def __init__(self, path: Path, traits: Traits) -> None:
        self._path, self._traits = path, traits
        self._rows = lru_cache(maxsize=_CLAUSES_KEPT)(self._rows_of)

    @cached_property
    def _model(self) -> _Model:
        with np.load(self._path, allow_pickle=False) as held:
            names = bytes(held["traits"]).decode().split("\n")
            types = bytes(held["types"]).decode().split("\n")
            weights, bias = held["weights"].astype(np.int32), held["bias"].astype(np.int32)
            weights = np.vstack([np.zeros_like(weights[:1]), weights])
            bounds = Bounds(*(int(n) for n in held["bounds"]))
        places = {n: i for i, n in enumerate(names, 1)}
        return _Model(places, weights, bias, {t: i for i, t in enumerate(types)}, bounds)

    @cached_property
    def _marked(self) -> dict[str, _Places]:
        out = {mark: _Places({}, {}) for mark in ("", "p", "n", "q")}
        for name, row in self._model.places.items():
            mark = name[0] if name[0] in "pnq" else ""
            trait = name[len(mark) :]
            if trait[0] == "g":
                out[mark].grams[trait[1:]] = row
            else:
                out[mark].others[trait] = row
        return out

    def opinion(self, shape: Shape, *, before: str = "") -> Opinion:
        """Of a line; ``before`` is the shape of the line before."""
        return self.opinions([(shape, before)])[0]

    def opinions(self, lines: Sequence[tuple[Shape, str]]) -> list[Opinion]:
        """Of many lines, each with the shape of the line before."""
        out: list[Opinion] = []
        for first in range(0, len(lines), _AT_ONCE):
            some = lines[first : first + _AT_ONCE]
            scores = iter(self._scores([rows for line in some for rows in self._clauses(*line)]))
            for shape, _ in some:
                mine = [next(scores) for _ in shape.clauses]
                out.append(Opinion(shape, mine, self._model.types, self._model.bounds))
        return out

    def _clauses(self, shape: Shape, before: str) -> Iterator[list[int]]:
        """The rows that add up for each clause of a line; the first is nothing."""
        last = _LAST.search(before.rstrip(",。!?;…. "))
        rows = [self._rows(shape.text[c.start : c.end]) for c in shape.clauses]
        earlier = self._rows(last[0]).to_next_line if last and last[0] else []
        around = [_NO_ROWS, *rows, _NO_ROWS]
        for n, own in enumerate(rows):
            yield [0, *own.own, *around[n].to_next, *around[n + 2].to_last, *earlier]
            earlier = []

    def _rows_of(self, clause: str) -> _Rows:
        seen: Seen = self._traits.seen(clause)
        own = self._marked[""].rows(seen.grams, seen.others)
        return _Rows(own, *(self._marked[k].rows(seen.short, seen.lists) for k in "pnq"))

    def _scores(self, clauses: Sequence[list[int]]) -> list[list[int]]:
        """Of every clause, for every type."""
        if not clauses:
            return []
        weights, bias = self._model.weights, self._model.bias
        starts = np.cumsum([0, *map(len, clauses[:-1])])
        known = np.fromiter(chain.from_iterable(clauses), np.intp)
        scores: list[list[int]] = (bias + np.add.reduceat(weights[known], starts)).tolist()
        return scores

    def because(
        self, shape: Shape, clause: int, claim_type: str, *, before: str = ""
    ) -> list[tuple[str, int]]:
        """The traits that speak for a type, strongest first, with their weights."""
        places, weights, _, types, _ = self._model
        traits = self._traits.of(shape, before=before)[clause]
        found = [(t, int(weights[places[t], types[claim_type]])) for t in traits if t in places]
        return sorted((f for f in found if f[1] > 0), key=lambda f: (-f[1], f[0]))
