"""The gate before every route: closed unless a route is named as open to all.

1. A request that changes something must come from this desk's own pages, or carry a key.
2. Without a viewer only ``OPEN`` paths answer; a browser is shown the way to the login page.
3. Every answer, refusals too, carries the headers that keep it shut.
"""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.serve.access.door import CARDS, Door, Way

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "Cache-Control": "private, no-cache",
}
OPEN = frozenset(
    {"/login", "/login/issuer", "/login/issuer/done", "/api/v1/health", "/api/v1/ready"}
)
"""What answers whoever asks; and the files of the pages themselves, below ``/static/``."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY = b"content-security-policy"
_OLD_FRAMES = "X-Frame-Options"
"""Cannot name more than one origin; the policy of a card names those that may frame it."""


class Gate:
    """ASGI middleware; leaves the viewer in ``request.state.viewer`` (None on open paths)."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        viewer, way = self._door.viewer(connection)
        refusal = self._refusal(connection, known=viewer is not None, way=way)
        scope.setdefault("state", {}).update(viewer=viewer, way=way)
        framed = refusal is None and connection.scope["path"].startswith(CARDS)
        await (refusal or self._app)(scope, receive, _shut(send, framed=framed))

    def _refusal(self, connection: HTTPConnection, *, known: bool, way: Way) -> Response | None:
        path = connection.scope["path"]
        public = path in OPEN or path.startswith("/static/")
        changes = connection.scope["method"] not in _SAFE and way != "bearer"
        if changes and (known or public) and not _own(connection, silence=way == "open"):
            return _CROSS_SITE
        if known or public:
            return None
        if not self._door.shut:
            return _NO_KEYS
        if path.startswith("/api/") or connection.scope["method"] not in _SAFE or way == "bearer":
            return _unknown()
        query = connection.scope["query_string"].decode("latin-1")
        wanted = quote(path) + (f"?{query}" if query else "")
        return RedirectResponse(f"/login?next={quote(wanted, safe='')}", 303)


def problem(
    status: int, code: str, detail: str, hint: str = "", headers: dict[str, str] | None = None
) -> Response:
    """An error as ``application/problem+json`` (RFC 9457)."""
    body: dict[str, Any] = {"type": f"urn:replay-evidence:error:{code}", "title": code}
    body |= {"status": status, "detail": detail, "hint": hint}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


_CROSS_SITE = problem(
    403,
    "cross_site",
    "this did not come from one of the desk's pages",
    "send the key as a bearer token; a browser sends forms from the desk's pages",
)
_NO_KEYS = problem(
    403,
    "no_keys",
    "a proxy brought this, and the desk has no keys",
    "make a key with `evidence access new`; without keys the desk is for this machine",
)


def client_name(connection: HTTPConnection) -> str:
    """Whom to count attempts by: an IPv4 address, or the network of an IPv6 one."""
    host = connection.client.host if connection.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host


def _unknown() -> Response:
    hint = "send a live key: Authorization: Bearer re_…; `evidence access new` makes one"
    headers = {"WWW-Authenticate": 'Bearer realm="replay-evidence"'}
    return problem(401, "not_signed_in", "no key, or one that opens nothing", hint, headers)


def _own(connection: HTTPConnection, *, silence: bool) -> bool:
    """Whether a browser says that the desk's own page sent it.

    ``silence`` is what to make of a request that says nothing: no browser is silent about a
    form from elsewhere, so at a desk without keys it is a program on this machine.
    """
    site = connection.headers.get("sec-fetch-site")
    origin = connection.headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is not None:
        return urlsplit(origin).netloc == connection.headers.get("host")
    return site is not None or silence


def _shut(send: Send, *, framed: bool) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.setdefault("headers", [])
            there = {name.lower() for name, _ in headers}
            if framed and _POLICY in there:
                there.add(_OLD_FRAMES.lower().encode())
            for name, value in HEADERS.items():
                if name.lower().encode() not in there:
                    headers.append((name.lower().encode(), value.encode()))
        await send(message)

    return sent
