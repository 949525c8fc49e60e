"""A small HTTP proxy that fails on purpose: between a client and a real server.

    with FaultProxy("http://127.0.0.1:7070") as proxy:
        proxy.fail(Half(), method="GET", times=1)
        ... use proxy.url ...

The ``Host`` header is passed on as it came, so that signed requests stay valid. Each fault
is used up ``times`` times by requests that fit, in the order in which they were added;
``proxy.seen`` lists ``(method, path, headers)`` of every request.
"""

from __future__ import annotations

import http.client
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Reply(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """The proxy answers by itself; ``code`` makes an S3 error body."""

    status: int = 503
    code: str = "SlowDown"


@dataclass(frozen=True)
class Half:
    """The right headers, then only this share of the body, then the line is cut."""

    share: float = 0.5


@dataclass(frozen=True)
class WrongRange:
    """Bytes from another place than asked, honestly labelled; ``label=False`` ignores Range."""

    label: bool = True


@dataclass(frozen=True)
class Reset:
    """The connection is reset before anything is sent."""


@dataclass(frozen=True)
class Slow:
    """The answer comes, but late."""

    seconds: float = 1.0


@dataclass(frozen=True)
class Lost:
    """The server does the work, the answer never arrives."""


@dataclass(frozen=True)
class Change:
    """The answer as ``edit`` makes it."""

    edit: Callable[[Reply], Reply]


@dataclass(frozen=True)
class Before:
    """``action`` runs once before the request is passed on (to change an object meanwhile)."""

    action: Callable[[], Any]


Fault = Answer | Half | WrongRange | Reset | Slow | Lost | Change | Before


@dataclass
class _Planned:
    fault: Fault
    method: str
    path: str
    left: int

    def fits(self, method: str, path: str) -> bool:
        return self.left > 0 and self.method in ("", method) and self.path in path


@dataclass
class FaultProxy:
    upstream: str
    port: int = 0
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    bodies: list[tuple[str, str, bytes]] = field(default_factory=list)
    """``(method, path, body)`` of each POST."""

    def __post_init__(self) -> None:
        self._plan: list[_Planned] = []
        self._lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, fault: Fault, *, method: str = "", path: str = "", times: int = 1) -> None:
        self._plan.append(_Planned(fault, method, path, times))

    def clear(self) -> None:
        self._plan.clear()

    def requests(self, method: str = "") -> int:
        return sum(1 for seen in self.seen if method in ("", seen[0]))

    def take(self, method: str, path: str, headers: dict[str, str]) -> Fault | None:
        with self._lock:
            self.seen.append((method, path, headers))
            for planned in self._plan:
                if planned.fits(method, path):
                    planned.left -= 1
                    return planned.fault
        return None

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(_Handler):
            owner = proxy

        return Handler


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: FaultProxy

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = dict(self.headers.items())
        if self.command == "POST":
            self.owner.bodies.append((self.command, self.path, body))
        fault = self.owner.take(self.command, self.path, headers)
        if isinstance(fault, Answer):
            self._send(_error(fault, head=self.command == "HEAD"))
        elif isinstance(fault, Reset):
            self._cut(reset=True)
        else:
            self._pass_on(headers, body, fault)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

    def _pass_on(self, headers: dict[str, str], body: bytes, fault: Fault | None) -> None:
        if isinstance(fault, Slow):
            time.sleep(fault.seconds)
        if isinstance(fault, Before):
            fault.action()
        reply = self._ask(headers, body)
        if isinstance(fault, WrongRange):
            reply = _other_range(reply, fault)
        if isinstance(fault, Change):
            reply = fault.edit(reply)
        if isinstance(fault, Lost):
            self._cut(reset=True)
        elif isinstance(fault, Half):
            self._send(reply, share=fault.share)
        else:
            self._send(reply)

    def _ask(self, headers: dict[str, str], body: bytes) -> Reply:
        at = urlsplit(self.owner.upstream)
        line = http.client.HTTPConnection(at.hostname or "", at.port or 80, timeout=60)
        line.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            if name.lower() not in ("connection", "expect", "transfer-encoding"):
                line.putheader(name, value)
        line.endheaders(body or None)
        answer = line.getresponse()
        reply = Reply(answer.status, answer.getheaders(), answer.read())
        line.close()
        return reply

    def _send(self, reply: Reply, *, share: float = 1.0) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers:
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        length = len(reply.body)
        if self.command == "HEAD":
            length = int({k.lower(): v for k, v in reply.headers}.get("content-length", 0))
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            self.wfile.write(reply.body[: int(length * share)])
            if share < 1:
                self._cut(reset=False)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client gave up waiting, which is its right

    def _cut(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
        else:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)


def _error(fault: Answer, *, head: bool) -> Reply:
    text = f"<?xml version='1.0'?><Error><Code>{fault.code}</Code><Message>made</Message></Error>"
    return Reply(
        fault.status, [("Content-Type", "application/xml")], b"" if head else text.encode()
    )


def _other_range(reply: Reply, fault: WrongRange) -> Reply:
    """As from a server that answers another range, or takes no notice of ranges."""
    headers = [(k, v) for k, v in reply.headers if k.lower() != "content-range"]
    if not fault.label:
        return Reply(200, headers, reply.body)
    return Reply(206, [*headers, ("Content-Range", f"bytes 0-{len(reply.body) - 1}/*")], reply.body)
