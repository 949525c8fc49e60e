"""English claims: one way of saying a thing is not the only one, and a trap is no claim."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import NamedTuple

import pytest

from pipeline.claims.detector import RuleDetector
from pipeline.claims.english_days import until
from pipeline.claims.values import Setting

pytestmark = pytest.mark.filterwarnings("error")


class Got(NamedTuple):
    """A claim as the tests compare it."""

    claim_type: str
    quote: str
    value: str
    polarity: str
    hedged: bool


@cache
def detector() -> RuleDetector:
    return RuleDetector.load()


def read(*lines: str, currency: str = "USD") -> list[Got]:
    """The claims of the last line, with the lines before it as context."""
    rules = detector()
    setting = Setting(currency, date(2026, 5, 9), rules.source.units)
    reading = None
    for line in lines:
        reading = rules.read(line, before=reading, setting=setting)
    assert reading is not None
    out = []
    for claim in reading.kept:
        start, end = reading.shape.verbatim(claim.start, claim.end)
        value = claim.value if isinstance(claim.value, str) else ";".join(claim.value or ())
        touch = claim.touch
        out.append(
            Got(claim.rule.rule.type, lines[-1][start:end], value, touch.polarity, touch.hedged)
        )
    return out


def of(kind: str, *lines: str, currency: str = "USD") -> Got:
    found = [g for g in read(*lines, currency=currency) if g.claim_type == kind]
    assert len(found) == 1, read(*lines, currency=currency)
    return found[0]


@pytest.mark.parametrize(
    ("line", "kind", "value"),
    [
        ("Forty-nine ninety-nine, free shipping tonight.", "price", "USD49.99"),
        ("it's $49.90 tonight", "price", "USD49.9"),
        ("A hundred and eighty-nine, and I mean it.", "price", "USD189"),
        ("The candle is eighteen bucks", "price", "USD18"),
        ("You can grab two for fifty-five.", "price", "promo:2_for_USD55"),
        ("Ten off with the code on screen.", "price", "coupon:USD10"),
        ("Every piece carries a two-year warranty.", "warranty", "P2Y"),
        ("It's covered for eighteen months.", "warranty", "P18M"),
        ("Ten years on the frame", "warranty", "P10Y"),
        ("Thirty day returns, no drama.", "returns", "P30D:no_reason"),
        ("returns within 14 days", "returns", "P14D:no_reason"),
        ("Everything ships within 48 hours.", "shipping_time", "PT48H"),
        ("It goes out in two business days.", "shipping_time", "P2D"),
        ("Free shipping over thirty-five.", "freight", "free:min=USD35"),
        ("Twelve ounces a bag.", "net_content", "12oz"),
        ("it's a 250 ml bottle", "net_content", "250mL"),
        ("You get twelve pods per box.", "quantity", "12:pods"),
        ("Twenty inch blade", "size", "blade:20in"),
        ("small to 3XL", "size", "S-3XL"),
        ("It runs small, size up one.", "size", "fit:runs_small"),
        ("sixteen by twenty inches", "size", "16x20in"),
        ("Eighty percent wool, twenty percent cashmere.", "material", "wool:80%;cashmere:20%"),
        ("The sole is natural rubber.", "material", "sole=natural rubber"),
        ("Two colours, fog and ember.", "colour", "fog;ember"),
        ("We throw in a canvas tote.", "gift", "canvas tote x1"),
        ("Knit in Portugal.", "origin", "Portugal:knit"),
        ("The beans are from Ethiopia.", "origin", "beans=Ethiopia"),
        ("OEKO-TEX certified", "certification", "OEKO-TEX"),
        ("IPX7, so the pool is fine", "performance", "waterproof:IPX7"),
        ("You get nine hours on a charge.", "performance", "battery:9h"),
        ("Fine for kids three and up.", "suitability", "age:3Y+"),
        ("It keeps for two weeks in the fridge.", "shelf_life", "P14D"),
        ("They're factory sealed.", "condition", "factory sealed"),
        ("The price holds through Monday.", "price_guarantee", "date:2026-05-11"),
        ("We're the official store.", "authenticity", "brand_direct"),
        ("We hem them free.", "after_sales", "free_hem"),
    ],
)
def test_a_plain_statement_has_its_type_and_normal_form(line: str, kind: str, value: str) -> None:
    got = of(kind, line)
    assert (got.value, got.polarity, got.hedged) == (value, "affirm", False)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("It isn't real leather.", "material"),
        ("Solid oak, not veneer.", None),
        ("No parabens, no sulfates.", None),
        ("It's fragrance-free.", "ingredient"),
        ("It doesn't come with a charger.", "gift"),
        ("No footprint included, you don't need it.", "gift"),
        ("They're not waterproof.", "performance"),
        ("It's not FDA cleared.", "certification"),
        ("I won't tell you it's leather.", "material"),
        ("Earrings are final sale.", "returns"),
        ("It won't cure acne.", "efficacy"),
        ("not recommended for kids under three", "suitability"),
    ],
)
def test_a_denial_is_never_read_as_a_promise(line: str, kind: str | None) -> None:
    got = read(line)
    assert any(g.polarity == "negate" for g in got)
    assert all(
        g.polarity == "negate" for g in got if kind in (None, g.claim_type) and "oak" not in g.quote
    )


@pytest.mark.parametrize(
    "line",
    [
        "It holds about nine ounces.",
        "Maybe six hours on a charge.",
        "The strap is leather, I think.",
        "Roughly ten days to Canada.",
        "It weighs just under two pounds.",
    ],
)
def test_a_softened_statement_is_hedged(line: str) -> None:
    assert [g.hedged for g in read(line)] == [True]


@pytest.mark.parametrize(
    "line",
    [
        "does it come in black",
        "Is it waterproof?",
        "Jess asks is it real leather",
        "They were sixty-nine at launch.",
        "Retail on that is one twenty.",
        "I saw it for sixty at the airport store.",
        "The fancy Swiss one is two eighty.",
        "Most brands use polyester.",
        "If we hit five hundred likes it drops to twenty.",
        "If I ever get a second kiln I'll do dinner plates.",
        "There's like sixty chargers left.",
        "My sister says it's waterproof.",
        "I can't promise it won't fade.",
        "I've been doing this eight years.",
        "I'm normally a thirty and I'm in a twenty-nine.",
        "Just kidding, it's not waterproof.",
        "The blue hammock was a spring item, it's been discontinued.",
    ],
)
def test_traps_are_no_claims(line: str) -> None:
    assert read(line) == []


@pytest.mark.parametrize(
    ("question", "answer", "kind", "polarity"),
    [
        ("is it waterproof", "Nope.", "performance", "negate"),
        ("is it waterproof", "Yep, it is.", "performance", "affirm"),
        (
            "is the glaze food safe",
            "Yes, that is rather the point of a mug.",
            "suitability",
            "affirm",
        ),
        ("is it real leather", "No, it isn't.", "material", "negate"),
        ("is it real leather", "yes it is", "material", "affirm"),
        ("hello", "Is it real leather? It is.", "material", "affirm"),
    ],
)
def test_a_bare_answer_takes_what_was_asked(
    question: str, answer: str, kind: str, polarity: str
) -> None:
    got = of(kind, question, answer)
    assert got.polarity == polarity


def test_within_one_utterance_the_corrected_value_wins() -> None:
    assert (
        of("price", "Sixty-two, sorry, I'm reading the old tag, it's fifty-eight.").value == "USD58"
    )
    assert of("price", "It's forty, scratch that, it's thirty-five.").value == "USD35"


def test_a_slip_about_another_day_leaves_what_was_said_now() -> None:
    got = read("Case is aluminum, I called it sapphire on Monday, my bad, it's not sapphire.")
    assert [(g.value, g.polarity) for g in got] == [("case=aluminum", "affirm")]


def test_spoken_and_written_figures_are_the_same_claim() -> None:
    pairs = [
        ("Thirty-day returns.", "30-day returns."),
        ("Twenty thousand milliamp hours.", "20,000 milliamp hours."),
        ("It's forty-nine ninety.", "It's $49.90."),
        ("a hundred percent linen", "100% linen"),
    ]
    for spoken, written in pairs:
        one, two = read(spoken), read(written)
        assert [(g.claim_type, g.value.rstrip("0")) for g in one] == [
            (g.claim_type, g.value.rstrip("0")) for g in two
        ], spoken
        assert one


def test_a_curly_apostrophe_reads_like_a_straight_one() -> None:
    assert [g[2:] for g in read("It’s not waterproof.")] == [
        g[2:] for g in read("It's not waterproof.")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("through monday", "date:2026-05-11"),
        ("before thanksgiving", "date:2026-11-26"),
        ("the rest of may", "date:2026-05-31"),
        ("until the end of the year", "date:2026-12-31"),
        ("until christmas", "date:2026-12-25"),
        ("till memorial day", "date:2026-05-25"),
        ("before easter", "date:2027-03-28"),
    ],
)
def test_days_to_come(text: str, expected: str) -> None:
    class Said:
        def text(self, name: str) -> str:
            return text

        def numbers(self, name: str) -> list[object]:
            return []

    assert until(Said(), "d", Setting("USD", date(2026, 5, 9), {})) == expected  # type: ignore[arg-type]
