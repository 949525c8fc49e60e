"""Spoken numerals: values, places, ranges, and what is no number."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.numerals import find_numbers


def values(text: str) -> list[str]:
    return [f"{n.low}" if not n.is_range else f"{n.low}-{n.high}" for n in find_numbers(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("一百二十九", ["129"]),
        ("三九九", ["399"]),
        ("二三九", ["239"]),
        ("一千一百八", ["1180"]),
        ("五千三百八十八", ["5388"]),
        ("九块九", ["9.9"]),
        ("九十九块九", ["99.9"]),
        ("百分之八十", ["80"]),
        ("八折", ["8"]),
        ("八五折", ["85"]),
        ("半斤", ["0.5"]),
        ("两斤", ["2"]),
        ("三五斤", ["3-5"]),
        ("两三天", ["2-3"]),
        ("十七八个", ["17-18"]),
        ("三四十", ["30-40"]),
        ("零点二", ["0.2"]),
        ("一七九九", ["1799"]),
        ("一五九一件", ["159", "1"]),
        ("二零二一年", ["2021"]),
        ("十五点六寸", ["15.6"]),
        ("一万二", ["12000"]),
        ("一千零九十九", ["1099"]),
        ("二十五万三", ["253000"]),
        ("一百四到一百六", ["140-160"]),
        ("一千一百八一克", ["1180", "1"]),
        ("三十九块九一斤", ["39.9", "1"]),
        ("三两", ["3"]),
        ("28-40", ["28-40"]),
        ("1.2万", ["12000"]),
        ("24h", ["24"]),
        ("one seventy nine", ["179"]),
        ("two forty nine", ["249"]),
        ("a hundred and twenty", ["120"]),
        ("eight thousand", ["8000"]),
        ("two and a half", ["2.5"]),
        ("forty-nine ninety-nine", ["49.99"]),
        ("one oh five", ["105"]),
        ("one forty to two ten", ["140-210"]),
        ("Twenty-nine ninety-nine, two for fifty", ["29.99", "2", "50"]),
        ("a dozen", ["12"]),
        ("two point five liters", ["2.5"]),
    ],
)
def test_value(text: str, expected: list[str]) -> None:
    assert values(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "一下",
        "一样",
        "有一点点透",
        "万一",
        "百搭",
        "二手",
        "一物一证",
        "千万别",
        "this one",
        "someone",
    ],
)
def test_idioms_are_no_numbers(text: str) -> None:
    assert find_numbers(text) == ()


def test_percent_money_and_more_are_marked() -> None:
    assert find_numbers("百分之十五")[0].mark == "%"
    assert find_numbers("ninety percent")[0].mark == "%"
    assert find_numbers("九块九")[0].mark == "块"
    assert find_numbers("两千多单")[0].approx
    assert not find_numbers("两千单")[0].approx


@given(
    st.text(
        alphabet="零一二两三四五六七八九十百千万亿点半块元斤.,%0123456789 aonetwhudrfy-到至",
        max_size=40,
    )
)
def test_spans_are_exact_ordered_and_values_decimal(text: str) -> None:
    last = 0
    for number in find_numbers(text):
        assert number.start >= last
        assert text[number.start : number.end] == number.text
        assert number.text
        assert isinstance(number.low, Decimal)
        assert number.low <= number.high
        last = number.end


@given(st.integers(min_value=1, max_value=99_999_999))
def test_figures_are_read_as_written(value: int) -> None:
    assert [n.low for n in find_numbers(f"共{value}元")] == [Decimal(value)]
