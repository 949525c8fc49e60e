"""The answer to an order: verdicts, standing, coverage, ranking, the sentence."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.cases.candidates import Known, candidates
from pipeline.cases.dossier import Bounds, answer
from pipeline.cases.reasons import inquire
from pipeline.cases.run import Material, answer_order
from pipeline.model import (
    CLAIM_TYPES,
    Broadcast,
    Claim,
    ClaimSet,
    ClockMap,
    ClockSpan,
    Gap,
    ListingCheck,
    Order,
    Product,
    Segment,
    Transcript,
    Window,
)

START = datetime(2026, 6, 5, 7, 0, tzinfo=UTC)
BOUNDS = Bounds(viewer_latency_ms=10_000)


def claim(n, claim_type, at_s, *, sku="A", quote="五年联保", **fields):
    return Claim(
        **{
            "claim_id": f"c{n}",
            "broadcast_id": "b",
            "claim_type": claim_type,
            "start_ms": at_s * 1000,
            "end_ms": at_s * 1000 + 2000,
            "quote": quote,
            "value": "P5Y",
            "segment_index": n,
            "char_start": 0,
            "char_end": len(quote),
            "sku_id": sku,
            "rule_id": "r",
        }
        | fields
    )


def order(at_s=200, **fields):
    return Order(
        **{
            "order_id": "O",
            "broadcast_ids": ("b",),
            "sku_id": "A",
            "ordered_at": START + timedelta(seconds=at_s),
            "reason_code": "warranty_refused",
        }
        | fields
    )


def broadcast(**fields):
    products = (Product(sku_id="A", link_number=1), Product(sku_id="B", link_number=2))
    return Broadcast(**{"broadcast_id": "b", "started_at": START, "products": products} | fields)


def transcript(gaps=(), prob_pm=1000):
    segments = tuple(
        Segment(start_ms=t * 1000, end_ms=t * 1000 + 9000, text="……", prob_pm=prob_pm)
        for t in range(0, 300, 10)
        if not any(g.span.holds(t * 1000) for g in gaps)
    )
    return Transcript(broadcast_id="b", segments=segments, gaps=tuple(gaps), duration_ms=300_000)


def clock(uncertainty_ms=1000):
    span = ClockSpan(
        recording_index=0,
        start_ms=0,
        end_ms=300_000,
        media_start_ms=0,
        wall_start_utc_ms=int(START.timestamp()) * 1000,
        source="broadcast",
        uncertainty_ms=uncertainty_ms,
    )
    return ClockMap(spans=(span,), zone_minutes=480)


def ask(an_order, claims=(), *, heard=None, clock_map=None, windows=((10, 150),)):
    made = tuple(
        Window(sku_id="A", start_ms=a * 1000, end_ms=b * 1000, source="schedule", confidence_pm=990)
        for a, b in windows
    )
    return answer(
        an_order,
        broadcast=broadcast(),
        transcript=transcript() if heard is None else heard,
        claims=ClaimSet(broadcast_id="b", claims=tuple(claims), windows=made),
        clock_map=clock_map or clock(),
        bounds=BOUNDS,
    )


# --- verdicts -----------------------------------------------------------------------------


def test_found_opens_at_the_claim_with_time_quote_and_listing():
    check = ListingCheck(agreement="contradicts", field="保修", listed="1年")
    found = ask(order(), [claim(1, "warranty", 74, listing=check)])
    assert found.verdict == "found"
    (moment,) = found.moments
    assert (moment.start_ms, moment.standing) == (74_000, "before")
    assert moment.end_ms - moment.start_ms <= 30_000
    zh, en = found.sentence["zh"], found.sentence["en"]
    for words in ("2026-06-05 15:01:14", "±1 秒", "五年联保", "下单之前", "1年", "不符"):
        assert words in zh
    for words in ("2026-06-05 15:01:14 +0800", "± 1 s", "before the order", "contradicts"):
        assert words in en


def test_a_long_claim_gives_a_moment_of_thirty_seconds_at_most():
    found = ask(order(), [claim(1, "warranty", 70, end_ms=160_000)])
    assert found.moments[0].end_ms == 100_000


def test_not_said_needs_good_coverage():
    found = ask(order(), [claim(1, "colour", 30)])
    assert found.verdict == "not_said"
    assert found.moments == ()
    assert found.coverage.share_pm == 1000
    assert "保修" in found.sentence["zh"]


def test_two_blank_minutes_turn_not_said_into_cannot_say_and_are_named():
    gap = Gap(stage="ingest", start_ms=20_000, end_ms=140_000, reason="no_audio")
    found = ask(order(), heard=transcript([gap]))
    assert found.verdict == "cannot_say"
    assert found.coverage.gaps == (gap,)
    assert found.coverage.listened_ms < 200_000
    assert "120 秒" in found.sentence["zh"]
    assert "15:00:20" in found.sentence["zh"]
    assert "120 s" in found.sentence["en"]


def test_a_blank_before_an_inferred_window_counts():
    gap = Gap(stage="ingest", start_ms=20_000, end_ms=100_000, reason="corrupt")
    found = ask(
        order(reason_code="colour_mismatch"), heard=transcript([gap]), windows=((101, 250),)
    )
    assert found.verdict == "cannot_say"
    assert gap in found.coverage.gaps


def test_a_blank_elsewhere_matters_for_house_rules_only():
    gap = Gap(stage="ingest", start_ms=200_000, end_ms=290_000, reason="no_audio")
    heard = transcript([gap])
    colour = ask(order(reason_code="colour_mismatch"), heard=heard)
    freight = ask(order(reason_code="freight_dispute"), heard=heard)
    assert (colour.verdict, freight.verdict) == ("not_said", "cannot_say")


def test_silence_that_was_listened_to_is_no_gap():
    quiet = Gap(
        stage="transcribe", start_ms=20_000, end_ms=140_000, reason="silence", missing=False
    )
    assert ask(order(), heard=transcript([quiet])).verdict == "not_said"


def test_doubtful_recognition_no_window_and_no_transcript_cannot_say():
    assert ask(order(), heard=transcript(prob_pm=200)).verdict == "cannot_say"
    assert ask(order(), windows=()).verdict == "cannot_say"
    bare = answer(
        order(),
        broadcast=broadcast(),
        transcript=None,
        claims=ClaimSet(broadcast_id="b"),
        clock_map=clock(),
    )
    assert (bare.verdict, bare.coverage.share_pm) == ("cannot_say", 0)


@pytest.mark.parametrize("text", ["快递员态度很差", "地址填错了想改", "wrong address, my mistake"])
def test_complaints_about_nothing_a_host_says(text):
    claims = [claim(n, t, 20 + n) for n, t in enumerate(CLAIM_TYPES)]
    for code in ("other", ""):
        found = ask(order(reason_code=code, reason_text=text), claims)
        assert (found.verdict, found.moments) == ("not_said", ())


def test_unknown_code_falls_back_on_the_words_and_says_so():
    claims = [claim(1, "warranty", 70), claim(2, "colour", 80)]
    found = ask(order(reason_code="W-17", reason_text="坏了不给保修"), claims)
    assert [m.claim_id for m in found.moments] == ["c1"]
    assert any("W-17" in w for w in found.warnings)
    lost = ask(order(reason_code="W-17", reason_text="嗯嗯"), claims)
    assert lost.verdict == "cannot_say"


def test_an_order_without_any_reason_gets_everything_about_its_sku():
    claims = [claim(1, "warranty", 70), claim(2, "colour", 80), claim(3, "colour", 90, sku="B")]
    found = ask(order(reason_code=""), claims)
    assert {m.claim_id for m in found.moments} == {"c1", "c2"}


# --- standing -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ordered_s", "uncertainty_ms", "standing"),
    [
        (84 + 3, 1000, "before"),  # ends 76 s, ±1 s, 10 s late at most
        (86, 1000, "cannot_tell"),
        (73, 1000, "cannot_tell"),  # the order may lie anywhere in its second
        (71, 1000, "after"),
        (71, 3000, "cannot_tell"),
        (87, 2000, "cannot_tell"),
    ],
)
def test_before_after_and_cannot_tell(ordered_s, uncertainty_ms, standing):
    found = ask(order(ordered_s), [claim(1, "warranty", 74)], clock_map=clock(uncertainty_ms))
    assert found.moments[0].standing == standing


def test_without_a_wall_clock_nothing_can_be_told_and_media_time_is_shown():
    found = ask(order(), [claim(1, "warranty", 74)], clock_map=ClockMap())
    assert found.moments[0].standing == "cannot_tell"
    assert found.moments[0].wall_utc_ms is None
    assert "0:01:14" in found.sentence["zh"]


# --- ranking ------------------------------------------------------------------------------


def test_the_buyers_number_and_part_decide_the_order():
    claims = [
        claim(1, "performance", 20, quote="续航七小时", value="battery:7h"),
        claim(2, "performance", 30, quote="防水指数一万", value="waterproof:10000mm"),
        claim(3, "performance", 40, quote="脱水七十二分贝", value="noise:72dB"),
    ]
    wet = ask(order(reason_code="performance_mismatch", reason_text="淋雨全湿了"), claims)
    loud = ask(order(reason_code="performance_mismatch", reason_text="说是72，骗人"), claims)
    assert wet.moments[0].claim_id == "c2"
    assert loud.moments[0].claim_id == "c3"
    assert any("72" in r for r in loud.moments[0].reasons)


def test_parts_match_across_languages():
    claims = [
        claim(1, "gift", 20, quote="a carabiner", value=("carabiner x1",)),
        claim(2, "gift", 30, quote="Second strap in the box", value=("strap x1",)),
    ]
    found = ask(order(reason_code="gift_not_sent", reason_text="盒子里只有一条表带"), claims)
    assert found.moments[0].claim_id == "c2"


def test_denials_rank_like_promises_and_corrections_before_what_they_correct():
    claims = [
        claim(1, "warranty", 20, corrected_by="c2"),
        claim(2, "warranty", 60, corrects="c1"),
        claim(3, "warranty", 40, polarity="negate"),
        claim(4, "warranty", 50, sku=None, quote="全场一年"),
    ]
    found = ask(order(), claims)
    assert [m.claim_id for m in found.moments] == ["c2", "c1", "c3", "c4"]
    assert {m.score for m in found.moments if m.claim_id in ("c1", "c3")} == {1040}


def test_side_types_only_where_the_words_point_at_them():
    claims = [claim(1, "style", 20, quote="fully taped seams", value="taped seams")]
    plain = ask(order(reason_code="performance_mismatch", reason_text="不好用"), claims)
    pointed = ask(order(reason_code="performance_mismatch", reason_text="说是压胶的"), claims)
    assert (plain.verdict, pointed.verdict) == ("not_said", "found")


def test_other_products_and_unplaced_claims_stay_out():
    claims = [
        claim(1, "warranty", 20, sku="B"),
        claim(2, "warranty", 30, sku=None, review_reasons=("unsure_sku",), needs_review=True),
    ]
    assert ask(order(), claims).moments == ()


def test_both_languages_give_the_same_types():
    for zh, en in (
        ("运费让我自己出", "they charged me a shipping fee"),
        ("收到的是假货", "this is counterfeit"),
        ("少发了一件", "I only got one"),
        ("过敏了", "allergic reaction"),
        ("生产日期太旧", "past its expiry date"),
        ("没有证书", "no certificate"),
    ):
        assert inquire("", zh).first == inquire("", en).first != ()


# --- which broadcast ----------------------------------------------------------------------


def known(broadcast_id, *, hours=0, host="h", sku="A", windows=()):
    made = broadcast(
        broadcast_id=broadcast_id,
        host_id=host,
        started_at=START + timedelta(hours=hours),
        products=(Product(sku_id=sku),),
    )
    return Known(made, 3_600_000, windows)


def test_candidates_by_sku_host_and_time():
    an_order = order(1800, broadcast_ids=(), host_id="h")
    shown = Window(sku_id="A", start_ms=0, end_ms=60_000, source="inferred", confidence_pm=900)
    found = candidates(
        an_order,
        [
            known("other-sku", sku="Z"),
            known("later", hours=2),
            known("earlier", hours=-3),
            known("too-early", hours=-30),
            known("live", windows=(shown,)),
            known("live-other-host", host="x"),
        ],
        lookback_ms=6 * 3_600_000,
    )
    assert found[0].broadcast_id == "live"
    assert {c.broadcast_id for c in found} == {"live", "earlier", "live-other-host"}
    assert "same host" in found[0].reasons
    listed = order(1800, broadcast_ids=("earlier", "other-sku"))
    chosen = candidates(listed, [known("earlier", hours=-3), known("live")], lookback_ms=1)
    assert [c.broadcast_id for c in chosen] == ["earlier"]


def test_answer_order_chooses_warns_and_says_when_there_is_none():
    claims = ClaimSet(broadcast_id="b", claims=(claim(1, "warranty", 74),))
    material = Material(broadcast(), transcript(), claims, clock())

    def ask_with(an_order, all_known):
        return answer_order(
            an_order,
            material=lambda i: material if i in ("b", "c") else None,
            known=lambda: all_known,
            bounds=BOUNDS,
            lookback_ms=3_600_000,
        )

    assert ask_with(order(), ()).verdict == "found"
    twins = ask_with(order(broadcast_ids=()), (known("b"), known("c")))
    assert [c.broadcast_id for c in twins.candidates] == ["b", "c"]
    assert any("as likely" in w for w in twins.warnings)
    none = ask_with(order(broadcast_ids=()), ())
    assert (none.verdict, none.broadcast_id) == ("cannot_say", "")
    missing = ask_with(order(broadcast_ids=("gone",)), ())
    assert missing.verdict == "cannot_say"
    assert "gone" in missing.warnings[0]


def test_the_claim_rules_read_words_the_lexicon_does_not_know():
    words = "茶叶说发两饼结果短斤少了"
    asked = []

    def read(text):
        asked.append(text)
        return ("quantity",)

    assert "quantity" in inquire("", words, read=read).first
    assert inquire("warranty_refused", words, read=read).first == ("warranty",)
    assert asked == [words], "a known code decides alone"
    found = answer(
        order(reason_code="", reason_text="嗯嗯"),
        broadcast=broadcast(),
        transcript=transcript(),
        claims=ClaimSet(broadcast_id="b", claims=(claim(1, "warranty", 74),)),
        clock_map=clock(),
        read=lambda _: ("warranty",),
    )
    assert found.verdict == "found"


def test_words_that_name_no_reason_still_find_the_claim_they_repeat():
    claims = [
        claim(1, "gift", 20, quote="we throw in a carabiner", value=("carabiner x1",)),
        claim(2, "material", 30, quote="鸡翅木的", value=("鸡翅木",)),
        claim(3, "colour", 40, quote="黑色", value=("黑色",)),
    ]
    english = ask(order(reason_code="", reason_text="where's that carabiner"), claims)
    chinese = ask(order(reason_code="", reason_text="筷子根本不是鸡翅木"), claims)
    assert [m.claim_id for m in english.moments] == ["c1"]
    assert [m.claim_id for m in chinese.moments] == ["c2"]
