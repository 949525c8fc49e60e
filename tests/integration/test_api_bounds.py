"""The API's bounds and courtesies: pages, tags, repeats, limits, counters."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.command import EXAMPLES, evidence, short_broadcast, spoken, workspace
from tests.desks import Said, ask, new_key, served

TEXTS = ["这款行李箱质保五年，坏了直接换新", "铝镁合金的箱体，不是塑料的", "今天只要四百五十九块"]


class Given(NamedTuple):
    address: str
    here: Path
    key: str

    def api(self, path: str, **more: Any) -> Said:
        return ask(f"{self.address}/api/v1/{path}", key=self.key, **more)

    def post(self, path: str, body: Any, **headers: str) -> Said:
        data = json.dumps(body).encode()
        return self.api(path, method="POST", body=data, Content_Type="application/json", **headers)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    folder = short_broadcast(tmp_path_factory.mktemp("in") / "zh01", seconds=20)
    rows = [(2000 + 5000 * n, 6000 + 5000 * n, text) for n, text in enumerate(TEXTS)]
    words = spoken(folder / "words.json", rows)
    here = workspace(tmp_path_factory.mktemp("bounds") / "w")
    assert evidence("process", folder, "--transcript", words, "-w", here).code == 0
    described = json.loads((EXAMPLES / "zh01" / "broadcast.json").read_text(encoding="utf-8"))
    for name in ("second", "third"):
        file = folder / f"{name}.json"
        file.write_text(json.dumps(described | {"broadcast_id": name}), encoding="utf-8")
        done = evidence("process", "--broadcast", file, "--transcript", words, "-w", here)
        assert done.code == 0, done.err
    with served(here) as address:
        yield Given(address, here, new_key(here, "admin")["key"])


def pages(given: Given, path: str) -> list[list[Any]]:
    """The items of every page, one at a time."""
    found, cursor = [], ""
    for _ in range(100):
        page = given.api(f"{path}?size=1&cursor={cursor}").json
        found.append(page["items"])
        cursor = page["cursor"]
        if not cursor:
            return found
    raise AssertionError("pages without end")


def test_lists_come_in_pages_that_join_up(given: Given):
    for path in ("broadcasts", "broadcasts/sample-zh01/claims"):
        one_by_one = pages(given, path)
        assert [len(items) for items in one_by_one] == [1] * len(one_by_one)
        whole = given.api(path).json
        assert [item for items in one_by_one for item in items] == whole["items"]
        assert (len(one_by_one) >= 3, whole["cursor"]) == (True, "")
    for wrong in ("xx", "W10", "WzcsMl0", "WzAsLTFd", "Wy0xLCJhIl0"):
        said = given.api(f"broadcasts/sample-zh01/claims?cursor={wrong}")
        assert (said.status, said.json["title"]) in [(400, "query"), (400, "input")]


def test_what_did_not_change_is_not_sent_again(given: Given):
    for path in ("broadcasts/sample-zh01", "search?q=type:warranty"):
        first = given.api(path)
        tag = first.headers["etag"]
        again = given.api(path, If_None_Match=f'"other", {tag}')
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
        assert given.api(path, If_None_Match='"other"').body == first.body
    claim_id = given.api("search?q=type:warranty").json["hits"][0]["document"]["claim_id"]
    video = given.api(f"claims/{claim_id}/clip.mp4")
    again = given.api(f"claims/{claim_id}/clip.mp4", If_None_Match=video.headers["etag"])
    assert (again.status, again.body) == (304, b"")


def test_a_clip_is_made_once_for_a_key(given: Given):
    wanted = {"broadcast_id": "sample-zh01", "start_ms": 2000, "end_ms": 7000}
    first = given.post("clips", wanted, Idempotency_Key="abc")
    assert (first.status, first.headers.get("idempotent-replayed")) == (201, None)
    again = given.post("clips", wanted, Idempotency_Key="abc")
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.status, again.json["clip_id"]) == (201, first.json["clip_id"])
    assert again.json["info"] == first.json["info"]
    other = given.post("clips", wanted | {"end_ms": 6000}, Idempotency_Key="abc")
    assert (other.status, other.json["title"]) == (400, "input")
    someone = Given(given.address, given.here, new_key(given.here, "agent")["key"])
    theirs = someone.post("clips", wanted | {"end_ms": 6000}, Idempotency_Key="abc")
    assert theirs.status == 201
    assert theirs.json["clip_id"] != first.json["clip_id"]

    polled = given.api(first.headers["location"].removeprefix("/api/v1/")).json
    assert polled["info"] == first.json["info"]
    part = ask(given.address + polled["links"]["mp4"], Range="bytes=0-9")
    assert (part.status, len(part.body)) == (206, 10)
    for wrong in (
        {},
        {"claim_id": "x", **wanted},
        {"broadcast_id": "x"},
        wanted | {"start_ms": -1},
    ):
        assert given.post("clips", wrong).status == 422, wrong
    assert given.post("clips", wanted | {"end_ms": 2000}).status == 400
    assert given.post("clips", {"claim_id": "0000-000000000000-0"}).status == 404
    for unknown in ("s-" + "0" * 32, "s-../../keys", "s-", "x"):
        assert given.api(f"clips/{unknown}").status == 404, unknown


def test_too_many_too_large_too_slow(given: Given):
    bounds = {
        "EVIDENCE_SERVE__BURST": "5",
        "EVIDENCE_SERVE__REQUESTS_PER_MINUTE": "6",
        "EVIDENCE_SERVE__ANSWER_MAX_S": "2",
        "EVIDENCE_SERVE__BODY_MAX_BYTES": "2000",
    }
    with served(given.here, **bounds) as fresh:
        small = Given(fresh, given.here, given.key)
        large = small.post("clips", {"claim_id": "x" * 3000})
        assert (large.status, large.json["title"]) == (413, "too_large")
        assert chunked(fresh, given.key, 3000).startswith(b"HTTP/1.1 413")
        began = time.monotonic()
        assert silent(fresh, given.key).startswith(b"HTTP/1.1 503")
        assert 1.5 < time.monotonic() - began < 20
        statuses = [small.api("broadcasts").status for _ in range(5)]
        assert statuses[:2] == [200, 200]
        assert statuses[-1] == 429
        refused = small.api("broadcasts")
        assert 1 <= int(refused.headers["retry-after"]) <= 10
        assert refused.headers["content-security-policy"]
        other = new_key(given.here, "agent")["key"]
        assert ask(f"{fresh}/api/v1/broadcasts", key=other).status == 200


def request(address: str, head: str, *pieces: bytes) -> bytes:
    """What a raw request is answered."""
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port or 80), timeout=30) as wire:
        wire.sendall(head.replace("\n", "\r\n").encode())
        for piece in pieces:
            wire.sendall(piece)
        return wire.recv(4096)


def head(key: str, more: str) -> str:
    return (
        f"POST /api/v1/clips HTTP/1.1\nHost: localhost\nAuthorization: Bearer {key}\n"
        f"Content-Type: application/json\n{more}\n\n"
    )


def chunked(address: str, key: str, size: int) -> bytes:
    pieces = [b"3e8\r\n" + b" " * 1000 + b"\r\n"] * (size // 1000)
    return request(address, head(key, "Transfer-Encoding: chunked"), *pieces)


def silent(address: str, key: str) -> bytes:
    """A request whose body never comes."""
    return request(address, head(key, "Content-Length: 100"))


def test_the_desk_counts_what_it_does(given: Given):
    given.api("claims/none")
    given.api("broadcasts/sample-zh01")
    text = ask(f"{given.address}/metrics", key=given.key).text
    counted = 'evidence_requests_total{method="GET",route="/api/v1/claims/{claim_id}",status="404"}'
    assert counted in text
    assert "evidence_request_seconds_bucket" in text
    assert "process_resident_memory_bytes" in text
    assert "sample-zh01" not in text


def test_alive_and_able(given: Given):
    assert ask(f"{given.address}/api/v1/health").json == {"status": "ok"}
    assert ask(f"{given.address}/api/v1/ready").json == {"status": "ok"}
    (given.here / "index").rename(given.here / "away")
    (given.here / "index").write_text("a file where the index should be")
    try:
        unable = ask(f"{given.address}/api/v1/ready")
        assert unable.status >= 500
        assert ask(f"{given.address}/api/v1/health").status == 200
    finally:
        (given.here / "index").unlink()
        (given.here / "away").rename(given.here / "index")
