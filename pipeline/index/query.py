"""The query language: what an arbitrator types, as a tree.

    藏青 外套                    both words          "七天无理由"        exactly this phrase
    藏青 OR 黑色   NOT 起球   -起球   (A OR B) C       AND binds closer than OR
    sku: type: host: merchant: broadcast: platform: kind: product:        exact values; product: words
    after:2026-06-05  before:2026-06-05T15:00+08:00      from here on, up to here; a day or time
                                                         without an offset is the broadcast's clock
    said:防水  shown:防水  said:*     spoken, or on the screen      negated:yes   review:yes
    price<200   warranty>=1y   quantity=3   colour:blue   material:cotton     a claim's value

A word finds its writing first, then its stem, its synonyms and (unspaced Chinese) documents with
all its words, then its sound; where fewer than ten are found, also what sounds so but for a
syllable. Operators are written in capitals. Other names of fields stand in ``data/vocabulary.toml``.
"""

from __future__ import annotations

import difflib
from datetime import UTC, date, datetime

from pipeline.errors import InputError
from pipeline.index.amounts import parse_amount
from pipeline.index.lexer import Lexeme, fail, lexemes
from pipeline.index.nodes import (
    EVERYTHING,
    Amount,
    And,
    Between,
    Keyword,
    KeywordField,
    Node,
    Not,
    NumberField,
    Or,
    Review,
    Text,
    ValueText,
)
from pipeline.index.vocabulary import colour_words, pieces, synonyms, vocabulary
from pipeline.model import CLAIM_TYPES
from pipeline.text.tokens import query_tokens
from pipeline.timeline import parse_instant, utc_ms

KEYWORDS: dict[str, KeywordField] = {
    "sku": "sku_id",
    "type": "claim_type",
    "host": "host_id",
    "merchant": "merchant_id",
    "broadcast": "broadcast_id",
    "platform": "platform",
    "kind": "kind",
    "day": "day",
    "role": "role",
    "source": "source",
}
OTHERS = ("before", "after", "said", "shown", "negated", "review", "product")
_YES = {
    "yes": True,
    "true": True,
    "1": True,
    "是": True,
    "no": False,
    "false": False,
    "0": False,
    "否": False,
}
_MOST_DEPTH = 20


def parse(query: str) -> Node:
    """The tree of a query; an empty query is everything.

    Raises:
        QueryError: it cannot be understood; the message marks the place with a caret.
    """
    return _Parser(query).whole()


class _Parser:
    """Recursive descent over the pieces; ``OR`` of ``AND`` of possibly negated parts."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._pieces = lexemes(query)
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        if self._here().kind == "end":
            return EVERYTHING
        node = self._either()
        if self._here().kind != "end":
            raise fail(
                self._query,
                "this parenthesis was never opened",
                at=self._here().position,
                hint="remove it, or add ( before",
            )
        return node

    def _here(self) -> Lexeme:
        return self._pieces[self._at]

    def _take(self) -> Lexeme:
        self._at += 1
        return self._pieces[self._at - 1]

    def _either(self) -> Node:
        parts = [self._all()]
        while self._here().kind == "or":
            self._take()
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Node:
        """Parts side by side; stray punctuation among words is passed over."""
        parts: list[Node] = []
        stray: Lexeme | None = None
        while not parts or self._here().kind not in ("or", "close", "end"):
            here = self._here()
            if here.kind == "and" and parts:
                self._take()
            elif here.kind == "word" and query_tokens(here.text).literal is None:
                stray = self._take()
                if self._here().kind in ("or", "close", "end") and not parts:
                    text_node(self._query, stray)
                continue
            parts.append(self._part())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _part(self) -> Node:
        piece = self._take()
        if piece.kind == "not":
            return Not(self._nested(piece))
        if piece.kind == "open":
            return self._parenthesis(piece)
        if piece.kind in ("word", "phrase"):
            return text_node(self._query, piece)
        if piece.kind == "field":
            return _Filter(self._query, piece).node()
        self._at -= 1
        names = {"end": "the end", "close": ")", "and": "AND", "or": "OR"}
        raise fail(
            self._query,
            f"something to search for is missing before {names[piece.kind]}",
            at=piece.position,
            hint='put words that look like operators in quotation marks: "OR"',
        )

    def _nested(self, piece: Lexeme) -> Node:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise fail(self._query, f"nested deeper than {_MOST_DEPTH}", at=piece.position)
        node = self._part()
        self._depth -= 1
        return node

    def _parenthesis(self, piece: Lexeme) -> Node:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise fail(self._query, f"nested deeper than {_MOST_DEPTH}", at=piece.position)
        node = self._either()
        if self._here().kind != "close":
            raise fail(
                self._query, "this parenthesis is never closed", at=piece.position, hint="add a )"
            )
        self._take()
        self._depth -= 1
        return node


def text_node(query: str, piece: Lexeme) -> Text:
    """Words to look for.

    Raises:
        QueryError: they hold no letter, digit or character that could be found.
    """
    if query_tokens(piece.text).literal is None:
        raise fail(
            query,
            f"{piece.text!r} holds nothing that can be searched for",
            at=piece.position,
            hint="use letters, digits or Chinese characters",
        )
    phrase = piece.kind == "phrase" or piece.quoted
    if phrase:
        return Text(piece.text, phrase)
    return Text(piece.text, related=synonyms(piece.text), pieces=pieces(piece.text))


class _Filter:
    """One ``name:value`` or ``name<value``."""

    def __init__(self, query: str, piece: Lexeme) -> None:
        self._query = query
        self._piece = piece
        name = piece.name.casefold()
        self._name = vocabulary().fields.get(name, name)

    def node(self) -> Node:
        name, sign = self._name, self._piece.operator
        if name in CLAIM_TYPES:
            return self._claim_value()
        known = (*KEYWORDS, *OTHERS)
        if name not in known:
            return self._unknown((*known, *CLAIM_TYPES))
        if sign not in (":", "="):
            raise self._fail(f"{name} cannot be compared with {sign}", hint=f"write {name}:…")
        if name in KEYWORDS:
            return self._keyword(KEYWORDS[name])
        if name in ("before", "after"):
            return self._time()
        if name in ("said", "shown"):
            source = Keyword("source", ("speech" if name == "said" else "screen",))
            return source if self._piece.text == "*" else And((source, self._words()))
        if name == "product":
            return ValueText("product", "", (self._words().words,))
        yes = self._yes()
        if name == "review":
            return Review(yes)
        return Keyword("polarity", ("negate",) if yes else ("affirm",))

    def _fail(self, message: str, *, hint: str = "", value: bool = False) -> Exception:
        offset = len(self._piece.name) + len(self._piece.operator) if value else 0
        return fail(self._query, message, at=self._piece.position + offset, hint=hint)

    def _words(self) -> Text:
        return text_node(self._query, self._piece._replace(kind="word"))

    def _unknown(self, known: tuple[str, ...]) -> Node:
        """A name that is no field: Chinese text with a colon is text, the rest an error."""
        piece = self._piece
        if not piece.name.isascii() and piece.operator in (":", "="):
            whole = f"{piece.name} {piece.text}"
            return text_node(self._query, piece._replace(kind="word", text=whole, quoted=True))
        near = difflib.get_close_matches(self._name, known, n=1)
        raise self._fail(
            f"there is no filter named {piece.name!r}",
            hint=f"did you mean {near[0]}:" if near else "put the text in quotation marks",
        )

    def _keyword(self, field: KeywordField) -> Keyword:
        values = tuple(v for v in self._piece.text.split(",") if v) or ("",)
        if field == "claim_type":
            values = tuple(self._claim_type(v) for v in values)
        if field == "kind" and not set(values) <= {"claim", "line", "screen"}:
            raise self._fail("kind is claim, line or screen", value=True)
        return Keyword(field, values)

    def _claim_type(self, text: str) -> str:
        name = vocabulary().fields.get(text.casefold(), text.casefold())
        if name in CLAIM_TYPES:
            return name
        near = difflib.get_close_matches(name, CLAIM_TYPES, n=1)
        hint = f"did you mean {near[0]}?" if near else "one of: " + ", ".join(CLAIM_TYPES)
        raise self._fail(f"{text!r} is not a claim type", value=True, hint=hint)

    def _yes(self) -> bool:
        value = _YES.get(self._piece.text.casefold())
        if value is None:
            raise self._fail(f"{self._name} is yes or no", value=True)
        return value

    def _time(self) -> Between:
        """A day or an instant; without an offset it is read on the broadcast's own clock.

        The range is ``[after, before)``: ``after`` a day takes the day in, ``before`` leaves it out.
        """
        text = self._piece.text
        field, at = self._instant(text)
        return Between(field, None, at) if self._name == "before" else Between(field, at, None)

    def _instant(self, text: str) -> tuple[NumberField, int]:
        try:
            if len(text) == 10:
                start = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
                return "local_ms", utc_ms(start)
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                return "local_ms", utc_ms(moment.replace(tzinfo=UTC))
            return "wall_utc_ms", utc_ms(parse_instant(text))
        except (ValueError, OverflowError, InputError) as error:
            raise self._fail(
                f"{text!r} is not a day or a time",
                value=True,
                hint="write 2026-06-05 or 2026-06-05T15:00:00+08:00",
            ) from error

    def _claim_value(self) -> Node:
        name, sign, text = self._name, self._piece.operator, self._piece.text
        amount = None if self._piece.quoted else parse_amount(text, name)
        if amount is not None and (sign != ":" or name in ("price", "quantity")):
            return Amount(name, amount[0], "=" if sign == ":" else sign, amount[1])  # type: ignore[arg-type]
        if sign not in (":", "="):
            raise self._fail(
                f"{text!r} is not an amount",
                value=True,
                hint="write a number with a unit, as in price<200, warranty>=1y, net_content>=500ml",
            )
        if text == "*":
            return Keyword("claim_type", (name,))
        words = colour_words(text) if name == "colour" else (text, *synonyms(text))
        self._words()
        return ValueText("value", name, tuple(dict.fromkeys(words)))


def filters(
    *,
    sku: str = "",
    claim_type: str = "",
    host: str = "",
    merchant: str = "",
    broadcast: str = "",
    polarity: str = "",
    source: str = "",
    kind: str = "",
    after: datetime | None = None,
    before: datetime | None = None,
) -> tuple[Node, ...]:
    """Filters given as options. The wall-clock range is ``[after, before)``."""
    given: tuple[tuple[KeywordField, str], ...] = (
        ("sku_id", sku),
        ("claim_type", claim_type),
        ("host_id", host),
        ("merchant_id", merchant),
        ("broadcast_id", broadcast),
        ("polarity", polarity),
        ("source", source),
        ("kind", kind),
    )
    found: list[Node] = [Keyword(field, (value,)) for field, value in given if value]
    if after is not None or before is not None:
        low = None if after is None else utc_ms(after)
        found.append(Between("wall_utc_ms", low, None if before is None else utc_ms(before)))
    return tuple(found)


def both(node: Node, more: tuple[Node, ...]) -> Node:
    """A query narrowed by filters."""
    if not more:
        return node
    parts = node.parts if isinstance(node, And) else (node,)
    return And((*parts, *more))
