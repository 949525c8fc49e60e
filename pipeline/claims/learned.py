"""How likely a clause makes a claim of each type, by what labelled speech taught.

A linear classifier a language over the traits of a clause, one against the rest for every claim
type, trained by ``benchmarks/train_claims.py``. Weights are whole numbers (thousandths of a
logit), so that every machine adds up the same. It finds what no rule's wording foresees, and
doubts what a rule saw where nobody would promise anything; it never makes a value by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.claims.shape import Clause, Shape
from pipeline.claims.traits import Traits

IMPOSSIBLE = 2_000
"""So far below ``unlikely`` (seven times less likely) even a firm rule is overruled."""
View = Literal["", "sure", "learned", "doubted", "unlikely", "impossible"]
"""None; surely a claim; found by the classifier alone and not surely; a rule's claim to hear; one
to drop where the rule is weak; one to drop."""
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
    scores: Scores
    types: dict[str, int]
    bounds: Bounds

    def view(self, claim_type: str, start: int, end: int) -> View:
        """Of a statement at ``[start, end)`` of the shape, by the best of the clauses it touches."""
        column = self.types[claim_type]
        touched = (n for n, c in enumerate(self.shape.clauses) if c.start < end and start < c.end)
        best = max((int(self.scores[n, column]) for n in touched), default=self.bounds.likely)
        if best < self.bounds.unlikely:
            return "impossible" if best < self.bounds.unlikely - IMPOSSIBLE else "unlikely"
        if best < self.bounds.doubted:
            return "doubted"
        return "sure" if best >= self.bounds.sure else ""

    def likely(self) -> Iterator[tuple[Clause, str, View]]:
        """Every clause with the types it is likely to claim, likeliest first."""
        names = list(self.types)
        for n, clause in enumerate(self.shape.clauses):
            row = self.scores[n]
            found = np.flatnonzero(row >= self.bounds.likely)
            for column in sorted(found, key=lambda k: (-int(row[k]), int(k))):
                yield (
                    clause,
                    names[column],
                    "sure" if row[column] >= self.bounds.sure else "learned",
                )


class _Model(NamedTuple):
    places: dict[str, int]
    """Trait to row; row 0 is nothing, so that no clause is empty."""
    weights: Scores
    bias: NDArray[np.int32]
    types: dict[str, int]
    bounds: Bounds


class Learned:
    """The classifier of one language; loaded when first asked."""

    def __init__(self, path: Path, traits: Traits) -> None:
        self._path, self._traits = path, traits

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
    def _marked(self) -> dict[str, dict[str, int]]:
        """Mark to trait to row, so that no name is put together while reading."""
        out: dict[str, dict[str, int]] = {"": {}, "p": {}, "n": {}, "q": {}}
        for name, row in self._model.places.items():
            mark = name[0] if name[0] in "pnq" else ""
            out[mark][name[len(mark) :]] = row
        return out

    def opinion(self, shape: Shape, *, before: str = "") -> Opinion:
        """Of a line; ``before`` is the shape of the line before."""
        last = _LAST.search(before.rstrip(",。!?;…. "))
        scores = self.scores(shape, before=last[0] if last else "")
        return Opinion(shape, scores, self._model.types, self._model.bounds)

    def scores(self, shape: Shape, *, before: str = "") -> Scores:
        """Of every clause of a line, for every type."""
        marked, weights, bias = self._marked, self._model.weights, self._model.bias
        known: list[int] = []
        starts: list[int] = []
        for part in self._traits.parts(shape, before=before):
            starts.append(len(known))
            known.append(0)
            for mark, traits in part.items():
                places = marked[mark]
                known += [places[t] for t in traits if t in places]
        if not starts:
            return np.empty((0, len(bias)), np.int32)
        return bias + np.add.reduceat(weights[known], starts)

    def because(
        self, shape: Shape, clause: int, claim_type: str, *, before: str = ""
    ) -> list[tuple[str, int]]:
        """The traits that speak for a type, strongest first, with their weights."""
        places, weights, _, types, _ = self._model
        traits = self._traits.of(shape, before=before)[clause]
        found = [(t, int(weights[places[t], types[claim_type]])) for t in traits if t in places]
        return sorted((f for f in found if f[1] > 0), key=lambda f: (-f[1], f[0]))
