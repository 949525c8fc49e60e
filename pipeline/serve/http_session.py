"""Signing in with a key, in a browser: the key becomes a signed cookie no script can read.

People who come through an issuer (`http_oidc.py`) get the same.
"""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from pipeline.serve.access.door import COOKIE, Door
from pipeline.serve.access.gate import client_name
from pipeline.serve.access.keys import ApiKey
from pipeline.serve.access.throttle import Throttle
from pipeline.serve.http_forms import read_form
from pipeline.serve.http_pages import page
from pipeline.serve.metrics import CONTENT_TYPE

router = APIRouter(include_in_schema=False)
_BY_ADDRESS = Throttle(burst=5, per_minute=1)
_ALL = Throttle(burst=100, per_minute=60)
"""Wrong keys, by address and together: a key cannot be guessed, and guessing is not worth a try."""


@router.get("/login", response_class=HTMLResponse)
def login_page(request: Request, next: Annotated[str, Query(max_length=4000)] = "/") -> Response:
    """Asks for a key."""
    return page(request, "login.html", next=inside(next), failed="")


@router.post("/login", response_class=HTMLResponse)
async def login(request: Request) -> Response:
    """From a key to a session; wrong ones are counted by where they come from."""
    form = await read_form(request)
    after = inside(form.get("next", "/"))
    waits_s = wait_s(client_name(request))
    if waits_s:
        return throttled(request, after, waits_s)
    door: Door = request.app.state.door
    key = door.book.opened_by(form.get("key", "").strip())
    if key is None:
        count_failure(request)
        return page(request, "login.html", status_code=401, next=after, failed="wrong_key")
    return opened(request, key, after)


def wait_s(name: str) -> float:
    """How long whoever asks must wait before trying again; 0: not at all."""
    return max(_BY_ADDRESS.wait_s(name), _ALL.wait_s(""))


def throttled(request: Request, after: str, waits_s: float) -> Response:
    """The login page, with how long to wait."""
    failed = page(request, "login.html", status_code=429, next=after, failed="throttled")
    failed.headers["Retry-After"] = str(math.ceil(waits_s))
    return failed


def count_failure(request: Request) -> None:
    """Note that someone was not let in."""
    _BY_ADDRESS.take(client_name(request))
    _ALL.take("")
    request.app.state.meters.refused_keys.inc()


def opened(request: Request, key: ApiKey, after: str) -> Response:
    """A session for a key, and the page that was wanted."""
    door: Door = request.app.state.door
    value, lasts_s = door.session(key)
    request.app.state.office.log.add(
        {"event": "signed_in", "what": "session", "key_id": key.key_id}
        | {"name": key.name, "role": key.role}
    )
    response = RedirectResponse(after, 303)
    secure = request.url.scheme == "https"
    response.set_cookie(
        COOKIE, value, max_age=lasts_s, httponly=True, samesite="lax", secure=secure
    )
    return response


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """Counters of this process, as Prometheus reads them; for the role that operates the desk."""
    request.state.viewer.require("operate")
    return Response(request.app.state.meters.text(), media_type=CONTENT_TYPE)


@router.post("/logout", response_class=HTMLResponse)
def logout(request: Request) -> Response:
    """End the session in this browser."""
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response


def inside(address: str) -> str:
    """An address on this desk; anything else becomes the first page."""
    plain = address.startswith("/") and not address.startswith("//")
    return address if plain and "\\" not in address and address.isprintable() else "/"
