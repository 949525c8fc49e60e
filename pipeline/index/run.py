"""The door: put a broadcast into an index, ask an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pipeline.errors import QueryError
from pipeline.index.answer import Answer, Collapse, SearchRequest
from pipeline.index.documents import Document, documents_of
from pipeline.index.nodes import Node, levels
from pipeline.index.query import both, filters, parse
from pipeline.model import ClaimSet, Revision, Screen, Transcript
from pipeline.ports import EvidenceIndex

MOST_HITS = 1000
FEW = 10
"""Where fewer are found, what sounds nearly like the words is looked for too."""


def printable(text: str) -> str:
    """A typed text without the lone surrogates that a command line may hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def index_broadcast(
    index: EvidenceIndex,
    revision: Revision,
    *,
    transcript: Transcript | None,
    screen: Screen | None,
    claims: ClaimSet | None,
    release: int = 0,
    packs: Mapping[str, str] | None = None,
) -> int:
    """Replace everything the index holds of a broadcast; see :func:`index_documents`."""
    made = documents_of(
        revision,
        transcript=transcript,
        screen=screen,
        claims=claims,
        release=release,
        packs=packs,
    )
    return index_documents(index, list(made))


def index_documents(index: EvidenceIndex, documents: Sequence[Document]) -> int:
    """Replace everything the index holds of a broadcast by these; how many it now holds.

    What stays the same stays findable meanwhile. Doing it again changes nothing, so it may be
    taken up after any failure.

    Raises:
        IndexUnavailable, MappingConflict, PartialWrite.
    """
    index.ensure()
    written = index.put(documents)
    kept = [document.doc_id for document in documents]
    index.drop(documents[0].broadcast_id, keep=kept, day=documents[0].day)
    return written


def search(
    index: EvidenceIndex,
    text: str,
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
    size: int = 20,
    cursor: str = "",
    facets: bool = True,
    collapse: Collapse = "",
    within: tuple[Node, ...] = (),
) -> Answer:
    """Answer a typed query (see ``pipeline.index.query``), narrowed by filters.

    ``within`` is what the one who asks may see: nothing outside it is found, counted or covered.

    Raises:
        QueryError: the query, the page size or the cursor cannot be understood.
        IndexUnavailable, MappingConflict.
    """
    text = printable(text)
    if not 1 <= size <= MOST_HITS:
        raise QueryError(f"{size} hits on a page", hint=f"ask for 1 to {MOST_HITS}")
    narrowed = filters(
        sku=printable(sku),
        claim_type=printable(claim_type),
        host=printable(host),
        merchant=printable(merchant),
        broadcast=printable(broadcast),
        polarity=printable(polarity),
        source=printable(source),
        kind=printable(kind),
        after=after,
        before=before,
    )
    request = SearchRequest(
        both(parse(text), (*narrowed, *within)), text, size, cursor, facets, collapse
    )
    return _answered(index, request)


def _answered(index: EvidenceIndex, request: SearchRequest) -> Answer:
    answer: Answer = index.search(request)
    if answer.total < FEW and levels(request.node, near=True) > levels(request.node):
        answer = index.search(request._replace(near=True))
    return answer
