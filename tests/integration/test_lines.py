"""Corrections of transcript lines: layers over the machine's words, cited, found, carried over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.bootstrap import open_workspace
from pipeline.serve.service import Service
from tests.broadcasts import processed
from tests.command import evidence, workspace
from tests.desks import ask, form, new_key, served

BROADCAST = "zb-7"
HEARD = "保修五年零三个月"
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


class Given(NamedTuple):
    here: Path
    folder: Path

    def command(self, *more: str) -> Any:
        return evidence("review", "line", BROADCAST, "10000", *more, "--json", "-w", self.here)

    def correct(self, text: str = HEARD, reason: str = "听得清") -> Any:
        done = self.command("--text", text, "--reason", reason, "--by", "Li Wei")
        assert done.code == 0, done.err
        return done.json

    def found(self, query: str) -> list[dict[str, Any]]:
        done = evidence("search", f'kind:line "{query}"', "--json", "-w", self.here)
        assert done.code == 0, done.err
        return [hit["document"] for hit in done.json["hits"]]

    def objects(self) -> dict[str, bytes]:
        store = open_workspace(self.here).store
        return {s.key: store.read(s.key) for s in store.list("")}


@pytest.fixture
def given(tmp_path: Path) -> Given:
    here = workspace(tmp_path / "w")
    processed(Service(open_workspace(here)), tmp_path, BROADCAST, day="2026-06-05")
    return Given(here, tmp_path)


def test_a_line_is_corrected_beside_the_machine_s_words(given: Given):
    before = given.objects()
    shown = given.command().json
    assert (shown["text"], shown["history"]) == ("保修五年", [])
    made = given.correct()
    assert made["text"] == "保修五年"
    assert made["found_by_search"] is True
    (record,) = made["history"]
    assert record["correction_id"] == f"{shown['line_id']}.1"
    assert (record["text"], record["reason"], record["by_name"]) == (HEARD, "听得清", "Li Wei")
    after = given.objects()
    assert {k: after[k] for k in before} == before
    assert [k for k in after if k not in before] == [k for k in after if "/lines/000001" in k]


def test_both_are_found_and_told_apart(given: Given):
    assert given.found("零三个月") == []
    given.correct()
    (hit,) = given.found("零三个月")
    assert (hit["role"], hit["text"], hit["line_id"]) == ("corrected", HEARD, "s2")
    assert {d["role"] for d in given.found("保修五年")} == {"", "corrected"}
    assert evidence("rebuild", "-w", given.here).code == 0
    assert [d["text"] for d in given.found("零三个月")] == [HEARD]
    again = given.correct("保修六年", "再听一次")
    assert [r["text"] for r in again["history"]] == [HEARD, "保修六年"]
    assert given.found("零三个月") == []
    assert [d["text"] for d in given.found("保修六年")] == ["保修六年"]


def test_it_is_carried_to_a_later_version_where_the_words_match(given: Given):
    first = given.correct()
    works = Service(open_workspace(given.here))
    words = ("家人们好呀", "这件是藏青色的", "保修五年", "七天无理由退换")
    processed(works, given.folder, BROADCAST, day="2026-06-05", words=words, amend=True)
    carried = given.command().json
    assert carried["line_id"] != first["line_id"]
    assert [r["correction_id"] for r in carried["history"]] == [f"{first['line_id']}.1"]
    assert [d["text"] for d in given.found("零三个月")] == [HEARD]
    old = works.lines.told(f"{first['line_id']}.1")
    assert old.cited is not None
    assert (old.line.segment.text, old.cited.text) == ("保修五年", HEARD)
    other = ("家人们好呀", "这件是藏青色的", "保修八年")
    processed(works, given.folder, BROADCAST, day="2026-06-05", words=other, amend=True)
    assert given.command().json["history"] == []
    assert given.found("零三个月") == []


@pytest.mark.parametrize(
    ("text", "reason", "said"),
    [(HEARD, "", "reason"), ("  ", "为什么", "without words"), ("保修五年", "为什么", "already")],
)
def test_what_is_no_correction_is_refused(given: Given, text: str, reason: str, said: str):
    done = given.command("--text", text, "--reason", reason, "--by", "Li Wei")
    assert done.code == 4
    assert said in json.dumps(done.error)
    assert not any("/lines/" in key for key in given.objects())


def test_by_api_and_by_page(given: Given):
    keys = {role: new_key(given.here, role)["key"] for role in ("arbitrator", "agent")}
    with served(given.here) as desk:
        listed = ask(f"{desk}/api/v1/broadcasts/{BROADCAST}/lines", key=keys["agent"]).json["items"]
        line_id = listed[2]["line_id"]
        address = f"{desk}/api/v1/lines/{line_id}/corrections"

        def post(role: str, **fields: Any) -> Any:
            body = json.dumps({"text": HEARD, "reason": HOSTILE} | fields).encode()
            sent = {"method": "POST", "key": keys[role], "Content_Type": "application/json"}
            return ask(address, body=body, **sent)

        assert post("agent").status == 403
        assert post("arbitrator", after=0).json["correction_id"] == f"{line_id}.1"
        late = post("arbitrator", text="保修六年", after=0)
        assert (late.status, "meanwhile" in late.json["detail"]) == (400, True)
        told = ask(f"{desk}/api/v1/lines/{line_id}.1", key=keys["agent"]).json
        assert (told["text"], told["cited"]["correction"]["text"]) == ("保修五年", HEARD)
        assert ask(f"{desk}/api/v1/lines/{line_id}.9", key=keys["agent"]).status == 404
        cookie = {"key": keys["arbitrator"]}
        page = ask(f"{desk}/l/{line_id}", **cookie).text
        assert page.index("<q>保修五年</q>") < page.index(f"<q>{HEARD}</q>")
        assert "<script>alert" not in page
        assert "onerror=alert(1)>" not in page
        fields = form(text="保修七年", reason="第三次听", after="1")
        sent = {"method": "POST", "Origin": desk} | cookie
        assert ask(f"{desk}/l/{line_id}", body=fields, **sent).status == 303
        assert ask(f"{desk}/l/{line_id}", body=fields, **sent).status == 400
        for path in (f"/t/{BROADCAST}", f"/s/10000-14000-r1/{BROADCAST}"):
            shown = ask(desk + path, **cookie).text
            assert shown.index("保修五年") < shown.index("保修七年")
