"""The query language: meanings, and errors that show the place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import QueryError
from pipeline.index.amounts import amounts_of, parse_amount
from pipeline.index.nodes import (
    EVERYTHING,
    Amount,
    And,
    Between,
    Keyword,
    Not,
    Or,
    Review,
    Text,
    ValueText,
    broadcast_scope,
    levels,
    widened,
)
from pipeline.index.query import parse
from pipeline.index.segment_read import plan
from pipeline.index.vocabulary import colour_words, vocabulary

A, B, C = Text("a1"), Text("b1"), Text("c1")


@pytest.mark.parametrize(
    ("query", "node"),
    [
        ("", EVERYTHING),
        ("a1 b1", And((A, B))),
        ("a1 AND b1", And((A, B))),
        ("a1 OR b1 c1", Or((A, And((B, C))))),
        ("(a1 OR b1) c1", And((Or((A, B)), C))),
        ("（a1 OR b1） c1", And((Or((A, B)), C))),
        ("NOT a1", Not(A)),
        ("a1 -b1", And((A, Not(B)))),
        ("a1 ， b1", And((A, B))),
        ('"a1 b1"', Text("a1 b1", phrase=True)),
        ("“a1 b1”", Text("a1 b1", phrase=True)),
        ("sku:X1,X2", Keyword("sku_id", ("X1", "X2"))),
        ('host:"a b"', Keyword("host_id", ("a b",))),
        ("类型：保修", Keyword("claim_type", ("warranty",))),
        ("negated:yes", Keyword("polarity", ("negate",))),
        ("review:no", Review(False)),
        ("said:a1", And((Keyword("source", ("speech",)), A))),
        ("shown:*", Keyword("source", ("screen",))),
        ("price<200", Amount("price", "money", "<", 200.0)),
        ("price≤¥199.5", Amount("price", "money", "<=", 199.5)),
        ("warranty>=1y", Amount("warranty", "day", ">=", 365.0)),
        ("保修>=6个月", Amount("warranty", "day", ">=", 180.0)),
        ("net_content>=0.5kg", Amount("net_content", "g", ">=", 500.0)),
        ("price:99", Amount("price", "money", "=", 99.0)),
        ("material:*", Keyword("claim_type", ("material",))),
        ("after:2026-06-05T15:00:00+08:00", Between("wall_utc_ms", 1780642800000, None)),
        ("before:2026-06-05", Between("local_ms", None, 1780617600000)),
        ("after:2026-06-05", Between("local_ms", 1780617600000, None)),
        ("product:a1", ValueText("product", "", ("a1",))),
        ("http://x1", None),
        ("12:30", Text("12:30")),
        ("3-5天", Text("3-5天")),
    ],
)
def test_meanings(query: str, node: object) -> None:
    if node is None:
        assert isinstance(parse(query), Text)
    else:
        assert parse(query) == node


@pytest.mark.parametrize(
    ("query", "position", "word"),
    [
        ("(a1", 0, "never closed"),
        ("a1)", 2, "never opened"),
        ('a1 "b1', 3, "never closed"),
        ("OR", 0, "before OR"),
        ("a1 OR", 5, "before the end"),
        ("NOT", 3, "before the end"),
        ("a1 pricee<3", 3, "did you mean price"),
        ("type:waranty", 5, "warranty"),
        ("price<abc", 6, "not an amount"),
        ("before:tomorrow", 7, "not a day"),
        ("sku:", 4, "no value"),
        ("sku>3", 0, "cannot be compared"),
        ("negated:maybe", 8, "yes or no"),
        ("kind:broadcast", 5, "claim, line or screen"),
        ("？？", 0, "nothing that can be searched"),
        ("a1 " * 400, 1000, "longer"),
        ("a1 " * 70, 192, "more than 64"),
        ("(" * 40 + "a1" + ")" * 23, 20, "nested"),
    ],
)
def test_errors_mark_the_place(query: str, position: int, word: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query)
    assert word in str(caught.value)
    assert caught.value.position == position
    assert caught.value.message.splitlines()[-1].endswith("^")


@given(st.text(max_size=60))
@settings(max_examples=500, deadline=None)
def test_any_text_is_a_query_or_a_query_error(text: str) -> None:
    try:
        node = parse(text)
    except QueryError:
        return
    words = plan(widened(node, level) for level in range(levels(node, near=True))).words
    assert all(word[1:] and " " not in word for word in words)


def test_colours_by_family_and_by_name() -> None:
    assert {"藏青", "navy", "蓝色"} <= set(colour_words("blue"))
    assert {"藏青", "navy"} <= set(colour_words("海军蓝"))
    assert "天蓝" not in colour_words("海军蓝")
    assert colour_words("奇怪的颜色") == ("奇怪的颜色",)
    assert isinstance(parse("colour:blue"), ValueText)


def test_the_vocabulary_names_only_known_fields() -> None:
    for name in vocabulary().fields:
        parse(
            f"{name}:2026-01-01"
            if name in ("之前", "之后")
            else f"{name}:1"
            if vocabulary().fields[name] in ("negated", "review")
            else f"{name}:warranty"
        )


@pytest.mark.parametrize(
    ("kind", "value", "amounts"),
    [
        ("price", ("CNY108",), (("money", 108.0),)),
        ("price", ("promo:2_for_CNY129",), (("money", 129.0),)),
        ("warranty", ("整机=P3Y",), (("day", 1095.0),)),
        ("warranty", ("P6M",), (("day", 180.0),)),
        ("shipping_time", ("PT48H",), (("day", 2.0),)),
        ("net_content", ("500mL",), (("ml", 500.0),)),
        ("net_content", ("2.5kg/袋",), (("g", 2500.0),)),
        ("size", ("L:120cm",), (("mm", 1200.0),)),
        ("material", ("cotton:95%",), (("percent", 95.0),)),
        ("quantity", ("52:颗",), (("number", 52.0),)),
        ("warranty", ("none",), ()),
        ("price", ("9" * 5000,), ()),
    ],
)
def test_amounts(kind: str, value: tuple[str, ...], amounts: tuple[tuple[str, float], ...]) -> None:
    assert amounts_of(kind, value) == amounts


def test_a_duration_is_typed_in_words_or_iso() -> None:
    assert parse_amount("1y", "warranty") == parse_amount("P1Y", "warranty") == ("day", 365.0)
    assert parse_amount("24小时", "shipping_time") == ("day", 1.0)
    assert parse_amount("abc", "price") is None


def test_only_filters_that_speak_of_broadcasts_narrow_the_coverage() -> None:
    node = parse("防水 host:h1 sku:s1 after:2026-01-01 (broadcast:b1 OR broadcast:b2)")
    scope = broadcast_scope(node)
    assert isinstance(scope, And)
    assert len(scope.parts) == 3
    assert broadcast_scope(parse("防水 OR host:h1")) == EVERYTHING
