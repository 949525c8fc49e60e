"""Sealing and checking by the command: exit codes, JSON, and an order about something not said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authority import Authority
from tests.bundles import ORDER, Desk, desk
from tests.command import evidence
from tests.museum import flip


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with Authority(tmp_path_factory.mktemp("authority")) as one:
        yield one


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Desk:
    return desk(tmp_path_factory.mktemp("desk"), authority=authority)


def test_an_order_is_sealed_checked_and_refused_when_changed(here: Desk, tmp_path: Path) -> None:
    root, out = here.app.root, tmp_path / "out"
    answered = evidence("order", "ORD-1", "--bundle", out, "-w", root, "--json")
    assert answered.code == 0, answered.err
    assert answered.json["verdict"] == "found"
    made = answered.json["bundle"]
    assert made["stamped"] == ["Test authority"]
    trust = tmp_path / "trust.json"
    trust.write_text(evidence("keys", "show", "-w", root, "--json").out)
    good = evidence("verify", made["zip"], "--trust", trust, "--json")
    assert good.code == 0
    assert all(v["holds"] for v in good.json["verdicts"].values())
    told = evidence("verify", made["folder"])
    assert told.code == 0
    assert "no   trusted" in told.out
    assert "封存后未被改动" in told.out
    flip(Path(made["folder"]) / "report.html")
    bad = evidence("verify", made["folder"], "--trust", trust, "--json")
    assert bad.code == 10
    assert [c["number"] for c in bad.json["checks"] if c["status"] == "fail"] == [3]
    again = evidence("order", "ORD-1", "--bundle", out, "-w", root, "--json")
    assert again.code == 4
    assert "there is a bundle already" in again.error["message"]


def test_what_was_not_said_is_shown_by_the_windows_themselves(here: Desk, tmp_path: Path) -> None:
    root = here.app.root
    orders = tmp_path / "orders.jsonl"
    asked = ORDER | {
        "order_id": "ORD-2",
        "reason_code": "origin_mismatch",
        "reason_text": "产地不对",
    }
    orders.write_text(json.dumps(asked) + "\n", encoding="utf-8")
    assert evidence("orders", "import", orders, "-w", root).code == 0
    answered = evidence("order", "ORD-2", "--bundle", tmp_path / "out", "-w", root, "--json")
    assert answered.code == 0, answered.err
    assert answered.json["verdict"] == "not_said"
    folder = Path(answered.json["bundle"]["folder"])
    about = json.loads((folder / "bundle.json").read_bytes())
    assert about["asked"] == []
    (shown,) = about["clips"]
    windows = json.loads((folder / "windows.json").read_bytes())["windows"]
    assert shown["file"] == f"clips/window-{windows[0]['start_ms']}.mp4"
    assert shown["start_ms"] <= windows[0]["start_ms"] < windows[0]["end_ms"] <= shown["end_ms"]
    checked = evidence("verify", folder, "--against", here.recording, "--json").json
    assert checked["verdicts"]["lineage"]["holds"]
    assert not checked["verdicts"]["trusted"]["holds"]


def test_a_claim_is_sealed_and_stamped_later(
    here: Desk, authority: Authority, tmp_path: Path
) -> None:
    root = here.app.root
    claim = evidence("claims", "b-<script>1", "-w", root, "--json").json[0]["claim_id"]
    authority.refuse = True
    made = evidence("bundle", claim, "--out", tmp_path, "-w", root, "--json")
    authority.refuse = False
    assert made.code == 0, made.err
    assert made.json["stamped"] == []
    assert made.json["untimestamped"][0]["authority"] == "Test authority"
    stamped = evidence("bundle", "--stamp", made.json["folder"], "-w", root, "--json")
    assert stamped.json["stamped"] == ["Test authority"]
    assert evidence("bundle", claim, "-w", root).code == 2
    assert evidence("bundle", "--stamp", tmp_path, "-w", root).code == 4
    gone = evidence("bundle", "0000-000000000000-0", "--out", tmp_path, "-w", root, "--json")
    assert gone.code == 12


def test_keys_are_made_shown_and_revoked(here: Desk) -> None:
    root = here.app.root
    first = evidence("keys", "show", "-w", root, "--json").json["keys"][0]["key"]
    made = evidence("keys", "new", "--name", "next", "-w", root, "--json").json
    rows = evidence("keys", "show", "-w", root, "--json").json["keys"]
    assert rows[0]["until_utc_ms"] == made["from_utc_ms"]
    since = "2026-01-01T00:00:00+00:00"
    revoked = evidence("keys", "revoke", first[:8], "--since", since, "-w", root, "--json").json
    assert revoked["revoked_utc_ms"] == 1_767_225_600_000
    assert evidence("keys", "revoke", "zz", "-w", root).code == 3
