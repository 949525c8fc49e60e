"""The client library against a real desk, on a line that breaks where a test says so."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from replay_evidence_client import (
    BadRequest,
    Client,
    Damaged,
    NotAllowed,
    NotFound,
    NotSignedIn,
    TooMany,
    Unavailable,
    Unreachable,
)

from pipeline.provenance import sha256_file
from tests.command import ROOT, evidence, short_broadcast, workspace
from tests.desks import ask, new_key, served
from tests.faults import Answer, Change, FaultProxy, Half, Lost, Reply, Reset
from tests.unit.test_notify import Receiver, receiver

WORDS = (
    '{"language": "zh", "segments": ['
    '{"start_ms": 2000, "end_ms": 7000, "text": "这款行李箱质保五年，坏了直接换新"},'
    '{"start_ms": 8000, "end_ms": 14000, "text": "铝镁合金的箱体，不是塑料的"}]}'
)
BROADCAST, ORDER, SKU = "sample-zh01", "ORD-26060501", "LZ-LUG-01"


class Given(NamedTuple):
    proxy: FaultProxy
    keys: dict[str, str]
    waited: list[float]
    party: str
    """The id of a party's key."""
    hook: Receiver
    """A receiver of webhooks."""

    def client(self, role: str = "admin", **more: Any) -> Client:
        key = more.pop("key", self.keys.get(role, ""))
        return Client(self.proxy.url, key=key, waits=self.waited.append, **more)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    folder = short_broadcast(tmp_path_factory.mktemp("in") / "zh01", seconds=20)
    (folder / "words.json").write_text(WORDS, encoding="utf-8")
    here = workspace(tmp_path_factory.mktemp("client") / "w")
    done = evidence("process", folder, "--transcript", folder / "words.json", "-w", here)
    assert done.code == 0, done.err
    assert evidence("orders", "import", folder / "orders.jsonl", "-w", here).code == 0
    assert evidence("keys", "new", "-w", here).code == 0
    made = {role: new_key(here, role) for role in ("admin", "agent", "operator", "party")}
    keys = {role: key["key"] for role, key in made.items()}
    with receiver() as hook:
        settings = {
            "EVIDENCE_SERVE__EMBED_ORIGINS": '["https://console.example"]',
            "EVIDENCE_NOTIFY__ALLOWED_HOSTS": f'["127.0.0.1:{hook.server_address[1]}"]',
        }
        with served(here, **settings) as address, FaultProxy(address) as proxy:
            yield Given(proxy, keys, [], made["party"]["key_id"], hook)


@pytest.fixture
def given(running: Given) -> Given:
    running.proxy.clear()
    running.proxy.seen.clear()
    running.waited.clear()
    return running


def test_everything_that_can_be_read_is_read(given: Given):
    with given.client() as desk:
        assert [row["broadcast_id"] for row in desk.broadcasts()] == [BROADCAST]
        said = desk.transcript(BROADCAST)
        assert said["segments"][0]["text"] == "这款行李箱质保五年，坏了直接换新"
        claims = list(desk.claims(BROADCAST))
        warranty = next(c for c in claims if c["claim_type"] == "warranty")
        assert desk.claim(warranty["claim_id"]) == warranty
        assert warranty["value"] == "P5Y"
        assert desk.broadcast(BROADCAST)["broadcast"]["broadcast_id"] == BROADCAST
        assert desk.sku(SKU)["claims"] >= 1
        assert desk.order(ORDER)["verdict"] in ("found", "not_said", "cannot_say")
        assert [b["broadcast_id"] for b in desk.status()["broadcasts"]] == [BROADCAST]


def test_search_goes_through_all_pages(given: Given):
    with given.client() as desk:
        whole = desk.search_page("", size=200)
        each = [hit["document"]["doc_id"] for hit in desk.search("", size=1)]
        assert each == [hit["document"]["doc_id"] for hit in whole["hits"]]
        assert len(each) == whole["total"] > 2
        assert given.proxy.requests("GET") == 1 + len(each)
        only = list(desk.search("质保", type="warranty"))
        assert {hit["document"]["claim_type"] for hit in only} == {"warranty"}


def test_a_clip_continues_where_the_line_broke(given: Given, tmp_path: Path):
    with given.client() as desk:
        warranty = next(c for c in desk.claims(BROADCAST) if c["claim_type"] == "warranty")
        made = desk.make_clip(warranty["claim_id"])
        given.proxy.fail(Half(0.6), path="clip.mp4", times=2)
        path = desk.fetch_clip(made, tmp_path / "clip.mp4")
        assert sha256_file(path) in made["info"]["files"].values()
        ranges = [h.get("Range") or h.get("range") for _, p, h in given.proxy.seen if ".mp4" in p]
        assert ranges[0] is None
        first, second = (int(r.removeprefix("bytes=").removesuffix("-")) for r in ranges[1:])
        assert 0 < first < second < path.stat().st_size
        assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]
        span = desk.make_clip(broadcast_id=BROADCAST, span_ms=(2000, 7000))
        assert desk.clip(span["clip_id"])["info"] == span["info"]
        assert desk.fetch_clip(span, tmp_path / "s.srt", kind="srt").read_text("utf-8").strip()


def test_a_whole_part_is_not_fetched_again_and_a_foreign_one_is_noticed(
    given: Given, tmp_path: Path
):
    with given.client() as desk:
        made = desk.make_clip(broadcast_id=BROADCAST, span_ms=(2000, 7000))
        path = desk.fetch_clip(made, tmp_path / "a.mp4")
        path.rename(tmp_path / "a.mp4.part")
        assert desk.fetch_clip(made, path).exists()
        (tmp_path / "b.mp4.part").write_bytes(b"something else")
        with pytest.raises(Damaged):
            desk.fetch_clip(made, tmp_path / "b.mp4")
        assert not (tmp_path / "b.mp4").exists()
        assert desk.fetch_clip(made, tmp_path / "b.mp4").read_bytes() == path.read_bytes()


def test_a_clip_whose_answer_was_lost_is_made_once(given: Given):
    with given.client() as desk:
        given.proxy.fail(Lost(), method="POST", path="/clips")
        made = desk.make_clip(broadcast_id=BROADCAST, span_ms=(8000, 14000))
        posts = [h for m, _, h in given.proxy.seen if m == "POST"]
        keys = {(h.get("Idempotency-Key") or h.get("idempotency-key")) for h in posts}
        assert (len(posts), len(keys)) == (2, 1)
        assert made["info"]["asked_start_ms"] == 8000
        again = desk.make_clip(broadcast_id=BROADCAST, span_ms=(2000, 7000), once="mine")
        assert desk.make_clip(broadcast_id=BROADCAST, span_ms=(2000, 7000), once="mine") == (
            again | {"links": desk.clip(again["clip_id"])["links"]}
        )
        with pytest.raises(BadRequest):
            desk.make_clip(broadcast_id=BROADCAST, span_ms=(2000, 7001), once="mine")


def test_a_bundle_is_sealed_checked_and_fetched(given: Given, tmp_path: Path):
    with given.client() as desk:
        warranty = next(c for c in desk.claims(BROADCAST) if c["claim_type"] == "warranty")
        made = desk.make_bundle(warranty["claim_id"])
        assert desk.bundle(made["bundle"]["bundle_id"])["bundle"] == made["bundle"]
        assert desk.check_bundle(made["bundle"]["bundle_id"])["verdicts"]["intact"]["holds"]
        path = desk.fetch_bundle(made, tmp_path / "b.zip")
    said = evidence("verify", path, "--json")
    assert said.json["verdicts"]["intact"]["holds"], said.err


def test_a_review_goes_step_by_step_and_no_step_is_sent_twice(given: Given):
    with given.client() as desk:
        claim_id = next(iter(desk.claims(BROADCAST)))["claim_id"]
        assert desk.reviews(claim_id)["listing_hidden"]
        assert [h["document"]["needs_review"] for h in desk.review_queue()] == [True] * len(
            list(desk.review_queue())
        )
        given.proxy.fail(Lost(), method="POST")
        with pytest.raises(Unreachable):
            desk.hear(claim_id, "质保五年")
        assert given.proxy.requests("POST") == 1
        sheet = desk.reviews(claim_id)
        assert not sheet["listing_hidden"]
        desk.decide(claim_id, "rejected", reason="said of another thing", after=sheet["after"])
        layer = desk.reviews(claim_id)["layer"]
        assert layer is not None
        assert (layer["verdict"], layer["heard"]) == ("rejected", "质保五年")


def test_a_case_is_opened_once_and_its_party_reads_it_until_it_ends(given: Given, tmp_path: Path):
    with given.client() as desk, given.client("party") as party:
        claim_id = next(iter(desk.claims(BROADCAST)))["claim_id"]
        given.proxy.fail(Lost(), method="POST", path="/cases")
        made = desk.open_case(
            "a dispute", claims=[claim_id], parties=[{"role": "buyer", "key_id": ""}]
        )
        assert [row["case_id"] for row in desk.cases()] == [made["case_id"]]
        case_id = made["case_id"]
        wider = desk.add_to_case(case_id, orders=[ORDER], spans=[(BROADCAST, 8000, 14000)])
        span = wider["things"][-1]["number"]
        assert list(party.cases()) == []
        with pytest.raises(NotFound):
            party.case(case_id)
        told = desk.disclose(case_id, to=[given.party], things=[1, span], why="for your answer")
        assert [t["number"] for t in party.case(case_id)["things"]] == [1, span]
        claim = party.thing(case_id, 1)["claim"]
        assert claim is not None
        assert claim["claim_id"] == claim_id
        assert [line["text"] for line in party.thing(case_id, span)["lines"]] == [
            "铝镁合金的箱体，不是塑料的"
        ]
        given.proxy.fail(Half(0.6), path="clip.mp4", times=1)
        assert party.fetch_thing(case_id, span, tmp_path / "s.mp4").stat().st_size > 1000
        with pytest.raises(NotFound):
            party.fetch_thing(case_id, 2, tmp_path / "no.mp4")
        with pytest.raises(NotAllowed):
            party.close_case(case_id, why="not mine")
        given.proxy.fail(Lost(), method="POST")
        with pytest.raises(Unreachable):
            desk.withdraw(case_id, told["disclosures"][0]["number"], why="the wrong party")
        with pytest.raises(NotFound):
            party.case(case_id)
        assert desk.close_case(case_id, why="settled")["closed_why"] == "settled"


def test_webhooks_are_managed(given: Given):
    with given.client() as desk:
        made = desk.register_webhook("x", given.hook.url, types=["broadcast.searchable"])
        assert made["secret"].startswith("whsec_")
        (row,) = desk.webhooks()
        assert row == {name: value for name, value in made.items() if name != "secret"}
        assert desk.try_webhook(made["hook_id"])["status"] == 204
        assert len(given.hook.seen) == 1
        desk.remove_webhook(made["hook_id"])
        assert list(desk.webhooks()) == []
        with pytest.raises(BadRequest):
            desk.register_webhook("x", "https://127.0.0.1/")
    with given.client("agent") as desk, pytest.raises(NotAllowed):
        list(desk.webhooks())


def test_cards_likeness_and_operations(given: Given):
    with given.client() as desk:
        claim_id = next(iter(desk.claims(BROADCAST)))["claim_id"]
        card = desk.card(claim_id)
        assert card["origins"] == ["https://console.example"]
        assert ask(given.proxy.url + card["url"]).status == 200
        frames = f"{given.proxy.url}/api/v1/broadcasts/{BROADCAST}/keyframes"
        photo = ask(f"{frames}/0.jpg", key=given.keys["admin"]).body
        near = desk.likeness(ORDER, photo)["likest"][0]
        same = ask(f"{frames}/{near['number']}.jpg", key=given.keys["admin"]).body
        found = desk.likeness(ORDER, same)
        assert found["order_id"] == ORDER
        assert found["photo_sha256"] == found["likest"][0]["image_sha256"]
        with pytest.raises(BadRequest):
            desk.likeness(ORDER, b"no picture")
        assert desk.operations()["broadcasts"] == 1
    with given.client("agent") as desk, pytest.raises(NotAllowed):
        desk.operations()


def test_refusals_are_told_apart(given: Given):
    with given.client("operator") as desk, pytest.raises(NotAllowed) as refused:
        desk.claim("none")
    assert (refused.value.status, refused.value.code) == (403, "not_allowed")
    with given.client() as desk:
        with pytest.raises(NotFound) as gone:
            desk.claim("none")
        assert gone.value.hint
        with pytest.raises(BadRequest):
            list(desk.search("("))
    with given.client(key="re_wrong") as desk, pytest.raises(NotSignedIn):
        list(desk.broadcasts())
    assert given.waited == []


def test_the_desk_says_how_long_to_wait(given: Given):
    def later(reply: Reply) -> Reply:
        return Reply(429, [("Retry-After", "7"), ("Content-Length", "0")], b"")

    given.proxy.fail(Change(later), times=1)
    given.proxy.fail(Answer(503), times=2)
    given.proxy.fail(Reset(), times=1)
    with given.client(tries=5) as desk:
        assert [row["broadcast_id"] for row in desk.broadcasts()] == [BROADCAST]
    assert given.waited[0] == 7
    assert 0.5 <= given.waited[1] <= 1 <= given.waited[2] <= 2 <= given.waited[3] <= 4
    given.proxy.fail(Answer(503), times=9)
    with given.client(tries=2) as desk, pytest.raises(Unavailable):
        list(desk.broadcasts())
    given.proxy.clear()
    given.proxy.fail(Change(later), times=9)
    with given.client(tries=2) as desk, pytest.raises(TooMany):
        list(desk.broadcasts())


def test_the_key_is_in_no_log_error_or_name(given: Given, caplog: pytest.LogCaptureFixture):
    key = given.keys["agent"]
    with caplog.at_level(logging.DEBUG), given.client("agent") as desk:
        list(desk.broadcasts())
        assert key not in repr(desk)
        with pytest.raises(NotFound) as gone:
            desk.claim("none")
        assert key not in str(gone.value)
    assert caplog.records
    assert key not in caplog.text
    for wrong in (key + "\n", key + "é", key + " x"):
        with pytest.raises(ValueError, match="characters") as refused:
            Client(given.proxy.url, key=wrong)
        assert key not in str(refused.value)


def test_a_key_is_not_sent_in_the_open():
    for address in ("http://desk.example", "http://10.0.0.5:8000", "ftp://desk", "http://a:b@c"):
        with pytest.raises(ValueError):
            Client(address, key="re_x")
    for address in (
        "http://127.0.0.1:1",
        "http://localhost:1",
        "http://[::1]:1",
        "https://d.example",
    ):
        Client(address, key="re_x").close()


def test_its_types_are_those_of_the_description():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "client" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    tidy = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "-q", "--stdin-filename", "records.py", "-"],
        input=generate.made(), capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert tidy.stdout == generate.WRITTEN.read_text(encoding="utf-8"), "run client/generate.py"


def test_it_needs_nothing_of_the_pipeline():
    code = (
        "import sys, replay_evidence_client\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('pipeline', 'flows', 'pydantic')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT / "client"
    )
    assert done.stdout.strip() == "[]", done.stderr
