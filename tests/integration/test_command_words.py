"""The command from supplied transcripts: everything but media, as a person would use it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.command import EXAMPLES, Ran, evidence, workspace


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one Mandarin and one English broadcast and their orders."""
    folder = workspace(tmp_path_factory.mktemp("words") / "w")
    for name in ("zh01", "en02"):
        example = EXAMPLES / name
        done = evidence(
            "process",
            "--broadcast",
            example / "broadcast.json",
            "--transcript",
            example / "transcript.json",
            "-w",
            folder,
            "--json",
        )
        assert done.code == 0, done.err
        assert evidence("orders", "import", example / "orders.jsonl", "-w", folder).code == 0
    return folder


def test_claims_have_the_public_fields_and_lie_in_the_transcript(here: Path):
    claims = evidence("claims", "sample-zh01", "-w", here, "--json").json
    said = json.loads((EXAMPLES / "zh01" / "transcript.json").read_text())["segments"]
    assert len(claims) > 20
    for claim in claims:
        words = said[claim["segment_index"]]
        assert claim["quote"] == words["text"][claim["char_start"] : claim["char_end"]]
        assert words["start_ms"] <= claim["start_ms"] < claim["end_ms"] <= words["end_ms"]
        assert claim["polarity"] in ("affirm", "negate")
        assert isinstance(claim["hedged"], bool)
        assert isinstance(claim["needs_review"], bool)
        listed = claim["claim_type"] in ("colour", "size", "material", "ingredient", "gift")
        assert isinstance(claim["value"], list) == listed or claim["value"] is None


def test_detect_says_the_same_without_a_workspace(here: Path, tmp_path: Path):
    example = EXAMPLES / "zh01"
    found = evidence(
        "detect",
        example / "transcript.json",
        "--broadcast",
        example / "broadcast.json",
        "--json",
        cwd=tmp_path,
    )
    kept = evidence("claims", "sample-zh01", "-w", here, "--json").json
    facts = ("claim_type", "start_ms", "end_ms", "quote", "value", "polarity", "sku_id")
    assert [[c[f] for f in facts] for c in found.json] == [[c[f] for f in facts] for c in kept]
    assert list(tmp_path.iterdir()) == []


def test_the_transcript_comes_back_word_for_word(here: Path):
    shown = evidence("transcript", "sample-en02", "-w", here, "--json", "--verbatim").json
    given = json.loads((EXAMPLES / "en02" / "transcript.json").read_text())["segments"]
    assert [s["text"] for s in shown["segments"]] == [s["text"] for s in given]


def test_search_finds_a_word_and_says_where_and_what_was_searched(here: Path):
    answer = evidence("search", "万向轮", "-w", here, "--json").json
    first = answer["hits"][0]
    assert first["match"] == "literal"
    assert first["document"]["broadcast_id"] == "sample-zh01"
    assert first["wall_time"].startswith("2026-06-05T15:00:4")
    assert answer["coverage"]["broadcasts"] == 2
    assert answer["facets"]["claim_type"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--type", "warranty"], {"claim_type": "warranty"}),
        (["--sku", "LZ-LUG-01"], {"sku_id": "LZ-LUG-01"}),
        (["--broadcast", "sample-zh01"], {"broadcast_id": "sample-zh01"}),
        (["--host", "host_xiangxiang"], {"host_id": "host_xiangxiang"}),
        (["--merchant", "mch_lvzhe_bags"], {"merchant_id": "mch_lvzhe_bags"}),
        (["--type", "material", "--polarity", "negate"], {"polarity": "negate"}),
    ],
)
def test_filters_narrow_a_search(here: Path, arguments: list[str], expected: dict[str, str]):
    answer = evidence("search", "的 OR 年 OR 不", *arguments, "-w", here, "--json").json
    assert answer["total"] > 0
    for hit in answer["hits"]:
        assert expected.items() <= hit["document"].items()


def test_a_wall_clock_range_bounds_a_search(here: Path):
    late = ["--after", "2026-06-05T15:02:00+08:00", "--before", "2026-06-05T15:03:00+08:00"]
    answer = evidence("search", "的", *late, "-w", here, "--json").json
    assert answer["total"] > 0
    assert all(120_000 <= hit["document"]["start_ms"] < 180_000 for hit in answer["hits"])


def test_an_order_is_answered_with_the_moment_and_its_standing(here: Path):
    answer = evidence("order", "ORD-26060501", "-w", here, "--json").json
    assert answer["verdict"] == "found"
    first = answer["moments"][0]
    assert first["claim"]["claim_type"] in ("warranty", "after_sales")
    assert first["standing"] in ("before", "after", "cannot_tell")
    assert 0 < first["end_ms"] - first["start_ms"] <= 30_000
    assert answer["coverage"]["share_pm"] == 1000
    assert "五年" in answer["sentence"]["zh"] or first["claim"]["quote"] in answer["sentence"]["zh"]


def test_several_orders_print_one_object_a_line(here: Path, tmp_path: Path):
    ids = ["ORD-26060501", "ORD-26060505", "ORD-26090301"]
    asked = tmp_path / "ids.jsonl"
    asked.write_text("".join(json.dumps({"order_id": i}) + "\n" for i in ids))
    by_name = evidence("order", *ids, "-w", here, "--json").out
    by_file = evidence("order", "--file", asked, "-w", here, "--json").out
    assert by_name == by_file
    assert [json.loads(line)["order_id"] for line in by_file.splitlines()] == ids


def test_the_index_is_a_view(here: Path):
    before = evidence("search", "五年", "-w", here, "--json").json
    for file in (here / "index").iterdir():
        file.unlink()
    assert evidence("order", "ORD-26060501", "-w", here, "--json").json["verdict"] == "found"
    assert evidence("rebuild", "-w", here).code == 0
    assert evidence("search", "五年", "-w", here, "--json").json == before


def test_exports_for_other_programs(here: Path):
    srt = evidence("show", "sample-zh01", "--srt", "-w", here).out
    assert srt.startswith("1\n00:00:01,670 --> 00:00:05,758\n下午好")
    chapters = evidence("show", "sample-zh01", "--chapters", "-w", here).out
    assert "LZ-LUG-01" in chapters
    rows = list(
        csv.DictReader(io.StringIO(evidence("claims", "sample-zh01", "--csv", "-w", here).out))
    )
    assert len(rows) == len(evidence("claims", "sample-zh01", "-w", here, "--json").json)


def test_running_again_changes_nothing(here: Path):
    example = EXAMPLES / "zh01"
    before = sorted(p.relative_to(here) for p in (here / "objects").rglob("*") if p.is_file())
    done = process(here, example / "broadcast.json", example / "transcript.json")
    after = sorted(p.relative_to(here) for p in (here / "objects").rglob("*") if p.is_file())
    assert done.json["release"] == 1
    assert after == before


def test_other_content_is_refused_without_amend_and_kept_with_it(here: Path, tmp_path: Path):
    example = EXAMPLES / "en02"
    changed = json.loads((example / "broadcast.json").read_text())
    changed["title"] = "<script>alert(1)</script> ../../x"
    file = tmp_path / "broadcast.json"
    file.write_text(json.dumps(changed))
    old = evidence("claims", "sample-en02", "-w", here, "--json").json
    refused = process(here, file, example / "transcript.json")
    assert (refused.code, refused.error["error"]) == (4, "duplicate_broadcast")
    assert "--amend" in refused.error["hint"]
    amended = process(here, file, example / "transcript.json", "--amend")
    assert (amended.json["revision"], amended.json["release"]) == (2, 2)
    shown = evidence("show", "sample-en02", "-w", here, "--json").json
    assert shown["broadcast"]["title"] == changed["title"]
    assert len(evidence("claims", "sample-en02", "-w", here, "--json").json) == len(old)


def process(here: Path, broadcast: Path, transcript: Path, *more: str) -> Ran:
    given = ("--broadcast", broadcast, "--transcript", transcript)
    return evidence("process", *given, *more, "-w", here, "--json")
