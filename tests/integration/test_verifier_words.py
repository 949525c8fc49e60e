"""A broadcast with a verifier set up: what is kept, what is asked again, what never leaves."""

from __future__ import annotations

import json
from pathlib import Path

from tests.command import EXAMPLES, Ran, evidence, workspace
from tests.judge import Stub, completion, serving

EXAMPLE = EXAMPLES / "zh01"
FILES = ("--broadcast", EXAMPLE / "broadcast.json", "--transcript", EXAMPLE / "transcript.json")


def process(here: Path, stub: Stub, model: str) -> Ran:
    asked = {"EVIDENCE_CLAIMS__VERIFIER_URL": stub.url, "EVIDENCE_CLAIMS__VERIFIER_MODEL": model}
    done = evidence("process", *FILES, "-w", here, "--json", **asked)
    assert done.code == 0, done.err
    return done


def test_verdicts_are_kept_and_buyers_words_are_not_sent(tmp_path: Path):
    here = workspace(tmp_path / "w")
    with serving(Stub()) as stub:
        stub.reply = completion('{"answer": "rejected"}')
        process(here, stub, "judge-a")
        claims = evidence("claims", "sample-zh01", "-w", here, "--json").json
        assert len(stub.requests) == len(claims) > 20
        for claim in claims:
            assert claim["verification"]["answer"] == "rejected"
            assert claim["verification"]["model"] == "judge-a"
            assert claim["needs_review"]
            assert "verifier_rejected" in claim["review_reasons"]

        process(here, stub, "judge-a")
        assert len(stub.requests) == len(claims)  # the same work is found done

        process(here, stub, "judge-b")
        again = evidence("claims", "sample-zh01", "-w", here, "--json").json
        assert len(stub.requests) == 2 * len(claims)
        assert {c["claim_id"] for c in claims}.isdisjoint(c["claim_id"] for c in again)

        assert evidence("orders", "import", EXAMPLE / "orders.jsonl", "-w", here).code == 0
        order = json.loads((EXAMPLE / "orders.jsonl").read_text().splitlines()[0])["order_id"]
        set_up = {"EVIDENCE_CLAIMS__VERIFIER_URL": stub.url} | {
            "EVIDENCE_CLAIMS__VERIFIER_MODEL": "judge-b"
        }
        assert evidence("order", order, "-w", here, "--json", **set_up).code == 0
        assert len(stub.requests) == 2 * len(claims)


def test_a_dead_endpoint_stops_nothing_and_is_told(tmp_path: Path):
    here = workspace(tmp_path / "w")
    with serving(Stub()) as gone:
        pass
    done = process(here, gone, "judge")
    assert any("claims not verified: gave_up" in w for w in done.json["warnings"])
    claims = evidence("claims", "sample-zh01", "-w", here, "--json").json
    assert {c["verification"]["reason"] for c in claims} == {"unreachable", "gave_up"}
    explained = evidence("rules", "explain", claims[0]["claim_id"], "-w", here)
    assert "verifier: unverified unreachable judge" in explained.out
