"""Bounds on every request: how many, how large, how long. Past them it is refused, not dropped."""

from __future__ import annotations

import asyncio
import math

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.serve.access.gate import client_name, problem
from pipeline.serve.access.roles import LOCAL
from pipeline.serve.access.throttle import Throttle
from pipeline.settings import ServeSettings

PHOTOS = "/likeness"
"""Ends the addresses to which a buyer's photo is sent."""


class Limits:
    """ASGI middleware inside the gate; counts by key, and by address where there is none."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._settings = settings
        self._rate = Throttle(burst=settings.burst, per_minute=settings.requests_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through within the bounds."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        wait_s = self._wait_s(connection)
        if wait_s:
            headers = {"Retry-After": str(math.ceil(wait_s))}
            refusal = problem(429, "too_many", "too many requests", "wait a little", headers)
            await refusal(scope, receive, send)
            return
        most = self._most(connection.scope)
        if _announced(connection) > most:
            await _too_large(most)(scope, receive, send)
            return
        await self._bounded(scope, receive, send)

    def _wait_s(self, connection: HTTPConnection) -> float:
        viewer = connection.scope["state"].get("viewer")
        if viewer == LOCAL:
            return 0.0
        return self._rate.take(f"k{viewer.key_id}" if viewer else f"a{client_name(connection)}")

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken, started, most = 0, False, self._most(scope)

        async def received() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most and not started:
                raise HTTPException(413, f"a request of over {taken} bytes")
            return message

        async def sent(message: Message) -> None:
            nonlocal started
            if not started:
                started = True
                deadline.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(self._settings.answer_max_s) as deadline:
                await self._app(scope, received, sent)
        except TimeoutError:
            if started:
                raise
            hint = "ask for less at once, or again later"
            headers = {"Retry-After": "10"}
            await problem(503, "too_slow", "this took too long", hint, headers)(
                scope, receive, send
            )

    def _most(self, scope: Scope) -> int:
        """Bytes of a request: photos are larger than all else."""
        photo = scope["method"] == "POST" and scope["path"].endswith(PHOTOS)
        return self._settings.photo_max_bytes if photo else self._settings.body_max_bytes


def _too_large(most: int) -> ASGIApp:
    return problem(413, "too_large", f"a request of over {most} bytes", "send less")


def _announced(connection: HTTPConnection) -> int:
    length = connection.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0
