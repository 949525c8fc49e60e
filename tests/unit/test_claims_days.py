"""Days said in Mandarin become dates, spans stay spans."""

from __future__ import annotations

import datetime as dt

import pytest

from pipeline.claims.amounts import Found, Setting
from pipeline.claims.days import feast, when
from pipeline.claims.rules import RULES_FOLDER, read_rules
from pipeline.claims.shape import shape_of

FRIDAY = dt.date(2026, 11, 27)


def said(text: str, day: dt.date | None = FRIDAY) -> tuple[Found, Setting]:
    shape = shape_of(text)
    units = read_rules(RULES_FOLDER).units
    return Found(shape, {"w": (0, len(shape.text))}), Setting("CNY", day, units)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("明天中午", "PT24H"),
        ("大后天", "P3D"),
        ("第六天", "P6D"),
        ("当晚", "PT24H"),
        ("两天", "P2D"),
        ("半个月", "P15D"),
        ("下礼拜一", "date:2026-11-30"),
        ("周三", "date:2026-12-02"),
        ("周末", "date:2026-11-28"),
        ("月底", "date:2026-11-30"),
        ("下个月十号", "date:2026-12-10"),
        ("二十五号", "date:2026-12-25"),
        ("三月八号", "date:2027-03-08"),
        ("过年", "date:2027-02-06"),
        ("冬至", "date:2026-12-22"),
    ],
)
def test_when(text: str, value: str) -> None:
    found, setting = said(text)
    assert when(found, "w", setting) == value


def test_without_a_clock_the_words_stay() -> None:
    found, setting = said("下礼拜一", day=None)
    assert when(found, "w", setting) == "下礼拜一"


@pytest.mark.parametrize(
    ("text", "value"),
    [("双十一", "2027-11-11"), ("元旦", "2027-01-01"), ("以后", "以后"), ("四十五月", "45月")],
)
def test_feast(text: str, value: str) -> None:
    found, setting = said(text)
    assert feast(found, "w", setting) == value
