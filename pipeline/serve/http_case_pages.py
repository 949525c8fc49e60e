"""Cases as pages: the list, one case with what is done with it, one thing with its player."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from pipeline.cases.disclosure import LONGEST_WHY
from pipeline.errors import InputError, MediaError, NotFound, ObjectArchived
from pipeline.evidence.clip import Clip
from pipeline.serve.access.roles import RECEIVERS
from pipeline.serve.case_desk import CaseDesk, Seen, ThingSeen
from pipeline.serve.cases import CaseWanted, ThingsWanted, formed
from pipeline.serve.http_cases import Works, thing_row
from pipeline.serve.http_forms import read_form
from pipeline.serve.http_pages import language_of, page, wall_text
from pipeline.serve.restores import Away
from pipeline.serve.web.words_cases import CASES

router = APIRouter(include_in_schema=False)
Number = Annotated[int, Path(ge=1, le=1_000_000)]
_SPAN = re.compile(r"(\d{1,12})-(\d{1,12})\s+(.+)")
_NUMBERS = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")


@router.get("/cases", response_class=HTMLResponse)
def cases_page(request: Request, works: Works) -> Response:
    """The cases that the viewer may see; a form to open one, for whoever may."""
    return _list(request, works)


@router.post("/cases", response_class=HTMLResponse)
async def case_opened(request: Request, works: Works) -> Response:
    """A case from the page's form; what is incomplete is shown again with what is missing."""
    works.viewer.require("disclose")
    fields = await read_form(request)
    try:
        case_id = await run_in_threadpool(_open, works, fields)
    except (InputError, NotFound) as error:
        return await run_in_threadpool(_list, request, works, error=error, fields=fields)
    return RedirectResponse(f"/cases/{case_id}", 303)


@router.get("/cases/{case_id}", response_class=HTMLResponse)
def case_page(request: Request, works: Works, case_id: str) -> Response:
    """A case, as far as the viewer may see it."""
    return _case(request, works, works.case(case_id))


@router.post("/cases/{case_id}", response_class=HTMLResponse)
async def case_step(request: Request, works: Works, case_id: str) -> Response:
    """A step from the page's forms."""
    works.viewer.require("disclose")
    fields = await read_form(request)
    try:
        await run_in_threadpool(_take, works, case_id, fields)
    except InputError as error:
        seen = await run_in_threadpool(works.case, case_id)
        return await run_in_threadpool(_case, request, works, seen, error=error, fields=fields)
    return RedirectResponse(f"/cases/{case_id}", 303)


@router.get("/cases/{case_id}/{thing}", response_class=HTMLResponse)
def thing_page(request: Request, works: Works, case_id: str, thing: Number) -> Response:
    """A thing of a case: the player with its words, or the order's answer."""
    told = works.thing(case_id, thing)
    return page(
        request,
        "thing.html",
        c=CASES[language_of(request)],
        told=told,
        case=told.seen.case,
        row=thing_row(works, told.seen, thing),
        numbers=_numbers_of_claims(told.seen),
        wall=wall_text(told.thing.start_ms, told.clock_map) if told.clock_map else "",
        **_player(works, told),
    )


def _list(request: Request, works: CaseDesk, **more: Any) -> Response:
    words = CASES[language_of(request)]
    failed = 400 if more.get("error") else 200
    return page(
        request, "cases.html", status_code=failed, c=words, cases=works.cases(), **_form(more)
    )


def _case(request: Request, works: CaseDesk, seen: Seen, **more: Any) -> Response:
    rows = [thing_row(works, seen, number) for number in seen.numbers]
    keys = works.keys_known() if seen.whole and works.viewer.may("disclose") else []
    return page(
        request,
        "case.html",
        status_code=400 if more.get("error") else 200,
        c=CASES[language_of(request)],
        seen=seen,
        case=seen.case,
        rows=rows,
        names={key.key_id: key.name for key in keys},
        receivers=[key for key in keys if key.role in RECEIVERS],
        **_form(more),
    )


def _form(more: dict[str, Any]) -> dict[str, Any]:
    return {"error": more.get("error"), "fields": more.get("fields") or {}}


def _player(works: CaseDesk, told: ThingSeen) -> dict[str, Any]:
    """The clip of a thing, or why there is none."""
    case_id, number, thing = told.seen.case.case_id, told.number, told.thing
    clip: Clip | None = None
    away, unplayable = None, ""
    if thing.kind in ("claim", "span"):
        try:
            clip = works.clip_of_thing(case_id, number)
        except ObjectArchived:
            away = Away(recording=works.recording_of_thing(case_id, number))
        except (MediaError, NotFound, InputError) as error:
            unplayable = str(error)
    return {
        "clip": clip,
        "away": away,
        "unplayable": unplayable,
        "clip_url": f"/api/v1/cases/{case_id}/things/{number}/clip",
        "start_ms": clip.info.start.timeline_ms if clip else thing.start_ms,
        "at_ms": thing.start_ms,
        "wall_start_ms": None,
    }


def _numbers_of_claims(seen: Seen) -> dict[str, int]:
    """By claim id, the number of the thing that the viewer may see it by."""
    things = [(number, seen.case.things[number - 1]) for number in seen.numbers]
    return {thing.ref: number for number, thing in things if thing.kind == "claim"}


def _open(works: CaseDesk, fields: dict[str, str]) -> str:
    title = {"title": fields.get("title", "").strip()}
    return works.open_case(formed(CaseWanted, title | _things(fields).model_dump()))


def _take(works: CaseDesk, case_id: str, fields: dict[str, str]) -> None:
    step, why = fields.get("step", ""), fields.get("why", "").strip()
    if len(why) > LONGEST_WHY:
        raise InputError(f"a reason of over {LONGEST_WHY} characters", hint="write less")
    if step == "add":
        works.add_to_case(case_id, _things(fields))
    elif step == "disclose":
        numbers = _numbers(fields.get("things", ""))
        works.disclose(case_id, to=[fields.get("to", "")], numbers=numbers, why=why)
    elif step == "withdraw":
        works.withdraw(case_id, (_numbers(fields.get("disclosure", "")) or [0])[0], why=why)
    elif step == "close":
        works.close_case(case_id, why=why)
    else:
        raise InputError("there is no such step", hint="use the page's forms")


def _things(fields: dict[str, str]) -> ThingsWanted:
    spans = []
    for line in _lines(fields.get("spans", "")):
        match = _SPAN.fullmatch(line)
        if match is None:
            raise InputError(
                "a span is written START-END BROADCAST, in milliseconds",
                hint="for example: 12000-18000 sample-zh01",
            )
        span = {"start_ms": int(match[1]), "end_ms": int(match[2])}
        spans.append({"broadcast_id": match[3]} | span)
    named = {name: _lines(fields.get(name, "")) for name in ("orders", "claims", "broadcasts")}
    return formed(ThingsWanted, {**named, "spans": tuple(spans)})


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _numbers(text: str) -> list[int]:
    """``1, 3-5`` as numbers.

    Raises:
        InputError: it is none.
    """
    found: list[int] = []
    for piece in text.replace("，", ",").replace("、", ",").split(","):
        match = _NUMBERS.fullmatch(piece.strip())
        if match is None:
            raise InputError("these are no numbers", hint="for example: 1, 3-5")
        first, last = int(match[1]), int(match[2] or match[1])
        if last - first > 1000:
            raise InputError("too many numbers at once", hint="name fewer things")
        found += range(first, last + 1)
    return found
