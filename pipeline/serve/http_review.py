"""Review over HTTP: the queue, the two steps, as pages and as API."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import Field, ValidationError
from starlette.concurrency import run_in_threadpool

from pipeline.cases.review import LONGEST_TEXT, Correction, Layer, ReviewRecord, ReviewVerdict
from pipeline.errors import InputError
from pipeline.index.answer import Hit
from pipeline.model import CLAIM_TYPES, SET_TYPES, Claim, Frozen, Value
from pipeline.serve.desk import Desk
from pipeline.serve.http_common import PROBLEMS, Cursor, Works, bearer
from pipeline.serve.http_forms import read_form
from pipeline.serve.http_pages import page, shown_span
from pipeline.serve.reviews import Sheet

router = APIRouter(responses=PROBLEMS, dependencies=[bearer])
_PAGE = 20


class QueuePage(Frozen):
    """Claims that wait for a person."""

    hits: tuple[Hit, ...]
    """Undecided ones, in order of time."""
    cursor: str
    """Give it back for the next page; empty on the last."""
    sent_to_review: int
    """All that the machine sent to review, decided or not."""


class ReviewSheet(Frozen):
    """A claim with its history."""

    claim: Claim
    """The machine's claim; its listing comparison is null until you wrote down what you heard."""
    listing_hidden: bool
    """Whether the listing is still kept from you."""
    layer: Layer | None
    """The decision that stands; null without one."""
    history: tuple[ReviewRecord, ...]
    """Every step about these words."""
    after: int
    """Number of the last decision: give it back with yours."""


class Heard(Frozen):
    """The first step."""

    step: Literal["heard"]
    """``heard``."""
    heard: str = Field(max_length=LONGEST_TEXT)
    """The words you heard; empty when they cannot be made out."""


class Decided(Frozen):
    """The second step."""

    step: Literal["decided"]
    """``decided``."""
    verdict: ReviewVerdict
    """Confirmed, corrected or rejected."""
    correction: Correction | None = None
    """For ``corrected``: what is right instead."""
    reason: str = Field(default="", max_length=LONGEST_TEXT)
    """Why; needed unless confirmed."""
    after: int | None = Field(default=None, ge=0)
    """The last decision you know of; another one meanwhile is refused. Null: do not check."""


Step = Annotated[Heard | Decided, Body(discriminator="step")]


@router.get("/api/v1/review", tags=["review"])
def review_queue(
    works: Works,
    broadcast: str = "",
    size: Annotated[int, Query(ge=1, le=100)] = _PAGE,
    cursor: Cursor = "",
) -> QueuePage:
    """Claims that wait for a person to hear them."""
    found = works.queue(cursor=cursor, size=size, broadcast=broadcast)
    return QueuePage(hits=tuple(found.hits), cursor=found.cursor, sent_to_review=found.total)


@router.get("/api/v1/claims/{claim_id}/reviews", tags=["review"])
def review_sheet(works: Works, claim_id: str) -> ReviewSheet:
    """A claim's reviews; the listing only after you wrote down what you heard."""
    sheet = works.sheet(claim_id)
    return ReviewSheet(
        claim=sheet.claim,
        listing_hidden=not sheet.heard,
        layer=sheet.layer,
        history=tuple(sheet.history),
        after=sheet.after,
    )


@router.post("/api/v1/claims/{claim_id}/reviews", tags=["review"], status_code=201)
def review_step(works: Works, claim_id: str, step: Step) -> ReviewRecord:
    """Write down what you heard, then decide; both stay for ever."""
    return _take(works, claim_id, step)


@router.get("/review", response_class=HTMLResponse, include_in_schema=False)
def queue_page(
    request: Request,
    works: Works,
    broadcast: Annotated[str, Query(max_length=300)] = "",
    cursor: Cursor = "",
) -> Response:
    """The queue."""
    found = works.queue(cursor=cursor, size=_PAGE, broadcast=broadcast)
    return page(request, "queue.html", queue=found, narrowed=broadcast)


@router.get("/review/{claim_id}", response_class=HTMLResponse, include_in_schema=False)
def sheet_page(request: Request, works: Works, claim_id: str) -> Response:
    """One claim: hear it, then decide."""
    return _sheet_page(request, works, works.sheet(claim_id))


@router.post("/review/{claim_id}", response_class=HTMLResponse, include_in_schema=False)
async def sheet_step(request: Request, works: Works, claim_id: str) -> Response:
    """A step from the page's forms; what is incomplete is shown again with what is missing."""
    fields = await read_form(request)
    try:
        step = _step_of(fields)
        await run_in_threadpool(_take, works, claim_id, step)
    except InputError as error:
        sheet = await run_in_threadpool(works.sheet, claim_id)
        return await run_in_threadpool(
            _sheet_page, request, works, sheet, error=error, fields=fields
        )
    done = isinstance(step, Decided)
    return RedirectResponse("/review" if done else f"/review/{quote(claim_id, safe='')}", 303)


def _take(works: Desk, claim_id: str, step: Heard | Decided) -> ReviewRecord:
    if isinstance(step, Heard):
        return works.hear(claim_id, heard=step.heard)
    return works.decide(
        claim_id,
        verdict=step.verdict,
        correction=step.correction,
        reason=step.reason,
        after=step.after,
    )


def _sheet_page(
    request: Request,
    works: Desk,
    sheet: Sheet,
    *,
    error: InputError | None = None,
    fields: dict[str, str] | None = None,
) -> Response:
    claim = sheet.claim
    span = (claim.start_ms, claim.end_ms)
    return page(
        request,
        "review.html",
        status_code=400 if error else 200,
        sheet=sheet,
        claim=claim,
        clip_url=f"/api/v1/claims/{claim.claim_id}/clip",
        error=error,
        fields=fields or {},
        types=CLAIM_TYPES,
        products=sheet.parts.state.revision.broadcast.products,
        **shown_span(
            sheet.parts,
            span,
            lambda: works.clip(claim.claim_id),
            lambda: works.away(claim_id=claim.claim_id),
        ),
    )


def _step_of(fields: dict[str, str]) -> Heard | Decided:
    """A step from the fields of the page's forms.

    Raises:
        InputError: a field is too long or is none of the choices.
    """
    try:
        if fields.get("step") == "heard":
            heard = "" if "inaudible" in fields else fields.get("heard", "")
            return Heard(step="heard", heard=heard)
        return Decided(
            step="decided",
            verdict=_as(fields.get("verdict", "")),
            correction=_correction(fields) if fields.get("verdict") == "corrected" else None,
            reason=fields.get("reason", ""),
            after=int(fields["after"]) if fields.get("after", "").isdigit() else None,
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{place}: {first['msg']}", hint="choose one of what is offered"
        ) from error


def _correction(fields: dict[str, str]) -> Correction:
    sku = fields.get("sku_id")
    return Correction(
        claim_type=_as(fields.get("claim_type")),
        value=_value(fields.get("value", ""), fields.get("claim_type") or fields.get("was", "")),
        polarity=_as(fields.get("polarity")),
        sku_id=None if sku in (None, "") else "" if sku == "-" else sku,
    )


def _as(text: str | None) -> Any:
    """A choice; whether it is one that is offered, the model says."""
    return text or None


def _value(text: str, claim_type: str) -> Value:
    """A typed value; several, where the type has several."""
    if not text.strip():
        return None
    if claim_type not in SET_TYPES:
        return text.strip()
    pieces = text.replace("、", ";").replace("；", ";").replace(",", ";").split(";")
    return tuple(piece.strip() for piece in pieces if piece.strip())
