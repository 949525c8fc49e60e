"""Replays over HTTP: HLS playlists, byte ranges of originals, fragments, and the page that plays."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request
from fastapi.responses import HTMLResponse, Response

from pipeline.errors import InputError
from pipeline.serve.access.door import Door
from pipeline.serve.access.gate import HEADERS
from pipeline.serve.http_common import PROBLEMS, Works, bearer, office_of
from pipeline.serve.http_pages import page
from pipeline.serve.replays import Link, Place, ReplayDesk

router = APIRouter(prefix="/api/v1", tags=["replay"], responses=PROBLEMS, dependencies=[bearer])
pages = APIRouter(include_in_schema=False)
_PLAYLIST, _MP4 = "application/vnd.apple.mpegurl", "video/mp4"
_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")
_POLICY = "Content-Security-Policy"
Number = Annotated[int, Path(ge=0, le=1 << 40)]


def _said(media: str, words: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media: {}}, "description": words}}


def replay_desk_of(request: Request) -> ReplayDesk:
    """The desk for players, within the limits of whoever asks."""
    return ReplayDesk(office_of(request), request.state.viewer)


Replays = Annotated[ReplayDesk, Depends(replay_desk_of)]


def _link(request: Request, works: ReplayDesk) -> Link:
    door: Door = request.app.state.door
    return lambda path: door.link(path, works.viewer)


@router.get(
    "/claims/{claim_id}/replay.m3u8",
    response_class=Response,
    responses=_said(_PLAYLIST, "An HLS playlist; its links hold for ten minutes."),
)
def claim_playlist(request: Request, works: Replays, claim_id: str) -> Response:
    """The recording around a claim, to be played where it lies, beginning at the claim."""
    return Response(works.of_claim(claim_id, _link(request, works)), media_type=_PLAYLIST)


@router.get(
    "/spans/{start_ms}-{end_ms}/{broadcast_id:path}/replay.m3u8",
    response_class=Response,
    responses=_said(_PLAYLIST, "An HLS playlist; its links hold for ten minutes."),
)
def span_playlist(
    request: Request, works: Replays, start_ms: Number, end_ms: Number, broadcast_id: str
) -> Response:
    """A span of a broadcast's recording, to be played where it lies."""
    found = works.of_span(broadcast_id, (start_ms, end_ms), _link(request, works))
    return Response(found, media_type=_PLAYLIST)


@router.get(
    "/media/{release}-{number}/{broadcast_id:path}/header.mp4",
    response_class=Response,
    responses=_said(_MP4, "An MP4 without media."),
)
def media_header(works: Replays, release: Number, number: Number, broadcast_id: str) -> Response:
    """What stands before a recording's fragments (EXT-X-MAP)."""
    found = works.header(Place(broadcast_id, release, number))
    return Response(found, media_type=_MP4)


@router.get(
    "/media/{release}-{number}/{broadcast_id:path}/groups-{first}-{after}.m4s",
    response_class=Response,
    responses=_said(_MP4, "A fragment of an MP4."),
)
def media_groups(
    works: Replays,
    release: Number,
    number: Number,
    broadcast_id: str,
    first: Number,
    after: Number,
) -> Response:
    """Some groups of pictures of a recording with their sound, copied into a fragment."""
    found = works.groups(Place(broadcast_id, release, number), first, after)
    return Response(found, media_type=_MP4)


@router.get(
    "/media/{release}-{number}/{broadcast_id:path}/part-{part}-{low}-{high}",
    response_class=Response,
    status_code=206,
    responses={
        206: {"content": {"application/octet-stream": {}}, "description": "The bytes asked for."},
        416: {"description": "No range was asked for, or one outside what this address opens."},
    },
)
def media_part(
    works: Replays,
    release: Number,
    number: Number,
    broadcast_id: str,
    part: Number,
    low: Number,
    high: Number,
    wanted: Annotated[str, Header(alias="Range", max_length=100)] = "",
) -> Response:
    """Bytes of a part of the original: a Range within [low, high), in the part's own positions."""
    place = Place(broadcast_id, release, number)
    asked = _RANGE.fullmatch(wanted)
    begin = int(asked[1]) if asked else -1
    end = min(int(asked[2]) + 1, high) if asked and asked[2] else high
    if not low <= begin < end:
        works.opens(place)
        return Response(status_code=416, headers={"Content-Range": "bytes */*"})
    data, size = works.part(place, part, begin, end)
    headers = {"Content-Range": f"bytes {begin}-{end - 1}/{size}", "Accept-Ranges": "bytes"}
    return Response(data, 206, headers, media_type="application/octet-stream")


@pages.get("/w/{claim_id}", response_class=HTMLResponse)
def replay_page(request: Request, works: Works, claim_id: str) -> Response:
    """The recording at a claim, in a player that reads it where it lies."""
    claim, parts = works.moment(claim_id)
    if not parts.state.revision.recordings:
        raise InputError("there is no recording", hint="only a transcript was given")
    found = page(request, "replay.html", claim=claim, broadcast=parts.state.revision.broadcast)
    # The player feeds the video element from memory, which a policy calls ``blob:``.
    found.headers[_POLICY] = HEADERS[_POLICY].replace("media-src 'self'", "media-src 'self' blob:")
    return found
