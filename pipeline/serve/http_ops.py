"""The operations page, and the same as JSON."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response

from pipeline.serve.bars import counted, shares
from pipeline.serve.http_common import PROBLEMS, bearer, office_of
from pipeline.serve.http_pages import language_of, page
from pipeline.serve.operations import Operations, OperationsDesk
from pipeline.serve.web.words_ops import OPS
from pipeline.timeline import clock

router = APIRouter(prefix="/api/v1", tags=["system"], responses=PROBLEMS, dependencies=[bearer])
pages = APIRouter(include_in_schema=False)


def operations_desk_of(request: Request) -> OperationsDesk:
    """The desk for operators, within the limits of whoever asks."""
    return OperationsDesk(office_of(request), request.state.viewer)


Operating = Annotated[OperationsDesk, Depends(operations_desk_of)]


@router.get("/operations")
def operations(works: Operating) -> Operations:
    """Backlog, coverage, what was set aside and why, divergences, disk."""
    return works.standing()


@pages.get("/ops", response_class=HTMLResponse)
def operations_page(request: Request, works: Operating) -> Response:
    """The same to look at."""
    found = works.standing()
    words = OPS[language_of(request)]
    backlog = [(words[b.standing], b.count, _oldest(b.oldest_s)) for b in found.backlog]
    covered = [
        (
            one.broadcast_id,
            one.listened_pm,
            "; ".join(f"{clock(g.start_ms)}–{clock(g.end_ms)} {g.reason}" for g in one.gaps[:5]),
        )
        for one in found.incomplete
    ]
    return page(
        request,
        "ops.html",
        found=found,
        o=words,
        backlog=counted(backlog),
        covered=shares(covered),
        age=_oldest,
        waited=lambda seconds: clock(seconds * 1000).partition(".")[0],
    )


def _oldest(seconds: int | None) -> str:
    """An age as people say it: the two largest units."""
    if seconds is None:
        return "–"
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    return f"{days} d {hours} h" if days else f"{hours} h {rest // 60} min"
