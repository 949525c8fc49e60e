"""HTTP API v1: the façade's answers as JSON, the same forms as the command's ``--json``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Path as PathParameter
from fastapi.responses import Response
from pydantic import Field

from pipeline.cases.review import Layer
from pipeline.evidence.cold import Availability
from pipeline.index.answer import Answer
from pipeline.model import Claim, Dossier, Frozen
from pipeline.serve.desk import Office
from pipeline.serve.http_common import (
    PROBLEMS,
    Cursor,
    Page,
    Size,
    Works,
    bearer,
    cut,
    office_of,
)
from pipeline.serve.skus import SkuReport

router = APIRouter(prefix="/api/v1", tags=["v1"], responses=PROBLEMS, dependencies=[bearer])
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}, "description": "The picture."}
}


_CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {}}, "description": "One line a claim, after the column names."}
}


class BroadcastRow(Frozen):
    """A finished broadcast in a list."""

    broadcast_id: str
    """Which."""
    day: str
    """Broadcast day in its own offset; ``undated`` without one."""
    release: int
    """Current release."""
    counts: dict[str, int]
    """Segments, keyframes, screen lines, claims, gaps, milliseconds."""


class ReviewedAnswer(Answer):
    """A page of hits, with what people decided about them."""

    reviews: dict[str, Layer] = Field(default_factory=dict)
    """By claim id, the decision that stands over a hit."""


class ReviewedDossier(Dossier):
    """An answer to an order, with what people decided about its moments."""

    reviews: dict[str, Layer] = Field(default_factory=dict)
    """By claim id, the decision that stands over a moment."""
    recording: Availability | None = None
    """Whether the recording behind it can be read now; null without a broadcast."""


@router.get("/search")
def search(
    works: Works,
    q: Annotated[str, Query(max_length=1000, examples=["五年 type:warranty"])] = "",
    sku: str = "",
    claim_type: Annotated[str, Query(alias="type")] = "",
    host: str = "",
    merchant: str = "",
    broadcast: str = "",
    polarity: Literal["", "affirm", "negate"] = "",
    size: Annotated[int, Query(ge=1, le=200)] = 20,
    cursor: Cursor = "",
) -> ReviewedAnswer:
    """Claims, spoken words and screen text, with facets, coverage and a cursor for the next page."""
    filters = {"sku": sku, "claim_type": claim_type, "host": host, "merchant": merchant}
    filters |= {"broadcast": broadcast, "polarity": polarity}
    answer = works.search(q, **filters, size=size, cursor=cursor)
    return ReviewedAnswer(**_fields(answer), reviews=works.hit_layers(answer))


@router.get("/broadcasts")
def broadcasts(works: Works, size: Size = 100, cursor: Cursor = "") -> Page[BroadcastRow]:
    """Every finished broadcast: id, day, release, counts."""
    rows, after = cut(works.broadcasts(), size=size, cursor=cursor)
    return Page(items=tuple(BroadcastRow(**row) for row in rows), cursor=after)


@router.get("/broadcasts/{broadcast_id:path}/transcript")
def transcript(works: Works, broadcast_id: str, verbatim: bool = True) -> dict[str, Any]:
    """Segments with times, as heard or in the normal form."""
    return works.transcript(broadcast_id, verbatim=verbatim)


@router.get("/broadcasts/{broadcast_id:path}/claims")
def claims(works: Works, broadcast_id: str, size: Size = 1000, cursor: Cursor = "") -> Page[Claim]:
    """The claims of a broadcast in order of time."""
    release, found = works.claims(broadcast_id)
    rows, after = cut(found, size=size, cursor=cursor, version=release)
    return Page(items=rows, cursor=after)


@router.get("/broadcasts/{broadcast_id:path}/claims.csv", response_class=Response, responses=_CSV)
def claims_file(works: Works, broadcast_id: str) -> Response:
    """The claims of a broadcast as CSV that no spreadsheet takes for formulas."""
    data = works.claims_csv(broadcast_id).encode()
    kept = {"Content-Disposition": 'attachment; filename="claims.csv"'}
    return Response(data, media_type="text/csv; charset=utf-8", headers=kept)


@router.get(
    "/broadcasts/{broadcast_id:path}/keyframes/{number}.jpg",
    response_class=Response,
    responses=_JPEG,
)
def keyframe(works: Works, broadcast_id: str, number: int) -> Response:
    """A kept picture, the very bytes that were stored."""
    return Response(works.keyframe(broadcast_id, number), media_type="image/jpeg")


@router.get("/skus/{sku_id:path}")
def sku(works: Works, sku_id: str) -> SkuReport:
    """All claims about a SKU over all broadcasts: how they changed, which contradict each other."""
    return works.sku(sku_id)


@router.get("/broadcasts/{broadcast_id:path}")
def broadcast(works: Works, broadcast_id: str) -> dict[str, Any]:
    """Description, clock map, windows, claims, keyframes, screen lines, coverage."""
    return works.show(broadcast_id)


@router.get("/claims/{claim_id}")
def claim(works: Works, claim_id: str) -> Claim:
    """A claim by its id, of whatever version made it."""
    return works.claim(claim_id)


@router.get("/orders/{order_id:path}")
def order(works: Works, order_id: str) -> ReviewedDossier:
    """The answer to an order's dispute, from the store alone."""
    dossier = works.order(order_id)
    return ReviewedDossier(
        **_fields(dossier),
        reviews=works.dossier_layers(dossier),
        recording=works.recording(dossier),
    )


def _fields(record: Frozen) -> dict[str, Any]:
    return {name: getattr(record, name) for name in type(record).model_fields}


@router.get("/status")
def workspace_status(works: Works) -> dict[str, Any]:
    """What is here, what is unfinished, free disk."""
    return works.status()


@router.get("/custody/{day}")
def custody(
    works: Works,
    day: Annotated[str, PathParameter(pattern=r"^\d{4}-\d{2}-\d{2}$")],
    size: Size = 200,
    cursor: Cursor = "",
) -> Page[dict[str, Any]]:
    """Who looked at what on a UTC day, in the order in which it was written down."""
    rows, after = cut(works.custody(day), size=size, cursor=cursor)
    return Page(items=rows, cursor=after)


@router.get("/health")
def health() -> dict[str, str]:
    """Alive."""
    return {"status": "ok"}


@router.get("/ready")
def ready(office: Annotated[Office, Depends(office_of)]) -> dict[str, str]:
    """Able to answer: the store and the index do."""
    office.works.app.store.stat("catalogue/none")
    office.works.search("", size=1)
    return {"status": "ok"}
