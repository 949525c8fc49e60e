"""Measures inside a longer saying, in metric figures."""

from __future__ import annotations

import pytest

from pipeline.claims.amounts import Found, Setting
from pipeline.claims.functions import FUNCTIONS
from pipeline.claims.rules import RULES_FOLDER, read_rules
from pipeline.claims.shape import shape_of

SETTING = Setting("CNY", None, read_rules(RULES_FOLDER).units)


def _said(function: str, text: str) -> str:
    shape = shape_of(text)
    return FUNCTIONS[function](Found(shape, {"g": (0, len(shape.text))}), "g", SETTING)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("洗一次缩水两个厘米左右", "洗1次缩水2cm左右"),
        ("四个半小时", "4.5小时"),
        ("两米七", "2.7m"),
        ("磨圆率八成以上", "磨圆率80%以上"),
        ("八成半", "85%"),
        ("九成五", "95%"),
        ("五六公斤", "5-6kg"),
        ("两百斤的大哥", "100000g的大哥"),
    ],
)
def test_spec(text: str, value: str) -> None:
    assert _said("spec", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("六角扳手", "六角扳手x1"),
        ("一条三合一充电线", "三合一充电线x1"),
        ("两个拍套跟三个塑料球", "拍套x2;塑料球x3"),
        ("塑料球三个", "塑料球x3"),
        ("礼盒加手提袋", "礼盒x1;手提袋x1"),
        ("一条加绒袜", "加绒袜x1"),
    ],
)
def test_gifts(text: str, value: str) -> None:
    assert _said("gifts", text) == value
