"""Orders of the labelled broadcasts answered from their labelled claims."""

import pytest

from pipeline.cases.dossier import answer
from pipeline.claims.products import SkuLinker
from pipeline.model import ClaimSet, Gap
from tests.integration.samples import NAMES, Sample, load

TOLERANCE_MS = 5000


def answers(sample: Sample, *, code: bool, gaps: tuple[Gap, ...] = ()):
    linker = SkuLinker(sample.broadcast, sample.lines, None)
    claims = ClaimSet(
        broadcast_id=sample.broadcast.broadcast_id, claims=sample.claims(), windows=linker.windows
    )
    for order in sample.orders:
        asked = order if code else order.model_copy(update={"reason_code": ""})
        yield answer(
            asked,
            broadcast=sample.broadcast,
            transcript=sample.transcript.model_copy(update={"gaps": gaps}),
            claims=claims,
            clock_map=sample.clock_map,
        )


def score(*, code: bool) -> tuple[float, float]:
    """Recall at 3 and the share of right empty answers, as the samples' score counts them."""
    found = present = empty = absent = 0
    for name in NAMES:
        sample = load(name)
        claims = sample.claims()
        wanted = {d["order_id"]: d["relevant_claim_indexes"] for d in sample.labels["disputes"]}
        for dossier in answers(sample, code=code):
            want = [claims[n].start_ms for n in wanted[dossier.order_id]]
            got = dossier.moments[:3]
            assert all(m.end_ms - m.start_ms <= 30_000 for m in dossier.moments)
            if want:
                present += 1
                found += any(abs(m.start_ms - w) <= TOLERANCE_MS for m in got for w in want)
            else:
                absent += 1
                empty += not dossier.moments
    return found / present, empty / absent


@pytest.mark.parametrize(("code", "recall", "none"), [(True, 0.97, 0.95), (False, 0.95, 0.92)])
def test_moments(code, recall, none):
    got_recall, got_none = score(code=code)
    assert got_recall >= recall
    assert got_none >= none


def test_a_blank_of_two_minutes_is_named_and_never_not_said():
    sample = load("zh03")
    gap = Gap(stage="ingest", start_ms=60_000, end_ms=180_000, reason="no_audio")
    whole = list(answers(sample, code=True))
    blanked = list(answers(sample, code=True, gaps=(gap,)))
    assert {d.verdict for d in whole} == {"found", "not_said"}
    for before, after in zip(whole, blanked, strict=True):
        touched = any(gap.start_ms < b and a < gap.end_ms for a, b in after.windows)
        if before.verdict == "not_said" and touched:
            nothing = "nothing a host says" in after.sentence["en"]
            assert after.verdict == ("not_said" if nothing else "cannot_say")
            assert gap in after.coverage.gaps
    assert "cannot_say" in {d.verdict for d in blanked}


def test_every_answer_opens_with_a_sentence_in_both_languages():
    for name in ("zh01", "en01"):
        for dossier in answers(load(name), code=True):
            assert set(dossier.sentence) == {"zh", "en"}
            if dossier.verdict == "found":
                assert dossier.moments[0].claim.quote in dossier.sentence["zh"]
