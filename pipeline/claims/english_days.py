"""Days and months of English phrases ("through Monday", "last week"), and what a phrase gives."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Protocol

from pipeline.text.numerals import Number

_MONTHS = [calendar.month_name[n].lower() for n in range(1, 13)]
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth",
    "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth",
)  # fmt: skip
_ORDINAL = re.compile(r"\b(?P<ten>twenty[- ])?(?P<nth>" + "|".join(_ORDINALS) + r")\b(?! thing)")
_DAYS = [calendar.day_name[n].lower() for n in range(7)]


class Said(Protocol):
    """One match of a rule (``values.Found``)."""

    def text(self, name: str) -> str:
        """A group's shape text."""

    def numbers(self, name: str) -> list[Number]:
        """The numbers in a group, in order."""


class Around(Protocol):
    """What a value may depend on beside the words (``values.Setting``)."""

    @property
    def currency(self) -> str:
        """ISO 4217."""

    @property
    def day(self) -> date | None:
        """The broadcast's day."""


def plain(value: Decimal) -> str:
    """In figures, without needless zeros."""
    return format(value.normalize(), "f")


def written(found: Said, name: str) -> str:
    """A group's words with numerals in figures."""
    numbers = iter(found.numbers(name))

    def one(_: re.Match[str]) -> str:
        number = next(numbers, None)
        if number is None:
            return ""
        low = plain(number.low)
        return f"{low}-{plain(number.high)}" if number.is_range else low

    return re.sub("#", one, found.text(name)).strip(" ,")


def until(found: Said, name: str, setting: Around) -> str:
    """The last day of "through Monday", "the rest of May", "before Christmas" as ``date:…``."""
    text, day = found.text(name), setting.day
    if day is None:
        return written(found, name)
    if "tonight" in text or "midnight" in text:
        return _date(day)
    if "month" in text:
        return _date(day.replace(day=calendar.monthrange(day.year, day.month)[1]))
    if "year" in text:
        return _date(date(day.year, 12, 31))
    feast = _feast(text, day.year)
    if feast:
        return _date(feast if feast >= day else _feast(text, day.year + 1) or feast)
    if (week := next((n for n, w in enumerate(_DAYS) if w in text), None)) is not None:
        return _date(day + timedelta(days=(week - day.weekday()) % 7 or 7))
    if "week" in text:
        return _date(day + timedelta(days=6 - day.weekday()))
    if (nth := _nth(text)) and not any(m in text for m in _MONTHS):
        return _next_nth(nth, day)
    return _month_end(found, name, day) or written(found, name)


def _month_end(found: Said, name: str, day: date) -> str:
    text, numbers = found.text(name), found.numbers(name)
    month = next((n for n, m in enumerate(_MONTHS, 1) if m in text), 0)
    if not month:
        return ""
    year = day.year + (month < day.month)
    top = calendar.monthrange(year, month)[1]
    said = int(numbers[-1].low) if numbers and numbers[-1].low >= 1 else _nth(text)
    last = min(top, said) if said else top
    return _date(date(year, month, last))


def _nth(text: str) -> int:
    """The 18 of "the eighteenth"; 0 where no day of a month is said."""
    found = _ORDINAL.search(text)
    return (20 if found["ten"] else 0) + _ORDINALS.index(found["nth"]) + 1 if found else 0


def _next_nth(nth: int, day: date) -> str:
    """The next day of that number; a month without it is passed over."""
    ahead = (day + timedelta(days=n) for n in range(1, 70))
    return _date(next((d for d in ahead if d.day == nth), day))


def _feast(text: str, year: int) -> date | None:
    thanks = date(year, 11, 1) + timedelta(days=(3 - date(year, 11, 1).weekday()) % 7 + 21)
    feasts = {
        "thanksgiving": thanks,
        "black friday": thanks + timedelta(days=1),
        "cyber monday": thanks + timedelta(days=4),
        "christmas": date(year, 12, 25),
        "new year": date(year, 12, 31),
        "halloween": date(year, 10, 31),
        "valentine": date(year, 2, 14),
        "memorial day": _last_monday(year, 5),
        "labor day": _first_monday(year, 9),
        "fourth of july": date(year, 7, 4),
        "easter": _easter(year),
    }
    return next((d for w, d in feasts.items() if w in text), None)


def _first_monday(year: int, month: int) -> date:
    first_day = date(year, month, 1)
    return first_day + timedelta(days=(7 - first_day.weekday()) % 7)


def _last_monday(year: int, month: int) -> date:
    last_day = date(year, month, calendar.monthrange(year, month)[1])
    return last_day - timedelta(days=last_day.weekday())


def _easter(year: int) -> date:
    """Gregorian Easter by the anonymous algorithm (Meeus, Astronomical Algorithms, ch. 8)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def _date(day: date) -> str:
    return f"date:{day.isoformat()}"


def recent(found: Said, name: str, setting: Around) -> str:
    """The month of "last week", "yesterday", "in August", "ten days ago"."""
    text, day, numbers = found.text(name), setting.day, found.numbers(name)
    if day is None:
        return written(found, name)
    if month := next((n for n, m in enumerate(_MONTHS, 1) if m in text), 0):
        return f"{day.year - (month > day.month):04d}-{month:02d}"
    back = 7 if "last week" in text else 30 if "last month" in text else 0
    if "ago" in text and numbers:
        back = int(numbers[0].low) * (7 if "week" in text else 1)
    if "yesterday" in text or "last night" in text:
        back = 1
    then = day - timedelta(days=min(back, 3650))
    return f"{then.year:04d}-{then.month:02d}"


def expiry(found: Said, name: str, setting: Around) -> str:
    """The next such month, or the year said (``2027-03``)."""
    text, day, numbers = found.text(name), setting.day, found.numbers(name)
    month = next((n for n, m in enumerate(_MONTHS, 1) if m in text), 0)
    years = [int(n.low) for n in numbers if 2000 <= n.low < 2100]
    if not month or day is None:
        return written(found, name)
    year = years[-1] if years else day.year + (month < day.month or "next year" in text)
    return f"{year:04d}-{month:02d}"
