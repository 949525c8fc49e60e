"""Verdicts on claims: what they change, what they never change, and when nobody is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.bootstrap import init
from pipeline.claims.detector import RuleDetector
from pipeline.claims.verifier import CONTEXT_CHARS, GIVE_UP_AFTER, VerifiedDetector
from pipeline.model import Broadcast, ClaimSet, Line
from pipeline.outputs import claims_of, claims_pack
from pipeline.packs import parse_pack
from tests.fakes import ScriptedVerifier

RULES = RuleDetector.load()
BROADCAST = Broadcast(broadcast_id="b1", language="zh")
TEXTS = ("今天这个一百二十九", "质保两年", "四十八小时内发货", "七天无理由", "纯棉的", "送三双袜子")
LINES = tuple(
    Line(
        line_id=f"s{n}", source="speech", index=n, start_ms=n * 4000, end_ms=n * 4000 + 4000, text=t
    )
    for n, t in enumerate(TEXTS)
)
PLAIN = RULES.detect(BROADCAST, LINES, screen=None, work_key="0" * 64)


def verified(judge: ScriptedVerifier, *, max_claims: int = 99) -> ClaimSet:
    both = VerifiedDetector(RULES, judge, max_claims=max_claims)
    return both.detect(BROADCAST, LINES, screen=None, work_key="0" * 64)


def test_the_lines_hold_enough_claims() -> None:
    assert len(PLAIN.claims) > GIVE_UP_AFTER + 1


def test_nothing_a_claim_says_is_changed_and_none_is_lost() -> None:
    found = verified(ScriptedVerifier("rejected", "confirmed", "unsure", "timeout"))
    touched = {"verification", "needs_review", "review_reasons"}
    for before, after in zip(PLAIN.claims, found.claims, strict=True):
        assert before.model_dump(exclude=touched) == after.model_dump(exclude=touched)


@pytest.mark.parametrize("answer", ["rejected", "unsure"])
def test_a_doubted_claim_goes_to_review(answer: str) -> None:
    for before, after in zip(PLAIN.claims, verified(ScriptedVerifier(answer)).claims, strict=True):
        assert after.needs_review
        assert after.review_reasons == (*before.review_reasons, f"verifier_{answer}")
        assert after.verification is not None
        assert after.verification.answer == answer


@pytest.mark.parametrize("answer", ["confirmed", "not_an_answer"])
def test_a_confirmed_or_unread_claim_keeps_its_review(answer: str) -> None:
    found = verified(ScriptedVerifier(answer))
    assert any(c.needs_review for c in PLAIN.claims)  # no product: unsure of the SKU
    for before, after in zip(PLAIN.claims, found.claims, strict=True):
        assert after.needs_review == before.needs_review
        assert after.review_reasons == before.review_reasons


def test_what_was_not_verified_is_told() -> None:
    assert verified(ScriptedVerifier("confirmed")).warnings == PLAIN.warnings
    told = verified(ScriptedVerifier("not_an_answer", "confirmed")).warnings[-1]
    assert told == f"verifier: 1 of {len(PLAIN.claims)} claims not verified: not_an_answer 1"


def test_the_earliest_claims_are_asked_about() -> None:
    judge = ScriptedVerifier("confirmed")
    found = verified(judge, max_claims=2)
    assert [c.claim_id for c, _ in judge.asked] == [c.claim_id for c in PLAIN.claims[:2]]
    rest = [c.verification for c in found.claims[2:]]
    assert {v.reason for v in rest if v} == {"over_max_claims"}
    assert verified(ScriptedVerifier("confirmed"), max_claims=0).claims[0].verification


@pytest.mark.parametrize("reason", ["timeout", "unreachable", "http_401", "http_429", "http_503"])
def test_a_dead_endpoint_is_given_up(reason: str) -> None:
    judge = ScriptedVerifier(reason)
    found = verified(judge)
    assert len(judge.asked) == GIVE_UP_AFTER
    reasons = [c.verification.reason for c in found.claims if c.verification]
    assert reasons[: GIVE_UP_AFTER + 1] == [reason] * GIVE_UP_AFTER + ["gave_up"]


@pytest.mark.parametrize("reason", ["not_an_answer", "not_a_completion", "http_400", "http_422"])
def test_words_cannot_switch_the_verifier_off(reason: str) -> None:
    judge = ScriptedVerifier(reason)
    verified(judge)
    assert len(judge.asked) == len(PLAIN.claims)


def test_failures_must_follow_each_other() -> None:
    judge = ScriptedVerifier("timeout", "timeout", "confirmed", "timeout", "timeout", "confirmed")
    assert all(c.verification.reason != "gave_up" for c in verified(judge).claims if c.verification)


def test_the_context_is_the_line_and_the_one_before() -> None:
    judge = ScriptedVerifier("confirmed")
    verified(judge)
    claim, context = next((c, x) for c, x in judge.asked if c.claim_type == "warranty")
    assert context == TEXTS[:2]
    assert claim.quote in context[-1]


def test_the_context_of_a_long_line_is_near_the_quote() -> None:
    judge = ScriptedVerifier("confirmed")
    text = "好" * 3000 + "，质保两年，" + "嗯" * 3000
    line = Line(line_id="s0", source="speech", index=0, start_ms=0, end_ms=9000, text=text)
    both = VerifiedDetector(RULES, judge, max_claims=9)
    both.detect(BROADCAST, [line], screen=None, work_key="0" * 64)
    ((claim, (near,)),) = judge.asked
    assert claim.quote in near
    assert len(near) == len(claim.quote) + 2 * CONTEXT_CHARS


def test_the_work_key_follows_rules_model_prompt_and_number() -> None:
    def digest(judge: str, number: int) -> str:
        return VerifiedDetector(
            RULES, ScriptedVerifier("confirmed", digest=judge), max_claims=number
        ).digest

    made = {RULES.digest, digest("a" * 64, 9), digest("b" * 64, 9), digest("a" * 64, 8)}
    assert len(made) == 4
    assert digest("a" * 64, 9) == digest("a" * 64, 9)


def test_a_verified_set_is_kept_whole() -> None:
    found = verified(ScriptedVerifier("rejected", "confirmed"))
    assert claims_of(parse_pack(claims_pack(found), name="claims")) == found
    assert "scripted" in found.producer


def test_off_by_default_and_wired_by_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = init(tmp_path / "a")
    assert isinstance(plain.detector, RuleDetector)
    monkeypatch.setenv("EVIDENCE_CLAIMS__VERIFIER_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("EVIDENCE_CLAIMS__VERIFIER_MODEL", "judge")
    checked = init(tmp_path / "b")
    assert isinstance(checked.detector, VerifiedDetector)
    assert checked.detector.digest != plain.detector.digest
    assert isinstance(checked.rules, RuleDetector)  # buyers' words go to the rules alone
