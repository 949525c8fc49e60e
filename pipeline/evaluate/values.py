"""Whether two values say the same, as strictly as each claim type allows."""

from __future__ import annotations

import re
import unicodedata

CLOSED = frozenset(
    {
        "price",
        "warranty",
        "returns",
        "shipping_time",
        "net_content",
        "quantity",
        "price_guarantee",
        "size",
    }
)
"""Types whose numbers with units decide."""
NAMED = frozenset(
    {
        "colour",
        "material",
        "ingredient",
        "gift",
        "origin",
        "certification",
        "freight",
        "authenticity",
        "shelf_life",
    }
)
"""Types whose names decide, and numbers where both give them."""

_UNITS = {
    "kg": ("g", 1000),
    "g": ("g", 1),
    "l": ("ml", 1000),
    "ml": ("ml", 1),
    "m": ("mm", 1000),
    "cm": ("mm", 10),
    "mm": ("mm", 1),
}
_DURATION = re.compile(r"P(?=[\dT])(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
_MEASURE = re.compile(
    r"(CNY|USD|EUR)?\s*(\d+(?:\.\d+)?)\s*(?:(kg|g|ml|l|cm|mm|m)(?![a-z]))?", re.IGNORECASE
)
_NOT_NAMES = re.compile(r"P[\dT][\dYMDTH]*|(CNY|USD|EUR)|x\d+|\d+(\.\d+)?%?")
_BETWEEN = re.compile(r"[\s,;:/=+|、，x*<>-]+")
_HOURS = (8760.0, 730.0, 24.0, 1.0, 1 / 60)

Measure = tuple[str, float]


def _plain(value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return unicodedata.normalize("NFKC", text)


def measures(value: object) -> list[Measure]:
    """Numbers in base units: hours, money by currency, g, ml, mm, bare numbers."""
    found: list[Measure] = []

    def duration(match: re.Match[str]) -> str:
        parts = (float(part or 0) for part in match.groups())
        hours = sum(p * h for p, h in zip(parts, _HOURS, strict=True))
        found.append(("h", round(hours, 2)))
        return " "

    rest = _DURATION.sub(duration, _plain(value)).replace(",", " ")
    for currency, number, unit in _MEASURE.findall(rest):
        kind, factor = (currency.upper(), 1) if currency else _UNITS.get(unit.lower(), ("n", 1))
        found.append((kind, round(float(number) * factor, 4)))
    return sorted(found)


def names(value: object) -> set[str]:
    """The words of a value without its numbers and units."""
    text = _NOT_NAMES.sub(" ", _plain(value)).lower()
    return {word for word in _BETWEEN.split(text) if word and word not in _UNITS}


def alike(a: set[str], b: set[str]) -> bool:
    """Whether two sets of words share one, or one's word holds the other's."""
    if a & b or (not a and not b):
        return True
    return any(x in y or y in x for x in a for y in b if min(len(x), len(y)) >= 2)


def same_value(kind: str, gold: object, got: object) -> bool | None:
    """Whether a value is right; None where the label's wording is one annotator's choice."""
    empty = got in (None, "", []) or got == ()
    a, b = measures(gold), [] if empty else measures(got)
    if kind not in CLOSED | NAMED:
        return {v for _, v in a} <= {v for _, v in b} if a else None
    if empty:
        return False
    if kind in CLOSED:
        return a == b if a or b else alike(names(gold), names(got))
    return alike(names(gold), names(got)) and (not a or not b or a == b)
