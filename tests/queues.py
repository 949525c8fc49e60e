"""A queue that speaks the JSON protocol of Amazon SQS: receive, delete, messages that come again."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote_plus


class Queue:
    """Messages in memory; one given out is hidden for a while and comes again unless deleted."""

    def __init__(self) -> None:
        self.messages: dict[str, str] = {}
        self.deleted: list[str] = []
        self.asked: list[str] = []
        self.hidden_s: float | None = None
        """Overrides what the reader asks for."""
        self._until: dict[str, float] = {}
        self._receipts: dict[str, str] = {}
        self._lock = threading.Lock()

    def send(self, body: str) -> str:
        name = str(uuid.uuid4())
        with self._lock:
            self.messages[name] = body
        return name

    def answer(self, action: str, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(action)
        if action == "ReceiveMessage":
            end = time.monotonic() + min(2, asked.get("WaitTimeSeconds", 0))
            while not (found := self._visible(asked)) and time.monotonic() < end:
                time.sleep(0.05)
            return {"Messages": found} if found else {}
        assert action == "DeleteMessage"
        with self._lock:
            name = self._receipts[asked["ReceiptHandle"]]
            if self.messages.pop(name, None) is not None:
                self.deleted.append(name)
        return {}

    def _visible(self, asked: dict[str, Any]) -> list[dict[str, str]]:
        import hashlib

        now, found = time.monotonic(), []
        with self._lock:
            for name, body in self.messages.items():
                if self._until.get(name, 0) > now or len(found) >= asked["MaxNumberOfMessages"]:
                    continue
                hidden = asked["VisibilityTimeout"] if self.hidden_s is None else self.hidden_s
                self._until[name] = now + hidden
                receipt = uuid.uuid4().hex
                self._receipts[receipt] = name
                digest = hashlib.md5(body.encode()).hexdigest()
                found.append(
                    {"MessageId": name, "ReceiptHandle": receipt, "MD5OfBody": digest, "Body": body}
                )
        return found


@contextmanager
def speaking_sqs(queue: Queue) -> Iterator[str]:
    """The queue's address while it is served."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            action = self.headers["X-Amz-Target"].rpartition(".")[2]
            reply = json.dumps(queue.answer(action, json.loads(body))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/000000000000/recordings"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def event(bucket: str, *keys: str, name: str = "ObjectCreated:Put") -> str:
    """A message as S3 sends it: keys encoded as in a form."""
    records = [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": name,
            "s3": {
                "bucket": {"name": bucket},
                "object": {"key": quote_plus(key, safe="/"), "size": 1},
            },
        }
        for key in keys
    ]
    return json.dumps({"Records": records})
