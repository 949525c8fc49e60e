"""Several recordings to one broadcast: a gap, wall-clock starts, and clips on both sides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import EXAMPLES, evidence, short_broadcast, workspace


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds, a gap of forty, twenty seconds again, with the words given."""
    folder = short_broadcast(tmp_path_factory.mktemp("two") / "b", seconds=20)
    first = next(folder.glob("recording.*"))
    second = folder / f"second{first.suffix}"
    second.write_bytes(first.read_bytes() + b"\x00\x00\x00\x08free")
    described = json.loads((folder / "broadcast.json").read_text())
    described["recordings"] = [
        {"file": first.name, "started_at": "2026-06-05T15:00:00+08:00"},
        {"file": second.name, "started_at": "2026-06-05T15:01:00+08:00"},
    ]
    (folder / "broadcast.json").write_text(json.dumps(described))
    made = workspace(tmp_path_factory.mktemp("two") / "w")
    words = EXAMPLES / "zh01" / "transcript.json"
    quick = {"EVIDENCE_KEYFRAMES__OCR": "false"}
    done = evidence("process", folder, "--transcript", words, "-w", made, "--json", **quick)
    assert done.code == 0, done.err
    return made


def test_each_recording_has_its_place_on_both_clocks(here: Path):
    spans = evidence("show", "sample-zh01", "-w", here, "--json").json["clock_map"]["spans"]
    assert [(s["recording_index"], s["start_ms"], s["source"]) for s in spans] == [
        (0, 0, "recording"),
        (1, 60_000, "recording"),
    ]
    assert all(20_000 <= s["end_ms"] - s["start_ms"] <= 22_500 for s in spans)
    assert spans[1]["wall_start_utc_ms"] - spans[0]["wall_start_utc_ms"] == 60_000


def test_a_clip_comes_from_the_recording_that_holds_it(here: Path, tmp_path: Path):
    asked = ["--from", "65", "--to", "68", "--out", tmp_path, "--json"]
    info = evidence("clip", "sample-zh01", *asked, "-w", here).json["info"]
    assert info["start"]["timeline_ms"] <= 65_000 < 68_000 <= info["end"]["timeline_ms"]
    assert 0 <= info["start"]["media_ms"] <= 5_000
    assert info["start"]["wall"]["at"].startswith("2026-06-05T15:01:0")


def test_a_clip_in_the_gap_says_that_nothing_was_recorded(here: Path):
    done = evidence("clip", "sample-zh01", "--from", "30", "--to", "35", "-w", here)
    assert done.code == 12
    assert "nothing was recorded" in done.err


def test_an_order_without_a_broadcast_is_traced_by_sku_and_time(here: Path, tmp_path: Path):
    order = {
        "order_id": "N1",
        "sku_id": "LZ-LUG-01",
        "ordered_at": "2026-06-05T15:01:05+08:00",
        "reason_text": "说好五年质保，现在不给修",
    }
    file = tmp_path / "o.jsonl"
    file.write_text(json.dumps(order))
    answer = evidence("order", "--file", file, "-w", here, "--json").json
    assert answer["broadcast_id"] == "sample-zh01"
    assert answer["candidates"][0]["reasons"]
    assert answer["verdict"] == "found"
