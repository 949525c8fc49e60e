"""Clips over HTTP: made by a request that may be sent again, found by their id, fetched in ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request
from fastapi.responses import FileResponse, Response
from pydantic import Field, model_validator

from pipeline.errors import InputError
from pipeline.evidence.clip import Clip, ClipInfo
from pipeline.model import Frozen
from pipeline.serve.access.door import Door
from pipeline.serve.desk import Desk
from pipeline.serve.http_common import PROBLEMS, Works, bearer, office_of

router = APIRouter(prefix="/api/v1", tags=["clips"], responses=PROBLEMS, dependencies=[bearer])
Kind = Literal["mp4", "jpg", "srt"]
_TYPES = {"mp4": "video/mp4", "jpg": "image/jpeg", "srt": "application/x-subrip"}
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {media: {} for media in _TYPES.values()}, "description": "The whole file."},
    206: {"content": {media: {} for media in _TYPES.values()}, "description": "A range of it."},
    416: {"description": "The range lies outside the file."},
}
_LATEST_MS = 1 << 40


class ClipWanted(Frozen):
    """A claim, or a span of a broadcast."""

    claim_id: str = Field(default="", max_length=100)
    """The claim to cut, with its margin; or else"""
    broadcast_id: str = Field(default="", max_length=300)
    """the broadcast"""
    start_ms: int | None = Field(default=None, ge=0, lt=_LATEST_MS)
    """from here on its timeline"""
    end_ms: int | None = Field(default=None, ge=0, lt=_LATEST_MS)
    """to here, exclusive."""

    @model_validator(mode="after")
    def _one_of_both(self) -> ClipWanted:
        span = self.broadcast_id and self.start_ms is not None and self.end_ms is not None
        if bool(self.claim_id) == bool(span):
            raise ValueError("give claim_id, or broadcast_id with start_ms and end_ms")
        return self


class ClipMade(Frozen):
    """A clip, and how to fetch it."""

    clip_id: str
    """Of the clip: the claim's id, or ``s-`` and a digest of its span."""
    info: ClipInfo
    """Where it comes from: hashes, byte ranges, times."""
    links: dict[str, str]
    """Its files; with keys, each link opens its own file for ten minutes without one."""


@router.post("/clips", status_code=201)
def make_clip(
    works: Works,
    request: Request,
    response: Response,
    wanted: ClipWanted,
    idempotency_key: Annotated[str, Header(max_length=200)] = "",
) -> ClipMade:
    """Cut a clip. Sent again with the same Idempotency-Key, it answers the same."""
    asked = wanted.model_dump_json().encode()
    once = office_of(request).once
    clip_id, again = once.answer(
        works.viewer.key_id, idempotency_key, asked, lambda: works.make_clip(**wanted.model_dump())
    )
    if again:
        response.headers["Idempotent-Replayed"] = "true"
    response.headers["Location"] = f"/api/v1/clips/{clip_id}"
    return _made(request, works, clip_id)


@router.get("/clips/{clip_id}")
def clip_by_id(works: Works, request: Request, clip_id: str) -> ClipMade:
    """A clip that was made, by its id."""
    return _made(request, works, clip_id)


@router.get("/clips/{clip_id}/clip.{kind}", response_class=FileResponse, responses=_BYTES)
def clip_by_id_file(works: Works, clip_id: str, kind: Kind) -> FileResponse:
    """A clip (with byte ranges), its picture or its words."""
    return _file(works, works.clip_by_id(clip_id), kind)


@router.get("/claims/{claim_id}/clip")
def clip(works: Works, request: Request, claim_id: str) -> ClipMade:
    """The claim's clip, made when first asked for."""
    made = works.clip(claim_id)
    return ClipMade(
        clip_id=claim_id,
        info=made.info,
        links=_links(request, works, made, f"/api/v1/claims/{claim_id}"),
    )


@router.get("/claims/{claim_id}/clip.{kind}", response_class=FileResponse, responses=_BYTES)
def clip_file(works: Works, claim_id: str, kind: Kind) -> FileResponse:
    """The claim's clip (with byte ranges), its picture or its words."""
    return _file(works, works.clip(claim_id), kind)


@router.get(
    "/spans/{start_ms}-{end_ms}/{broadcast_id:path}/clip.{kind}",
    response_class=FileResponse,
    responses=_BYTES,
)
def span_file(
    works: Works, start_ms: int, end_ms: int, broadcast_id: str, kind: Kind
) -> FileResponse:
    """The clip of a span of a broadcast, its picture or its words."""
    return _file(works, works.clip_of_span(broadcast_id, (start_ms, end_ms)), kind)


def _made(request: Request, works: Desk, clip_id: str) -> ClipMade:
    made = works.clip_by_id(clip_id)
    links = _links(request, works, made, f"/api/v1/clips/{clip_id}")
    return ClipMade(clip_id=clip_id, info=made.info, links=links)


def _links(request: Request, works: Desk, made: Clip, path: str) -> dict[str, str]:
    door: Door = request.app.state.door
    there = [kind for kind in _TYPES if _at(made, kind)]
    return {kind: door.link(f"{path}/clip.{kind}", works.viewer) for kind in there}


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
