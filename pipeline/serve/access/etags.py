"""Entity tags: what did not change is not sent again (the view is written down all the same)."""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Etags:
    """ASGI middleware over the API: JSON answers get a strong tag, known ones become 304."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tag answers to GET below ``/api/``."""
        tagged = scope["type"] == "http" and scope["method"] == "GET"
        if not tagged or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Tagger(send, Headers(scope=scope)).send)


class _Tagger:
    def __init__(self, send: Send, asked: Headers) -> None:
        self._send = send
        self._known = {tag.strip() for tag in asked.get("if-none-match", "").split(",")} - {""}
        self._start: Message | None = None
        self._body = bytearray()
        self._silent = False

    async def send(self, message: Message) -> None:
        """Hold JSON back until it is whole; let files pass, or answer that they are known."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif self._silent:
            return
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._whole()

    async def _begin(self, message: Message) -> None:
        headers = Headers(raw=message["headers"])
        if message["status"] == 200 and headers.get("content-type", "") == "application/json":
            self._start = message
        elif message["status"] == 200 and headers.get("etag") in self._known:
            await self._unchanged(message)
        else:
            await self._send(message)

    async def _whole(self) -> None:
        assert self._start is not None  # noqa: S101 - set before any body is held back
        tag = f'"{hashlib.sha256(self._body).hexdigest()[:32]}"'
        MutableHeaders(raw=self._start["headers"])["etag"] = tag
        if tag in self._known:
            await self._unchanged(self._start)
            return
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": bytes(self._body)})

    async def _unchanged(self, message: Message) -> None:
        self._silent = True
        kept = [(n, v) for n, v in message["headers"] if not n.lower().startswith(b"content-")]
        await self._send({"type": "http.response.start", "status": 304, "headers": kept})
        await self._send({"type": "http.response.body", "body": b""})
