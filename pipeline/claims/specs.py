"""Measures inside a longer saying in metric figures: 缩水两个厘米左右 is 缩水2cm左右."""

from __future__ import annotations

import re
from decimal import Decimal

from pipeline.claims.amounts import Found, Setting, plain, shown

_KINDS = ("weight", "volume", "length")
_HALF = re.compile(r"#个#(?=小时|钟头|月|钟|年)")
_METRES = re.compile(r"#米#(?![\u4e00-\u9fff]?[米厘毫公])")
_TENTHS = re.compile(r"#成(?![新色分本功品套人年交熟])(?:半|#)?")
_WORD = re.compile(r"#多?(?:个|来)?")
_NO_UNIT = frozenset({"两", "度", "米饭"})


def spec(found: Found, name: str, setting: Setting) -> str:
    """A group's words with numerals as figures and its measures in metric units."""
    start, end = found.groups[name]
    out, at = list[str](), start
    while at < end:
        piece, at = _piece(found, at, end, setting)
        out.append(piece)
    return "".join(out).replace("#", "").strip(" ,")


def _piece(found: Found, at: int, end: int, setting: Setting) -> tuple[str, int]:
    """What stands at an index, and the index behind it."""
    text, number = found.shape.text, found.shape.numbers.get(at)
    if number is None:
        return text[at], at + 1
    if _HALF.match(text, at, end) and found.shape.numbers[at + 2].text == "半":
        return plain(number.low + Decimal("0.5")), at + 3
    if _METRES.match(text, at, end):
        part = found.shape.numbers[at + 2].low
        return plain(number.low + part.scaleb(-len(plain(part)))) + "m", at + 3
    if tenths := _TENTHS.match(text, at, end):
        unit = found.shape.numbers.get(tenths.end() - 1) if tenths.end() > at + 2 else None
        more = unit.low if unit else Decimal(5 if tenths[0].endswith("半") else 0)
        return plain(number.low * 10 + more) + "%", tenths.end()
    return _measure(found, at, end, setting)


def _measure(found: Found, at: int, end: int, setting: Setting) -> tuple[str, int]:
    number, text = found.shape.numbers[at], found.shape.text
    lead = _WORD.match(text, at, end)
    behind = lead.end() if lead else at + 1
    for kind in _KINDS:
        table = setting.units[kind]
        words = (w for w in table if not w.isascii() and w not in _NO_UNIT)
        unit = max((w for w in words if text.startswith(w, behind, end)), key=len, default="")
        if unit:
            factor, metric = table[unit].split(" ", 1)
            return shown(number, factor=Decimal(factor)) + metric, behind + len(unit)
    return shown(number), at + 1


SPECS = {"spec": spec}
"""Functions of templates."""
