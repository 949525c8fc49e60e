"""Event notifications: what they name, what is refused, and when a message is dealt with."""

from __future__ import annotations

import http.client
import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipeline.bootstrap import Application, init
from pipeline.errors import ConfigError, InputError
from pipeline.ingest.inbox import Inbox
from pipeline.ingest.listener import listening
from pipeline.ingest.mailboxes import mailbox
from pipeline.ingest.messages import Mailbox, Written, written
from pipeline.ingest.s3_queue import SqsMailbox
from pipeline.ledger import Ledger, Try
from pipeline.settings import StoreSettings
from pipeline.standing import standings
from pipeline.told import Told
from tests.fakes import MemoryStore
from tests.queues import Queue, event, speaking_sqs

KEYS = StoreSettings(access_key_id="key", secret_access_key="secret")  # type: ignore[arg-type]


def test_the_shapes_that_stores_send():
    key = "直播/2026 06/rec+1.flv"
    one = [Written("replays", key)]
    plain = event("replays", key)
    assert "%E7%9B%B4" in plain
    assert written(plain.encode()) == one
    assert written(json.dumps({"Type": "Notification", "Message": plain}).encode()) == one
    bridge = {
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "replays"}, "object": {"key": key}},
    }
    assert written(json.dumps(bridge).encode()) == one
    minio = json.loads(event("replays", key, name="s3:ObjectCreated:CompleteMultipartUpload"))
    assert written(json.dumps({"EventName": "s3:…", "Key": "x", **minio}).encode()) == one
    assert written(b'{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}') == []
    assert written(event("replays", key, name="ObjectRemoved:Delete").encode()) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[1]",
        b"{}",
        b'{"Records": 3}',
        b'{"Records": [{"eventName": "ObjectCreated:Put"}]}',
        b"[" * 100_000,
        b" " * ((1 << 20) + 1),
        event("b", "../../etc/passwd").encode(),
        event("b", "a/../b.flv").encode(),
        event("b", "/a.flv").encode(),
        event("b", "a//b.flv").encode(),
        event("b", "a\x00.flv").encode(),
        event("b", "a\r\nb.flv").encode(),
        event("b", "a\\b.flv").encode(),
        event("b", "a" * 1025).encode(),
        event("b/c", "a.flv").encode(),
        event("b", "x").replace('"x"', '"%ff.flv"').encode(),
    ],
)
def test_what_is_no_honest_message_is_refused(body: bytes):
    with pytest.raises(InputError):
        written(body)


@pytest.fixture
def app(tmp_path: Path) -> Application:
    return init(tmp_path / "w")


@pytest.fixture
def bucket() -> MemoryStore:
    store = MemoryStore()
    for key in ("on/a/broadcast.json", "on/a/hls/live.m3u8", "on/a/hls/0.ts", "on/b/rec.flv"):
        store.put(key, key.encode())
    return store


def followed(app: Application, box: Mailbox, bucket: MemoryStore, marker: str = "") -> Told:
    return Told(app, box, ["s3://replays/on/"], marker=marker, s3=lambda _: bucket)


MOMENTS = count(1)


def done(app: Application, arrival: Any, *, outcome: str = "done", transient: bool = False) -> None:
    at_utc_ms = next(MOMENTS)
    one = Try(place=arrival.place, outcome=outcome, at_utc_ms=at_utc_ms, transient=transient)  # type: ignore[arg-type]
    Ledger(app.store).add(arrival.digest, one)


def test_a_message_of_a_queue_is_deleted_only_when_its_recording_is_taken(
    app: Application, bucket: MemoryStore
):
    queue = Queue()
    with speaking_sqs(queue) as url:
        told = followed(app, SqsMailbox(url, KEYS), bucket)
        first = queue.send(event("replays", "on/a/hls/0.ts", "on/a/hls/live.m3u8"))
        second = queue.send(event("replays", "on/b/rec.flv"))
        found = told.arrivals(wait_s=1)
        assert [a.place for a in found] == ["s3://replays/on/a", "s3://replays/on/b"]
        assert told.settle() == 0
        assert queue.deleted == []
        done(app, found[0])
        done(app, found[1], outcome="failed", transient=True)
        assert told.settle() == 1
        assert queue.deleted == [first]
        for _ in range(3):
            done(app, found[1], outcome="failed")
        assert told.arrivals(wait_s=0) == []
        assert told.settle() == 1
        assert queue.deleted == [first, second]
        assert not queue.messages


def test_a_message_comes_again_to_the_next_when_its_reader_was_killed(
    app: Application, bucket: MemoryStore
):
    queue = Queue()
    queue.hidden_s = 0
    with speaking_sqs(queue) as url:
        queue.send(event("replays", "on/b/rec.flv"))
        (taken,) = followed(app, SqsMailbox(url, KEYS), bucket).arrivals(wait_s=0)
        told = followed(app, SqsMailbox(url, KEYS), bucket)  # the first one is gone
        assert told.arrivals(wait_s=0) == [taken]
        done(app, taken)
        assert told.arrivals(wait_s=0) == []
        assert told.settle() == 1
        assert not queue.messages


def test_poison_is_set_aside_with_its_reason_and_the_others_go_on(
    app: Application, bucket: MemoryStore, tmp_path: Path
):
    box = tmp_path / "box"
    box.mkdir()
    bodies = {
        "1": event("replays", "on/../secret/x.flv"),
        "2": "{",
        "3": event("elsewhere", "on/b/rec.flv"),
        "4": event("replays", "on/b/rec.flv"),
        "5": event("replays", "on/b/notes.txt"),
    }
    for name, body in bodies.items():
        (box / f"{name}.json").write_text(body)
    (box / "6.json").symlink_to("/etc/passwd")
    told = followed(app, Inbox(box), bucket)
    assert [a.place for a in told.arrivals(wait_s=0)] == ["s3://replays/on/b"]
    assert sorted(p.name for p in box.iterdir()) == ["4.json", "6.json"]
    shown = [i for i in standings(app) if i.error == "message"]
    assert len(shown) == 3
    assert all(i.standing == "quarantined" and i.message for i in shown)
    assert any("no watched place" in i.message for i in shown)


def test_with_a_marker_only_its_message_counts(
    app: Application, bucket: MemoryStore, tmp_path: Path
):
    box = tmp_path / "box"
    box.mkdir()
    (box / "1.json").write_text(event("replays", "on/b/rec.flv"))
    told = followed(app, Inbox(box), bucket, marker="_DONE")
    assert told.arrivals(wait_s=0) == []
    assert list(box.iterdir()) == []
    bucket.put("on/b/_DONE", b"")
    (box / "2.json").write_text(event("replays", "on/b/_DONE"))
    (found,) = told.arrivals(wait_s=0)
    assert found.marked


def test_a_message_about_what_is_gone_is_dealt_with(
    app: Application, bucket: MemoryStore, tmp_path: Path
):
    (tmp_path / "1.json").write_text(event("replays", "on/gone/rec.flv"))
    told = followed(app, Inbox(tmp_path), bucket)
    assert told.arrivals(wait_s=0) == []
    assert told.settle() == 1
    assert not (tmp_path / "1.json").exists()


def posted(port: int, body: bytes, **headers: str) -> int:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    line.request("POST", "/", body, headers)
    status = line.getresponse().status
    line.close()
    return status


def test_messages_can_be_posted_and_are_kept_before_they_are_answered(tmp_path: Path):
    body = event("replays", "on/b/rec.flv").encode()
    with listening(tmp_path / "in", host="127.0.0.1", port=0, token="t") as port:
        assert posted(port, body) == 401
        assert posted(port, body, Authorization="Bearer wrong") == 401
        assert posted(port, b" " * ((1 << 20) + 1), Authorization="Bearer t") == 413
        assert list((tmp_path / "in").iterdir()) == []
        assert posted(port, body, Authorization="Bearer t") == 200
        (letter,) = Inbox(tmp_path / "in").receive(wait_s=0)
    assert letter.body == body


def test_a_port_open_to_others_needs_a_token(tmp_path: Path):
    with (
        pytest.raises(ConfigError, match="token"),
        mailbox("listen:0.0.0.0:9300", store=KEYS, spool=tmp_path),
    ):
        pass
