"""Sealed bundles over HTTP: made by a request that may be sent again, checked, fetched as a zip."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import FileResponse
from pydantic import Field, model_validator

from pipeline.errors import ObjectArchived
from pipeline.model import Frozen
from pipeline.serve.access.door import Door
from pipeline.serve.http_clips import AWAY, away_answer
from pipeline.serve.http_common import PROBLEMS, Works, bearer, office_of
from pipeline.serve.parcels import Parcel

router = APIRouter(prefix="/api/v1", tags=["bundles"], responses=PROBLEMS, dependencies=[bearer])
_ZIP: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/zip": {}}, "description": "The whole bundle."},
    206: {"content": {"application/zip": {}}, "description": "A range of it."},
    416: {"description": "The range lies outside the file."},
}


class BundleWanted(Frozen):
    """A claim, or an order."""

    claim_id: str = Field(default="", max_length=100)
    """The claim whose evidence is sealed; or else"""
    order_id: str = Field(default="", max_length=300)
    """the order whose answer is."""

    @model_validator(mode="after")
    def _one_of_both(self) -> BundleWanted:
        if bool(self.claim_id) == bool(self.order_id):
            raise ValueError("give claim_id or order_id")
        return self


class BundleMade(Frozen):
    """A sealed bundle, and how to fetch it."""

    bundle: Parcel
    """What it is about, and its hashes."""
    links: dict[str, str]
    """Its zip; with keys, the link opens it for ten minutes without one."""


@router.post("/bundles", status_code=201, response_model=BundleMade, responses=AWAY)
def make_bundle(
    works: Works,
    request: Request,
    response: Response,
    wanted: BundleWanted,
    idempotency_key: Annotated[str, Header(max_length=200)] = "",
) -> BundleMade | Response:
    """Seal a bundle. Sent again with the same Idempotency-Key, it answers the same."""
    try:
        bundle_id, again = office_of(request).once.answer(
            works.viewer.key_id,
            idempotency_key,
            b"bundle" + wanted.model_dump_json().encode(),
            lambda: works.parcels.make(**wanted.model_dump()).bundle_id,
        )
    except ObjectArchived:
        return _away(request, works, wanted)
    if again:
        response.headers["Idempotent-Replayed"] = "true"
    response.headers["Location"] = f"/api/v1/bundles/{bundle_id}"
    return _made(request, works, bundle_id)


@router.get("/bundles/{bundle_id}")
def bundle_by_id(works: Works, request: Request, bundle_id: str) -> BundleMade:
    """A bundle that was made, by its id."""
    return _made(request, works, bundle_id)


@router.get("/bundles/{bundle_id}/checks")
def bundle_checks(works: Works, bundle_id: str) -> dict[str, Any]:
    """Its numbered checks and verdicts, as `evidence verify --json` prints them.

    Never *trusted*: that takes a root given from outside. Check a copy of your own, offline.
    """
    return works.parcels.checked(bundle_id)


@router.get("/bundles/{bundle_id}/bundle.zip", response_class=FileResponse, responses=_ZIP)
def bundle_zip(works: Works, bundle_id: str) -> FileResponse:
    """The bundle as a deterministic zip, with byte ranges."""
    path = works.parcels.archive(bundle_id)
    return FileResponse(path, media_type="application/zip", filename=path.name)


def _away(request: Request, works: Works, wanted: BundleWanted) -> Response:
    """The recording is archived: its state, and the viewing copy of what would be sealed first."""
    if wanted.claim_id:
        return away_answer(request, works, claim_id=wanted.claim_id)
    dossier = works.order(wanted.order_id)
    if dossier.moments:
        return away_answer(request, works, claim_id=dossier.moments[0].claim_id)
    span_ms = dossier.windows[0] if dossier.windows else (0, 1)
    return away_answer(request, works, broadcast_id=dossier.broadcast_id, span_ms=span_ms)


def _made(request: Request, works: Works, bundle_id: str) -> BundleMade:
    door: Door = request.app.state.door
    link = door.link(f"/api/v1/bundles/{bundle_id}/bundle.zip", works.viewer)
    return BundleMade(bundle=works.parcels.get(bundle_id), links={"zip": link})
