"""The detector on short talks: traps, negation scope, corrections, spans, screen lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.claims.detector import RuleDetector
from pipeline.claims.run import lines_of, run
from pipeline.model import (
    Box,
    Broadcast,
    Claim,
    ClaimSet,
    Product,
    Screen,
    ScreenLine,
    Segment,
    Transcript,
)

DETECTOR = RuleDetector.load()
LISTING = {"price": "129", "warranty": "2年", "colour": "黑,白"}
BROADCAST = Broadcast.model_validate(
    {
        "broadcast_id": "b1",
        "language": "zh",
        "started_at": "2026-06-05T15:00:00+08:00",
        "products": [
            {
                "sku_id": "A",
                "link_number": 1,
                "name": "云朵羽绒被",
                "aliases": ["羽绒被"],
                "listing": LISTING,
            }
        ],
        "product_schedule": [{"sku_id": "A", "start_ms": 0, "end_ms": 3_600_000}],
    }
)


def said(*texts: str, screen: Screen | None = None, probs: tuple[int, ...] = ()) -> ClaimSet:
    segments = tuple(
        Segment(
            start_ms=n * 4000,
            end_ms=n * 4000 + 4000,
            text=t,
            char_prob_pm=tuple([probs[n]] * len(t)) if probs else (),
        )
        for n, t in enumerate(texts)
    )
    transcript = Transcript(broadcast_id="b1", language="zh", segments=segments)
    return run(
        BROADCAST, transcript=transcript, screen=screen, detector=DETECTOR, work_key="0" * 64
    )


def only(claims: ClaimSet, kind: str) -> list[Claim]:
    return [c for c in claims.claims if c.claim_type == kind]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("今天一百二十九，包邮", "price", "CNY129"),
        ("超市一百二我们今天六十九", "price", "CNY69"),
        ("六十九块九，两盒一百二十九", "price", "CNY69.9"),
        ("买二送一", "price", "promo:buy2_get1"),
        ("满三百减四十", "price", "promo:CNY300-CNY40"),
        ("领二十块的券", "price", "coupon:CNY20"),
        ("质保两年", "warranty", "P2Y"),
        ("电机十年", "warranty", "电机=P10Y"),
        ("七天无理由", "returns", "P7D:no_reason"),
        ("四十八小时内发货", "shipping_time", "PT48H"),
        ("预售二十天", "shipping_time", "P20D:presale"),
        ("二十号之前全发走", "shipping_time", "date:2026-06-20"),
        ("全场价保三十天", "price_guarantee", "P30D:refund_diff"),
        ("保质期十八个月", "shelf_life", "P18M"),
        ("八月的批次", "shelf_life", "mfg:2025-08"),
        ("每包二十五克", "net_content", "25g/包"),
        ("净重四斤半", "net_content", "2250g"),
        ("假一赔十", "authenticity", "fake_x10"),
        ("九五新", "condition", "95新"),
        ("新疆西藏不包邮，别的地方包", "freight", "free:except=新疆,西藏"),
    ],
)
def test_value(text: str, kind: str, value: str) -> None:
    assert value in [c.value for c in only(said(text), kind)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("颜色有银色和香槟金两种", "colour", ("银色", "香槟金")),
        ("棉六十五，聚酯三十二，氨纶三", "material", ("棉:65%", "聚酯纤维:32%", "氨纶:3%")),
        ("码数S到3XL", "size", ("S-3XL",)),
        ("再带一个防尘罩一个行李牌", "gift", ("防尘罩x1", "行李牌x1")),
    ],
)
def test_list_value(text: str, kind: str, value: tuple[str, ...]) -> None:
    assert [c.value for c in only(said(text), kind)] == [value]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("不含酒精", "ingredient"),
        ("不是纯棉", "material"),
        ("不防水", "performance"),
        ("三号链接的保温杯不含塑料", "material"),
        ("拆了不退", "returns"),
        ("没有保修", "warranty"),
        ("盒子不送", "gift"),
        ("三岁以下别用", "suitability"),
        ("治不了失眠", "efficacy"),
    ],
)
def test_denied(text: str, kind: str) -> None:
    assert [c.polarity for c in only(said(text), kind)] == ["negate"]


def test_negation_is_local() -> None:
    found = only(said("是二层牛皮，不是头层"), "material")
    assert [(c.value, c.polarity) for c in found] == [
        (("二层牛皮",), "affirm"),
        (("头层牛皮",), "negate"),
    ]


def test_hedges_are_kept_with_their_words() -> None:
    (claim,) = only(said("净重四点八公斤上下"), "net_content")
    assert claim.hedged
    assert "上下" in claim.quote
    assert any(c.flag == "hedge" and c.words == "上下" for c in claim.cues)


@pytest.mark.parametrize(
    "text",
    [
        "是纯棉的吗",
        "豆豆问，是不是真皮的",
        "超市里卖一百二十八",
        "某国际大牌要七千八",
        "还剩一百二十个",
        "我身高一米五八",
        "点点红心，红心点到八万发红包",
        "要是超过一万单，我送一辆车",
        "我觉得九十九很划算，哈哈",
        "我不是说它防水啊",
    ],
)
def test_no_claim(text: str) -> None:
    assert said(text).claims == ()


def test_a_bare_no_takes_its_value_from_the_question() -> None:
    claims = said("有酒精吗", "没有，放心用")
    (claim,) = only(claims, "ingredient")
    assert (claim.quote, claim.polarity, claim.value) == ("没有", "negate", ("酒精",))


def test_within_an_utterance_the_last_word_counts() -> None:
    claims = said("一百一十八，哦错了错了，今天一百零八")
    assert [c.value for c in only(claims, "price")] == ["CNY108"]


def test_a_later_correction_is_linked_and_both_stay() -> None:
    claims = said("到手价一百八十九", "好的好的", "说错了，到手价一百六十九")
    first, second = only(claims, "price")
    assert second.corrects == first.claim_id
    assert first.corrected_by == second.claim_id


def test_a_refusal_takes_the_window_of_the_product() -> None:
    claims = only(said("十五天包退", "刻了字的就不能退了"), "returns")
    assert [c.value for c in claims][1].startswith("P15D")


def test_doubtful_words_go_to_review() -> None:
    assert all(c.needs_review for c in said("质保两年", probs=(300,)).claims)
    assert "doubtful_recognition" in said("质保两年", probs=(300,)).claims[0].review_reasons


def test_phrases_are_found_by_sound_and_the_heard_text_stays() -> None:
    (claim,) = only(said("全国宝邮", probs=(900,)), "freight")
    assert claim.quote == "全国宝邮"
    assert claim.resolved == "全国包邮"
    assert "宝邮" in claim.resolved_reason
    assert "resolved_by_sound" in claim.review_reasons


def test_a_given_transcript_is_not_resolved() -> None:
    assert only(said("全国宝邮"), "freight") == []


def test_listing_is_compared_and_quoted() -> None:
    (agrees,) = only(said("质保两年"), "warranty")
    (against,) = only(said("质保三年"), "warranty")
    assert agrees.listing is not None
    assert agrees.listing.agreement == "agrees"
    assert against.listing is not None
    assert (against.listing.agreement, against.listing.listed) == ("contradicts", "2年")


def test_the_listing_neither_hears_nor_places() -> None:
    """What is heard and placed is the same whatever the listing says."""
    other = BROADCAST.model_copy(
        update={"products": (BROADCAST.products[0].model_copy(update={"listing": {}}),)}
    )
    transcript = Transcript(
        broadcast_id="b1",
        segments=(Segment(start_ms=0, end_ms=4000, text="质保三年，今天九十九，颜色有红色和黑色"),),
    )
    bare = {"listing"}
    one = run(BROADCAST, transcript=transcript, screen=None, detector=DETECTOR, work_key="0" * 64)
    two = run(other, transcript=transcript, screen=None, detector=DETECTOR, work_key="0" * 64)
    assert [c.model_dump(exclude=bare) for c in one.claims] == [
        c.model_dump(exclude=bare) for c in two.claims
    ]


def _screen(*lines: tuple[str, str]) -> Screen:
    box = Box(x_px=1, y_px=2, w_px=3, h_px=4)
    return Screen(
        broadcast_id="b1",
        lines=tuple(
            ScreenLine(
                start_ms=0, end_ms=20_000, text=t, box=box, confidence_pm=990, role=r, keyframe=0
            )  # type: ignore[arg-type]
            for t, r in lines
        ),
    )


def test_screen_claims_have_a_box_and_confirm_speech() -> None:
    screen = _screen(("¥129", "card"), ("质保三年", "card"), ("¥88", "comment"))
    claims = said("今天一百二十九", "质保两年", screen=screen)
    seen = [c for c in claims.claims if c.source == "screen"]
    assert {c.value for c in seen} == {"CNY129", "P3Y"}
    assert all(c.box is not None for c in seen)
    price = next(c for c in only(claims, "price") if c.source == "speech")
    assert price.corroborated_by
    spoken = next(c for c in only(claims, "warranty") if c.source == "speech")
    assert "screen_differs" in spoken.review_reasons


def test_ids_are_unique_and_start_with_the_broadcast() -> None:
    claims = said("今天一百二十九，质保两年，包邮").claims
    assert len({c.claim_id for c in claims}) == len(claims) == 3
    assert all(c.claim_id.split("-")[1] == "0" * 12 for c in claims)


def test_lines_leave_out_comments_and_clocks() -> None:
    screen = _screen(("一", "card"), ("二", "comment"), ("三", "clock"))
    assert [line.text for line in lines_of(None, screen)] == ["一"]


def test_the_digest_changes_with_a_rule(tmp_path: Path) -> None:
    from pipeline.claims.rules import RULES_FOLDER

    for path in RULES_FOLDER.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    same = RuleDetector.load(tmp_path)
    assert same.digest == DETECTOR.digest
    target = tmp_path / "any.toml"
    target.write_text(target.read_text(encoding="utf-8") + "\n# x\n", encoding="utf-8")
    assert RuleDetector.load(tmp_path).digest != DETECTOR.digest


WORDS = st.sampled_from(
    [
        "不是",
        "没有",
        "一百二十九",
        "块",
        "半",
        "质保",
        "年",
        "天",
        "退",
        "送",
        "一个",
        "颜色",
        "黑",
        "白",
        "吗",
        ",",
        "，",
        "。",
        "?",
        "大概",
        "左右",
        "棉",
        "百分之",
        "克",
        "每包",
        "错了",
        "价保",
        "假一赔十",
        "#",
        "①",
        "ﷺ",
        "\u200b",
        "發",
        "貨",
        "½",
        "IPX",
        "seven",
        "percent",
        "cotton",
        "no",
        "about",
        "two",
        "for",
        "fifty",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.one_of(st.text(max_size=12), st.lists(WORDS, max_size=9).map("".join)), max_size=5)
)
def test_never_raises_and_quotes_exactly(texts: list[str]) -> None:
    for claim in said(*texts).claims:
        text = texts[claim.segment_index]
        assert claim.quote
        assert text[claim.char_start : claim.char_end] == claim.quote
        assert claim.value
        assert claim.end_ms > claim.start_ms


_ = Product
