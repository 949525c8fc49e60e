"""Clips over HTTP: made by a request that may be sent again, found by their id, fetched in ranges."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Header, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import Field, model_validator

from pipeline.errors import InputError, NotFound, ObjectArchived
from pipeline.evidence.clip import Clip, ClipInfo
from pipeline.evidence.cold import Availability
from pipeline.evidence.proxies import Viewing, ViewingClip
from pipeline.model import Frozen
from pipeline.serve.access.door import Door
from pipeline.serve.access.roles import Viewer
from pipeline.serve.desk import Desk
from pipeline.serve.http_common import PROBLEMS, Works, bearer, office_of

router = APIRouter(prefix="/api/v1", tags=["clips"], responses=PROBLEMS, dependencies=[bearer])
Kind = Literal["mp4", "jpg", "srt"]
_TYPES = {"mp4": "video/mp4", "jpg": "image/jpeg", "srt": "application/x-subrip"}
CLIP_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {media: {} for media in _TYPES.values()}, "description": "The whole file."},
    206: {"content": {media: {} for media in _TYPES.values()}, "description": "A range of it."},
    416: {"description": "The range lies outside the file."},
}
_LATEST_MS = 1 << 40
ViewingKind = Literal["mp4", "srt"]


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


class ViewingMade(Frozen):
    """A viewing copy, which is no evidence, and how to fetch it."""

    info: ViewingClip
    """What it is, and where it comes from."""
    links: dict[str, str]
    """Its files; with keys, each link opens its own file for ten minutes without one."""


class ClipAway(Frozen):
    """What is answered instead of a clip while the recording is archived."""

    recording: Availability
    """Its state, and when it can be read."""
    viewing: ViewingMade | None
    """A copy to look at meanwhile; null where none was made."""


AWAY: dict[int | str, dict[str, Any]] = {
    202: {"model": ClipAway, "description": "The recording is archived; ask again when it is back."}
}


@router.post("/clips", status_code=201, response_model=ClipMade, responses=AWAY)
def make_clip(
    works: Works,
    request: Request,
    response: Response,
    wanted: ClipWanted,
    idempotency_key: Annotated[str, Header(max_length=200)] = "",
) -> ClipMade | Response:
    """Cut a clip. Sent again with the same Idempotency-Key, it answers the same."""
    asked = wanted.model_dump_json().encode()
    once = office_of(request).once
    try:
        clip_id, again = once.answer(
            works.viewer.key_id,
            idempotency_key,
            asked,
            lambda: works.make_clip(**wanted.model_dump()),
        )
    except ObjectArchived:
        if wanted.claim_id:
            return away_answer(request, works, claim_id=wanted.claim_id)
        span = (wanted.start_ms or 0, wanted.end_ms or 0)
        return away_answer(request, works, broadcast_id=wanted.broadcast_id, span_ms=span)
    if again:
        response.headers["Idempotent-Replayed"] = "true"
    response.headers["Location"] = f"/api/v1/clips/{clip_id}"
    return _made(request, works, clip_id)


@router.get("/clips/{clip_id}")
def clip_by_id(works: Works, request: Request, clip_id: str) -> ClipMade:
    """A clip that was made, by its id."""
    return _made(request, works, clip_id)


@router.get("/clips/{clip_id}/clip.{kind}", response_class=FileResponse, responses=CLIP_BYTES)
def clip_by_id_file(works: Works, clip_id: str, kind: Kind) -> FileResponse:
    """A clip (with byte ranges), its picture or its words."""
    return _file(works, works.clip_by_id(clip_id), kind)


@router.get("/claims/{claim_id}/clip", response_model=ClipMade, responses=AWAY)
def clip(works: Works, request: Request, claim_id: str) -> ClipMade | Response:
    """The claim's clip, made when first asked for."""
    try:
        made = works.clip(claim_id)
    except ObjectArchived:
        return away_answer(request, works, claim_id=claim_id)
    door: Door = request.app.state.door
    return clip_answer(door, works.viewer, made, claim_id, f"/api/v1/claims/{claim_id}")


@router.get(
    "/claims/{claim_id}/clip.{kind}", response_class=FileResponse, responses=CLIP_BYTES | AWAY
)
def clip_file(works: Works, request: Request, claim_id: str, kind: Kind) -> Response:
    """The claim's clip (with byte ranges), its picture or its words."""
    try:
        made = works.clip(claim_id)
    except ObjectArchived:
        return away_answer(request, works, claim_id=claim_id)
    return _file(works, made, kind)


@router.get("/claims/{claim_id}/viewing.{kind}", response_class=FileResponse, responses=CLIP_BYTES)
def viewing_file(works: Works, claim_id: str, kind: ViewingKind) -> FileResponse:
    """The claim's viewing copy (with byte ranges) or its words, while the recording is archived."""
    return viewing_file_at(works, works.away(claim_id=claim_id).viewing, kind)


@router.get(
    "/spans/{start_ms}-{end_ms}/{broadcast_id:path}/clip.{kind}",
    response_class=FileResponse,
    responses=CLIP_BYTES | AWAY,
)
def span_file(
    works: Works, request: Request, start_ms: int, end_ms: int, broadcast_id: str, kind: Kind
) -> Response:
    """The clip of a span of a broadcast, its picture or its words."""
    span = (start_ms, end_ms)
    try:
        made = works.clip_of_span(broadcast_id, span)
    except ObjectArchived:
        return away_answer(request, works, broadcast_id=broadcast_id, span_ms=span)
    return _file(works, made, kind)


@router.get(
    "/spans/{start_ms}-{end_ms}/{broadcast_id:path}/viewing.{kind}",
    response_class=FileResponse,
    responses=CLIP_BYTES,
)
def span_viewing_file(
    works: Works, start_ms: int, end_ms: int, broadcast_id: str, kind: ViewingKind
) -> FileResponse:
    """The viewing copy of a span, or its words, while the recording is archived."""
    said = works.away(broadcast_id=broadcast_id, span_ms=(start_ms, end_ms))
    return viewing_file_at(works, said.viewing, kind)


def away_answer(
    request: Request,
    works: Desk,
    *,
    claim_id: str = "",
    broadcast_id: str = "",
    span_ms: tuple[int, int] = (0, 0),
) -> Response:
    """The recording is archived: 202, its state, and the viewing copy."""
    said = works.away(claim_id=claim_id, broadcast_id=broadcast_id, span_ms=span_ms)
    path = f"/api/v1/claims/{claim_id}"
    if not claim_id:
        path = f"/api/v1/spans/{span_ms[0]}-{span_ms[1]}/{quote(broadcast_id, safe='')}"
    door: Door = request.app.state.door
    viewing = None
    for one in said.viewing:
        kinds = ("mp4", "srt") if one.subtitles else ("mp4",)
        links = {k: door.link(f"{path}/viewing.{k}", works.viewer) for k in kinds}
        viewing = ViewingMade(info=one.info, links=links)
    body = ClipAway(recording=said.recording, viewing=viewing)
    return JSONResponse(body.model_dump(mode="json"), status_code=202)


def viewing_file_at(works: Desk, found: Sequence[Viewing], kind: ViewingKind) -> FileResponse:
    """A file of a viewing copy, as it leaves.

    Raises:
        NotFound: there is no such copy.
    """
    path = {"mp4": found[0].video, "srt": found[0].subtitles}[kind] if found else None
    if path is None:
        raise NotFound("no viewing copy of this", hint="it is made where viewing.enabled is set")
    works.fetched(found[0], path)
    return FileResponse(
        path, media_type=_TYPES[kind], filename=path.name, content_disposition_type="inline"
    )


def _made(request: Request, works: Desk, clip_id: str) -> ClipMade:
    made = works.clip_by_id(clip_id)
    door: Door = request.app.state.door
    return clip_answer(door, works.viewer, made, clip_id, f"/api/v1/clips/{clip_id}")


def clip_answer(door: Door, viewer: Viewer, made: Clip, clip_id: str, path: str) -> ClipMade:
    """A clip with links to its files, which lie below a path."""
    there = [kind for kind in _TYPES if _at(made, kind)]
    links = {kind: door.link(f"{path}/clip.{kind}", viewer) for kind in there}
    return ClipMade(clip_id=clip_id, info=made.info, links=links)


def _at(made: Clip, kind: str) -> Path | None:
    return {"mp4": made.video, "jpg": made.picture, "srt": made.subtitles}[kind]


def _file(works: Desk, made: Clip, kind: Kind) -> FileResponse:
    path, answer = clip_file_at(made, kind)
    works.fetched(made, path)
    return answer


def clip_file_at(made: Clip, kind: Kind) -> tuple[Path, FileResponse]:
    """A file of a clip, and the answer that sends it; whoever sends it writes that down first.

    Raises:
        InputError: the clip has no such file.
    """
    path = _at(made, kind)
    if path is None:
        raise InputError(f"{made.video.name} has no {kind}", hint="ask for clip.mp4")
    return path, FileResponse(
        path, media_type=_TYPES[kind], filename=path.name, content_disposition_type="inline"
    )
