"""HTTP API v1: the façade's answers as JSON, the same forms as the command's ``--json``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, Response
from pydantic import Field

from pipeline.cases.review import Layer
from pipeline.errors import InputError
from pipeline.evidence.clip import Clip
from pipeline.index.answer import Answer
from pipeline.model import Claim, Dossier, Frozen
from pipeline.serve.access.door import Door
from pipeline.serve.desk import Desk, Office
from pipeline.serve.skus import SkuReport

Kind = Literal["mp4", "jpg", "srt"]
_TYPES = {"mp4": "video/mp4", "jpg": "image/jpeg", "srt": "application/x-subrip"}

router = APIRouter(prefix="/api/v1", tags=["v1"])


def office_of(request: Request) -> Office:
    """What this application serves."""
    found: Office = request.app.state.office
    return found


def desk_of(request: Request) -> Desk:
    """The workspace within the limits of whoever asks; the gate has seen to it that one does."""
    return Desk(office_of(request), request.state.viewer)


Works = Annotated[Desk, Depends(desk_of)]


class ReviewedAnswer(Answer):
    """A page of hits, with what people decided about them."""

    reviews: dict[str, Layer] = Field(default_factory=dict)
    """By claim id, the decision that stands over a hit."""


class ReviewedDossier(Dossier):
    """An answer to an order, with what people decided about its moments."""

    reviews: dict[str, Layer] = Field(default_factory=dict)
    """By claim id, the decision that stands over a moment."""


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
    cursor: Annotated[str, Query(max_length=4000)] = "",
) -> ReviewedAnswer:
    """Claims, spoken words and screen text, with facets, coverage and a cursor for the next page."""
    filters = {"sku": sku, "claim_type": claim_type, "host": host, "merchant": merchant}
    filters |= {"broadcast": broadcast, "polarity": polarity}
    answer = works.search(q, **filters, size=size, cursor=cursor)
    return ReviewedAnswer(**_fields(answer), reviews=works.hit_layers(answer))


@router.get("/broadcasts")
def broadcasts(works: Works) -> list[dict[str, Any]]:
    """Every finished broadcast: id, day, release, counts."""
    return works.broadcasts()


@router.get("/broadcasts/{broadcast_id:path}/transcript")
def transcript(works: Works, broadcast_id: str, verbatim: bool = True) -> dict[str, Any]:
    """Segments with times, as heard or in the normal form."""
    return works.transcript(broadcast_id, verbatim=verbatim)


@router.get("/broadcasts/{broadcast_id:path}/claims")
def claims(works: Works, broadcast_id: str) -> list[Claim]:
    """All claims of a broadcast in order of time."""
    return works.claims(broadcast_id)


@router.get("/broadcasts/{broadcast_id:path}/keyframes/{number}.jpg", response_class=Response)
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


@router.get("/claims/{claim_id}/clip")
def clip(works: Works, request: Request, claim_id: str) -> dict[str, Any]:
    """Where the claim's clip comes from: hashes, byte ranges, times; made when first asked for.

    ``links`` open the files without a key for ten minutes, each its own file only.
    """
    made = works.clip(claim_id)
    door: Door = request.app.state.door
    path = f"/api/v1/claims/{claim_id}/clip"
    links = {kind: door.link(f"{path}.{kind}", works.viewer) for kind in _TYPES if _at(made, kind)}
    found: dict[str, Any] = made.info.model_dump(mode="json")
    return found | {"links": links}


@router.get("/claims/{claim_id}/clip.{kind}", response_class=FileResponse)
def clip_file(works: Works, claim_id: str, kind: Kind) -> FileResponse:
    """The clip (with byte ranges), its picture or its words."""
    return _file(works, works.clip(claim_id), kind)


@router.get(
    "/spans/{start_ms}-{end_ms}/{broadcast_id:path}/clip.{kind}", response_class=FileResponse
)
def span_file(
    works: Works, start_ms: int, end_ms: int, broadcast_id: str, kind: Kind
) -> FileResponse:
    """The clip of a span of a broadcast, its picture or its words."""
    return _file(works, works.clip_of_span(broadcast_id, (start_ms, end_ms)), kind)


def _at(made: Clip, kind: str) -> Path | None:
    return {"mp4": made.video, "jpg": made.picture, "srt": made.subtitles}[kind]


def _file(works: Desk, made: Clip, kind: Kind) -> FileResponse:
    path = _at(made, kind)
    if path is None:
        raise InputError(f"{made.video.name} has no {kind}", hint="ask for clip.mp4")
    works.fetched(made, path)
    return FileResponse(
        path, media_type=_TYPES[kind], filename=path.name, content_disposition_type="inline"
    )


@router.get("/orders/{order_id:path}")
def order(works: Works, order_id: str) -> ReviewedDossier:
    """The answer to an order's dispute, from the store alone."""
    dossier = works.order(order_id)
    return ReviewedDossier(**_fields(dossier), reviews=works.dossier_layers(dossier))


def _fields(record: Frozen) -> dict[str, Any]:
    return {name: getattr(record, name) for name in type(record).model_fields}


@router.get("/status")
def workspace_status(works: Works) -> dict[str, Any]:
    """What is here, what is unfinished, free disk."""
    return works.status()


@router.get("/custody/{day}")
def custody(
    works: Works, day: Annotated[str, PathParameter(pattern=r"^\d{4}-\d{2}-\d{2}$")]
) -> list[dict[str, Any]]:
    """Who looked at what on a UTC day, in the order in which it was written down."""
    return works.custody(day)


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
