"""The embedded index's tables.

Documents lie in *segments* of at most :data:`MOST_IN_SEGMENT`, numbered within one in the order
in which hits are told, so that the best matches are the lowest numbers. A segment never changes:
what is removed is listed in ``gone``, and small segments are made into larger ones in time.

For each word a segment holds where it stands, as an array of ``number << shift | offset``; for
each field what each document has there, as an array as long as the segment. A query is answered
with a handful of operations on such arrays, however many documents match.
"""

from __future__ import annotations

from typing import Any

from pipeline.index.documents import Document
from pipeline.text.tokens import TOKENS_VERSION

SCHEMA_VERSION = f"4.{TOKENS_VERSION}"
"""Stored in every index; another version asks for a rebuild."""

MOST_IN_SEGMENT = 50_000
PER_SEGMENT = 1 << 20
"""A document's id is its segment's, times this, and its number there."""

TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (
  id INTEGER PRIMARY KEY AUTOINCREMENT, size INTEGER NOT NULL, hits INTEGER NOT NULL,
  shift INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS docs (
  id INTEGER PRIMARY KEY, doc_id TEXT NOT NULL UNIQUE, broadcast_id TEXT NOT NULL,
  release INTEGER NOT NULL, expected INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS docs_broadcast ON docs (broadcast_id);
CREATE TABLE IF NOT EXISTS bodies (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS gone (id INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS columns (
  segment INTEGER NOT NULL, name TEXT NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (segment, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS postings (
  segment INTEGER NOT NULL, word TEXT NOT NULL, places BLOB NOT NULL,
  PRIMARY KEY (segment, word)) WITHOUT ROWID;
"""
# ``hits`` is how many of a segment's documents may be hits: summaries come after them.
# Ids of segments are never used twice, so what was read of one may be kept.

INSERT_DOC = "INSERT INTO docs (id, doc_id, broadcast_id, release, expected) VALUES (?,?,?,?,?)"
INSERT_BODY = "INSERT INTO bodies (id, body) VALUES (?,?)"
INSERT_POSTING = "INSERT INTO postings (segment, word, places) VALUES (?,?,?)"
INSERT_COLUMN = "INSERT INTO columns (segment, name, data) VALUES (?,?,?)"

RANK = {"claim": 0, "line": 1, "screen": 2, "broadcast": 3}

CODED = (
    *("kind", "claim_type", "sku_id", "host_id", "merchant_id", "broadcast_id", "polarity"),
    *("source", "platform", "day", "role"),
)
"""Fields kept as numbers into a list of their values."""
NUMBERS = ("start_ms", "wall_utc_ms", "local_ms")
SUMS = ("duration_ms", "listened_ms", "speech_ms")
NONE = -(2**62)
"""Stands for a number that is not there."""

PREFIX = {
    "grams": "g",
    "ones": "o",
    "stems": "s",
    "sounds": "p",
    "syllables": "y",
    "value": "v",
    "product": "d",
}
"""First letter of a column's words, so that all lie in one table."""

Place = tuple[int, int, str, int, str]
"""Claims first, newest day first, then as it was said: the order of hits of one match class."""


def place_of(document: Document) -> Place:
    """Where a document stands among hits of its match class."""
    d = document
    return (RANK[d.kind], -d.day_number, d.broadcast_id, d.start_ms, d.doc_id)


def doc_row(document: Document) -> tuple[Any, ...]:
    """The values of :data:`INSERT_DOC` but the id."""
    d = document
    return (d.doc_id, d.broadcast_id, d.release, d.summary.documents if d.summary else 0)
