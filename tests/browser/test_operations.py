"""The operations page in a real browser: what waits, what was set aside and why, what was not heard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.bootstrap import open_workspace
from pipeline.ledger import Ledger, Try
from pipeline.model import Producer
from pipeline.patience import INDEX, noting
from pipeline.serve.web.words_ops import OPS
from tests import media as made
from tests.browser.test_clip_plays import FLAGS, chromium
from tests.browser.test_desk import HOSTILE
from tests.command import evidence, short_broadcast, spoken, workspace
from tests.desks import Said, ask, new_key, served, sign_in

BROKEN = f"/inbox/{HOSTILE}.flv"
WHY = f"the recording cannot be read {HOSTILE}"


class Given(NamedTuple):
    address: str
    keys: dict[str, str]
    here: Path


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    """One broadcast heard whole, one that nothing could be heard of, one set aside, one diverged."""
    inbox = tmp_path_factory.mktemp("in")
    folder = short_broadcast(inbox / "zh01", seconds=20)
    words = spoken(folder / "words.json", [(2000, 7000, "这款行李箱质保五年")])
    here = workspace(tmp_path_factory.mktemp("ops") / "w")
    assert evidence("process", folder, "--transcript", words, "-w", here).code == 0
    mute = inbox / "mute"
    mute.mkdir()
    made.master(mute / "recording.mp4", seconds=20, audio=False)
    (mute / "broadcast.json").write_text(
        json.dumps({"broadcast_id": "mute-01", "started_at": "2026-06-05T20:00:00+08:00"})
    )
    done = evidence("process", mute, "-w", here, EVIDENCE_KEYFRAMES__OCR="false")
    assert done.code == 0, done.err
    app = open_workspace(here)
    for at in range(3):
        failed = Try(
            place=BROKEN, outcome="failed", at_utc_ms=1_700_000_000_000 + at, error="unreadable",
            message=WHY,
        )  # fmt: skip
        Ledger(app.store).add("d" * 64, failed)
    prefix = app.archive.state("sample-zh01").prefix
    for pack in (b"one", b"two"):
        app.archive.put_output(
            prefix, pack=pack, work_key="k" * 64, records=0, retain_until=None,
            producer=Producer(stage="claims", version="0"),
        )  # fmt: skip
    keys = {role: new_key(here, role)["key"] for role in ("operator", "agent")}
    with served(here) as address:
        yield Given(address, keys, here)


@contextmanager
def waiting(given: Given) -> Iterator[None]:
    """A process (this one) that waits for the index, as `process` does."""
    note = noting(given.here / "scratch", INDEX, f"zh01 {HOSTILE}")
    with note(f"it did not answer {HOSTILE}"):
        yield


def test_a_wait_is_told_while_it_lasts(given: Given) -> None:
    def told(path: str) -> Said:
        return ask(given.address + path, key=given.keys["operator"])

    with waiting(given):
        (wait,) = told("/api/v1/operations").json["waits"]
        assert (wait["service"], wait["what"]) == ("index", f"zh01 {HOSTILE}")
        assert told("/api/v1/status").json["waits"] == [wait | {"age_s": pytest.approx(0, abs=30)}]
        assert 'evidence_waits{service="index"} 1.0' in told("/metrics").text
    assert told("/api/v1/operations").json["waits"] == []
    assert told("/api/v1/status").json["waits"] == []
    assert 'evidence_waits{service="index"} 0.0' in told("/metrics").text
    assert told("/api/v1/operations").json["index_error"] == ""


def test_the_api_tells_the_same_and_only_to_operators(given: Given) -> None:
    said = ask(f"{given.address}/api/v1/operations", key=given.keys["operator"]).json
    counts = {b["standing"]: b["count"] for b in said["backlog"]}
    assert counts == {
        "waiting": 0, "parked": 0, "running": 0, "unfinished": 0, "on_air": 0, "quarantined": 1,
    }  # fmt: skip
    (aside,) = said["work"]
    assert (aside["name"], aside["tries"], aside["error"]) == (BROKEN, 3, "unreadable")
    assert [(c["broadcast_id"], c["listened_pm"]) for c in said["incomplete"]] == [("mute-01", 0)]
    assert said["incomplete"][0]["gaps"]
    assert said["broadcasts"] == 2
    assert [(d["broadcast_id"], d["stage"]) for d in said["divergences"]] == [
        ("sample-zh01", "claims")
    ]
    for path in ("/ops", "/api/v1/operations"):
        assert ask(given.address + path, key=given.keys["agent"]).status == 403


@pytest.mark.services
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_shows_it_in_both_languages(
    given: Given, tmp_path: Path, lang: str, width: int
) -> None:
    from playwright.sync_api import sync_playwright

    name, value = sign_in(given.address, given.keys["operator"]).split("=", 1)
    with waiting(given), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        context = browser.new_context(viewport={"width": width, "height": 900})
        context.add_cookies([{"name": name, "value": value, "url": given.address}])
        page: Any = context.new_page()
        faults: list[str] = []
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.goto(f"{given.address}/ops?lang={lang}")
        assert page.locator("h1").inner_text() == {"zh": "运行状况", "en": "Operations"}[lang]
        row = page.locator("#quarantine tbody tr")
        assert row.count() == 1
        assert "<script>" in row.inner_text()
        assert "unreadable" in row.inner_text()
        assert page.locator("#divergences tbody tr").count() == 1
        waits = page.locator("#waits tbody tr")
        assert waits.count() == 1
        assert (
            waits.locator("td").first.inner_text()
            == {"zh": "检索索引", "en": "the search index"}[lang]
        )
        assert "<script>" in waits.inner_text()
        assert page.locator("#index-away").count() == 0
        backlog, covered = page.locator("svg.bars").all()
        assert backlog.locator("g").count() == 6
        longest = max(float(b.get_attribute("width")) for b in backlog.locator(".bar").all())
        assert longest == 640
        assert covered.locator("g > text").all_text_contents() == ["mute-01", "0 %"]
        assert float(covered.locator(".gap").get_attribute("width")) == 640
        assert page.locator("main script, main img, main [onerror]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert faults == []
        page.screenshot(path=tmp_path / "ops.png", full_page=True)
        assert (tmp_path / "ops.png").stat().st_size > 10_000
        browser.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_says_what_nobody_waits_for(given: Given, lang: str) -> None:
    page = ask(f"{given.address}/ops?lang={lang}", key=given.keys["operator"]).text
    assert OPS[lang]["none_waits"] in page
    with waiting(given):
        page = ask(f"{given.address}/ops?lang={lang}", key=given.keys["operator"]).text
    assert OPS[lang]["none_waits"] not in page
    assert '<table id="waits">' in page
    assert "<script>" not in page.partition("<main")[2]
