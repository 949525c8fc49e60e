"""A claim as a card in the page of another site: a frame, opened by a signed link, never a cookie.

A console's backend asks for the link with its key and hands it to its page; who may frame a card
stands in the settings, and without any such origin there are no cards.
"""

from __future__ import annotations

import time
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from pydantic import Field

from pipeline.errors import NotFound
from pipeline.model import Frozen
from pipeline.serve.access.door import CARDS, LINK_S, Door
from pipeline.serve.access.gate import HEADERS
from pipeline.serve.desk import Desk
from pipeline.serve.http_common import PROBLEMS, Works, bearer, office_of
from pipeline.serve.http_pages import page, shown_span
from pipeline.serve.lines import written

router = APIRouter(prefix="/api/v1", tags=["embeds"], responses=PROBLEMS, dependencies=[bearer])
pages = APIRouter(include_in_schema=False)
_SCRIPT = Path(__file__).parent / "web" / "static" / "embed.js"
_POLICY = "Content-Security-Policy"


class CardWanted(Frozen):
    """A claim to be shown in another page."""

    claim_id: str = Field(min_length=1, max_length=100)
    """Which."""


class CardLink(Frozen):
    """A card, ready to be framed."""

    claim_id: str
    """Of the claim that it shows, and of no other."""
    url: str
    """Its address on this desk; with keys it opens for ten minutes without one."""
    until_utc_ms: int
    """Until then."""
    origins: tuple[str, ...]
    """Pages of these may frame it."""


@router.post("/embeds", status_code=201)
def make_card(request: Request, works: Works, wanted: CardWanted) -> CardLink:
    """A signed, short-lived link to a claim's card, for the page of a platform's console."""
    origins = _origins(request)
    claim = works.claim(wanted.claim_id)
    door: Door = request.app.state.door
    return CardLink(
        claim_id=claim.claim_id,
        url=door.link(CARDS + claim.claim_id, works.viewer),
        until_utc_ms=(int(time.time()) + LINK_S) * 1000,
        origins=origins,
    )


@pages.get("/embed/{claim_id}", response_class=HTMLResponse)
def card(request: Request, works: Works, claim_id: str) -> Response:
    """The player and the claim, small; pages of the origins in the settings may frame it."""
    origins = _origins(request)
    claim, parts = works.moment(claim_id)
    shown = shown_span(
        parts,
        (claim.start_ms, claim.end_ms),
        lambda: works.clip(claim_id),
        lambda: works.away(claim_id=claim_id),
        written(office_of(request), parts),
    )
    layer = works.layer(parts, claim)
    links = _links(request, works, claim_id)
    found = page(request, "embed.html", claim=claim, layer=layer, links=links, **shown)
    ancestors = f"frame-ancestors {' '.join(origins)}"
    found.headers[_POLICY] = HEADERS[_POLICY].replace("frame-ancestors 'none'", ancestors)
    if "set-cookie" in found.headers:  # a frame in another's page keeps nothing in the browser
        del found.headers["set-cookie"]
    return found


@pages.get("/static/embed.js", response_class=FileResponse)
def card_script() -> FileResponse:
    """The one file of the desk that other sites may load: it says nothing and makes the frame."""
    headers = {"Cross-Origin-Resource-Policy": "cross-origin"}
    return FileResponse(_SCRIPT, media_type="text/javascript", headers=headers)


def _origins(request: Request) -> tuple[str, ...]:
    found = office_of(request).works.app.settings.serve.embed_origins
    if not found:
        raise NotFound(
            "this desk gives out no cards", hint="name the consoles in [serve] embed_origins"
        )
    return found


def _links(request: Request, works: Desk, claim_id: str) -> dict[str, str]:
    """What the frame loads by itself, where no cookie counts."""
    door: Door = request.app.state.door
    path = f"/api/v1/claims/{claim_id}"
    names = {"video": "clip.mp4", "poster": "clip.jpg", "viewing": "viewing.mp4"}
    return {n: door.link(f"{path}/{file}", works.viewer) for n, file in names.items()}
