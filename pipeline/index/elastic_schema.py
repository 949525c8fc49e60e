"""Elasticsearch: the strict mapping, documents as it stores them, queries in its language."""

from __future__ import annotations

from typing import Any

from pipeline.index.amounts import UNITS
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
    levels,
    widened,
)
from pipeline.index.sqlite_schema import RANK
from pipeline.text.tokens import TOKENS_VERSION, Near, Phrase, column_tokens, index_tokens

SCHEMA_VERSION = f"3.{TOKENS_VERSION}"
"""Kept in the mapping's ``_meta``; another version asks for a rebuild."""

MOST_EXPANSIONS = 20_000
_KEYWORDS = (
    *("doc_id", "kind", "broadcast_id", "day", "host_id", "merchant_id", "platform"),
    *("sku_id", "source", "role", "claim_type", "polarity"),
)
_LONGS = ("start_ms", "wall_utc_ms", "local_ms", "duration_ms", "listened_ms", "speech_ms")
_PLACED = ("grams", "stems", "sounds", "syllables", "value", "product")
_WORDS = {"type": "text", "analyzer": "whitespace", "norms": False}
SORT: list[dict[str, str]] = [
    {"_score": "desc"},
    {"rank": "asc"},
    {"day_number": "desc"},
    {"broadcast_id": "asc"},
    {"start_ms": "asc"},
    {"doc_id": "asc"},
]
"""The one order of hits, as in the embedded index."""

_NOTHING: dict[str, Any] = {"match_none": {}}
_BOOSTS = (4.0, 3.0, 2.0, 1.0)


def mappings() -> dict[str, Any]:
    """The strict mapping: an unknown field is an error, never a guess."""
    fields: dict[str, Any] = {name: {"type": "keyword"} for name in _KEYWORDS}
    fields |= {name: {"type": "long"} for name in _LONGS}
    fields |= {name: dict(_WORDS) for name in _PLACED}
    fields["ones"] = {**_WORDS, "index_options": "docs"}
    fields["rank"] = {"type": "byte"}
    for name in ("day_number", "listened_pm", "release", "documents"):
        fields[name] = {"type": "integer"}
    fields["needs_review"] = {"type": "boolean"}
    fields["amounts"] = {
        "dynamic": "strict",
        "properties": {unit: {"type": "double"} for unit in UNITS},
    }
    fields["body"] = {"type": "keyword", "index": False, "doc_values": False}
    return {
        "dynamic": "strict",
        "_meta": {"schema": SCHEMA_VERSION},
        "_source": {"includes": ["body", "doc_id"]},
        "properties": fields,
    }


def source_of(document: Document) -> dict[str, Any]:
    """A document as it is sent."""
    d = document
    amounts: dict[str, list[float]] = {}
    for unit, number in d.amounts:
        amounts.setdefault(unit, []).append(number)
    source = {name: getattr(d, name) for name in _KEYWORDS}
    source |= {"rank": RANK[d.kind], "day_number": d.day_number, "needs_review": d.needs_review}
    source |= {"start_ms": d.start_ms, "wall_utc_ms": d.wall_utc_ms, "local_ms": d.local_ms}
    source |= {
        "amounts": amounts,
        "release": d.release,
        "body": d.model_dump_json(exclude_defaults=True),
    }
    if d.summary is not None:
        for name in ("duration_ms", "listened_ms", "speech_ms", "listened_pm", "documents"):
            source[name] = getattr(d.summary, name)
    if d.kind != "broadcast":
        source |= index_tokens(d.text, *d.also)._asdict()
        source |= {"value": column_tokens(*d.value), "product": column_tokens(d.product)}
    return source


def scored(node: Node, *, near: bool = False) -> dict[str, Any]:
    """The whole query; its score tells the match class: that of the best level."""
    wanted = [condition(widened(node, n), level=n) for n in range(levels(node, near=near))]
    classes = [
        {"constant_score": {"filter": clause, "boost": boost}}
        for clause, boost in zip(wanted, _BOOSTS, strict=False)
        if clause != _NOTHING
    ]
    hidden = {"term": {"kind": "broadcast"}}
    return {"bool": {"must": [_best(classes)], "must_not": [hidden]}}


def _best(classes: list[dict[str, Any]]) -> dict[str, Any]:
    if len(classes) < 2:
        return classes[0] if classes else _NOTHING
    return {"dis_max": {"queries": classes}}


def level_of(score: float, node: Node) -> int:
    """The match class that a score stands for."""
    return 0 if levels(node) == 1 else _BOOSTS.index(round(score))


def condition(node: Node, *, level: int) -> dict[str, Any]:
    """A query as a filter clause at a match level."""
    if isinstance(node, And):
        return _all([condition(part, level=level) for part in node.parts])
    if isinstance(node, Or):
        return _any([condition(part, level=level) for part in node.parts])
    if isinstance(node, Not):
        return {"bool": {"must_not": [condition(node.part, level=0)]}}
    if isinstance(node, Text):
        together = [_phrase(p, p.column) for p in node.together(level)]
        wide = [_phrase(p, p.column) for p in node.alternatives(level)]
        wide += [_near(n) for n in node.nearly(level)]
        return _any([*wide, *([_all(together)] if together else [])])
    if isinstance(node, ValueText):
        words = _any([_phrase(p, node.column) for p in node.phrases()])
        return _typed(node.claim_type, words)
    return _field(node)


def _field(node: Keyword | Review | Between | Amount) -> dict[str, Any]:
    if isinstance(node, Keyword):
        return {"terms": {node.field: list(node.values)}}
    if isinstance(node, Review):
        return _all([{"term": {"kind": "claim"}}, {"term": {"needs_review": node.needed}}])
    if isinstance(node, Between):
        bounds = {"gte": node.low, "lt": node.high}
        return {"range": {node.field: {k: v for k, v in bounds.items() if v is not None}}}
    field = f"amounts.{node.unit}"
    if node.operator == "=":
        return _typed(node.claim_type, {"term": {field: node.number}})
    names = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
    return _typed(node.claim_type, {"range": {field: {names[node.operator]: node.number}}})


def _typed(claim_type: str, clause: dict[str, Any]) -> dict[str, Any]:
    return _all([{"term": {"claim_type": claim_type}}, clause]) if claim_type else clause


def _all(clauses: list[dict[str, Any]]) -> dict[str, Any]:
    if _NOTHING in clauses:
        return _NOTHING
    return {"bool": {"filter": clauses}}


def _any(clauses: list[dict[str, Any]]) -> dict[str, Any]:
    if len(clauses) < 2:
        return clauses[0] if clauses else _NOTHING
    return {"bool": {"should": clauses, "minimum_should_match": 1}}


def _near(near: Near) -> dict[str, Any]:
    """Two runs of syllables with a hole between; a single run where the hole is at an end."""
    runs = [run for run in (near.before, near.after) if run]
    if len(runs) == 1:
        return _phrase(Phrase("syllables", runs[0]), "syllables")
    parts = [{"match": {"query": " ".join(run), "ordered": True, "max_gaps": 0}} for run in runs]
    both = {"intervals": parts, "ordered": True, "max_gaps": near.most}
    return {"intervals": {"syllables": {"all_of": both}}}


def _phrase(phrase: Phrase, column: str) -> dict[str, Any]:
    """Tokens in order; one token needs no positions."""
    if phrase.prefix and len(phrase.tokens) == 1:
        return {"prefix": {column: {"value": phrase.tokens[0]}}}
    if phrase.prefix:
        text = " ".join(phrase.tokens)
        return {"match_phrase_prefix": {column: {"query": text, "max_expansions": MOST_EXPANSIONS}}}
    if len(phrase.tokens) == 1:
        return {"term": {column: {"value": phrase.tokens[0]}}}
    return {"match_phrase": {column: {"query": " ".join(phrase.tokens)}}}
