"""Signing in through an issuer, in a browser: there and back, then the same session as with a key."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from pipeline.errors import EvidenceError, NotFound
from pipeline.serve.access.gate import client_name
from pipeline.serve.access.people import FLOW_COOKIE, FLOW_S, People
from pipeline.serve.http_pages import page
from pipeline.serve.http_session import count_failure, inside, opened, throttled, wait_s

router = APIRouter(include_in_schema=False)
BEGIN, END = "/login/issuer", "/login/issuer/done"
_MOST_QUERY = 10_000


@router.get(BEGIN)
def begin(request: Request, next: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """To the issuer's own page."""
    people = _people(request)
    try:
        begun = people.begin(after=inside(next), redirect_uri=_back(request))
    except EvidenceError as error:
        return _failed(request, error)
    response = RedirectResponse(begun.url, 303)
    response.set_cookie(
        FLOW_COOKIE,
        begun.cookie,
        max_age=FLOW_S,
        path=BEGIN,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


@router.get(END)
def end(request: Request) -> Response:
    """Back from the issuer: a session, or why there is none."""
    people = _people(request)
    waits_s = wait_s(client_name(request))
    if waits_s:
        return throttled(request, "/", waits_s)
    asked = dict(request.query_params)
    try:
        key, after = people.end(
            asked, request.cookies.get(FLOW_COOKIE, ""), redirect_uri=_back(request)
        )
    except EvidenceError as error:
        return _failed(request, error)
    response = opened(request, key, inside(after))
    response.delete_cookie(FLOW_COOKIE, path=BEGIN, httponly=True, samesite="lax")
    return response


def _people(request: Request) -> People:
    found: People | None = request.app.state.people
    if found is None:
        raise NotFound("there is no such page")
    return found


def _back(request: Request) -> str:
    """Where the issuer sends the browser back to: a name that the desk answers to."""
    return str(request.url.replace(path=END, query="", fragment=""))


def _failed(request: Request, error: EvidenceError) -> Response:
    """The login page again; what exactly did not hold is for the log, not for who tried."""
    words = "issuer_away" if error.transient else "issuer_refused"
    if not error.transient:
        count_failure(request)
        log = request.app.state.office.log
        log.add({"event": "refused", "what": "session", "why": error.message[:300]})
    return page(
        request, "login.html", status_code=503 if error.transient else 401, next="/", failed=words
    )
