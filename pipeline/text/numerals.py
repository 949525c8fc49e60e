"""Spoken and written numerals, Mandarin and English, to exact values with their place in the text.

The forms come from how prices, sizes and spans are said on air: 一百二十九, 三九九 (digit by
digit), 一千一百八 (the last unit left out), 九块九, 三五斤 (a range), 百分之八十, "one seventy
nine", "forty-nine ninety-nine". Values are :class:`decimal.Decimal`, never floats. Linear in
the length of the text.
"""

from __future__ import annotations

import re

from pipeline.text.number import Number
from pipeline.text.numerals_en import ENGLISH, read_english
from pipeline.text.numerals_zh import NUMERAL, of_match, with_money, with_softener

__all__ = ["Number", "find_numbers"]

_JOIN_ZH = re.compile(r"\s?(?:到|至|~|～|-|—|–)\s?")
_JOIN_EN = re.compile(r"\s?(?:to|through|-|–|—|~|or|till|and up to)\s", re.I)


def find_numbers(text: str) -> tuple[Number, ...]:
    """All numerals of a text in order, without overlap.

    Idioms that hold a numeral character (一下, 百搭, 二手) are no numbers. ``A到B`` and "A to B"
    become one number with two ends.
    """
    found: list[Number] = []
    at = 0
    while match := NUMERAL.search(text, at):
        at = match.end()
        if match["skip"]:
            continue
        parts = of_match(match, text)
        if parts:
            parts[-1] = with_softener(with_money(parts[-1], text), text)
            at = max(at, parts[-1].end)
        found.extend(parts)
    if any("a" <= c <= "z" or "A" <= c <= "Z" for c in text):
        for match in ENGLISH.finditer(text if text.islower() else text.lower()):
            found.extend(read_english(match, text))
        found.sort()
    return tuple(_joined(found, text))


def _joined(numbers: list[Number], text: str) -> list[Number]:
    out: list[Number] = []
    for number in numbers:
        if out and number.start < out[-1].end:
            continue
        if out and _can_join(out[-1], number, text[out[-1].end : number.start]):
            left = out.pop()
            number = Number(
                left.start,
                number.end,
                left.low,
                number.high,
                text[left.start : number.end],
                number.mark,
                left.approx or number.approx,
            )
        out.append(number)
    return out


def _can_join(left: Number, right: Number, between: str) -> bool:
    if left.is_range or right.is_range or not between or left.low >= right.low:
        return False
    pattern = _JOIN_ZH if between.strip() in ("到", "至", "~", "～", "-", "—", "–") else _JOIN_EN
    return bool(pattern.fullmatch(between))
