"""Cases: what is disclosed to a party is seen by it, through the case alone, and nothing beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.bootstrap import open_workspace
from pipeline.cases.run import KeyRing
from pipeline.errors import InputError, NotFound
from pipeline.serve.access.roles import Viewer
from pipeline.serve.case_desk import CaseDesk
from pipeline.serve.cases import SpanWanted, ThingsWanted
from pipeline.serve.offices import open_office
from pipeline.serve.reviews import Reviewer
from pipeline.serve.service import Service
from tests import broadcasts
from tests.command import evidence, processed, workspace
from tests.desks import Said, ask, form, new_key, served, sign_in

WORDS = [
    (2000, 7000, "这款行李箱质保五年，坏了直接换新"),
    (8000, 14000, "铝镁合金的箱体，不是塑料的"),
]
OWN, OTHER, ORDER = "own-01", "other-02", "ORD-26060501"
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
LI = Reviewer("command:li", "Li Wei")


class Given(NamedTuple):
    """A desk over two merchants' broadcasts; the order is of the first."""

    address: str
    here: Path
    keys: dict[str, dict[str, Any]]
    claims: dict[str, list[str]]

    def ask(self, path: str, role: str, **more: Any) -> Said:
        return ask(self.address + path, key=self.keys[role]["key"], **more)

    def post(self, path: str, body: Any, role: str = "arbitrator", **more: str) -> Said:
        sent = json.dumps(body).encode()
        return self.ask(
            f"/api/v1{path}",
            role,
            method="POST",
            body=sent,
            Content_Type="application/json",
            **more,
        )

    def opened(self, **wanted: Any) -> dict[str, Any]:
        said = self.post("/cases", {"title": "质保争议", **wanted})
        assert said.status == 201, said
        made: dict[str, Any] = said.json
        return made

    def disclosed(self, case: dict[str, Any], *numbers: int, to: str = "party") -> dict[str, Any]:
        wanted = {"to": [self.keys[to]["key_id"]], "things": numbers, "why": "for your answer"}
        said = self.post(f"/cases/{case['case_id']}/disclosures", wanted)
        assert said.status == 201, said
        made: dict[str, Any] = said.json
        return made


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    here = workspace(tmp_path_factory.mktemp("cases") / "w")
    folder = tmp_path_factory.mktemp("in")
    own = {"broadcast_id": OWN, "merchant_id": "M-OWN", "host_id": "H-OWN"}
    other = {"broadcast_id": OTHER, "merchant_id": "M-OTHER", "host_id": "H-OTHER"}
    processed(folder / "own", here, WORDS, **own)
    processed(folder / "other", here, WORDS, **other)
    orders = folder / "own" / "orders.jsonl"
    rows = [json.loads(line) for line in orders.read_text("utf-8").splitlines()]
    told = [row | {"broadcast_id": OWN} for row in rows]
    orders.write_text("\n".join(map(json.dumps, told)), "utf-8")
    assert evidence("orders", "import", orders, "-w", here).code == 0
    limits = {"merchant": ("--merchant", "M-OWN"), "host": ("--host", "H-OWN")}
    roles = ("arbitrator", "agent", "merchant", "host", "party", "auditor", "admin")
    keys = {role: new_key(here, role, *limits.get(role, ())) for role in roles}
    claims = {
        b: [c["claim_id"] for c in evidence("claims", b, "--json", "-w", here).json]
        for b in (OWN, OTHER)
    }
    with served(here) as address:
        yield Given(address, here, keys, claims)


@pytest.mark.parametrize("role", ["party", "merchant", "host"])
def test_a_party_sees_what_was_disclosed_to_it_and_nothing_else(given: Given, role: str):
    first, second = given.claims[OTHER][:2]
    case = given.opened(claims=[first, second], broadcasts=[OTHER])
    path = f"/api/v1/cases/{case['case_id']}"
    hidden, nowhere = given.ask(path, role), given.ask("/api/v1/cases/" + "0" * 16, role)
    assert (hidden.status, nowhere.status) == (404, 404)
    assert hidden.text.replace(case["case_id"], "0" * 16) == nowhere.text
    assert case["case_id"] not in given.ask("/api/v1/cases?size=1000", role).text
    given.disclosed(case, 1, to=role)
    seen = given.ask(path, role).json
    assert [(t["number"], t["ref"]) for t in seen["things"]] == [(1, first)]
    assert not seen["whole"]
    assert second not in json.dumps(seen)
    claim = given.ask(f"{path}/things/1", role).json["claim"]
    assert claim == given.ask(f"/api/v1/claims/{first}", "admin").json
    for other in (2, 3, 4):
        assert given.ask(f"{path}/things/{other}", role).status == 404
        assert given.ask(f"{path}/things/{other}/clip.mp4", role).status == 404
        assert given.ask(f"/cases/{case['case_id']}/{other}", role).status == 404
    for beside in (f"claims/{first}", f"claims/{first}/clip.mp4", f"broadcasts/{OTHER}"):
        assert given.ask(f"/api/v1/{beside}", role).status == (403 if role == "party" else 404)
    page = given.ask(f"/cases/{case['case_id']}", role)
    assert page.status == 200
    assert second not in page.text


def test_the_clip_of_a_disclosed_claim_plays_and_its_link_ends_with_the_disclosure(given: Given):
    case = given.opened(claims=[given.claims[OTHER][0]])
    given.disclosed(case, 1)
    path = f"/api/v1/cases/{case['case_id']}/things/1/clip"
    made = given.ask(path, "party").json
    link = given.address + made["links"]["mp4"]
    piece = ask(link, Range="bytes=0-99")
    assert (piece.status, len(piece.body)) == (206, 100)
    whole = given.ask(f"{path}.mp4", "party")
    assert whole.status == 200
    assert len(whole.body) > 1000
    why = {"why": "the wrong party"}
    said = given.post(f"/cases/{case['case_id']}/disclosures/2/withdrawal", why)
    assert said.status == 201, said
    assert said.json["disclosures"][0]["ended_utc_ms"] is not None
    assert ask(link).status == 404
    assert given.ask(f"{path}.mp4", "party").status == 404
    assert given.ask(f"/api/v1/cases/{case['case_id']}", "party").status == 404
    assert given.post(f"/cases/{case['case_id']}/disclosures/2/withdrawal", why).status == 400


def test_an_order_s_answer_shows_only_the_moments_that_were_disclosed(given: Given):
    case = given.opened(orders=[ORDER])
    whole = given.ask(f"/api/v1/orders/{ORDER}", "arbitrator").json
    moments = [m["claim_id"] for m in whole["moments"]]
    assert moments
    order, *claims = case["things"]
    assert (order["kind"], order["ref"]) == ("order", ORDER)
    assert [t["ref"] for t in claims] == moments
    given.disclosed(case, 1)
    path = f"/api/v1/cases/{case['case_id']}/things/1"
    bare = given.ask(path, "party").json
    assert (bare["dossier"]["moments"], bare["withheld"]) == ([], len(moments))
    assert bare["dossier"]["verdict"] == whole["verdict"]
    assert whole["sentence"]["zh"] != bare["dossier"]["sentence"]["zh"]
    for moment in whole["moments"]:
        assert moment["claim"]["quote"] not in json.dumps(bare, ensure_ascii=False)
    given.disclosed(case, *range(1, len(case["things"]) + 1))
    full = given.ask(path, "party").json
    assert [m["claim_id"] for m in full["dossier"]["moments"]] == moments
    assert (full["withheld"], full["dossier"]["sentence"]) == (0, whole["sentence"])
    assert given.ask(f"/api/v1/orders/{ORDER}", "party").status == 403


def test_a_span_is_shown_with_its_words_and_a_broadcast_whole(given: Given):
    spans = [{"broadcast_id": OTHER, "start_ms": 2000, "end_ms": 7000}]
    case = given.opened(spans=spans, broadcasts=[OTHER])
    given.disclosed(case, 1, 2, to="merchant")
    path = f"/api/v1/cases/{case['case_id']}/things"
    span, broadcast = (given.ask(f"{path}/{n}", "merchant").json for n in (1, 2))
    assert [line["text"] for line in span["lines"]] == [WORDS[0][2]]
    assert {c["end_ms"] <= 7000 for c in span["claims"]} == {True}
    assert [line["text"] for line in broadcast["lines"]] == [row[2] for row in WORDS]
    assert given.ask(f"{path}/1/clip.mp4", "merchant").status == 200
    assert given.ask(f"{path}/2/clip.mp4", "merchant").status == 400
    assert given.ask(f"/cases/{case['case_id']}/1", "merchant").text.count("<video") == 1


def test_every_step_view_and_export_is_written_down(given: Given):
    claim = given.claims[OTHER][0]
    case = given.opened(claims=[claim])
    given.disclosed(case, 1)
    given.ask(f"/api/v1/cases/{case['case_id']}", "party")
    given.ask(f"/cases/{case['case_id']}/1", "party")
    given.ask(f"/api/v1/cases/{case['case_id']}/things/1/clip.srt", "party")
    given.post(f"/cases/{case['case_id']}/closing", {"why": "settled"})
    day = datetime.now(UTC).date().isoformat()
    found, cursor = [], ""
    while True:
        said = given.ask(f"/api/v1/custody/{day}?size=1000&cursor={cursor}", "admin").json
        found += [e for e in said["items"] if e.get("case") == case["case_id"]]
        cursor = said["cursor"]
        if not cursor:
            break
    told = [(e["event"], e["what"], e["role"]) for e in found]
    for event in (
        ("opened", "case", "arbitrator"),
        ("disclosed", "case", "arbitrator"),
        ("viewed", "case", "party"),
        ("viewed", "case_thing", "party"),
        ("exported", "srt", "party"),
        ("closed", "case", "arbitrator"),
    ):
        assert event in told, (event, told)
    listed = evidence("custody", "list", OTHER, "--json", "-w", given.here)
    events = [json.loads(line) for line in listed.out.splitlines()]
    mine = [e for e in events if e.get("about", {}).get("case") == case["case_id"]]
    assert [e["event"] for e in mine] == ["disclosed", "undisclosed"]
    assert all(e["about"]["things"] == [1] for e in mine)
    assert evidence("custody", "verify", OTHER, "-w", given.here).code == 0


def test_closing_ends_all_disclosures_and_nothing_is_added(given: Given):
    case = given.opened(claims=[given.claims[OTHER][0]])
    given.disclosed(case, 1)
    given.disclosed(case, 1, to="agent")
    path = f"/cases/{case['case_id']}"
    said = given.post(f"{path}/closing", {"why": "settled"})
    assert said.json["closed_why"] == "settled"
    for role in ("party", "agent"):
        assert given.ask(f"/api/v1{path}", role).status == 404
    for role in ("arbitrator", "auditor"):
        assert given.ask(f"/api/v1{path}", role).json["things"] == case["things"]
    wanted = {"to": [given.keys["party"]["key_id"]], "things": [1], "why": "again"}
    for step, body in (
        ("closing", {"why": "again"}),
        ("things", {"broadcasts": [OWN]}),
        ("disclosures", wanted),
    ):
        assert given.post(f"{path}/{step}", body).status == 400


def test_what_makes_no_sense_is_refused_and_leaves_nothing(given: Given):
    case = given.opened(claims=[given.claims[OWN][0]])
    path = f"/cases/{case['case_id']}"
    party, judge = (given.keys[role]["key_id"] for role in ("party", "arbitrator"))
    for to, things, why, status in (
        (party, [2], "for an answer", 400),
        (party, [0], "for an answer", 400),
        (party, [], "for an answer", 422),
        (party, [1], "", 422),
        (party, [1], "   ", 400),
        (judge, [1], "for an answer", 400),
        ("0" * 12, [1], "for an answer", 404),
        ("../secret", [1], "for an answer", 404),
    ):
        wanted = {"to": [to], "things": things, "why": why}
        assert given.post(f"{path}/disclosures", wanted).status == status, wanted
    for wanted in (
        {"claims": ["0000-000000000000-1"]},
        {"orders": ["none"]},
        {"broadcasts": ["none"]},
    ):
        assert given.post("/cases", {"title": "x", **wanted}).status == 404
        assert given.post(f"{path}/things", wanted).status == 404
    late = {"broadcast_id": OWN, "start_ms": 5000, "end_ms": 10**9}
    assert given.post(f"{path}/things", {"spans": [late]}).status == 400
    assert given.post(f"{path}/things", {"claims": [given.claims[OWN][0]]}).status == 400
    assert given.post("/cases", {"title": " "}).status == 400
    assert given.ask(f"/api/v1{path}", "admin").json == case


def test_a_case_asked_for_twice_is_opened_once(given: Given):
    wanted = {"title": "once", "claims": [given.claims[OWN][0]]}
    first, again = (given.post("/cases", wanted, Idempotency_Key="c-1") for _ in range(2))
    assert first.json == again.json
    assert again.headers["idempotent-replayed"] == "true"
    assert given.post("/cases", wanted).json["case_id"] != first.json["case_id"]


def test_the_pages_do_the_same_with_forms_and_hostile_words_stay_words(given: Given):
    cookie = sign_in(given.address, given.keys["arbitrator"]["key"])

    def send(path: str, **fields: str) -> Said:
        return ask(
            given.address + path, method="POST", body=form(**fields), Cookie=cookie,
            Origin=given.address,
        )  # fmt: skip

    failed = send("/cases", title=HOSTILE, spans="12-x")
    assert failed.status == 400
    assert HOSTILE not in failed.text
    made = send("/cases", title=HOSTILE, claims=given.claims[OTHER][0], spans=f"2000-7000 {OTHER}")
    assert made.status == 303, made
    path = made.headers["location"]
    for step, fields in (
        ("add", {"broadcasts": OTHER}),
        ("disclose", {"to": given.keys["party"]["key_id"], "things": "1-2", "why": HOSTILE}),
    ):
        assert send(path, step=step, **fields).status == 303
    assert send(path, step="disclose", to="x", things="one", why="because").status == 400
    for lang, word in (("zh", "已向您披露的材料"), ("en", "What was disclosed to you")):
        for place in (path, f"{path}/1", f"{path}/2", "/cases"):
            shown = given.ask(f"{place}?lang={lang}", "party")
            assert shown.status == 200, place
            assert "<script>alert" not in shown.text
            assert "onerror=alert(1)>" not in shown.text
        assert word in given.ask(f"{path}?lang={lang}", "party").text
    assert '<form id="disclose"' not in given.ask(path, "party").text
    assert send(path, step="withdraw", disclosure="3", why="wrong party").status == 303
    assert given.ask(path, "party").status == 404
    assert send(path, step="close", why="settled").status == 303


def test_the_command_does_the_same(given: Given):
    here = ("-w", given.here)
    span = f"{OTHER}:2000-7000"
    made = evidence(
        "cases", "create", "by command", "--order", ORDER, "--span", span, "--party", "buyer",
        "--by", "Li Wei", "--json", *here,
    )  # fmt: skip
    assert made.code == 0, made.err
    case = made.json
    assert (case["opened_by"], case["things"][0]["ref"]) == ("Li Wei", ORDER)
    key = given.keys["party"]["key_id"]
    done = evidence(
        "cases", "disclose", case["case_id"], "--thing", "1", "--to", key, "--why", "your answer",
        "--json", *here,
    )  # fmt: skip
    assert [d["things"] for d in done.json["disclosures"]] == [[1]]
    assert given.ask(f"/api/v1/cases/{case['case_id']}", "party").status == 200
    added = evidence("cases", "add", case["case_id"], "--broadcast", OWN, "--json", *here)
    assert added.json["things"][-1]["kind"] == "broadcast"
    taken = ("--withdraw", "2", "--why", "wrong party")
    assert evidence("cases", "disclose", case["case_id"], *taken, *here).code == 0
    assert given.ask(f"/api/v1/cases/{case['case_id']}", "party").status == 404
    closed = evidence("cases", "close", case["case_id"], "--why", "settled", *here)
    assert "settled" in closed.out
    listed = evidence("cases", "list", "--json", *here).out.splitlines()
    assert case["case_id"] in {json.loads(line)["case_id"] for line in listed}
    assert evidence("cases", "show", case["case_id"], *here).out.startswith(case["case_id"])
    assert evidence("cases", "show", "none", *here).code == 12
    assert evidence("cases", "create", "", *here).code == 4


def test_an_order_leaves_no_name_in_the_case_and_can_be_forgotten(tmp_path: Path):
    here = workspace(tmp_path / "w")
    works = Service(open_workspace(here))
    broadcasts.processed(works, tmp_path, "zb-1", day="2026-06-05")
    order = {
        "order_id": "ORD-SECRET", "sku_id": "SKU-zb-1", "broadcast_ids": ["zb-1"],
        "ordered_at": "2026-06-05T12:00:30+08:00", "buyer_id": "Zhang San",
        "reason_text": "说好质保五年",
    }  # fmt: skip
    (tmp_path / "o.jsonl").write_text(json.dumps(order), encoding="utf-8")
    works.import_orders(tmp_path / "o.jsonl")
    case = works.cases.open(_wanted(orders=("ORD-SECRET",)), LI)
    stored = [works.app.store.read(s.key) for s in works.app.store.list("cases/")]
    assert stored
    assert not any(word in data for data in stored for word in (b"SECRET", b"Zhang"))
    judge = CaseDesk(open_office(works, KeyRing(works.app.keys)), Viewer("j", "j", "arbitrator"))
    assert judge.order_id(case.things[0]) == "ORD-SECRET"
    works.book.erase(works.book.hashed_subject("Zhang San"))
    assert judge.order_id(case.things[0]) == ""
    with pytest.raises(NotFound, match="deleted"):
        judge.thing(case.case_id, 1)


def test_a_span_shows_the_release_that_was_meant(tmp_path: Path):
    works = Service(open_workspace(workspace(tmp_path / "w")))
    broadcasts.processed(works, tmp_path, "zb-1", day="2026-06-05")
    span = SpanWanted(broadcast_id="zb-1", start_ms=10_000, end_ms=14_000)
    case = works.cases.open(_wanted(spans=(span,)), LI)
    other = ("家人们好", "这件是藏青色的", "保修六年", "七天无理由退换", "江浙沪包邮")
    broadcasts.processed(works, tmp_path, "zb-1", day="2026-06-05", words=other, amend=True)
    judge = CaseDesk(open_office(works, KeyRing(works.app.keys)), Viewer("j", "j", "arbitrator"))
    assert [line.segment.text for line in judge.thing(case.case_id, 1).lines] == ["保修五年"]
    wider = works.cases.add(case.case_id, _wanted(spans=(span,)), LI)
    assert [t.release for t in wider.things] == [1, 2]
    assert [line.segment.text for line in judge.thing(case.case_id, 2).lines] == ["保修六年"]
    with pytest.raises(InputError, match="belongs to the case already"):
        works.cases.add(case.case_id, _wanted(spans=(span,)), LI)


def _wanted(**named: Any) -> Any:
    from pipeline.serve.cases import CaseWanted

    assert set(named) <= set(ThingsWanted.model_fields)
    return CaseWanted(title="a dispute", **named)
