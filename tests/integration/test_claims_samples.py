"""Claims of the bundled broadcasts, from their transcripts, against their labels."""

from __future__ import annotations

import json
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from pipeline.claims.detector import RuleDetector
from pipeline.claims.run import run
from pipeline.model import Broadcast, Claim, Product, Segment, Transcript

EXAMPLES = Path(__file__).parents[2] / "examples"
MANDARIN = ["zh01", "zh02", "zh03", "zh04", "zh05", "zh06"]


def _broadcast(folder: Path) -> Broadcast:
    raw = json.loads((folder / "broadcast.json").read_text(encoding="utf-8"))
    known, product = set(Broadcast.model_fields), set(Product.model_fields)
    raw["products"] = [{k: v for k, v in p.items() if k in product} for p in raw["products"]]
    return Broadcast.model_validate({k: v for k, v in raw.items() if k in known})


@pytest.fixture(scope="module")
def detector() -> RuleDetector:
    return RuleDetector.load()


def _claims(folder: Path, detector: RuleDetector) -> list[Claim]:
    raw = json.loads((folder / "transcript.json").read_text(encoding="utf-8"))["segments"]
    broadcast = _broadcast(folder)
    segments = tuple(
        Segment(start_ms=s["start_ms"], end_ms=s["end_ms"], text=s["text"]) for s in raw
    )
    transcript = Transcript(broadcast_id=broadcast.broadcast_id, segments=segments)
    found = run(broadcast, transcript=transcript, screen=None, detector=detector, work_key="0" * 64)
    return list(found.claims)


def _hits(gold: list[dict], got: list[Claim]) -> list[tuple[dict, Claim]]:
    """Pairs of one type, one segment and at least half of the characters shared."""
    pairs, used = [], set()
    for label in gold:
        for claim in got:
            if claim.claim_id in used or claim.claim_type != label["claim_type"]:
                continue
            if claim.start_ms > label["end_ms"] + 300 or claim.end_ms < label["start_ms"] - 300:
                continue
            match = SequenceMatcher(None, label["quote"], claim.quote, autojunk=False)
            size = match.find_longest_match(0, len(label["quote"]), 0, len(claim.quote)).size
            if 2 * size >= 0.5 * (len(label["quote"]) + len(claim.quote)):
                pairs.append((label, claim))
                used.add(claim.claim_id)
                break
    return pairs


@pytest.mark.parametrize("name", MANDARIN)
def test_f1_polarity_and_hedge(name: str, detector: RuleDetector) -> None:
    folder = EXAMPLES / name
    gold = json.loads((folder / "labels.json").read_text(encoding="utf-8"))["claims"]
    got = _claims(folder, detector)
    hits = _hits(gold, got)
    assert 2 * len(hits) / (len(gold) + len(got)) >= 0.82
    assert sum(g["polarity"] != c.polarity for g, c in hits) <= 1
    assert sum(g["hedged"] != c.hedged for g, c in hits) <= 2
    sure = [c for c in got if not c.needs_review]
    assert len(sure) >= 0.6 * len(got)


def test_the_same_twice(detector: RuleDetector) -> None:
    folder = EXAMPLES / "zh01"
    assert _claims(folder, detector) == _claims(folder, RuleDetector.load())
