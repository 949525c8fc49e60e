"""Answering a query from Elasticsearch: pages by point in time and ``search_after``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.index.answer import FACETS, Answer, FacetCount, SearchCoverage, SearchRequest
from pipeline.index.documents import Document
from pipeline.index.elastic_errors import refusal
from pipeline.index.elastic_schema import SORT, condition, level_of, scored
from pipeline.index.facets import facet_counts
from pipeline.index.hits import (
    MOST_FACET_VALUES,
    MOST_INCOMPLETE,
    Totals,
    coverage_of,
    hit_of,
    read_cursor,
    write_cursor,
)
from pipeline.index.nodes import And, Keyword, broadcast_scope
from pipeline.ports import Held

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

Body = dict[str, Any]

_KEEP_ALIVE = "5m"
_PAST_EVERY_PLACE = 2**62
_VALUES_OF_A_SHARD = 5000
"""Values each day counts before the commonest are chosen: exact up to here, bounded beyond."""
_PAGE = 1000
_SUMS = ("duration_ms", "listened_ms", "speech_ms")


def answer(client: Elasticsearch, index: str, request: SearchRequest) -> Answer:
    """The page asked for, with total, facets and coverage."""
    body, pit = _body(request), ""
    if request.cursor and not request.collapse:
        reply, pit = _paged(client, index, request, body)
        (scope,) = _together(client, index, _scope(request))
    else:
        reply, scope = _together(client, index, body, _scope(request))
    found = reply["hits"]["hits"]
    hits = tuple(
        hit_of(
            _document(hit),
            level=level_of(hit["_score"], request.node),
            node=request.node,
            grouped=hit["inner_hits"]["group"]["hits"]["total"]["value"] if request.collapse else 1,
        )
        for hit in found[: request.size]
    )
    return Answer(
        query=request.query,
        hits=hits,
        total=_total(reply, request),
        facets=_facets(reply) if request.facets else {},
        facets_of=reply["hits"]["total"]["value"] if request.facets else 0,
        coverage=_coverage(scope),
        cursor=_cursor(request, found, pit),
    )


def _together(client: Elasticsearch, index: str, *bodies: Body) -> list[dict[str, Any]]:
    """Several searches in one request; part of the index may never answer for all of it.

    Raises:
        IndexUnavailable, MappingConflict, IndexingError: as the server says.
    """
    head = {"index": index, "allow_partial_search_results": False}
    searches = [part for body in bodies for part in (head, body)]
    replies: list[dict[str, Any]] = client.msearch(searches=searches).body["responses"]
    for reply in replies:
        if "error" in reply:
            raise refusal(reply["status"], reply["error"]["type"], str(reply["error"])[:500])
    return replies


def _body(request: SearchRequest) -> Body:
    """One hit more than the page, to know whether there is another."""
    aggregations: dict[str, Any] = {}
    if request.facets:
        counted = {"size": MOST_FACET_VALUES, "shard_size": _VALUES_OF_A_SHARD}
        aggregations = {f: {"terms": {"field": f, **counted}} for f in FACETS}
    body: Body = {
        "query": scored(request.node, near=request.near),
        "sort": SORT,
        "size": request.size + 1,
        "_source": {"includes": ["body"]},
        "track_total_hits": True,
        "track_scores": True,
    }
    if request.collapse:
        groups = {"cardinality": {"field": request.collapse, "precision_threshold": 40_000}}
        aggregations["groups"] = groups
        inner = {"name": "group", "size": 0}
        body["collapse"] = {"field": request.collapse, "inner_hits": inner}
        body["from"] = _skip(request)
    if aggregations:
        body["aggregations"] = aggregations
    return body


def _skip(request: SearchRequest) -> int:
    skip = read_cursor(request.cursor, fields=1)[0] if request.cursor else 0
    return skip if isinstance(skip, int) and 0 <= skip <= 9_000 - request.size else 0


def _paged(
    client: Elasticsearch, index: str, request: SearchRequest, body: Body
) -> tuple[dict[str, Any], str]:
    """A page after a cursor. The second opens a point in time, in which the others stay.

    Hits have one order by what stands in them, so no page repeats or leaves out what was there.
    """
    from elasticsearch import NotFoundError

    pit, *after = read_cursor(request.cursor, fields=len(SORT) + 1)
    try:
        return _held(client, body, after, str(pit) or _point_in_time(client, index))
    except NotFoundError:  # it has expired: go on in the index as it is now
        return _held(client, body, after, _point_in_time(client, index))


def _point_in_time(client: Elasticsearch, index: str) -> str:
    return str(client.open_point_in_time(index=index, keep_alive=_KEEP_ALIVE).body["id"])


def _held(
    client: Elasticsearch, body: Body, after: list[Any], pit: str
) -> tuple[dict[str, Any], str]:
    # A point in time adds a tie-breaker of its own, the document's place; doc_id never
    # ties, so any value past every place will do.
    place = {"search_after": [*after, _PAST_EVERY_PLACE]}
    held_in = {"pit": {"id": pit, "keep_alive": _KEEP_ALIVE}}
    reply = client.search(body={**body, **place, **held_in}, allow_partial_search_results=False)
    return reply.body, pit


def _cursor(request: SearchRequest, found: list[Any], pit: str) -> str:
    if len(found) <= request.size:
        return ""
    if request.collapse:
        return write_cursor([_skip(request) + request.size])
    score, *place = found[request.size - 1]["sort"][: len(SORT)]
    return write_cursor([pit, round(score), *place])


def _total(reply: dict[str, Any], request: SearchRequest) -> int:
    if request.collapse:
        return int(reply["aggregations"]["groups"]["value"])
    return int(reply["hits"]["total"]["value"])


def _facets(reply: dict[str, Any]) -> dict[str, tuple[FacetCount, ...]]:
    return {
        field: facet_counts(
            (bucket["key"], bucket["doc_count"])
            for bucket in reply["aggregations"][field]["buckets"]
        )
        for field in FACETS
    }


def _scope(request: SearchRequest) -> Body:
    """The broadcasts that the query's filters admit: their sums, and those with losses.

    It asks for no hits, so that a day that does not change answers it from its request cache.
    """
    scope = And((Keyword("kind", ("broadcast",)), broadcast_scope(request.node)))
    worst = {
        "size": MOST_INCOMPLETE,
        "_source": {"includes": ["body"]},
        "sort": [{"listened_pm": "asc"}, {"broadcast_id": "asc"}],
    }
    return {
        "query": condition(scope, level=0),
        "size": 0,
        "track_total_hits": False,
        "aggregations": {
            **{name: {"sum": {"field": name}} for name in _SUMS},
            "broadcasts": {"value_count": {"field": "duration_ms"}},
            "lossy": {
                "filter": {"range": {"listened_pm": {"lt": 1000}}},
                "aggregations": {"worst": {"top_hits": worst}},
            },
        },
    }


def _coverage(reply: dict[str, Any]) -> SearchCoverage:
    sums = reply["aggregations"]
    totals = Totals(*(int(sums[name]["value"]) for name in ("broadcasts", *_SUMS)))
    return coverage_of(totals, (_document(hit) for hit in sums["lossy"]["worst"]["hits"]["hits"]))


def _document(hit: dict[str, Any]) -> Document:
    return Document.model_validate_json(hit["_source"]["body"])


# --- what there is --------------------------------------------------------------------------


class Place(NamedTuple):
    """Where a document lies."""

    doc_id: str
    day: str


def places(client: Elasticsearch, index: str, broadcast_id: str) -> Iterator[Place]:
    """Every document of a broadcast."""
    after: list[Any] | None = None
    while True:
        page = client.search(
            index=index,
            query={"term": {"broadcast_id": broadcast_id}},
            sort=[{"doc_id": "asc"}, {"day": "asc"}],
            size=_PAGE,
            source=False,
            search_after=after,
            allow_partial_search_results=False,
        )["hits"]["hits"]
        yield from (Place(*hit["sort"]) for hit in page)
        if len(page) < _PAGE:
            return
        after = page[-1]["sort"]


def days(client: Elasticsearch, index: str) -> list[str]:
    """The days that have documents, in order."""
    reply = client.search(
        index=index,
        size=0,
        aggregations={"days": {"terms": {"field": "day", "size": 10 * _PAGE}}},
        allow_partial_search_results=False,
    )
    return sorted(bucket["key"] for bucket in reply["aggregations"]["days"]["buckets"])


def held(client: Elasticsearch, index: str) -> Iterator[Held]:
    """What one day's index holds, by broadcast; nothing where there is no such index."""
    after: dict[str, Any] = {}
    sources = [{"broadcast_id": {"terms": {"field": "broadcast_id"}}}]
    measures = {
        "oldest": {"min": {"field": "release"}},
        "newest": {"max": {"field": "release"}},
        "expected": {"max": {"field": "documents"}},
    }
    while True:
        composite = {"size": _PAGE, "sources": sources, **after}
        reply = client.search(
            index=index,
            ignore_unavailable=True,
            size=0,
            aggregations={"held": {"composite": composite, "aggregations": measures}},
            allow_partial_search_results=False,
        ).body
        found = reply.get("aggregations", {}).get("held", {"buckets": []})
        for bucket in found["buckets"]:
            oldest, newest, expected = (int(bucket[name]["value"] or 0) for name in measures)
            name, documents = bucket["key"]["broadcast_id"], bucket["doc_count"]
            yield Held(name, oldest, newest, documents, expected)
        if "after_key" not in found:
            return
        after = {"after": found["after_key"]}
