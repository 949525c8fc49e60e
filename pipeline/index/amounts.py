"""Numbers with units in claim values and in queries, on one scale per unit.

Units: ``money`` (in whatever currency the claim names), ``day`` (durations; a month
counts 30 days and a year 365, good enough to compare promises), ``g``, ``ml``, ``mm``,
``percent``, ``number``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

UNITS = ("money", "day", "g", "ml", "mm", "percent", "number")
DEFAULT_UNIT = {"price": "money", "quantity": "number", "price_guarantee": "day"}
"""Unit meant when a query gives a bare number for a type."""
MONEY_TYPES = frozenset({"price", "price_guarantee", "freight", "after_sales"})
_MOST = 16

_DURATION = re.compile(
    r"P(?=[\dT])(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
_DURATION_DAYS = (365.0, 30.0, 7.0, 1.0, 1 / 24, 1 / 1440, 1 / 86400)
_MONEY = re.compile(r"(?:[A-Z]{3}|[¥￥$£€])\s?(\d+(?:\.\d+)?)")
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([^\W\d_]+|%)?")
_SCALES: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("元", "块", "yuan", "rmb", "usd", "cny", "dollars", "dollar"), ("money", 1.0)),
    **dict.fromkeys(("y", "yr", "year", "years", "年"), ("day", 365.0)),
    **dict.fromkeys(("mo", "month", "months", "个月", "月"), ("day", 30.0)),
    **dict.fromkeys(("w", "week", "weeks", "周"), ("day", 7.0)),
    **dict.fromkeys(("d", "day", "days", "天", "日"), ("day", 1.0)),
    **dict.fromkeys(("h", "hour", "hours", "小时"), ("day", 1 / 24)),
    **dict.fromkeys(("g", "克"), ("g", 1.0)),
    **dict.fromkeys(("kg", "公斤", "千克"), ("g", 1000.0)),
    **dict.fromkeys(("斤",), ("g", 500.0)),
    **dict.fromkeys(("mg", "毫克"), ("g", 0.001)),
    **dict.fromkeys(("oz",), ("g", 28.349523125)),
    **dict.fromkeys(("lb", "lbs"), ("g", 453.59237)),
    **dict.fromkeys(("ml", "毫升"), ("ml", 1.0)),
    **dict.fromkeys(("l", "升"), ("ml", 1000.0)),
    **dict.fromkeys(("mm", "毫米"), ("mm", 1.0)),
    **dict.fromkeys(("cm", "厘米"), ("mm", 10.0)),
    **dict.fromkeys(("m", "米"), ("mm", 1000.0)),
    **dict.fromkeys(("in", "inch", "inches", "寸", "英寸"), ("mm", 25.4)),
    **dict.fromkeys(("ft",), ("mm", 304.8)),
    "%": ("percent", 1.0),
}


def amounts_of(claim_type: str, value: Iterable[str]) -> tuple[tuple[str, float], ...]:
    """All ``(unit, number)`` pairs of a claim's value, without repetition, at most 16."""
    found = [pair for part in value for pair in _amounts(part)]
    if claim_type in MONEY_TYPES:
        money = [pair for pair in found if pair[0] == "money"]
        found = money + [pair for pair in found if pair[0] not in ("money", "number")]
    return tuple(dict.fromkeys(found))[:_MOST]


def parse_amount(text: str, claim_type: str) -> tuple[str, float] | None:
    """``(unit, number)`` of what a person typed (``1y``, ``500ml``, ``¥199``); None if none."""
    found = _amounts(text.strip())
    if not found or not re.fullmatch(r"[^\d]{0,4}\d[\d.]*\s*[^\W\d_]*%?|P\w+", text.strip()):
        return None
    unit, number = found[0]
    return (DEFAULT_UNIT.get(claim_type, unit), number) if unit == "number" else (unit, number)


def _amounts(text: str) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []

    def duration(match: re.Match[str]) -> str:
        parts = zip(match.groups(), _DURATION_DAYS, strict=True)
        days = sum(float(part) * scale for part, scale in parts if part)
        if not any(match.groups()):
            return match.group()
        found.append(("day", round(days, 6)))
        return " "

    def money(match: re.Match[str]) -> str:
        found.append(("money", float(match.group(1))))
        return " "

    rest = _MONEY.sub(money, _DURATION.sub(duration, text[:400]))
    for number, unit in _NUMBER.findall(rest):
        name, scale = _SCALES.get(unit.lower(), ("number", 1.0))
        found.append((name, round(float(number[:15]) * scale, 6)))
    return found
