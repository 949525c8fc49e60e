"""Reading segments of the embedded index, and which of their documents a query matches."""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.index.amounts import UNITS
from pipeline.index.answer import FACETS
from pipeline.index.facets import Array, Faceted, Vocabulary
from pipeline.index.nodes import (
    Amount,
    And,
    Between,
    Keyword,
    Node,
    Not,
    Or,
    Review,
    Text,
    ValueText,
)
from pipeline.index.segment import NEAR_SHIFT
from pipeline.index.sqlite_schema import CODED, NONE, PREFIX, SUMS
from pipeline.text.tokens import Near, Phrase

Mask = npt.NDArray[np.bool_]

_MOST_VARIABLES = 500
_CACHE_BYTES = 96 << 20
_KINDS: dict[str, type] = {"needs_review": np.int8, "amount_number": np.float64}
_COMPARE: dict[str, Callable[[Array, float], Mask]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "=": np.equal,
}


class Kept:
    """What was read of segments, for the next query: the latest, up to a number of bytes."""

    def __init__(self, most_bytes: int = _CACHE_BYTES) -> None:
        self._found: OrderedDict[tuple[str, int, str], tuple[Any, int]] = OrderedDict()
        self._most, self._held, self._lock = most_bytes, 0, Lock()
        self.vocabulary = Vocabulary()

    def get(self, key: tuple[str, int, str], make: Callable[[], tuple[Any, int]]) -> Any:
        """The value under a key, made where it is not there; ``make`` also says its bytes."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key][0]
        made = make()
        with self._lock:
            if key not in self._found:
                self._found[key] = made
                self._held += made[1]
            while self._held > self._most and len(self._found) > 1:
                self._held -= self._found.popitem(last=False)[1][1]
        return made[0]


class Segment:
    """One segment, read as it is needed."""

    def __init__(
        self, db: sqlite3.Connection, row: Sequence[int], gone: Array, *, file: str, kept: Kept
    ) -> None:
        self.id, self.size, self.hits, self.shift = row
        self._db, self._file, self._kept = db, file, kept
        self._mine: dict[str, Any] = {}
        self.gone = gone
        """Numbers of the documents that were removed."""

    def column(self, name: str) -> Array:
        """What each document has in a field."""
        if name in FACETS:
            row: Array = self.faceted().codes[FACETS.index(name)]
            return row
        kind = np.dtype(_KINDS.get(name, np.uint16 if name in CODED else np.int64))

        def read() -> tuple[Array, int]:
            found: Array = np.frombuffer(self._data(name), kind)
            return found, found.nbytes

        found: Array = self._get(name, read)
        return found

    def faceted(self) -> Faceted:
        """What each document has in the facets, side by side."""

        def read() -> tuple[Faceted, int]:
            codes = np.stack([np.frombuffer(self._data(field), np.uint16) for field in FACETS])
            lists = [self.names(field) for field in FACETS]
            first = np.cumsum([0, *map(len, lists[:-1])]).reshape(-1, 1)
            known = self._kept.vocabulary
            numbers = known.numbers((at, v) for at, names in enumerate(lists) for v in names)
            return Faceted(codes, first, numbers), codes.nbytes + numbers.nbytes

        found: Faceted = self._get("faceted", read)
        return found

    def values(self, field: str) -> dict[str, int]:
        """The values of a coded field, in the order of their codes."""

        def read() -> tuple[dict[str, int], int]:
            data = self._data(f"{field}.values")
            return {value: code for code, value in enumerate(json.loads(data))}, 3 * len(data)

        found: dict[str, int] = self._get(f"{field}.values", read)
        return found

    def names(self, field: str) -> list[str]:
        """The values of a coded field, by their codes."""

        def read() -> tuple[list[str], int]:
            names = [*self.values(field)]
            return names, 8 * len(names)

        found: list[str] = self._get(f"{field}.names", read)
        return found

    def value(self, field: str, number: int) -> str:
        """What one document has in a coded field."""
        return self.names(field)[int(self.column(field)[number])]

    def sums(self) -> Array:
        """Of each summary: :data:`SUMS`, and its share listened to."""
        return self.column("sums").reshape(-1, len(SUMS) + 1)

    def whole(self) -> Array:
        """How many summaries there are, and the sums over all of them."""

        def read() -> tuple[Array, int]:
            sums = self.sums()
            found = np.array([len(sums), *sums[:, :-1].sum(axis=0), (sums[:, -1] < 1000).sum()])
            return found, found.nbytes

        found: Array = self._get("whole", read)
        return found

    def _get(self, name: str, read: Callable[[], tuple[Any, int]]) -> Any:
        if name not in self._mine:
            self._mine[name] = self._kept.get((self._file, self.id, name), read)
        return self._mine[name]

    def _data(self, name: str) -> bytes:
        sql = "SELECT data FROM columns WHERE segment = ? AND name = ?"
        data: bytes = self._db.execute(sql, (self.id, name)).fetchone()[0]
        return data

    def words(self, words: Sequence[str]) -> Iterator[tuple[str, Array]]:
        """The places of those of the words that are there."""
        kind = np.uint32 if self.shift == NEAR_SHIFT else np.uint64
        for at in range(0, len(words), _MOST_VARIABLES):
            some = words[at : at + _MOST_VARIABLES]
            marks = ",".join("?" * len(some))
            sql = f"SELECT word, places FROM postings WHERE segment = ? AND word IN ({marks})"  # noqa: S608
            for word, places in self._db.execute(sql, (self.id, *some)):
                yield word, np.frombuffer(places, kind)

    def beginning(self, start: str) -> Array | None:
        """The places of all words that begin so."""
        kind = np.uint32 if self.shift == NEAR_SHIFT else np.uint64
        sql = "SELECT places FROM postings WHERE segment = ? AND word >= ? AND word < ?"
        rows = self._db.execute(sql, (self.id, start, start + "\U0010ffff")).fetchall()
        found = [np.frombuffer(row[0], kind) for row in rows]
        return np.sort(np.concatenate(found)) if found else None


class Plan(NamedTuple):
    """A query at each of its match levels, and every word that it may ask for."""

    levels: tuple[Node, ...]
    words: tuple[str, ...]


def plan(levels: Iterable[Node]) -> Plan:
    """What has to be read to answer these."""
    nodes = tuple(levels)
    words = (w for level, node in enumerate(nodes) for w in _words(node, level))
    return Plan(nodes, tuple(dict.fromkeys(words)))


class _Asked(NamedTuple):
    """A term at a match level."""

    phrases: tuple[Phrase, ...]
    near: tuple[Near, ...]
    together: tuple[Phrase, ...]


@lru_cache(maxsize=1024)
def _asked(node: Text, level: int) -> _Asked:
    return _Asked(node.alternatives(level), node.nearly(level), node.together(level))


def _words(node: Node, level: int) -> Iterator[str]:
    if isinstance(node, (And, Or)):
        for part in node.parts:
            yield from _words(part, level)
    elif isinstance(node, Not):
        yield from _words(node.part, 0)
    elif isinstance(node, Text):
        asked = _asked(node, level)
        for phrase in (*asked.phrases, *asked.together):
            yield from _whole(phrase, phrase.column)
        for near in asked.near:
            yield from (PREFIX["syllables"] + word for word in (*near.before, *near.after))
    elif isinstance(node, ValueText):
        for phrase in node.phrases():
            yield from _whole(phrase, node.column)


def _whole(phrase: Phrase, column: str) -> Iterator[str]:
    tokens = phrase.tokens[:-1] if phrase.prefix else phrase.tokens
    return (PREFIX[column] + token for token in tokens)


class Matcher:
    """Which documents of one segment match; what a query's words gave is kept for all levels."""

    def __init__(self, segment: Segment, words: Sequence[str] = ()) -> None:
        self._segment = segment
        self._places: dict[str, Array] = dict(segment.words(words)) if words else {}
        self._done: dict[tuple[Any, str], Array | None] = {}

    def mask(self, node: Node, level: int) -> Mask | None:
        """A truth for each document; None for no match at all."""
        if isinstance(node, And):
            return self._all(node, level)
        if isinstance(node, Or):
            return _either(self.mask(part, level) for part in node.parts)
        if isinstance(node, Not):
            found = self.mask(node.part, 0)
            return np.ones(self._segment.size, np.bool_) if found is None else ~found
        if isinstance(node, Text):
            asked = _asked(node, level)
            places = [self._phrase(p, p.column) for p in asked.phrases]
            places += [self._near(near) for near in asked.near]
            return _either((*map(self._standing, places), self._together(asked.together)))
        if isinstance(node, ValueText):
            words = (self._standing(self._phrase(p, node.column)) for p in node.phrases())
            return self._typed(node.claim_type, _either(words))
        return self._field(node)

    def _all(self, node: And, level: int) -> Mask | None:
        """Fields before words: they cost little and often leave nothing."""
        found: Mask | None = None
        for part in sorted(node.parts, key=lambda p: isinstance(p, (Text, And, Or, Not))):
            also = self.mask(part, level)
            if also is None:
                return None
            found = also if found is None else found & also
        return np.ones(self._segment.size, np.bool_) if found is None else found

    def _together(self, phrases: tuple[Phrase, ...]) -> Mask | None:
        found: Mask | None = None
        for phrase in phrases:
            also = self._standing(self._phrase(phrase, phrase.column))
            if also is None:
                return None
            found = also if found is None else found & also
        return found

    def _field(self, node: Keyword | Review | Between | Amount) -> Mask | None:
        segment = self._segment
        if isinstance(node, Keyword):
            return self._keyword(node)
        if isinstance(node, Review):
            kind = self._keyword(Keyword("kind", ("claim",)))
            needed: Mask = segment.column("needs_review") == node.needed
            return None if kind is None else kind & needed
        if isinstance(node, Between):
            numbers = segment.column(node.field)
            low = NONE + 1 if node.low is None else node.low
            high = 2**62 if node.high is None else node.high
            found: Mask = (numbers != NONE) & (numbers >= low) & (numbers < high)
            return found
        unit = segment.column("amount_unit") == UNITS.index(node.unit)
        chosen = unit & _COMPARE[node.operator](segment.column("amount_number"), node.number)
        return self._typed(node.claim_type, self._marked(segment.column("amount_doc")[chosen]))

    def _keyword(self, node: Keyword) -> Mask | None:
        codes = self._segment.values(node.field)
        wanted = [codes[value] for value in node.values if value in codes]
        column = self._segment.column(node.field) if wanted else None
        return None if column is None else _either(column == code for code in wanted)

    def _typed(self, claim_type: str, found: Mask | None) -> Mask | None:
        if not claim_type or found is None:
            return found
        typed = self._keyword(Keyword("claim_type", (claim_type,)))
        return None if typed is None else found & typed

    def _standing(self, places: Array | None) -> Mask | None:
        return None if places is None else self._marked(places >> self._segment.shift)

    def _marked(self, numbers: Array) -> Mask | None:
        if not len(numbers):
            return None
        found = np.zeros(self._segment.size, np.bool_)
        found[numbers] = True
        return found

    def _phrase(self, phrase: Phrase, column: str) -> Array | None:
        """Where a phrase begins."""
        if (phrase, column) not in self._done:
            tokens = [PREFIX[column] + token for token in phrase.tokens]
            self._done[phrase, column] = self._begins(tokens, prefix=phrase.prefix)
        return self._done[phrase, column]

    def _begins(self, tokens: Sequence[str], *, prefix: bool = False) -> Array | None:
        last = len(tokens) - 1
        read: list[tuple[int, Array]] = []
        for at in _telling(tokens):
            places = self._places.get(tokens[at])
            if prefix and at == last:
                places = self._segment.beginning(tokens[at])
            if places is None:
                return None
            read.append((at, places))
        read.sort(key=lambda pair: len(pair[1]))
        (first, found), *others = read
        found = found - found.dtype.type(first)
        for at, places in others:
            found = found[_within(found + found.dtype.type(at), places)]
        return found if len(found) else None

    def _near(self, near: Near) -> Array | None:
        """Where a term but for a hole begins."""
        letter = PREFIX["syllables"]
        before = [letter + word for word in near.before]
        after = [letter + word for word in near.after]
        if not before or not after:
            return self._begins(before or after)
        head, tail = self._begins(before), self._begins(after)
        if head is None or tail is None:
            return None
        follows = np.zeros(len(head), np.bool_)
        for hole in range(near.most + 1):
            follows |= _within(head + head.dtype.type(len(before) + hole), tail)
        found: Array = head[follows]
        return found if len(found) else None


def _telling(tokens: Sequence[str]) -> list[int]:
    """The places of tokens that say everything: pairs of characters overlap, every other is enough.

    The last is always among them, and so is the first.
    """
    if tokens[0][0] != PREFIX["grams"] or any(len(token) != 3 for token in tokens):
        return list(range(len(tokens)))
    return sorted({*range(0, len(tokens), 2), len(tokens) - 1})


def _within(wanted: Array, places: Array) -> Mask:
    """Which of the wanted are among the places; both are in order."""
    at = np.searchsorted(places, wanted)
    at[at == len(places)] = 0
    found: Mask = places[at] == wanted
    return found


def _either(masks: Iterable[Mask | None]) -> Mask | None:
    found: Mask | None = None
    for mask in masks:
        if mask is not None:
            found = mask if found is None else found | mask
    return found
