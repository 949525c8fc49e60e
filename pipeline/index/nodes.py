"""A query as a tree, the same for every backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from pipeline.text.tokens import Near, Phrase, query_tokens

KeywordField = Literal[
    "kind",
    "broadcast_id",
    "day",
    "host_id",
    "merchant_id",
    "platform",
    "sku_id",
    "source",
    "role",
    "claim_type",
    "polarity",
]
NumberField = Literal["wall_utc_ms", "local_ms"]
TextColumn = Literal["text", "value", "product"]

BROADCAST_FIELDS = frozenset(
    {"broadcast_id", "day", "host_id", "merchant_id", "platform", "wall_utc_ms", "local_ms"}
)
"""Fields that say which broadcasts are searched, and so count for the coverage."""


NEAR = 3
"""The match level of words in which a syllable was heard otherwise."""


class Text(NamedTuple):
    """A word or phrase in a document's words."""

    words: str
    """As typed."""
    phrase: bool = False
    """Quoted: never widened to synonyms or stems."""
    related: tuple[str, ...] = ()
    """Synonyms."""
    pieces: tuple[str, ...] = ()
    """The telling words of an unspaced sentence; a document that has them all is related."""
    beyond: int = -1
    """Only what is found beyond this match level is looked for."""

    def literal(self) -> Phrase | None:
        """The same writing; None for a term without a searchable character."""
        return query_tokens(self.words).literal

    def alternatives(self, level: int) -> tuple[Phrase, ...]:
        """The phrases of a match level: 0 literal, 1 with related words, 2 with sound."""
        known = self._replace(beyond=-1).alternatives(self.beyond) if self.beyond >= 0 else ()
        tokens = query_tokens(self.words)
        found = [tokens.literal]
        if level >= 1 and not self.phrase:
            found += [tokens.stem, *(query_tokens(word).literal for word in self.related)]
        if level >= 2:
            found += tokens.sounds
        return tuple(phrase for phrase in found if phrase is not None and phrase not in known)

    def nearly(self, level: int) -> tuple[Near, ...]:
        """The ways the words may have been heard with a syllable otherwise: from level 3 on."""
        return query_tokens(self.words).near if level >= NEAR and not self.phrase else ()

    def together(self, level: int) -> tuple[Phrase, ...]:
        """The phrases that make a document related when it has all of them."""
        found = (query_tokens(word).literal for word in self.pieces if level >= 1 > self.beyond)
        return tuple(phrase for phrase in found if phrase is not None)


class Keyword(NamedTuple):
    """A field has exactly one of these values."""

    field: KeywordField
    values: tuple[str, ...]


class Review(NamedTuple):
    """Claims that a person should hear first, or those that need not be."""

    needed: bool


class Between(NamedTuple):
    """A number in ``[low, high)``; None leaves a side open. Documents without it do not match."""

    field: NumberField
    low: int | None
    high: int | None


class ValueText(NamedTuple):
    """A claim of this type (any, when empty) or a product whose text holds one of the words."""

    column: Literal["value", "product"]
    claim_type: str
    words: tuple[str, ...]

    def phrases(self) -> tuple[Phrase, ...]:
        """One literal phrase per word; never of the column of single characters."""
        found = (query_tokens(word).literal for word in self.words)
        return tuple(phrase for phrase in found if phrase is not None)


class Amount(NamedTuple):
    """A claim of this type with a number of this unit that compares so."""

    claim_type: str
    unit: str
    operator: Literal["<", "<=", ">", ">=", "="]
    number: float


class And(NamedTuple):
    """All of them; an empty one is everything."""

    parts: tuple[Node, ...]


class Or(NamedTuple):
    """At least one of them."""

    parts: tuple[Node, ...]


class Not(NamedTuple):
    """Not this. Words below a NOT are taken literally only, so nothing is lost by a sound-alike."""

    part: Node


Node = Text | Keyword | Review | Between | ValueText | Amount | And | Or | Not
EVERYTHING = And(())


def texts(node: Node, *, negated: bool = False) -> Iterator[Text]:
    """All words searched for that are not below a NOT, for highlighting."""
    if isinstance(node, Text):
        if not negated:
            yield node
    elif isinstance(node, (And, Or)):
        for part in node.parts:
            yield from texts(part, negated=negated)
    elif isinstance(node, Not):
        yield from texts(node.part, negated=not negated)


def widened(node: Node, level: int) -> Node:
    """A query for what a match level adds to the one below, where that can be told apart.

    It can where a single term is searched for, alone or beside filters. Else the query itself.
    """
    if level == 0:
        return node
    if isinstance(node, Text):
        return node._replace(beyond=level - 1)
    if isinstance(node, And) and sum(1 for _ in texts(node)) == 1:
        parts = (p._replace(beyond=level - 1) if isinstance(p, Text) else p for p in node.parts)
        return And(tuple(parts))
    return node


def named_broadcasts(node: Node) -> tuple[str, ...] | None:
    """The broadcasts that a query is kept to; None where it is kept to none."""
    for part in node.parts if isinstance(node, And) else (node,):
        if isinstance(part, Keyword) and part.field == "broadcast_id":
            return part.values
    return None


def levels(node: Node, *, near: bool = False) -> int:
    """How many match levels can differ: 1 for filters only, 3 where words are searched.

    With ``near`` 4, where one of the words is long enough to be told by the rest of it.
    """
    words = list(texts(node))
    if near and any(text.nearly(NEAR) for text in words):
        return 4
    return 3 if words else 1


def broadcast_scope(node: Node) -> Node:
    """The part of a query that says which broadcasts are searched."""
    if isinstance(node, And):
        return And(tuple(part for part in map(broadcast_scope, node.parts) if part != EVERYTHING))
    if isinstance(node, (Keyword, Between)) and node.field in BROADCAST_FIELDS:
        return node
    if isinstance(node, Or) and node.parts and all(_scoped(part) for part in node.parts):
        return node
    if isinstance(node, Not) and _scoped(node.part):
        return node
    return EVERYTHING


def _scoped(node: Node) -> bool:
    """Whether a part speaks about broadcasts alone."""
    if isinstance(node, (And, Or)):
        return all(_scoped(part) for part in node.parts)
    if isinstance(node, Not):
        return _scoped(node.part)
    return isinstance(node, (Keyword, Between)) and node.field in BROADCAST_FIELDS
