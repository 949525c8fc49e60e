"""Counting the facets of the embedded index: all fields of a segment in one pass."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from pipeline.index.answer import FACETS, FacetCount
from pipeline.index.hits import MOST_FACET_VALUES

Array = npt.NDArray[Any]

_COUNTS = TypeAdapter(tuple[FacetCount, ...])
Value = tuple[int, str]
"""A facet by its place in :data:`FACETS`, and one of its values."""


class Vocabulary:
    """A number for every value of every facet, the same in all segments that a process reads."""

    def __init__(self) -> None:
        self._numbers: dict[Value, int] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._numbers)

    def numbers(self, values: Iterable[Value]) -> Array:
        """The numbers of these values, in their order; new values get new ones."""
        known = self._numbers
        with self._lock:
            found = [known.setdefault(value, len(known)) for value in values]
        return np.array(found, np.int64)

    def values(self) -> list[Value]:
        """Every value, in the order of the numbers."""
        with self._lock:
            return list(self._numbers)


class Faceted(NamedTuple):
    """What a segment's documents have in the facets."""

    codes: Array
    """``(facets, documents)``, into the segment's own lists of values."""
    first: Array
    """``(facets, 1)``: where each facet begins when all of the lists are put together."""
    numbers: Array
    """The vocabulary's numbers of the lists put together."""


class Counts:
    """How often each value of each facet stands in what was found."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._totals = np.zeros(len(vocabulary), np.int64)

    def add(self, faceted: Faceted, found: Array) -> None:
        """Count the documents of a segment by their numbers."""
        counted = np.bincount((faceted.codes.take(found, axis=1) + faceted.first).ravel())
        there = np.flatnonzero(counted)
        more = len(self._vocabulary) - len(self._totals)
        if more > 0:
            self._totals = np.append(self._totals, np.zeros(more, np.int64))
        self._totals[faceted.numbers[there]] += counted[there]

    def facets(self) -> dict[str, tuple[FacetCount, ...]]:
        """The most frequent values of each field, equal ones by their names."""
        values, numbers = self._vocabulary.values(), np.flatnonzero(self._totals)
        pairs: list[list[tuple[int, str]]] = [[] for _ in FACETS]
        for number, count in zip(numbers.tolist(), self._totals[numbers].tolist(), strict=True):
            field, value = values[number]
            pairs[field].append((-count, value))
        return {f: _commonest(found) for f, found in zip(FACETS, pairs, strict=True)}


def _commonest(pairs: list[tuple[int, str]]) -> tuple[FacetCount, ...]:
    if len(pairs) > MOST_FACET_VALUES:  # most values are rare: sort the others alone
        least = np.partition([count for count, _ in pairs], MOST_FACET_VALUES - 1)
        pairs = [pair for pair in pairs if pair[0] <= least[MOST_FACET_VALUES - 1]]
    first = sorted(pairs)[:MOST_FACET_VALUES]
    return facet_counts((value, -count) for count, value in first)


def facet_counts(counted: Iterable[tuple[str, int]]) -> tuple[FacetCount, ...]:
    """Values with their counts, checked in one go."""
    return _COUNTS.validate_python([{"value": value, "count": count} for value, count in counted])
