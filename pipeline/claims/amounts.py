"""Amounts of a match in normal form: units to metric, money, ISO 8601 durations, dates."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from pipeline.claims.shape import Shape
from pipeline.text.numerals import Number


class Setting(NamedTuple):
    """What a value may depend on beside the words."""

    currency: str
    """ISO 4217."""
    day: date | None
    """The broadcast's day in its own zone; None without a wall clock."""
    units: dict[str, dict[str, str]]
    """Kind to word to ``"<factor> <unit>"``."""


class Found(NamedTuple):
    """One match of a rule with its groups as spans of the shape."""

    shape: Shape
    groups: dict[str, tuple[int, int]]
    """Name to span; absent groups left out. ``s`` is the quote."""

    def text(self, name: str) -> str:
        """A group's shape text."""
        start, end = self.groups[name]
        return self.shape.text[start:end]

    def numbers(self, name: str) -> list[Number]:
        """The numbers in a group, in order."""
        start, end = self.groups[name]
        return [self.shape.numbers[i] for i in range(start, end) if i in self.shape.numbers]


def plain(value: Decimal) -> str:
    """A decimal without exponent or trailing zeros."""
    text = format(value.normalize(), "f")
    return "0" if text in ("-0", "") else text


def shown(number: Number, *, factor: Decimal = Decimal(1)) -> str:
    """A number or its range (``38-42``)."""
    low = plain(number.low * factor)
    return low if not number.is_range else f"{low}-{plain(number.high * factor)}"


def figures(found: Found, name: str, _: Setting | None = None) -> str:
    """A group's words, numerals as figures."""
    start, end = found.groups[name]
    out = []
    for i in range(start, end):
        number = found.shape.numbers.get(i)
        out.append(shown(number) if number else found.shape.text[i])
    return "".join(out).replace("#", "").strip(" ,")


def amount(found: Found, name: str, kind: str, setting: Setting) -> tuple[Number, str] | None:
    """A quantity in its output unit; ``#米#`` and ``#斤半`` included; None when no unit fits."""
    start, end = found.groups[name]
    text, numbers = found.shape.text, found.shape.numbers
    at = next((i for i in range(start, end) if i in numbers), None)
    if at is None:
        return None
    number = numbers[at]
    rest = text[at + 1 : end].lstrip("%块 -")
    middle = rest.startswith("个半")
    rest = rest.removeprefix("个半").removeprefix("个").removeprefix("来").removeprefix("多")
    table = setting.units[kind]
    unit = next((u for u in sorted(table, key=len, reverse=True) if rest.startswith(u)), None)
    if unit is None:
        return None
    tail = rest[len(unit) :]
    low, high = number.low, number.high
    if middle or tail.startswith("半"):
        low, high = low + Decimal("0.5"), high + Decimal("0.5")
    elif tail.startswith("到#") and (at2 := text.find("#", at + 1)) in numbers:
        high = numbers[at2].high
    elif unit == "斤" and tail.startswith("#两") and (at2 := text.find("#", at + 1)) in numbers:
        low = high = low + numbers[at2].low / 10
    elif tail.startswith("#") and (at2 := text.find("#", at + 1)) in numbers:
        part = numbers[at2].low
        low = high = low + part.scaleb(-len(plain(part)))
    factor, out = table[unit].split(" ", 1)
    return number._replace(low=low * Decimal(factor), high=high * Decimal(factor)), out


def measured(kind: str) -> Callable[[Found, str, Setting], str]:
    """A function that writes a group as an amount of this kind, in its metric unit."""

    def function(found: Found, name: str, setting: Setting) -> str:
        got = amount(found, name, kind, setting)
        if got is None:
            return figures(found, name)
        number, unit = got
        rounded = number._replace(low=_rounded(number.low), high=_rounded(number.high))
        return f"{shown(rounded)}{unit}"

    return function


def _rounded(value: Decimal) -> Decimal:
    return (
        value.quantize(Decimal("1"))
        if value >= 20 and value % 1 and value > 100
        else value.quantize(Decimal("0.01"))
    )


def iso(value: Decimal, unit: str) -> str:
    """ISO 8601 of a span; halves become the next smaller unit."""
    whole, half = int(value), value != int(value)
    if unit == "Y":
        months = int(value * 12)
        years, rest = divmod(months, 12)
        return (
            "P" + (f"{years}Y" if years else "") + (f"{rest}M" if rest else "" if years else "0D")
        )
    if unit == "M":
        return f"P{int(value * 30)}D" if half else f"P{whole}M"
    if unit == "W":
        return f"P{int(value * 7)}D"
    if unit == "D":
        return f"PT{int(value * 24)}H" if half else f"P{whole}D"
    if unit == "H":
        return f"PT{int(value * 60)}M" if half else f"PT{whole}H"
    if unit == "MIN":
        return f"PT{whole}M"
    return f"PT{whole}S"


def duration(found: Found, name: str, setting: Setting) -> str:
    """ISO 8601; the longer end of a range."""
    got = amount(found, name, "duration", setting)
    if got is None:
        return figures(found, name)
    number, unit = got
    return iso(number.high, unit)


def money(found: Found, name: str, setting: Setting) -> str:
    """``CNY129``."""
    numbers = found.numbers(name)
    return setting.currency + shown(numbers[0]) if numbers else figures(found, name)


def upto(found: Found, name: str, _: Setting) -> str:
    """The upper end of a number."""
    numbers = found.numbers(name)
    return plain(numbers[-1].high) if numbers else ""


def tens(found: Found, name: str, _: Setting) -> str:
    """成 and 折 as per cent: 七成 = 70, 八五折 = 85."""
    numbers = found.numbers(name)
    if not numbers:
        return ""
    value = numbers[0].low
    return plain(value * 10 if value < 10 else value)


def surplus(found: Found, name: str, _: Setting) -> str:
    """买二发三: pieces got beyond those bought."""
    numbers = found.numbers(name)
    return plain(numbers[-1].low - numbers[0].low) if len(numbers) > 1 else ""


def day_of_month(found: Found, name: str, setting: Setting) -> str:
    """The next such day from the broadcast on, as a date."""
    numbers = found.numbers(name)
    if not numbers or setting.day is None:
        return figures(found, name)
    wanted, day = int(numbers[-1].low), setting.day
    month = day.month if wanted >= day.day else day.month % 12 + 1
    year = day.year + (1 if month < day.month else 0)
    wanted = max(1, min(wanted, calendar.monthrange(year, month)[1]))
    return f"{year:04d}-{month:02d}-{wanted:02d}"


_MONTHS = {
    m: n
    for n, m in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}


def month(found: Found, name: str, setting: Setting) -> str:
    """The latest such month up to the broadcast, as ``2026-08``."""
    numbers = found.numbers(name)
    text = found.text(name)
    named = next((n for m, n in _MONTHS.items() if m in text), None)
    wanted = named or (int(numbers[-1].low) if numbers else 0)
    if not 1 <= wanted <= 12:
        return figures(found, name)
    if setting.day is None:
        return f"--{wanted:02d}"
    year = setting.day.year - (1 if wanted > setting.day.month else 0)
    return f"{year:04d}-{wanted:02d}"


def month_day(found: Found, name: str, setting: Setting) -> str:
    """十一月十一号: the next such day as a date."""
    numbers = found.numbers(name)
    if len(numbers) < 2 or setting.day is None:
        return figures(found, name)
    wanted = int(numbers[0].low)
    if not 1 <= wanted <= 12:
        return figures(found, name)
    year = setting.day.year + (1 if wanted < setting.day.month else 0)
    top = calendar.monthrange(year, wanted)[1]
    return f"{year:04d}-{wanted:02d}-{max(1, min(int(numbers[1].low), top)):02d}"


def recent(found: Found, name: str, setting: Setting) -> str:
    """The month of "last week", 上个月, 昨天."""
    if setting.day is None:
        return figures(found, name)
    text = found.text(name)
    back = 7 if re.search(r"礼拜|周|星期|week", text) else 30 if re.search(r"月|month", text) else 1
    day = setting.day - timedelta(days=0 if re.search(r"今|这|today|this", text) else back)
    return f"{day.year:04d}-{day.month:02d}"


def month_end(found: Found, name: str, setting: Setting) -> str:
    """The last day of the broadcast's month."""
    if setting.day is None:
        return figures(found, name)
    day = setting.day
    return f"{day.year:04d}-{day.month:02d}-{calendar.monthrange(day.year, day.month)[1]:02d}"


def dozen_x(found: Found, name: str, _: Setting) -> str:
    """四个加 and "double": the X in front of L (``4X``)."""
    numbers = found.numbers(name)
    text = found.text(name).strip()
    if numbers:
        count = int(numbers[-1].low)
        return "XL" if count == 1 else "XXL" if count == 2 else f"{count}XL"
    return text.upper()
