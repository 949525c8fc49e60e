"""The classifier: whole-number sums over traits, and what the detector makes of its word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.claims import run as room
from pipeline.claims.compiled import RuleBook
from pipeline.claims.detector import RuleDetector
from pipeline.claims.learned import Learned
from pipeline.claims.rules import RULES_FOLDER, read_rules
from pipeline.claims.shape import shape_of
from pipeline.claims.traits import Traits
from pipeline.model import Claim, Segment, Transcript
from pipeline.model.claim import CLAIM_TYPES
from tests.unit.test_claims_detector import BROADCAST

BOOK = RuleBook(read_rules())
TRAITS = Traits({"material": ["棉", "羊毛"]}, chinese=True)
LIKELY, DOUBTED, UNLIKELY = -1000, -2000, -4000


def model(path: Path, weights: dict[str, dict[str, int]], *, bias: int = -3000) -> Path:
    """A classifier with these weights a trait and type; every type starts at ``bias``."""
    table = np.zeros((len(weights), len(CLAIM_TYPES)), np.int16)
    for row, held in enumerate(weights.values()):
        for name, weight in held.items():
            table[row, CLAIM_TYPES.index(name)] = weight
    np.savez(
        path,
        traits=np.frombuffer("\n".join(weights).encode(), np.uint8),
        types=np.frombuffer("\n".join(CLAIM_TYPES).encode(), np.uint8),
        weights=table,
        bias=np.full(len(CLAIM_TYPES), bias, np.int32),
        bounds=np.array([1000, LIKELY, DOUBTED, UNLIKELY], np.int32),
    )
    return path


def rules_with(folder: Path, weights: dict[str, dict[str, int]], *, bias: int = -3000) -> Path:
    """The rules of the product with a classifier of the test's own."""
    for path in RULES_FOLDER.glob("*.toml"):
        (folder / path.name).write_bytes(path.read_bytes())
    model(folder / "learned-zh.npz", weights, bias=bias)
    return folder


def said_with(rules: Path, text: str) -> list[Claim]:
    """The claims of one spoken line by the rules of a folder."""
    line = Segment(start_ms=0, end_ms=4000, text=text)
    words = Transcript(broadcast_id="b1", language="zh", segments=(line,))
    detector = RuleDetector.load(rules)
    found = room.run(BROADCAST, transcript=words, screen=None, detector=detector, work_key="0" * 64)
    return list(found.claims)


def test_traits_are_grams_word_lists_and_neighbours() -> None:
    first, second = TRAITS.of(shape_of("纯棉的，三件"))
    assert {"g纯", "g纯棉", "g纯棉的", "g^纯棉", "g$棉的", "Lmaterial", "ng#件", "=1"} <= first
    assert {"g#件", "pg棉的", "pLmaterial"} <= second
    assert "pg纯棉的" not in second
    (after,) = TRAITS.of(shape_of("对"), before="有羊毛吗")
    assert "qLmaterial" in after


def test_english_traits_are_words_and_their_beginnings() -> None:
    traits = Traits({"colour": ["navy blue"]}, chinese=False)
    (found,) = traits.of(shape_of("Navy blue lining"))
    assert {"gnavy", "gnavy blue", "gnavy blue lining", "g~lini", "Lcolour"} <= found


def test_scores_are_sums_of_whole_numbers(tmp_path: Path) -> None:
    held = {"g包邮": {"freight": 2500}, "qg运费": {"freight": 700}, "g包": {"gift": -100}}
    learned = Learned(model(tmp_path / "m.npz", held), TRAITS)
    shape = shape_of("包邮，好的")
    opinion = learned.opinion(shape, before="有运费")
    scores = np.array(opinion.scores)[:, CLAIM_TYPES.index("freight")]
    assert list(scores) == [-3000 + 2500 + 700, -3000]
    assert list(opinion.likely()) == [(shape.clauses[0], "freight", "learned")]
    assert learned.because(shape, 0, "freight", before="运费") == [("g包邮", 2500), ("qg运费", 700)]


@pytest.mark.parametrize(
    ("weight", "view"), [(4000, "sure"), (2000, ""), (500, "doubted"), (-1500, "unlikely")]
)
def test_the_view_falls_with_the_score(tmp_path: Path, weight: int, view: str) -> None:
    learned = Learned(model(tmp_path / "m.npz", {"g包邮": {"freight": weight}}), TRAITS)
    assert learned.opinion(shape_of("包邮")).view("freight", 0, 2) == view


def test_a_clause_no_rule_covers_is_read_and_sent_to_review(tmp_path: Path) -> None:
    rules = rules_with(tmp_path, {"g嘎啦": {"style": 2500}})
    (claim,) = said_with(rules, "这个嘎啦扣做得挺巧")
    assert (claim.claim_type, claim.quote, claim.rule_id) == (
        "style",
        "嘎啦扣做得挺巧",
        "zh.read.style",
    )
    assert "learned" in claim.review_reasons
    (sure,) = said_with(rules_with(tmp_path, {"g嘎啦": {"style": 4500}}), "这个嘎啦扣做得挺巧")
    assert "learned" not in sure.review_reasons


def test_a_denial_inside_the_clause_is_seen(tmp_path: Path) -> None:
    (claim,) = said_with(rules_with(tmp_path, {"g嘎啦": {"style": 2500}}), "这款没有嘎啦扣")
    assert claim.polarity == "negate"


def test_what_a_rule_found_may_be_doubted_or_dropped(tmp_path: Path) -> None:
    plain = said_with(rules_with(tmp_path, {"g无": {"style": 1}}, bias=0), "全场包邮")
    assert [(c.claim_type, c.needs_review) for c in plain if c.claim_type == "freight"] == [
        ("freight", False)
    ]
    doubted = said_with(rules_with(tmp_path, {"g无": {"style": 1}}, bias=-3000), "全场包邮")
    assert [c.review_reasons for c in doubted] == [("doubted",)]
    unlikely = said_with(rules_with(tmp_path, {"g无": {"style": 1}}, bias=-5000), "全场包邮")
    assert [c.review_reasons for c in unlikely] == [("doubted",)]
    assert not said_with(rules_with(tmp_path, {"g无": {"style": 1}}, bias=-7000), "全场包邮")


def test_what_a_weak_rule_found_is_dropped_where_nobody_would_promise(tmp_path: Path) -> None:
    weak = next(r for r in BOOK.rules if r.rule.review == "weak_rule" and r.language == "zh")
    text = weak.rule.examples[0]
    kept = said_with(rules_with(tmp_path, {"g无": {"style": 1}}, bias=0), text)
    assert weak.rule.id in {c.rule_id for c in kept}
    dropped = said_with(rules_with(tmp_path, {"g无": {"style": 1}}, bias=-5000), text)
    assert weak.rule.id not in {c.rule_id for c in dropped}


def test_words_that_likelier_claim_another_type_claim_only_that(tmp_path: Path) -> None:
    alone = said_with(rules_with(tmp_path, {"g无": {"style": 1}}), "全场包邮")
    assert [c.claim_type for c in alone] == ["freight"]
    rules = rules_with(tmp_path, {"g包邮": {"gift": 3000}})
    assert "freight" not in {c.claim_type for c in said_with(rules, "全场包邮")}
    rules = rules_with(tmp_path, {"g包邮": {"gift": 3000, "freight": 1500}})
    assert "freight" in {c.claim_type for c in said_with(rules, "全场包邮")}
