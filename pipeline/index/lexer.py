"""Cutting a typed query into words, phrases, filters, operators and parentheses."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from pipeline.errors import QueryError

MOST_CHARS = 1000
MOST_LEXEMES = 64

_ALIKE = str.maketrans("：（）＜＞＝“”＂「」『』\u3000", ':()<>=""""""" ')
_SPACE = re.compile(r"\s+")
_FIELD = re.compile(r"([^\W\d]\w*)(:|<=|>=|≤|≥|<|>|=)(?!/)")
_WORD = re.compile(r"[^\s()\"]+")
_PHRASE = re.compile(r'"([^"]*)"')
_SIGNS = {"≤": "<=", "≥": ">="}

LexemeKind = Literal["word", "phrase", "field", "and", "or", "not", "open", "close", "end"]


class Lexeme(NamedTuple):
    """One piece of a query."""

    kind: LexemeKind
    """What it is."""
    text: str
    """Its words; for a filter, the value."""
    position: int
    """Index of its first character in the query as typed."""
    name: str = ""
    """For a filter: the field as typed."""
    operator: str = ""
    """For a filter: ``:`` or a comparison."""
    quoted: bool = False
    """For a filter: the value was quoted."""


def fail(query: str, message: str, *, at: int, hint: str = "") -> QueryError:
    """A query error whose message shows the query with a caret below the place."""
    start = max(0, at - 40)
    shown = "".join(c if c.isprintable() else " " for c in query[start : at + 40])
    before = query[start:at]
    caret = " " * sum(2 if c >= "\u1100" else 1 for c in before) + "^"
    return QueryError(f"{message}\n  {shown}\n  {caret}", hint=hint, position=at)


def lexemes(query: str) -> list[Lexeme]:
    """The pieces of a query, closed by one of kind ``end``.

    Full-width signs and Chinese quotation marks count as their plain forms.

    Raises:
        QueryError: a quotation mark is never closed, a filter has no value, or the query
            is longer than 1000 characters or 64 pieces.
    """
    if len(query) > MOST_CHARS:
        raise fail(query, f"the query is longer than {MOST_CHARS} characters", at=MOST_CHARS)
    plain, at, found = query.translate(_ALIKE), 0, list[Lexeme]()
    while at < len(plain):
        blank = _SPACE.match(plain, at)
        if blank:
            at = blank.end()
            continue
        lexeme, at = _one(query, plain, at)
        found.append(lexeme)
        if len(found) > MOST_LEXEMES:
            raise fail(query, f"the query has more than {MOST_LEXEMES} parts", at=lexeme.position)
    return [*found, Lexeme("end", "", len(query))]


def _one(query: str, plain: str, at: int) -> tuple[Lexeme, int]:
    """The piece that begins at ``at``, and where it ends."""
    char = plain[at]
    if char in "()":
        return Lexeme("open" if char == "(" else "close", char, at), at + 1
    if char == '"':
        text, end = _phrase(query, plain, at)
        return Lexeme("phrase", text, at), end
    if char == "-" and at + 1 < len(plain) and plain[at + 1] not in ' -"()0123456789':
        return Lexeme("not", "-", at), at + 1
    field = _FIELD.match(plain, at)
    if field:
        return _filter(query, plain, at, field)
    match = _WORD.match(plain, at)
    word = match.group() if match else char
    kind: LexemeKind = {"AND": "and", "OR": "or", "NOT": "not"}.get(word, "word")  # type: ignore[assignment]
    return Lexeme(kind, query[at : at + len(word)], at), at + len(word)


def _filter(query: str, plain: str, at: int, field: re.Match[str]) -> tuple[Lexeme, int]:
    name, sign = field.groups()
    start = field.end()
    if plain[start : start + 1] in ("<", ">", "=", "≤", "≥"):
        raise fail(query, f"{name}{sign} is followed by another sign", at=start, hint="write one")
    if plain[start : start + 1] == '"':
        text, end = _phrase(query, plain, start)
        return Lexeme("field", text, at, name, _SIGNS.get(sign, sign), quoted=True), end
    match = _WORD.match(plain, start)
    if match is None:
        raise fail(
            query,
            f"{name}{sign} has no value",
            at=start,
            hint=f'write a value, as in {name}{sign}"…"',
        )
    text = query[start : match.end()]
    return Lexeme("field", text, at, name, _SIGNS.get(sign, sign)), match.end()


def _phrase(query: str, plain: str, at: int) -> tuple[str, int]:
    match = _PHRASE.match(plain, at)
    if match is None:
        raise fail(query, "this quotation mark is never closed", at=at, hint='add a closing "')
    return query[at + 1 : match.end() - 1], match.end()
