"""One SKU over all broadcasts: how what was said changed, what clashes, what people decided."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.command import EXAMPLES, evidence, on_stage, workspace
from tests.desks import ask, new_key, served

SKU = "LZ-LUG-01"
SAID = {
    "b1": ("2026-06-01T19:00:00+08:00", "M-1", ["质保五年", "今天只要四百五十九块"]),
    "b2": ("2026-06-02T19:00:00+08:00", "M-1", ["质保三年", "质保八年"]),
    "b3": ("2026-06-03T19:00:00+08:00", "M-2", ["质保两年"]),
}


class Given(NamedTuple):
    address: str
    here: Path
    keys: dict[str, str]

    def report(self, who: str = "admin", sku: str = SKU) -> Any:
        return ask(f"{self.address}/api/v1/skus/{sku}", key=self.keys[who])


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    here = workspace(tmp_path_factory.mktemp("sku") / "w")
    folder = tmp_path_factory.mktemp("in")
    described = json.loads((EXAMPLES / "zh01" / "broadcast.json").read_text(encoding="utf-8"))
    for name, (started, merchant, texts) in SAID.items():
        changed = {"broadcast_id": name, "merchant_id": merchant, "started_at": started}
        file = folder / f"{name}.json"
        file.write_text(json.dumps(described | changed | {"recordings": []}), encoding="utf-8")
        words = on_stage(folder / f"{name}-words.json", texts)
        done = evidence("process", "--broadcast", file, "--transcript", words, "-w", here)
        assert done.code == 0, done.err
    keys = {
        "admin": new_key(here, "admin")["key"],
        "merchant": new_key(here, "merchant", "--merchant", "M-1")["key"],
    }
    with served(here) as address:
        yield Given(address, here, keys)


def story(report: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(s for s in report["stories"] if s["claim_type"] == kind)
    return found


def test_what_was_said_stands_in_order_with_its_changes(given: Given):
    report = given.report().json
    assert (report["broadcasts"], report["looked_into"]) == (3, 3)
    assert report["claims"] == report["shown"] == sum(len(s["said"]) for s in report["stories"])
    warranty = story(report, "warranty")
    told = [(s["broadcast_id"], s["value"][0], s["changed"]) for s in warranty["said"]]
    assert told == [
        ("b1", "P5Y", False),
        ("b2", "P3Y", True),
        ("b2", "P8Y", True),
        ("b3", "P2Y", True),
    ]
    assert [s["listed"] for s in warranty["said"]] == ["", "5年", "5年", "5年"]
    assert [s["wall_time"][:10] for s in warranty["said"]][::3] == ["2026-06-01", "2026-06-03"]


def test_two_values_in_one_broadcast_clash_until_one_is_rejected(given: Given):
    (clash,) = story(given.report().json, "warranty")["clashes"]
    assert (clash["kind"], clash["values"]) == ("value", ["P3Y", "P8Y"])
    wrong = clash["claim_ids"][1]
    at = ("--by", "Li Wei", "-w", given.here)
    assert evidence("review", "heard", wrong, "--words", "质保三年", *at).code == 0
    assert evidence("review", "decide", wrong, "--reject", "--reason", "听错了", *at).code == 0
    with served(given.here) as fresh:
        report = ask(f"{fresh}/api/v1/skus/{SKU}", key=given.keys["admin"]).json
    warranty = story(report, "warranty")
    assert warranty["clashes"] == []
    assert [s["review"]["verdict"] for s in warranty["said"] if s["review"]] == ["rejected"]


def test_a_merchant_reads_its_own_part_only(given: Given):
    mine = given.report("merchant")
    assert '"b3"' not in mine.text  # ids of claims are hex and may hold the two letters
    assert {s["value"][0] for s in story(mine.json, "warranty")["said"]} == {"P5Y", "P3Y", "P8Y"}
    for sku in ("NONE", "LZ-LUG-01 OR *"):
        assert given.report(sku=sku.replace(" ", "%20")).status == 404


def test_the_page_says_the_same(given: Given):
    page = ask(f"{given.address}/sku/{SKU}?lang=en", key=given.keys["admin"]).text
    for words in ("P5Y", "changed", "contradicts", "质保八年", "2026-06-03 19:00"):
        assert words in page
