"""A web hook that takes event messages and puts them into an inbox folder before it answers."""

from __future__ import annotations

import hmac
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import cast

_MOST_BYTES = 1 << 20
_TIMEOUT_S = 10.0


class _Server(ThreadingHTTPServer):
    folder: Path
    token: str


class _Handler(BaseHTTPRequestHandler):
    timeout = _TIMEOUT_S

    def do_POST(self) -> None:
        self._answer(self._taken())

    def do_GET(self) -> None:  # MinIO asks whether anybody is there
        self._answer(200)

    def do_HEAD(self) -> None:
        self._answer(200)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what was sent is hostile text."""

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def _taken(self) -> int:
        server = cast("_Server", self.server)
        sent = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if server.token and not hmac.compare_digest(sent.encode(), server.token.encode()):
            return 401
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return 411
        if len(length) > 9 or int(length) > _MOST_BYTES:
            return 413
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            return 400
        put(server.folder, body)
        return 200


@contextmanager
def listening(folder: Path, *, host: str, port: int, token: str) -> Iterator[int]:
    """Take POSTed messages while the block runs; the port.

    A message is answered with 200 once it lies flushed in the folder; so the sender tries again
    whatever was not. ``token`` must come as ``Authorization: Bearer …`` where one is set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    server = _Server((host, port), _Handler)
    server.folder, server.token = folder, token
    thread = Thread(target=server.serve_forever, daemon=True, name="messages")
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def put(folder: Path, body: bytes) -> None:
    """One message into an inbox, whole and flushed."""
    name = uuid.uuid4().hex
    part = folder / f".{name}.part"
    with part.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / f"{name}.json")
