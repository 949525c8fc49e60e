"""Making a segment of the embedded index: documents in, arrays out."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator
from itertools import pairwise
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.index.amounts import UNITS
from pipeline.index.documents import Document
from pipeline.index.sqlite_schema import (
    CODED,
    NONE,
    NUMBERS,
    PREFIX,
    SUMS,
    Place,
    doc_row,
    place_of,
)
from pipeline.text.tokens import column_tokens, token_lists

NEAR_SHIFT, FAR_SHIFT = 16, 32
_CODED_OF = attrgetter(*CODED)
_LONGEST = 65_000
"""Words of a document whose places still fit into 16 bits."""

Ints = npt.NDArray[np.int64]


class Packed(NamedTuple):
    """A segment, ready to be written."""

    size: int
    hits: int
    shift: int
    docs: list[tuple[Any, ...]]
    """A row of the table of documents for each number, without the id."""
    bodies: list[str]
    postings: Iterator[tuple[str, memoryview]]
    """Each word's places, in the order of words."""
    columns: dict[str, bytes]


class _Ids(dict[str, int]):
    """Numbers given to words in the order in which they come."""

    def __init__(self, names: list[str], prefix: str) -> None:
        super().__init__()
        self._names, self._prefix = names, prefix

    def __missing__(self, word: str) -> int:
        number = self[word] = len(self._names)
        self._names.append(self._prefix + word)
        return number


class Builder:
    """Gathers documents; of two with one id the later stays."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._ids = {column: _Ids(self._names, letter) for column, letter in PREFIX.items()}
        self._same: dict[tuple[str, tuple[str, ...]], tuple[int, ...]] = {}
        self._words, self._lengths = array("I"), array("I")
        self._at: dict[str, int] = {}
        self._replaced: set[int] = set()
        self._places: list[Place] = []
        self._rows: list[tuple[Any, ...]] = []
        self._bodies: list[str] = []
        self._profiles: dict[tuple[str, ...], int] = {}
        self._profile = array("I")
        self._numbers = {name: array("q") for name in NUMBERS}
        self._review = array("b")
        self._amounts: list[tuple[int, int, float]] = []
        self._sums: dict[int, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, document: Document) -> None:
        """One document more."""
        number, d = len(self._rows), document
        if d.doc_id in self._at:
            self._replaced.add(self._at[d.doc_id])
        self._at[d.doc_id] = number
        self._rows.append(doc_row(d))
        self._bodies.append(d.model_dump_json(exclude_defaults=True))
        self._places.append(place_of(d))
        self._fields(d)
        self._amounts += [(number, UNITS.index(unit), amount) for unit, amount in d.amounts]
        before = len(self._words)
        if d.summary is not None:
            self._sums[number] = (
                *(getattr(d.summary, name) for name in SUMS),
                d.summary.listened_pm,
            )
        if d.kind != "broadcast":
            self._spoken(d)
        self._lengths.append(len(self._words) - before)

    def _fields(self, d: Document) -> None:
        profile = _CODED_OF(d)  # many documents share all of them
        self._profile.append(self._profiles.setdefault(profile, len(self._profiles)))
        for name, numbers in self._numbers.items():
            number = getattr(d, name)
            numbers.append(NONE if number is None else number)
        self._review.append(d.needs_review)

    def _spoken(self, d: Document) -> None:
        words = self._words
        lists = token_lists(d.text, *d.also)
        for column, tokens in zip(lists._fields, lists, strict=True):
            words.extend(map(self._ids[column].__getitem__, tokens))
        words.extend(self._repeated("value", d.value))
        words.extend(self._repeated("product", (d.product,)))

    def _repeated(self, column: str, texts: tuple[str, ...]) -> tuple[int, ...]:
        """The words of a field that many documents share."""
        found = self._same.get((column, texts))
        if found is None:
            tokens = column_tokens(*texts).split(" ")
            ids = self._ids[column]
            found = self._same[column, texts] = tuple(ids[t] for t in tokens if t)
        return found

    def packed(self) -> Packed:
        """Everything, in the order of hits."""
        order = [n for n in range(len(self)) if n not in self._replaced]
        order.sort(key=self._places.__getitem__)
        number_of = np.full(len(self), -1, np.int64)
        number_of[order] = np.arange(len(order))
        hits = sum(1 for n in order if self._places[n][0] < 3)
        shift = NEAR_SHIFT if max(self._lengths, default=0) < _LONGEST else FAR_SHIFT
        return Packed(
            size=len(order),
            hits=hits,
            shift=shift,
            docs=[self._rows[n] for n in order],
            bodies=[self._bodies[n] for n in order],
            postings=self._postings(number_of, shift),
            columns=dict(self._columns(order, number_of, hits)),
        )

    def _postings(self, number_of: Ints, shift: int) -> Iterator[tuple[str, memoryview]]:
        lengths = np.array(self._lengths, np.int64)
        words = np.array(self._words, np.uint64)
        documents = np.repeat(number_of, lengths)
        starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
        kind = np.dtype(np.uint32 if shift == NEAR_SHIFT else np.uint64)
        places = ((documents << shift) + (np.arange(len(words)) - starts)).astype(kind)
        kept = documents >= 0
        words, places = words[kept], places[kept]
        order = np.lexsort((places, words))
        words, places = words[order], places[order]
        edges = [0, *(np.flatnonzero(np.diff(words)) + 1).tolist(), len(words)]
        view, width = memoryview(places.tobytes()), kind.itemsize
        found = [
            (self._names[int(words[a])], a * width, b * width) for a, b in pairwise(edges) if b > a
        ]
        return ((name, view[a:b]) for name, a, b in sorted(found))

    def _columns(self, order: list[int], number_of: Ints, hits: int) -> Iterator[tuple[str, bytes]]:
        profiles = np.array(self._profile, np.int64)[order]
        for field, told in zip(CODED, zip(*self._profiles, strict=True), strict=True):
            values = {value: code for code, value in enumerate(dict.fromkeys(told))}
            codes = np.array([values[value] for value in told], np.uint16)
            yield field, codes[profiles].tobytes()
            yield f"{field}.values", json.dumps([*values]).encode()
        for name, numbers in self._numbers.items():
            yield name, np.array(numbers, np.int64)[order].tobytes()
        yield "needs_review", np.array(self._review, np.int8)[order].tobytes()
        amounts = [(int(number_of[n]), unit, amount) for n, unit, amount in self._amounts]
        amounts = sorted(amount for amount in amounts if amount[0] >= 0)
        yield "amount_doc", np.array([a[0] for a in amounts], np.int64).tobytes()
        yield "amount_unit", np.array([a[1] for a in amounts], np.int64).tobytes()
        yield "amount_number", np.array([a[2] for a in amounts], np.float64).tobytes()
        none = (0,) * (len(SUMS) + 1)
        sums = [self._sums.get(n, none) for n in order[hits:]]
        yield "sums", np.array(sums, np.int64).tobytes()


def pack(documents: Iterable[Document]) -> Packed:
    """A segment of these documents."""
    builder = Builder()
    for document in documents:
        builder.add(document)
    return builder.packed()


def batches(documents: Iterable[Document], *, most: int) -> Iterator[Packed]:
    """Segments of at most ``most`` documents; no more than one is in memory."""
    rest = iter(documents)
    for first in rest:
        builder = Builder()
        builder.add(first)
        for document in rest:
            builder.add(document)
            if len(builder) >= most:
                break
        yield builder.packed()
