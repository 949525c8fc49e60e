"""The pages of the arbitrator's desk, made on the server; they work without scripts too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.templating import Jinja2Templates

from pipeline.cases.lines import LineCorrection
from pipeline.errors import (
    EvidenceError,
    InputError,
    MediaError,
    NotFound,
    ObjectArchived,
    QueryError,
)
from pipeline.evidence.clip import Clip
from pipeline.model import Claim, ClockMap
from pipeline.runner import Parts
from pipeline.serve.http_common import Works, office_of
from pipeline.serve.lanes import lanes_of
from pipeline.serve.lines import lines_of, written
from pipeline.serve.render import clean, value_text
from pipeline.serve.restores import Away
from pipeline.serve.web.words import LANGUAGES, WORDS
from pipeline.serve.web.words_likeness import LIKENESS
from pipeline.timeline import clock, from_utc_ms

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(directory=Path(__file__).parent / "web" / "templates")
_PAGE = 20
_ROWS = 300
_MOST_FRAMES = 6
_AROUND_MS = 30_000
"""Words shown on both sides where no clip can be made."""
_NARROW = {
    "claim_type": "type",
    "sku_id": "sku",
    "host_id": "host",
    "merchant_id": "merchant",
    "broadcast_id": "broadcast",
}
"""Facets that a query can name, and their names there."""


def _utc(utc_ms: int) -> str:
    return f"{from_utc_ms(utc_ms):%Y-%m-%d %H:%M} UTC"


templates.env.filters |= {"clean": clean, "clock": clock, "value": value_text, "utc": _utc}


@router.get("/", response_class=HTMLResponse)
def search_page(
    request: Request,
    works: Works,
    q: Annotated[str, Query(max_length=1000)] = "",
    cursor: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """Search with facets; a hit opens at its moment."""
    try:
        answer, error = works.search(q, size=_PAGE, cursor=cursor), None
    except QueryError as wrong:
        answer, error = None, wrong
    hits = (
        [(hit, _marked(hit.document.text, hit.highlights)) for hit in answer.hits] if answer else []
    )
    layers = works.hit_layers(answer) if answer else {}
    more: dict[str, Any] = {"narrow": _NARROW, "layers": layers}
    return page(request, "search.html", q=q, answer=answer, hits=hits, error=error, **more)


@router.get("/m/{claim_id}", response_class=HTMLResponse)
def moment_page(request: Request, works: Works, claim_id: str) -> Response:
    """The permanent link of a claim: the player at its moment, with everything around it."""
    claim, parts = works.moment(claim_id)
    others = parts.claims.claims if parts.claims else ()
    span, away = (claim.start_ms, claim.end_ms), lambda: works.away(claim_id=claim_id)
    over = written(office_of(request), parts)
    shown = shown_span(parts, span, lambda: works.clip(claim_id), away, over)
    layers = works.layers(parts)
    return page(
        request,
        "moment.html",
        heading=claim.quote,
        lanes=lanes_of(parts, layers, current=claim, at_ms=claim.start_ms),
        claim=claim,
        layer=works.layer(parts, claim),
        clip_url=f"/api/v1/claims/{claim_id}/clip",
        before=_neighbour(others, claim, -1),
        after=_neighbour(others, claim, 1),
        **shown,
    )


def shown_span(
    parts: Parts,
    span: tuple[int, int],
    cut: Callable[[], Clip],
    gone: Callable[[], Away],
    records: Sequence[LineCorrection] = (),
) -> dict[str, Any]:
    """The clip of a span, or why there is none, and the words spoken in it.

    ``gone`` says what there is instead while the recording is archived; ``records`` are what
    people wrote over lines of the broadcast.
    """
    clip, away, unplayable = None, None, ""
    try:
        clip = cut()
    except ObjectArchived:
        away = gone()
    except (MediaError, NotFound, InputError) as error:
        unplayable = str(error)
    start = clip.info.start.timeline_ms if clip else max(0, span[0] - _AROUND_MS)
    end = clip.info.end.timeline_ms if clip else span[1] + _AROUND_MS
    frames = parts.screen.keyframes if parts.screen else ()
    revision = parts.state.revision
    return {
        "clip": clip,
        "away": away,
        "unplayable": unplayable,
        "start_ms": start,
        "at_ms": span[0],
        "lines": lines_of(parts, (start, end), records),
        "broadcast": revision.broadcast,
        "release": parts.state.release.number,
        "wall": wall_text(span[0], revision.clock_map),
        "wall_start_ms": _local_ms(start, revision.clock_map),
        "frames": [f for f in frames if start <= f.at_ms < end][:_MOST_FRAMES],
    }


@router.get("/b", response_class=HTMLResponse)
def broadcasts_page(request: Request, works: Works) -> Response:
    """The broadcasts the viewer may see."""
    return page(request, "broadcasts.html", broadcasts=works.broadcasts())


@router.get("/b/{broadcast_id:path}", response_class=HTMLResponse)
def broadcast_page(
    request: Request,
    works: Works,
    broadcast_id: str,
    number: Annotated[int, Query(alias="page", ge=1, le=1000)] = 1,
) -> Response:
    """A broadcast: lanes of claims over its products' windows, and its claims as rows."""
    parts = works.broadcast(broadcast_id, what="broadcast")
    claims, layers = parts.claims.claims if parts.claims else (), works.layers(parts)
    return page(
        request,
        "broadcast.html",
        parts=parts,
        broadcast=parts.state.revision.broadcast,
        duration_ms=parts.state.revision.duration_ms,
        windows=parts.claims.windows if parts.claims else (),
        missing=[g for g in parts.transcript.gaps if g.missing] if parts.transcript else [],
        total=len(claims),
        claims=claims[(number - 1) * _ROWS : number * _ROWS],
        pages=range(1, (len(claims) - 1) // _ROWS + 2),
        number=number,
        layers=layers,
        lanes=lanes_of(parts, layers),
        wall=wall_text(0, parts.state.revision.clock_map),
    )


@router.get("/sku/{sku_id:path}", response_class=HTMLResponse)
def sku_page(request: Request, works: Works, sku_id: str) -> Response:
    """Everything that was claimed about a SKU."""
    return page(request, "sku.html", report=works.sku(sku_id))


@router.get("/o", response_class=HTMLResponse)
def order_form(order_id: Annotated[str, Query(max_length=300)] = "") -> Response:
    """From the form to the order's own address."""
    return RedirectResponse(f"/o/{quote(order_id.strip(), safe='')}" if order_id else "/", 303)


@router.get("/o/{order_id:path}", response_class=HTMLResponse)
def order_page(request: Request, works: Works, order_id: str) -> Response:
    """The answer to an order's dispute, one plain sentence first."""
    dossier = works.order(order_id)
    more: dict[str, Any] = {
        "layers": works.dossier_layers(dossier),
        "recording": works.recording(dossier),
        "l": LIKENESS[language_of(request)],
    }
    return page(request, "order.html", dossier=dossier, **more)


@router.get("/status", response_class=HTMLResponse)
def status_page(request: Request, works: Works) -> Response:
    """What is in the workspace and what is unfinished."""
    return page(request, "status.html", found=works.status())


def error_page(request: Request, error: EvidenceError, code: int) -> Response:
    """An error as a page: what, where, what to do next."""
    return page(request, "error.html", status_code=code, error=error)


def page(request: Request, name: str, *, status_code: int = 200, **values: Any) -> Response:
    """A page from its template, in the language asked for."""
    lang = language_of(request)
    values |= {"viewer": getattr(request.state, "viewer", None)}
    values |= {"lang": lang, "t": WORDS[lang], "other": {"zh": "en", "en": "zh"}[lang]}
    response = templates.TemplateResponse(request, name, values, status_code=status_code)
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie("lang", lang, httponly=True, samesite="strict", max_age=31_536_000)
    response.headers["Vary"] = "Accept-Language, Cookie"
    return response


def language_of(request: Request) -> str:
    """The language asked for: by the address, the cookie, or the browser."""
    for asked in (request.query_params.get("lang"), request.cookies.get("lang")):
        if asked in LANGUAGES:
            return str(asked)
    return "zh" if request.headers.get("accept-language", "").lower().startswith("zh") else "en"


def _marked(text: str, spans: tuple[tuple[int, int], ...]) -> list[tuple[str, bool]]:
    """A text cut at its highlights: ``(piece, marked)``."""
    pieces, at = [], 0
    for start, end in spans:
        pieces += [(text[at:start], False), (text[start:end], True)]
        at = end
    return [(piece, marked) for piece, marked in [*pieces, (text[at:], False)] if piece]


def _neighbour(claims: tuple[Claim, ...], claim: Claim, step: int) -> Claim | None:
    ids = [c.claim_id for c in claims]
    if claim.claim_id not in ids:  # a claim of an older version
        return None
    at = ids.index(claim.claim_id) + step
    return claims[at] if 0 <= at < len(claims) else None


def _local_ms(at_ms: int, clock_map: ClockMap) -> int | None:
    """The wall time as the broadcast's own clock shows it, as if it were UTC."""
    known = clock_map.wall_utc_ms(at_ms)
    return None if known is None else known[0] + clock_map.zone_minutes * 60_000


def wall_text(at_ms: int, clock_map: ClockMap) -> str:
    """The wall time in the broadcast's own offset, with its ±; empty without a wall clock."""
    span = clock_map.at(at_ms)
    if span is None or span.wall_start_utc_ms is None:
        return ""
    instant = from_utc_ms(
        span.wall_start_utc_ms + at_ms - span.start_ms, offset_minutes=clock_map.zone_minutes
    )
    return f"{instant.isoformat(sep=' ', timespec='seconds')} ± {span.uncertainty_ms / 1000:g} s"
