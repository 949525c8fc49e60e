"""A figure said anew takes the place of the wrong one; a condition is kept with what it holds for."""

from __future__ import annotations

import pytest

from pipeline.claims.detector import RuleDetector
from pipeline.claims.run import run
from pipeline.model import Broadcast, Claim, Segment, Transcript

DETECTOR = RuleDetector.load()


def said(*texts: str) -> list[Claim]:
    """The claims of lines said in turn, about the only product on sale."""
    language = "en" if texts[0].isascii() else "zh"
    product = {"sku_id": "A", "link_number": 1, "name": "A"}
    broadcast = Broadcast.model_validate(
        {"broadcast_id": "b", "language": language, "products": [product]}
    )
    lines = [
        Segment(start_ms=n * 4000, end_ms=n * 4000 + 4000, text=t) for n, t in enumerate(texts)
    ]
    heard = Transcript(broadcast_id="b", language=language, segments=tuple(lines))
    found = run(broadcast, transcript=heard, screen=None, detector=DETECTOR, work_key="0" * 64)
    return list(found.claims)


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        (("质保三年", "说错了，是两年"), "warranty", ["P3Y", "P2Y"]),
        (("质保三年", "哦不对，是十八个月"), "warranty", ["P3Y", "P18M"]),
        (("四百毫升", "刚才说错了，是五百毫升"), "net_content", ["400mL", "500mL"]),
        (("The warranty's three years.", "No wait, two."), "warranty", ["P3Y", "P2Y"]),
    ],
)
def test_a_line_that_corrects_the_one_before(texts: tuple[str, ...], kind: str, values: list[str]):
    wrong, right = (c for c in said(*texts) if c.claim_type == kind)
    assert [wrong.value, right.value] == values
    assert (wrong.corrected_by, right.corrects) == (right.claim_id, wrong.claim_id)
    assert right.quote in texts[1]


@pytest.mark.parametrize(
    ("text", "kind", "quote", "value"),
    [
        ("质保三年，说错了，是两年", "warranty", "是两年", "P2Y"),
        ("it's a three-year warranty, sorry, two years", "warranty", "two years", "P2Y"),
        ("The warranty's three years. No wait, two.", "warranty", "two", "P2Y"),
        ("it's 179, I mean 169", "price", "169", "USD169"),
        ("they're cotton, no, sorry, linen", "material", "linen", ("linen",)),
    ],
)
def test_within_a_line_only_the_last_word_is_a_claim(text: str, kind: str, quote: str, value: str):
    (claim,) = (c for c in said(text) if c.claim_type == kind)
    assert (claim.quote, claim.value) == (quote, value)
    assert any(cue.flag == "correction" for cue in claim.cues)


@pytest.mark.parametrize(
    ("text", "quote", "condition"),
    [
        ("前一百单送袜子", "送袜子", "前一百单"),
        ("前50名下单的，送袜子", "送袜子", "前50名下单"),
        ("会员再减十块", "会员再减十块", "会员"),
        ("满五百送行李牌", "送行李牌", "满五百"),
        ("关注主播的送一包茶", "送一包茶", "关注主播"),
        ("first hundred orders get a free pouch", "free pouch", "first hundred orders"),
        ("if you follow us you'll get a free tote", "free tote", "if you follow us"),
        ("spend fifty and shipping's free", "shipping's free", "spend fifty"),
    ],
)
def test_a_condition_is_kept_with_its_words(text: str, quote: str, condition: str):
    (claim,) = said(text)
    assert quote in claim.quote
    assert claim.condition == condition


def test_what_a_thing_is_for_is_no_condition():
    (claim,) = (
        c for c in said("a tote for your gym stuff, pure cotton") if c.claim_type == "material"
    )
    assert claim.condition == ""


@pytest.mark.parametrize(
    ("texts", "polarity"),
    [
        (("is it machine washable?", "yes it is"), "affirm"),
        (("is it machine washable?", "no it isn't"), "negate"),
    ],
)
def test_an_answer_in_a_whole_sentence(texts: tuple[str, str], polarity: str):
    (claim,) = said(*texts)
    assert (claim.quote, claim.polarity) == (texts[1], polarity)


def test_nothing_is_promised_where_everything_is_refused():
    found = [
        (c.value, c.polarity) for c in said("不包邮，新疆西藏不包") if c.claim_type == "freight"
    ]
    assert ("free", "negate") in found
    assert not [f for f in found if f[0] == "free" and f[1] == "affirm"]
