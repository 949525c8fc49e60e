"""Facts beside a claim: risk flags, keyframes, colour families; and silence on idle talk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.claims.colour_families import ColourFamilies
from pipeline.claims.detector import RuleDetector
from pipeline.claims.listing import colour_names
from pipeline.claims.resolve import Resolver
from pipeline.claims.risk import RiskFlag, risk_flags
from pipeline.claims.run import run
from pipeline.claims.shape import shape_of
from pipeline.ingest.formats import parse_broadcast
from pipeline.model import Broadcast, Claim, Keyframe, Product, Screen, Segment, Transcript

DETECTOR = RuleDetector.load()
QUIET = Path(__file__).parents[1] / "assets" / "scenes" / "quiet"
MOST_PER_HOUR = 2


def claims_of(*texts: str, screen: Screen | None = None, colour: str = "") -> list[Claim]:
    listing = {"colour": colour} if colour else {}
    product = Product(sku_id="A", name="云朵羽绒被", aliases=("羽绒被",), listing=listing)
    broadcast = Broadcast.model_validate(
        {
            "broadcast_id": "b1",
            "language": "zh",
            "products": [product.model_dump()],
            "product_schedule": [{"sku_id": "A", "start_ms": 0, "end_ms": 600_000}],
        }
    )
    segments = tuple(
        Segment(start_ms=n * 10_000, end_ms=n * 10_000 + 4000, text=t) for n, t in enumerate(texts)
    )
    transcript = Transcript(broadcast_id="b1", language="zh", segments=segments)
    found = run(
        broadcast, transcript=transcript, screen=screen, detector=DETECTOR, work_key="0" * 64
    )
    return list(found.claims)


def raised(flag: RiskFlag, text: str) -> bool:
    shape = shape_of(text)
    patterns = [pattern for f, pattern in risk_flags() if f is flag]
    return any(p.search(shape.written(0, len(shape.text))) for p in patterns)


@pytest.mark.parametrize("flag", [f for f, _ in risk_flags()], ids=lambda f: f.examples[0])
def test_risk_terms_hold_on_their_own_examples(flag: RiskFlag) -> None:
    assert [e for e in flag.examples if not raised(flag, e)] == []
    assert [e for e in flag.counter_examples if raised(flag, e)] == []


def test_a_risk_flag_marks_the_claim_and_changes_nothing_else() -> None:
    (plain,) = [c for c in claims_of("面料是纯棉的") if c.claim_type == "material"]
    (loud,) = [c for c in claims_of("顶级面料是纯棉的") if c.claim_type == "material"]
    assert plain.risk_flags == ()
    assert loud.risk_flags == ("absolute_term",)
    assert (loud.value, loud.polarity) == (plain.value, plain.polarity)


def frame(index: int, at_ms: int) -> Keyframe:
    return Keyframe(
        index=index, at_ms=at_ms, recording_index=0, media_ms=at_ms, width_px=64, height_px=64,
        image=index, image_sha256="0" * 64, phash="0" * 16, sharpness=1, reason="interval",
    )  # fmt: skip


def test_a_spoken_claim_names_the_nearest_keyframe() -> None:
    frames = (frame(0, 0), frame(1, 9000), frame(2, 30_000))
    screen = Screen(broadcast_id="b1", keyframes=frames)
    (claim,) = claims_of("大家好", "保修两年", screen=screen)
    assert claim.keyframe == 1
    (without,) = claims_of("大家好", "保修两年")
    assert without.keyframe is None


@pytest.mark.parametrize(
    ("listed", "agreement"),
    [("蓝色", "agrees"), ("navy", "agrees"), ("blue/white", "agrees"), ("红色", "contradicts")],
)
def test_a_shade_agrees_with_its_family(listed: str, agreement: str) -> None:
    (claim,) = [c for c in claims_of("颜色是藏青色的", colour=listed) if c.claim_type == "colour"]
    assert claim.listing is not None
    assert claim.listing.agreement == agreement


def test_two_shades_of_a_family_are_not_the_same() -> None:
    families = ColourFamilies(DETECTOR.source.lexicons, colour_names())
    assert families.meet(["navy"], ["蓝色"])
    assert families.meet(["blue"], ["藏青"])
    assert not families.meet(["navy"], ["天蓝"])
    assert not families.meet(["酒红"], ["蓝色"])


@pytest.mark.parametrize("path", sorted(QUIET.glob("*.json")), ids=lambda p: p.stem)
def test_talk_without_claims_yields_next_to_none(path: Path) -> None:
    scene = json.loads(path.read_text(encoding="utf-8"))
    broadcast, _ = parse_broadcast(json.dumps(scene["broadcast"]).encode(), file_name=path.name)
    segments = tuple(
        Segment(start_ms=s["start_ms"], end_ms=s["end_ms"], text=s["text"])
        for s in scene["transcript"]["segments"]
    )
    transcript = Transcript(
        broadcast_id=broadcast.broadcast_id, language=broadcast.language, segments=segments
    )
    found = run(broadcast, transcript=transcript, screen=None, detector=DETECTOR, work_key="0" * 64)
    sure = [(c.quote, c.rule_id) for c in found.claims if not c.needs_review]
    hours = max(segments[-1].end_ms / 3_600_000, 0.5)
    assert len(sure) <= MOST_PER_HOUR * hours, sure


def heard(text: str, listing: dict[str, str]) -> list[Claim]:
    """The claims of one recognised line about a product with this listing."""
    product = Product(sku_id="A", name="云朵羽绒被", aliases=("羽绒被",), listing=listing)
    broadcast = Broadcast.model_validate(
        {
            "broadcast_id": "b1",
            "language": "zh",
            "products": [product.model_dump()],
            "product_schedule": [{"sku_id": "A", "start_ms": 0, "end_ms": 600_000}],
        }
    )
    segment = Segment(start_ms=0, end_ms=4000, text=text, char_prob_pm=(900,) * len(text))
    found = run(
        broadcast,
        transcript=Transcript(broadcast_id="b1", language="zh", segments=(segment,)),
        screen=None,
        detector=DETECTOR,
        work_key="0" * 64,
    )
    return list(found.claims)


def test_words_of_the_trade_are_resolved_by_sound_without_the_listing() -> None:
    (claim,) = [c for c in heard("面料是高密度泥龙的", {"material": "尼龙"}) if c.listing]
    assert (claim.value, claim.needs_review) == (("面料=尼龙",), True)
    assert ("泥龙" in claim.quote, "尼龙" in claim.resolved) == (True, True)
    assert claim.resolved_reason == "泥龙 sounds like 尼龙"
    assert claim.listing is not None
    assert claim.listing.agreement == "agrees"


def test_what_only_the_listing_lets_us_hear_confirms_nothing() -> None:
    (claim,) = [c for c in heard("面料用的是清河绒", {"material": "青禾绒"}) if c.listing]
    assert claim.quote == "清河绒"
    assert "listing:material" in claim.resolved_reason
    assert claim.listing is not None
    assert (claim.listing.agreement, claim.listing.reason) == ("needs_review", "circular")
    assert "circular" in claim.review_reasons


def test_a_host_who_contradicts_the_listing_is_heard_as_spoken() -> None:
    (claim,) = [c for c in heard("产地是浙江义乌", {"origin": "广东青禾湾镇"}) if c.listing]
    assert claim.resolved == ""
    assert claim.listing is not None
    assert "circular" not in claim.review_reasons
    assert "义乌" in str(claim.value)


def test_a_numeral_is_never_put_in_place_of_what_was_heard() -> None:
    resolver = Resolver(["保修三年", "买一送一", "泥沙"])
    assert resolver.repairs("保修山年") == ()
    assert resolver.repairs("保修四年") == ()
    assert [r.phrase for r in resolver.repairs("今天买一送益")] == ["买一送一"]
    assert [r.phrase for r in resolver.repairs("都是尼沙")] == ["泥沙"]
