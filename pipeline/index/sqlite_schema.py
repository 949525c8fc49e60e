"""The embedded index's tables, and queries as SQL. Every word a person typed is a bound value."""

from __future__ import annotations

from typing import Any

from pipeline.index.documents import Document
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
from pipeline.text.tokens import TOKENS_VERSION, Phrase, column_tokens, index_tokens

SCHEMA_VERSION = f"3.{TOKENS_VERSION}"
"""Stored in every index; another version asks for a rebuild."""

TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS docs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  doc_id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, rank INTEGER NOT NULL,
  broadcast_id TEXT NOT NULL, day TEXT NOT NULL, day_number INTEGER NOT NULL,
  host_id TEXT NOT NULL, merchant_id TEXT NOT NULL, platform TEXT NOT NULL,
  sku_id TEXT NOT NULL, source TEXT NOT NULL, role TEXT NOT NULL,
  claim_type TEXT NOT NULL, polarity TEXT NOT NULL, needs_review INTEGER NOT NULL,
  start_ms INTEGER NOT NULL, wall_utc_ms INTEGER, local_ms INTEGER, release INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS docs_broadcast ON docs (broadcast_id, kind);
CREATE INDEX IF NOT EXISTS docs_sku ON docs (sku_id);
CREATE INDEX IF NOT EXISTS docs_type ON docs (claim_type) WHERE claim_type <> '';
CREATE INDEX IF NOT EXISTS docs_summary ON docs (kind) WHERE kind = 'broadcast';
CREATE TABLE IF NOT EXISTS summaries (
  id INTEGER PRIMARY KEY, duration_ms INTEGER NOT NULL, listened_ms INTEGER NOT NULL,
  speech_ms INTEGER NOT NULL, listened_pm INTEGER NOT NULL, documents INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS bodies (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS amounts (
  unit TEXT NOT NULL, number REAL NOT NULL, id INTEGER NOT NULL,
  PRIMARY KEY (unit, number, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS amounts_id ON amounts (id);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
  grams, ones, stems, sounds, value, product,
  content='', columnsize=0, detail=full, tokenize='ascii');
"""
# The word table keeps no text (``content=''``): to remove a document from it, its words are made
# once more. Ids are never used twice.

INSERT_DOC = (
    "INSERT INTO docs (id, doc_id, kind, rank, broadcast_id, day, day_number, host_id, merchant_id,"
    " platform, sku_id, source, role, claim_type, polarity, needs_review, start_ms, wall_utc_ms,"
    " local_ms, release) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
INSERT_WORDS = (
    "INSERT INTO words (rowid, grams, ones, stems, sounds, value, product) VALUES (?,?,?,?,?,?,?)"
)

DELETE_WORDS = (
    "INSERT INTO words (words, rowid, grams, ones, stems, sounds, value, product)"
    " VALUES ('delete',?,?,?,?,?,?,?)"
)

_COMPARE = {
    "<": "d.id IN (SELECT id FROM amounts WHERE unit = ? AND number < ?)",
    "<=": "d.id IN (SELECT id FROM amounts WHERE unit = ? AND number <= ?)",
    ">": "d.id IN (SELECT id FROM amounts WHERE unit = ? AND number > ?)",
    ">=": "d.id IN (SELECT id FROM amounts WHERE unit = ? AND number >= ?)",
    "=": "d.id IN (SELECT id FROM amounts WHERE unit = ? AND number = ?)",
}

ORDER = "h.class, d.rank, -d.day_number, d.broadcast_id, d.start_ms, d.doc_id"
"""The one order of hits: match class, claims first, newest day first, then as it was said."""

RANK = {"claim": 0, "line": 1, "screen": 2, "broadcast": 3}


def doc_row(row_id: int, document: Document) -> tuple[Any, ...]:
    """The values of :data:`INSERT_DOC`."""
    d = document
    return (
        *(row_id, d.doc_id, d.kind, RANK[d.kind], d.broadcast_id, d.day, d.day_number),
        *(d.host_id, d.merchant_id, d.platform, d.sku_id, d.source, d.role),
        *(d.claim_type, d.polarity, int(d.needs_review), d.start_ms, d.wall_utc_ms, d.local_ms),
        d.release,
    )


def word_row(row_id: int, document: Document) -> tuple[Any, ...]:
    """The values of :data:`INSERT_WORDS`."""
    tokens = index_tokens(document.text, *document.also)
    value = column_tokens(*document.value)
    return (row_id, *tokens, value, column_tokens(document.product))


def match_expression(phrases: tuple[Phrase, ...], *, column: str = "") -> str:
    """An FTS5 expression for any of the phrases.

    Tokens hold letters, digits and non-ASCII characters only, so quoting them is safe;
    a quotation mark is doubled all the same.
    """
    return " OR ".join(
        f"{column or phrase.column} : {_quoted(phrase)}{' *' if phrase.prefix else ''}"
        for phrase in phrases
    )


def text_expression(node: Text, level: int) -> str:
    """An FTS5 expression for a term at a match level."""
    wide = match_expression(node.alternatives(level))
    together = " AND ".join(match_expression((phrase,)) for phrase in node.together(level))
    return " OR ".join(part for part in (wide, f"({together})" if together else "") if part)


def _quoted(phrase: Phrase) -> str:
    return '"' + " ".join(phrase.tokens).replace('"', '""') + '"'


def words_alone(node: Node, *, level: int) -> str | None:
    """The full-text expression that is the whole query; None where filters stand beside it."""
    if isinstance(node, Text):
        return text_expression(node, level)
    if isinstance(node, And) and node.parts and all(isinstance(p, Text) for p in node.parts):
        found = [text_expression(part, level) for part in node.parts if isinstance(part, Text)]
        return " AND ".join(f"({expression})" for expression in found) if all(found) else ""
    return None


def where(node: Node, *, level: int) -> tuple[str, list[Any]]:
    """The SQL condition on ``docs d`` for a query at a match level, and its bound values."""
    if isinstance(node, (And, Or)):
        return _joined(node, level)
    if isinstance(node, Not):
        sql, values = where(node.part, level=0)
        return f"NOT ({sql})", values
    if isinstance(node, Text):
        return _in_words(text_expression(node, level))
    if isinstance(node, ValueText):
        sql, values = _in_words(match_expression(node.phrases(), column=node.column))
        return _typed(node.claim_type, sql, values)
    return _field(node)


def _field(node: Keyword | Review | Between | Amount) -> tuple[str, list[Any]]:
    if isinstance(node, Keyword):
        marks = ",".join("?" * len(node.values))
        return f"d.{node.field} IN ({marks})", list(node.values)
    if isinstance(node, Review):
        return "(d.kind = 'claim' AND d.needs_review = ?)", [int(node.needed)]
    if isinstance(node, Amount):
        return _typed(node.claim_type, _COMPARE[node.operator], [node.unit, node.number])
    low = -(2**62) if node.low is None else node.low
    high = 2**62 if node.high is None else node.high
    return f"(d.{node.field} IS NOT NULL AND d.{node.field} >= ? AND d.{node.field} < ?)", [
        low,
        high,
    ]


def _typed(claim_type: str, sql: str, values: list[Any]) -> tuple[str, list[Any]]:
    if not claim_type:
        return sql, values
    return f"(d.claim_type = ? AND {sql})", [claim_type, *values]


def _in_words(expression: str) -> tuple[str, list[Any]]:
    if not expression:
        return "0", []
    return "d.id IN (SELECT rowid FROM words WHERE words MATCH ?)", [expression]


def _joined(node: And | Or, level: int) -> tuple[str, list[Any]]:
    """AND of several words becomes one full-text expression, which is much faster."""
    found: list[tuple[str, list[Any]]] = []
    expressions: list[str] = []
    for part in node.parts:
        if isinstance(part, Text):
            expressions.append(text_expression(part, level))
        else:
            found.append(where(part, level=level))
    word = " AND " if isinstance(node, And) else " OR "
    if isinstance(node, Or):
        expressions = [e for e in expressions if e]
    if expressions and all(expressions):
        found.insert(0, _in_words(word.join(f"({e})" for e in expressions)))
    elif expressions:
        found.insert(0, ("0", []))
    if not found:
        return ("1", []) if isinstance(node, And) else ("0", [])
    return "(" + word.join(sql for sql, _ in found) + ")", [v for _, vs in found for v in vs]
