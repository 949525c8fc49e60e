"""The HTTP application: the desk over routes, errors as problem+json, a gate before everything.

Without keys it serves this machine alone; with keys nothing answers without one, but the login
page, health and readiness (``pipeline/serve/access``). Nothing in a page comes from elsewhere,
and no page has a script of its own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from pipeline.errors import EvidenceError, InputError, NotFound
from pipeline.provenance import VERSION
from pipeline.serve import (
    http_api,
    http_bundles,
    http_case_pages,
    http_cases,
    http_clips,
    http_embed,
    http_likeness,
    http_lines,
    http_oidc,
    http_ops,
    http_pages,
    http_replay,
    http_review,
    http_session,
    http_spans,
    http_webhooks,
)
from pipeline.serve.access.door import Door
from pipeline.serve.access.etags import Etags
from pipeline.serve.access.gate import HEADERS, Gate, problem
from pipeline.serve.access.keys import KeyBook
from pipeline.serve.access.limits import Limits
from pipeline.serve.access.people import People
from pipeline.serve.access.roles import Viewer
from pipeline.serve.access.views import ViewLog
from pipeline.serve.agents import agents_of
from pipeline.serve.http_common import Problem
from pipeline.serve.metrics import Measured, Meters
from pipeline.serve.offices import open_office
from pipeline.serve.service import Service
from pipeline.settings import OidcSettings

STATIC = Path(__file__).parent / "web" / "static"
_STATUS = {2: 400, 4: 400, 6: 502, 8: 503, 9: 503, 11: 507, 12: 404, 13: 403}
"""HTTP status by the error's exit code; 503 for what may go away by itself, else 500."""
_CODES = {400: "request", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_SEAL_EVERY_S = 30
THREADS = 2 * (os.cpu_count() or 2) + 2
"""Requests worked on at once in a process; each search holds its own cache of the index."""
_ABOUT: dict[str, Any] = {
    "title": "Replay Evidence",
    "version": VERSION,
    "summary": "Find the moment in a livestream replay at which the host made the promise.",
    "docs_url": None,
    "redoc_url": None,
}


class Described(FastAPI):
    """Adds the form of errors, which no route returns itself, to the description."""

    def openapi(self) -> dict[str, Any]:
        """OpenAPI 3.1."""
        found = super().openapi()
        found["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        return found


def make_app(service: Service, *, hosts: list[str]) -> FastAPI:
    """The application over one workspace, answering to these host names only.

    ``hosts`` guards against pages elsewhere that point a name of theirs at this machine.
    """
    app = _described(Described(**_ABOUT, lifespan=_lifespan))
    settings = service.app.settings.serve
    book = KeyBook(service.app.keys)
    door = Door(book, people=bool(settings.oidc.issuer))
    app.state.door = door
    app.state.people = _people(settings.oidc, book)
    app.state.office = open_office(service, door.book.ring)
    app.state.meters = Meters(service.app.scratch)
    app.state.agents = agents_of(app.state.office, _asking)
    app.router.routes.extend(_spoken_to(app.state.agents).routes)
    app.add_middleware(Etags)
    app.add_middleware(Limits, settings=settings)
    app.add_middleware(Gate, door=door)
    app.add_middleware(Measured, meters=app.state.meters)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    app.add_exception_handler(EvidenceError, _known)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def _people(settings: OidcSettings, book: KeyBook) -> People | None:
    """Whoever may sign in through an issuer."""
    return People(settings, book) if settings.issuer else None


def _asking(ctx: Context[Any]) -> Viewer:
    """Whoever the gate let in with the request that carries a tool's call."""
    carried: Any = ctx.request_context.request
    found: Viewer = carried.state.viewer
    return found


def _spoken_to(agents: MCPServer[Any]) -> Starlette:
    """The agents' protocol over HTTP at ``/mcp``, without sessions: any process may answer.

    Hosts and origins are held to by the same gate as every other route's.
    """
    return agents.streamable_http_app(
        stateless_http=True,
        json_response=True,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )


def description() -> dict[str, Any]:
    """The API as OpenAPI 3.1, without a workspace."""
    return _described(Described(**_ABOUT)).openapi()


def _described(app: FastAPI) -> FastAPI:
    app.include_router(http_spans.router)  # before the addresses that name no release
    app.include_router(http_spans.pages)
    for room in (
        http_lines,
        http_clips,
        http_bundles,
        http_review,
        http_api,
        http_session,
        http_pages,
    ):
        app.include_router(room.router)
    app.include_router(http_cases.router)
    app.include_router(http_case_pages.router)
    app.include_router(http_embed.router)
    app.include_router(http_embed.pages)
    app.include_router(http_likeness.router)
    app.include_router(http_likeness.pages)
    app.include_router(http_ops.router)
    app.include_router(http_ops.pages)
    app.include_router(http_webhooks.router)
    app.include_router(http_oidc.router)
    app.include_router(http_replay.router)
    app.include_router(http_replay.pages)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Seal what killed processes left, seal in good time, seal at the end."""
    log: ViewLog = app.state.office.log
    to_thread.current_default_thread_limiter().total_tokens = THREADS
    await asyncio.to_thread(log.recover)
    await asyncio.to_thread(app.state.office.once.sweep)
    sealing = asyncio.create_task(_seal_now_and_then(log))
    try:
        async with app.state.agents.session_manager.run():
            yield
    finally:
        sealing.cancel()
        with suppress(asyncio.CancelledError):
            await sealing
        await asyncio.to_thread(log.close)


async def _seal_now_and_then(log: ViewLog) -> None:
    while True:
        await asyncio.sleep(_SEAL_EVERY_S)
        with suppress(EvidenceError):  # the store is away: the spool waits for the next time
            await asyncio.to_thread(log.seal_if_due)


def status_of(error: EvidenceError) -> int:
    """The HTTP status of an error."""
    return _STATUS.get(error.exit_code, 503 if error.transient else 500)


def _known(request: Request, error: Exception) -> Response:
    known = cast(EvidenceError, error)
    status = status_of(known)
    if request.url.path.startswith("/api/"):
        return problem(status, known.code, known.message, known.hint)
    return http_pages.error_page(request, known, status)


def _plain(request: Request, error: Exception) -> Response:
    known = cast(HTTPException, error)
    if request.url.path.startswith("/api/") or known.status_code != 404:
        code = _CODES.get(known.status_code, "request")
        return problem(known.status_code, code, known.detail, headers=dict(known.headers or {}))
    return http_pages.error_page(request, NotFound("there is no such page"), 404)


def _invalid(request: Request, error: Exception) -> Response:
    """A parameter of the wrong kind: which, and why; its value is not echoed."""
    first = cast(RequestValidationError, error).errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    if request.url.path.startswith("/api/"):
        return problem(422, "parameter", f"{place}: {first['msg']}", "see /openapi.json")
    return http_pages.error_page(request, InputError(f"{place}: {first['msg']}"), 422)


def _unexpected(request: Request, error: Exception) -> Response:
    """A fault of the program: nothing of it is shown; the log on standard error has it all.

    It is answered outside the gate, so the headers are set here.
    """
    hint = "try again; if it stays, the server's log says more"
    return problem(500, "fault", "the desk failed to answer", hint, HEADERS)
