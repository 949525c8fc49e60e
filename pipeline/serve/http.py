"""The HTTP application: the façade over routes, errors as problem+json, headers that keep it shut.

Bound to this machine alone, it asks for no key; on any other address it refuses to start
(``commands_serve``). Nothing in a page comes from elsewhere, and no page has a script of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from pipeline.errors import EvidenceError
from pipeline.provenance import VERSION
from pipeline.serve import http_api, http_pages
from pipeline.serve.service import Service

STATIC = Path(__file__).parent / "web" / "static"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
_STATUS = {2: 400, 4: 400, 6: 502, 8: 503, 9: 503, 11: 507, 12: 404}
"""HTTP status by the error's exit code; 503 for what may go away by itself, else 500."""


def make_app(service: Service, *, hosts: list[str]) -> FastAPI:
    """The application over one workspace, answering to these host names only.

    ``hosts`` guards against pages elsewhere that point a name of theirs at this machine.
    """
    app = FastAPI(title="Replay Evidence", version=VERSION, docs_url=None, redoc_url=None)
    app.state.service = service
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    app.middleware("http")(_shut)
    app.add_exception_handler(EvidenceError, _problem)
    app.add_exception_handler(HTTPException, _plain_problem)
    app.include_router(http_api.router)
    app.include_router(http_pages.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


async def _shut(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def status_of(error: EvidenceError) -> int:
    """The HTTP status of an error."""
    return _STATUS.get(error.exit_code, 503 if error.transient else 500)


def _problem(request: Request, error: Exception) -> Response:
    known = cast(EvidenceError, error)
    status = status_of(known)
    if not request.url.path.startswith("/api/"):
        return http_pages.error_page(request, known, status)
    body = {
        "type": f"urn:replay-evidence:error:{known.code}",
        "title": known.code,
        "status": status,
        "detail": known.message,
        "hint": known.hint,
    }
    return JSONResponse(body, status, media_type="application/problem+json")


def _plain_problem(request: Request, error: Exception) -> Response:
    known = cast(HTTPException, error)
    body = {"type": "about:blank", "title": str(known.detail), "status": known.status_code}
    return JSONResponse(body, known.status_code, media_type="application/problem+json")
