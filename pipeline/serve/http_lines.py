"""Transcript lines over HTTP: cited, corrected, listed; the whole transcript as a page."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from pipeline.cases.lines import LONGEST_TEXT, Line, LineCorrection
from pipeline.errors import InputError
from pipeline.model import Claim, Frozen
from pipeline.serve.http_common import PROBLEMS, Cursor, Page, Size, bearer, cut, office_of
from pipeline.serve.http_forms import read_form
from pipeline.serve.http_pages import page
from pipeline.serve.lines import LineDesk, Told

router = APIRouter(responses=PROBLEMS, dependencies=[bearer])
_A_SCREEN = 20
"""Lines that a browser lays out together; what is far from sight it leaves alone."""


class CorrectionShown(Frozen):
    """What a person wrote over a line."""

    correction_id: str
    """The id to cite."""
    correction: LineCorrection
    """As stored."""


class LineShown(Frozen):
    """A line of a transcript, the machine's words first."""

    line_id: str
    """The id to cite the machine's words by, whatever becomes of them."""
    broadcast_id: str
    """Where it was said."""
    start_ms: int
    """Start on the broadcast's timeline."""
    end_ms: int
    """End, exclusive."""
    text: str
    """What the machine wrote, verbatim."""
    standing: CorrectionShown | None
    """The correction that stands over it; null without one."""
    history: tuple[CorrectionShown, ...] = ()
    """Every correction of these words, of whatever version."""
    cited: CorrectionShown | None = None
    """The correction that was asked for by its id."""
    after: int = 0
    """Number of the last correction: give it back with yours."""


class NewCorrection(Frozen):
    """Words to stand over a line."""

    text: str = Field(min_length=1, max_length=LONGEST_TEXT)
    """What was said."""
    reason: str = Field(min_length=1, max_length=LONGEST_TEXT)
    """Why."""
    after: int | None = Field(default=None, ge=0)
    """The last correction you know of; another one meanwhile is refused. Null: do not check."""


def line_desk_of(request: Request) -> LineDesk:
    """The desk for lines, within the limits of whoever asks."""
    return LineDesk(office_of(request), request.state.viewer)


Works = Annotated[LineDesk, Depends(line_desk_of)]


@router.get("/api/v1/lines/{line_id}", tags=["lines"])
def line(works: Works, line_id: str) -> LineShown:
    """A line by its id, or by the id of a correction of it."""
    return _shown(works.line(line_id))


@router.post("/api/v1/lines/{line_id}/corrections", tags=["lines"], status_code=201)
def correct(works: Works, line_id: str, new: NewCorrection) -> CorrectionShown:
    """Put words over a line; the machine's stay, and both can be cited."""
    made = works.correct(line_id, text=new.text, reason=new.reason, after=new.after)
    return _correction(made)


@router.get("/api/v1/broadcasts/{broadcast_id:path}/lines", tags=["lines"])
def lines(
    works: Works,
    broadcast_id: str,
    corrected: bool = False,
    size: Size = 1000,
    cursor: Cursor = "",
) -> Page[LineShown]:
    """The lines of a broadcast with their ids, all or those over which a person's words stand."""
    parts, found = works.transcript_lines(broadcast_id)
    shown = [line for line in found if line.correction or not corrected]
    rows, after = cut(shown, size=size, cursor=cursor, version=parts.state.release.number)
    return Page(items=tuple(_of(line, broadcast_id) for line in rows), cursor=after)


@router.get("/l/{line_id}", response_class=HTMLResponse, include_in_schema=False)
def line_page(request: Request, works: Works, line_id: str) -> Response:
    """The permanent link of a line: the machine's words, what people wrote over them, and a form."""
    return _page(request, works.line(line_id))


@router.post("/l/{line_id}", response_class=HTMLResponse, include_in_schema=False)
async def line_step(request: Request, works: Works, line_id: str) -> Response:
    """A correction from the page's form; what is incomplete is shown again with what is missing."""
    fields = await read_form(request)
    try:
        await run_in_threadpool(_take, works, line_id, fields)
    except InputError as error:
        told = await run_in_threadpool(works.line, line_id)
        return await run_in_threadpool(_page, request, told, error=error, fields=fields)
    return RedirectResponse(f"/l/{quote(line_id, safe='')}", 303)


def _take(works: LineDesk, line_id: str, fields: dict[str, str]) -> LineCorrection:
    text, reason, after = (fields.get(name, "") for name in ("text", "reason", "after"))
    if max(len(text), len(reason)) > LONGEST_TEXT:
        raise InputError(f"more than {LONGEST_TEXT} characters", hint="write less")
    known = int(after) if after.isdecimal() and len(after) < 10 else None
    return works.correct(line_id, text=text, reason=reason, after=known)


def _page(request: Request, told: Told, **more: Any) -> Response:
    failed = 400 if more.get("error") else 200
    broadcast = told.state.revision.broadcast
    return page(request, "line.html", status_code=failed, told=told, broadcast=broadcast, **more)


def _shown(told: Told) -> LineShown:
    shown = _of(told.line, told.state.revision.broadcast.broadcast_id)
    return shown.model_copy(
        update={
            "history": tuple(_correction(record) for record in told.history),
            "cited": _correction(told.cited) if told.cited else None,
            "after": told.after,
        }
    )


def _of(line: Line, broadcast_id: str) -> LineShown:
    return LineShown(
        line_id=line.line_id,
        broadcast_id=broadcast_id,
        start_ms=line.segment.start_ms,
        end_ms=line.segment.end_ms,
        text=line.segment.text,
        standing=_correction(line.correction) if line.correction else None,
    )


def _correction(record: LineCorrection) -> CorrectionShown:
    return CorrectionShown(correction_id=record.correction_id, correction=record)


@router.get("/t/{broadcast_id:path}", response_class=HTMLResponse, include_in_schema=False)
def transcript_page(request: Request, works: Works, broadcast_id: str) -> Response:
    """The whole transcript of a broadcast, its claims and corrections beside the lines."""
    parts, lines = works.transcript_lines(broadcast_id)
    said: dict[int, list[Claim]] = {}
    for claim in parts.claims.claims if parts.claims else ():
        if claim.source == "speech":
            said.setdefault(claim.segment_index, []).append(claim)
    return page(
        request,
        "transcript.html",
        broadcast=parts.state.revision.broadcast,
        pages=[lines[at : at + _A_SCREEN] for at in range(0, len(lines), _A_SCREEN)],
        said=said,
    )
