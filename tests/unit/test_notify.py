"""Webhooks: signed, told once, tried again, kept until they are delivered."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr

from pipeline.bootstrap import Application, init
from pipeline.errors import ConfigError, NoticeFailed
from pipeline.notify import Notice, send_again, tell, tell_of
from pipeline.runner import Request, process
from pipeline.settings import NotifySettings
from tests.command import EXAMPLES

SECRET = "a-secret-of-the-receiver"


class Receiver(ThreadingHTTPServer):
    """Answers with the statuses it was given, then with 204; keeps what came."""

    def __init__(self, *statuses: int) -> None:
        self.statuses, self.seen = list(statuses), list[tuple[dict[str, str], bytes]]()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?x=1"


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        at: Any = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        at.seen.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(at.statuses.pop(0) if at.statuses else 204)
        self.end_headers()


@contextmanager
def receiver(*statuses: int) -> Iterator[Receiver]:
    with Receiver(*statuses) as one:
        thread = Thread(target=one.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield one
        finally:
            one.shutdown()
            thread.join()


def app(folder: Path, *urls: str, secret: str = SECRET, below_pm: int = 900) -> Application:
    made = init(folder)
    told = NotifySettings(urls=urls, secret=SecretStr(secret), coverage_below_pm=below_pm)
    return Application(made.root, made.settings.model_copy(update={"notify": told}))


NOTICE = Notice(type="arrival.quarantined", place="s3://x/y", error="crashed", message="坏")


def quick(pauses: list[float]) -> Any:
    return pauses.append


def test_a_message_is_signed_as_the_specification_says(tmp_path: Path):
    with receiver() as hook:
        assert tell(app(tmp_path, hook.url), [NOTICE]) == 1
        ((headers, body),) = hook.seen
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert json.loads(body) == NOTICE.model_dump()
    assert headers["webhook-id"] == NOTICE.notice_id


def test_the_same_event_is_told_once_and_each_address_apart(tmp_path: Path):
    with receiver() as one, receiver() as other:
        here = app(tmp_path, one.url, other.url)
        assert [tell(here, [NOTICE]) for _ in range(2)] == [2, 0]
        assert [len(one.seen), len(other.seen)] == [1, 1]


def test_a_receiver_that_recovers_is_tried_again_under_the_same_id(tmp_path: Path):
    pauses: list[float] = []
    with receiver(500, 503) as hook:
        assert tell(app(tmp_path, hook.url), [NOTICE], sleep=quick(pauses)) == 1
        assert len({headers["webhook-id"] for headers, _ in hook.seen}) == 1
        assert len(hook.seen) == 3
    assert pauses == [1.0, 4.0]


def test_what_could_not_be_delivered_waits_in_the_store(tmp_path: Path):
    with receiver(*[500] * 5) as hook:
        here = app(tmp_path, hook.url)
        assert tell(here, [NOTICE], sleep=quick([])) == 0
        hook.statuses = [500] * 4
        with pytest.raises(NoticeFailed) as caught:
            send_again(here)
        assert caught.value.transient
        hook.statuses = []
        assert send_again(here) == 1
        assert send_again(here) == 0


def test_an_address_or_a_missing_secret_is_named_and_nothing_is_sent(tmp_path: Path):
    for url, secret in (("ftp://x/y", SECRET), ("http://127.0.0.1:1/", "")):
        with pytest.raises(ConfigError, match=r"notify\."):
            tell(app(tmp_path, url, secret=secret), [NOTICE])


def test_a_finished_broadcast_is_told_with_its_coverage(tmp_path: Path):
    with receiver() as hook:
        here = app(tmp_path, hook.url, below_pm=1000)
        example = EXAMPLES / "zh06"
        request = Request((), example / "broadcast.json", example / "transcript.json")
        state = process(here, request)
        assert tell_of(here, state) == ""
        told = [json.loads(body) for _, body in hook.seen]
    assert told[0]["type"] == "broadcast.searchable"
    assert (told[0]["broadcast_id"], told[0]["release"]) == ("sample-zh06", 1)
    assert 0 <= told[0]["share_pm"] <= 1000
    assert tell_of(app(tmp_path / "other"), state) == ""
    assert "secret" in tell_of(app(tmp_path, "http://127.0.0.1:1/", secret=""), state)
