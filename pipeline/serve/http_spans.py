"""Spans over HTTP: a page and files at addresses that name the release, so that they never change."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from pipeline.errors import ObjectArchived
from pipeline.serve.http_clips import (
    AWAY,
    CLIP_BYTES,
    ClipAway,
    Kind,
    ViewingKind,
    clip_file_at,
    viewing_file_at,
)
from pipeline.serve.http_common import PROBLEMS, bearer, office_of
from pipeline.serve.http_pages import page, shown_span
from pipeline.serve.lanes import lanes_of
from pipeline.serve.lines import written
from pipeline.serve.spans import Place, SpanDesk

router = APIRouter(prefix="/api/v1", tags=["clips"], responses=PROBLEMS, dependencies=[bearer])
pages = APIRouter(include_in_schema=False)
Number = Annotated[int, Path(ge=0, le=1 << 40)]


def span_desk_of(request: Request) -> SpanDesk:
    """The desk for spans, within the limits of whoever asks."""
    return SpanDesk(office_of(request), request.state.viewer)


Works = Annotated[SpanDesk, Depends(span_desk_of)]


def place_of(broadcast_id: str, release: Number, start_ms: Number, end_ms: Number) -> Place:
    """The span that an address names."""
    return Place(broadcast_id, release, start_ms, end_ms)


Meant = Annotated[Place, Depends(place_of)]


@router.get(
    "/spans/{start_ms}-{end_ms}-r{release}/{broadcast_id:path}/clip.{kind}",
    response_class=FileResponse,
    responses=CLIP_BYTES | AWAY,
)
def release_span_file(works: Works, place: Meant, kind: Kind) -> Response:
    """The clip of a span of one release of a broadcast, its picture or its words."""
    try:
        made = works.clip_at(place)
    except ObjectArchived:
        said = ClipAway(recording=works.away_at(place).recording, viewing=None)
        return JSONResponse(said.model_dump(mode="json"), status_code=202)
    path, answer = clip_file_at(made, kind)
    works.fetched(made, path)
    return answer


@router.get(
    "/spans/{start_ms}-{end_ms}-r{release}/{broadcast_id:path}/viewing.{kind}",
    response_class=FileResponse,
    responses=CLIP_BYTES,
)
def release_span_viewing(works: Works, place: Meant, kind: ViewingKind) -> FileResponse:
    """The viewing copy of a span of one release, or its words, while the recording is archived."""
    return viewing_file_at(works, works.away_at(place).viewing, kind)


@pages.get("/s/{start_ms}-{end_ms}-r{release}/{broadcast_id:path}", response_class=HTMLResponse)
def span_page(request: Request, works: Works, place: Meant) -> Response:
    """The permanent link of a span: the player, with the words of the release it names."""
    found = works.seen(place)
    parts, span = found.parts, place.span_ms
    cut, away = (lambda: works.clip_at(place)), (lambda: works.away_at(place))
    shown = shown_span(parts, span, cut, away, written(office_of(request), parts))
    near = [line.segment for line in shown["lines"]]
    said = [s.text for s in near if s.start_ms < place.end_ms and s.end_ms > place.start_ms]
    newer = place._replace(release=found.current)
    return page(
        request,
        "moment.html",
        heading=" ".join(said) or place.broadcast_id,
        claim=None,
        clip_url=f"/api/v1/spans/{place.path}/clip",
        lanes=lanes_of(parts, works.layers(parts), at_ms=place.start_ms),
        newer=f"/s/{newer.path}" if newer != place else "",
        **shown,
    )


@pages.get("/s/{start_ms}-{end_ms}/{broadcast_id:path}", response_class=HTMLResponse)
def span_now(works: Works, start_ms: Number, end_ms: Number, broadcast_id: str) -> RedirectResponse:
    """From a span as it is now to the address at which it stays so."""
    place = Place(broadcast_id, works.current(broadcast_id), start_ms, end_ms)
    return RedirectResponse(f"/s/{place.path}", 303)
