"""A stub of an OpenAI-compatible endpoint on this machine, for the verifier's tests."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Stub:
    """An endpoint on this machine that keeps what it was asked."""

    def __init__(self) -> None:
        self.status, self.reply, self.drip_s = 200, completion('{"answer": "confirmed"}'), 0.0
        self.location = ""
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.url = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.requests.append((handler.path, dict(handler.headers), json.loads(body)))
        handler.send_response(self.status)
        handler.send_header("Content-Length", str(len(self.reply)))
        if self.location:
            handler.send_header("Location", self.location)
        handler.end_headers()
        for n in range(len(self.reply) if self.drip_s else 0):
            time.sleep(self.drip_s)
            handler.wfile.write(self.reply[n : n + 1])
        if not self.drip_s:
            handler.wfile.write(self.reply)


def completion(content: object) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "x", "content": content}}]}).encode()


@contextmanager
def serving(stub: Stub) -> Iterator[Stub]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                stub.answer(self)
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
