"""Values of sizes and colours said in daily speech."""

from __future__ import annotations

import pytest

from pipeline.claims.amounts import Found, Setting
from pipeline.claims.lengths import area, half_kilos, lengths
from pipeline.claims.shades import shades
from pipeline.claims.shape import shape_of

SETTING = Setting("CNY", None, {})


def _found(text: str) -> Found:
    shape = shape_of(text)
    return Found(shape, {"s": (0, len(shape.text))})


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("两米乘两米三", "200x230cm"),
        ("两米乘两米三，两米二乘两米四", "200x230cm;220x240cm"),
        ("两米乘七十", "200x70cm"),
        ("十一乘九", "11x9cm"),
    ],
)
def test_areas_are_in_centimetres(said: str, value: str) -> None:
    assert area(_found(said), "s", SETTING) == value


def test_each_length_has_its_letter() -> None:
    said = _found("宽一米五，高两米七")
    assert lengths(said, "s", SETTING) == "W:150cm;H:270cm"


@pytest.mark.parametrize(("said", "value"), [("一百三", "65kg"), ("六十公斤", "60kg")])
def test_body_weights_are_in_kilograms(said: str, value: str) -> None:
    assert half_kilos(_found(said), "s", SETTING) == value


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("黑、白、还有个牛油果绿", "黑色;白色;牛油果绿"),
        ("驼的跟烟灰的", "驼色;烟灰"),
        ("黑白灰", "黑色;白色;灰色"),
    ],
)
def test_colours_have_full_names(said: str, value: str) -> None:
    assert shades(_found(said), "s", SETTING) == value
