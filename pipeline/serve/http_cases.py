"""Cases over HTTP: opened, disclosed to a key, read through what was disclosed, withdrawn, closed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import Field

from pipeline.cases.disclosure import (
    LONGEST_WHY,
    MOST_KEYS,
    MOST_THINGS,
    Disclosure,
    Party,
    ThingKind,
)
from pipeline.cases.review import Layer
from pipeline.errors import ObjectArchived
from pipeline.model import Claim, Dossier, Frozen
from pipeline.serve.access.door import Door
from pipeline.serve.case_desk import CaseDesk, Seen, ThingSeen
from pipeline.serve.cases import CaseWanted, ThingsWanted
from pipeline.serve.http_clips import (
    AWAY,
    CLIP_BYTES,
    ClipAway,
    ClipMade,
    Kind,
    clip_answer,
    clip_file_at,
)
from pipeline.serve.http_common import PROBLEMS, Cursor, Page, Size, bearer, cut, office_of

router = APIRouter(prefix="/api/v1", tags=["cases"], responses=PROBLEMS, dependencies=[bearer])
Number = Annotated[int, Path(ge=1, le=1_000_000)]


class CaseRow(Frozen):
    """A case in a list."""

    case_id: str
    """Names it."""
    title: str
    """What it is called."""
    opened_utc_ms: int
    """When it was opened."""
    closed_utc_ms: int | None
    """When it was closed; null while it is open."""
    things: int
    """How many things of it you may see."""


class ThingRow(Frozen):
    """Something that belongs to a case."""

    number: int
    """Its number within the case."""
    kind: ThingKind
    """``order``, ``claim``, ``span`` or ``broadcast``."""
    ref: str
    """Order id (empty once its buyer was forgotten), claim id or broadcast id."""
    broadcast_id: str
    """Its broadcast; empty where none is known."""
    release: int
    """Of a span or a broadcast: the release meant; else 0."""
    start_ms: int
    """Start on the broadcast's timeline; 0 for an order."""
    end_ms: int
    """End, exclusive; 0 for an order."""


class CaseShown(Frozen):
    """A case, as far as it is yours to see."""

    case_id: str
    """Names it."""
    title: str
    """What it is called."""
    opened_utc_ms: int
    """When it was opened."""
    opened_by: str
    """By whom."""
    closed_utc_ms: int | None
    """When it was closed; null while it is open."""
    closed_why: str
    """Why it was closed."""
    whole: bool
    """Whether you see all of it."""
    parties: tuple[Party, ...]
    """Whom it is about; keys of others are left out unless you see all of it."""
    things: tuple[ThingRow, ...]
    """What you may see."""
    disclosures: tuple[Disclosure, ...]
    """All of them, or those to you."""


class SaidLine(Frozen):
    """A line of the transcript."""

    line_id: str
    """The id to cite."""
    start_ms: int
    """Start on the broadcast's timeline."""
    end_ms: int
    """End, exclusive."""
    text: str
    """What the machine wrote, verbatim."""
    corrected: str | None
    """What a person wrote over it; null without."""


class ThingShown(Frozen):
    """A thing of a case, with what it shows."""

    case_id: str
    """Of which case."""
    thing: ThingRow
    """Which thing."""
    title: str
    """The broadcast's."""
    wall_utc_ms: int | None
    """UTC of the start; null without a wall clock."""
    wall_uncertainty_ms: int | None
    """± of it."""
    claim: Claim | None
    """Of a claim."""
    review: Layer | None
    """The decision that stands over it."""
    dossier: Dossier | None
    """Of an order: its answer as it is now, with the moments that you may see."""
    withheld: int
    """Moments of the answer that were not disclosed."""
    lines: tuple[SaidLine, ...]
    """Of a span or a broadcast: the lines that touch it."""
    claims: tuple[Claim, ...]
    """Of a span or a broadcast: the claims within it."""


class DisclosureWanted(Frozen):
    """Things of a case, to be seen by keys."""

    to: tuple[str, ...] = Field(min_length=1, max_length=MOST_KEYS)
    """Key ids: of keys, or of people who sign in through an issuer."""
    things: tuple[int, ...] = Field(min_length=1, max_length=MOST_THINGS)
    """Numbers of things."""
    why: str = Field(min_length=3, max_length=LONGEST_WHY)
    """Why."""


class ReasonWanted(Frozen):
    """Why something is ended."""

    why: str = Field(min_length=3, max_length=LONGEST_WHY)
    """Why."""


def case_desk_of(request: Request) -> CaseDesk:
    """The desk for cases, within the limits of whoever asks."""
    return CaseDesk(office_of(request), request.state.viewer)


Works = Annotated[CaseDesk, Depends(case_desk_of)]


@router.get("/cases")
def cases(works: Works, size: Size = 100, cursor: Cursor = "") -> Page[CaseRow]:
    """The cases that you may see, the newest first."""
    rows, after = cut(works.cases(), size=size, cursor=cursor)
    return Page(items=tuple(_row(seen) for seen in rows), cursor=after)


@router.post("/cases", status_code=201)
def open_case(
    works: Works,
    request: Request,
    response: Response,
    wanted: CaseWanted,
    idempotency_key: Annotated[str, Header(max_length=200)] = "",
) -> CaseShown:
    """Open a case. Sent again with the same Idempotency-Key, it answers the same."""
    case_id, again = office_of(request).once.answer(
        works.viewer.key_id,
        idempotency_key,
        b"case" + wanted.model_dump_json().encode(),
        lambda: works.open_case(wanted),
    )
    if again:
        response.headers["Idempotent-Replayed"] = "true"
    response.headers["Location"] = f"/api/v1/cases/{case_id}"
    return _case(works, works.case(case_id))


@router.get("/cases/{case_id}")
def case(works: Works, case_id: str) -> CaseShown:
    """A case, as far as it was disclosed to you."""
    return _case(works, works.case(case_id))


@router.post("/cases/{case_id}/things", status_code=201)
def add_to_case(works: Works, case_id: str, wanted: ThingsWanted) -> CaseShown:
    """Let more belong to a case; it is disclosed to nobody by that."""
    return _case(works, works.add_to_case(case_id, wanted))


@router.post("/cases/{case_id}/disclosures", status_code=201)
def disclose(works: Works, case_id: str, wanted: DisclosureWanted) -> CaseShown:
    """Let keys see things of a case."""
    seen = works.disclose(case_id, to=wanted.to, numbers=wanted.things, why=wanted.why)
    return _case(works, seen)


@router.post("/cases/{case_id}/disclosures/{disclosure}/withdrawal", status_code=201)
def withdraw(works: Works, case_id: str, disclosure: Number, wanted: ReasonWanted) -> CaseShown:
    """End a disclosure, from the next request on."""
    return _case(works, works.withdraw(case_id, disclosure, why=wanted.why))


@router.post("/cases/{case_id}/closing", status_code=201)
def close_case(works: Works, case_id: str, wanted: ReasonWanted) -> CaseShown:
    """Close a case: it stays, and all of its disclosures end."""
    return _case(works, works.close_case(case_id, why=wanted.why))


@router.get("/cases/{case_id}/things/{thing}")
def thing(works: Works, case_id: str, thing: Number) -> ThingShown:
    """A thing of a case: the claim, the order's answer, the words of the span or broadcast."""
    return _thing(works, works.thing(case_id, thing))


@router.get("/cases/{case_id}/things/{thing}/clip", response_model=ClipMade, responses=AWAY)
def thing_clip(works: Works, request: Request, case_id: str, thing: Number) -> ClipMade | Response:
    """The clip of a claim or a span, made when first asked for."""
    try:
        made = works.clip_of_thing(case_id, thing)
    except ObjectArchived:
        return _away(works, case_id, thing)
    door: Door = request.app.state.door
    path = f"/api/v1/cases/{case_id}/things/{thing}"
    return clip_answer(door, works.viewer, made, f"{case_id}-{thing}", path)


@router.get(
    "/cases/{case_id}/things/{thing}/clip.{kind}",
    response_class=FileResponse,
    responses=CLIP_BYTES | AWAY,
)
def thing_file(works: Works, case_id: str, thing: Number, kind: Kind) -> Response:
    """The clip (with byte ranges), its picture or its words."""
    try:
        made = works.clip_of_thing(case_id, thing)
    except ObjectArchived:
        return _away(works, case_id, thing)
    path, answer = clip_file_at(made, kind)
    works.fetched_of_case(case_id, thing, made, path)
    return answer


def _away(works: CaseDesk, case_id: str, number: int) -> Response:
    said = ClipAway(recording=works.recording_of_thing(case_id, number), viewing=None)
    return JSONResponse(said.model_dump(mode="json"), status_code=202)


def _row(seen: Seen) -> CaseRow:
    found = seen.case
    return CaseRow(
        case_id=found.case_id,
        title=found.title,
        opened_utc_ms=found.opened_utc_ms,
        closed_utc_ms=found.closed_utc_ms,
        things=len(seen.numbers),
    )


def _case(works: CaseDesk, seen: Seen) -> CaseShown:
    found = seen.case
    return CaseShown(
        case_id=found.case_id,
        title=found.title,
        opened_utc_ms=found.opened_utc_ms,
        opened_by=found.opened_by,
        closed_utc_ms=found.closed_utc_ms,
        closed_why=found.closed_why,
        whole=seen.whole,
        parties=found.parties,
        things=tuple(thing_row(works, seen, number) for number in seen.numbers),
        disclosures=found.disclosures,
    )


def thing_row(works: CaseDesk, seen: Seen, number: int) -> ThingRow:
    """A thing that the viewer may see, with its order's id in place of the hash of it."""
    thing = seen.case.things[number - 1]
    return ThingRow(
        number=number,
        kind=thing.kind,
        ref=works.order_id(thing) if thing.kind == "order" else thing.ref,
        broadcast_id=thing.broadcast_id,
        release=thing.release,
        start_ms=thing.start_ms,
        end_ms=thing.end_ms,
    )


def _thing(works: CaseDesk, told: ThingSeen) -> ThingShown:
    wall = told.clock_map.wall_utc_ms(told.thing.start_ms) if told.clock_map else None
    return ThingShown(
        case_id=told.seen.case.case_id,
        thing=thing_row(works, told.seen, told.number),
        title=told.title,
        wall_utc_ms=wall[0] if wall else None,
        wall_uncertainty_ms=wall[1] if wall else None,
        claim=told.claim,
        review=told.layer,
        dossier=told.dossier,
        withheld=told.withheld,
        lines=tuple(
            SaidLine(
                line_id=line.line_id,
                start_ms=line.segment.start_ms,
                end_ms=line.segment.end_ms,
                text=line.segment.text,
                corrected=line.correction.text if line.correction else None,
            )
            for line in told.lines
        ),
        claims=told.claims,
    )
