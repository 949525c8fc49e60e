"""Lengths said in several ways (两米乘两米三, 宽一米五高两米七), all in centimetres."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise

from pipeline.claims.amounts import Found, Setting, plain, shown

_METRES = re.compile(r"#米(#)?")
_UNITS = {"毫米": Decimal("0.1"), "mm": Decimal("0.1"), "分米": Decimal(10)}
_LETTERS = {"高": "H", "宽": "W", "长": "L", "厚": "D", "深": "D", "直": "直径"}
_PARTS = re.compile(r"[,、和跟及]|还有")


def _lengths(found: Found, start: int, end: int) -> list[tuple[int, str]]:
    """Index and centimetres of each length; 米 with what follows it is one length."""
    text, numbers, out, at = found.shape.text, found.shape.numbers, list[tuple[int, str]](), start
    while at < end:
        if at not in numbers:
            at += 1
            continue
        number, metres = numbers[at], _METRES.match(text, at, end)
        if metres:
            low = number.low
            if metres[1] and (part := numbers.get(at + 2)) is not None:
                low += part.low.scaleb(-len(plain(part.low)))
            out.append((at, plain(low * 100)))
            at = metres.end()
            continue
        unit = next((u for u in _UNITS if text.startswith(u, at + 1)), "")
        out.append((at, shown(number, factor=_UNITS.get(unit, Decimal(1)))))
        at += 1
    return out


def area(found: Found, name: str, _: Setting) -> str:
    """两米乘两米三 is ``200x230cm``; several areas are separated by ``;``."""
    start, end = found.groups[name]
    text = found.shape.text
    cuts = [start, *(m.end() for m in _PARTS.finditer(text, start, end)), end]
    sides = ([v for _, v in _lengths(found, a, b)] for a, b in pairwise(cuts))
    whole = [side for side in sides if side]
    small = any(len(side) > 1 and _bare_metres(side) for side in whole)
    return ";".join("x".join(_scaled(side, small)) + "cm" for side in whole)


def _bare_metres(side: list[str]) -> bool:
    """Whether a bare side (两米乘七十, 两米二乘二米) is metres said without 米."""
    return False if not side else all(v in ("1", "2", "3") for v in side)


def _scaled(side: list[str], small: bool) -> list[str]:
    return [plain(Decimal(v) * 100) for v in side] if small else side


def lengths(found: Found, name: str, _: Setting) -> str:
    """高六十六宽四十五: each with its letter, in centimetres."""
    start, end = found.groups[name]
    text, out = found.shape.text, []
    for at, value in _lengths(found, start, end):
        letter = next((_LETTERS[c] for c in reversed(text[start:at]) if c in _LETTERS), "L")
        out.append(f"{letter}:{value}cm")
    return ";".join(out)


def half_kilos(found: Found, name: str, _: Setting) -> str:
    """A body weight said in 斤 (一百三) in kilograms; 公斤 stays."""
    numbers = found.numbers(name)
    if not numbers:
        return ""
    return f"{shown(numbers[0], factor=Decimal(1) if '公斤' in found.text(name) else Decimal('0.5'))}kg"


LENGTHS = {"area": area, "lengths": lengths, "half_kilos": half_kilos}
"""Functions of templates."""
