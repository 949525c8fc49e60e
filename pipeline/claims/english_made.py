"""When a thing was made, in English: "the first of March", "week thirty of last year", "spring 2016"."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

from pipeline.claims.english_days import Around, Said, recent, written

_MONTHS = tuple(calendar.month_name[n].lower()[:3] for n in range(1, 13))
_MONTH = re.compile(r"\b(" + "|".join(_MONTHS) + r")[a-z]*\b")
_DAYS = tuple(calendar.day_name[n].lower() for n in range(7))
_SEASON = re.compile(r"\b(spring|summer|autumn|fall|winter)\b")


def made(found: Said, name: str, setting: Around) -> str:
    """``mfg:`` with as much of the date as was said; the last such day, month or week."""
    text, day = found.text(name), setting.day
    numbers = [n.low for n in found.numbers(name)]
    years = [y for y in map(_year, numbers) if y]
    if day is None:
        return f"mfg:{written(found, name)}"
    year = years[-1] if years else day.year - ("last year" in text)
    if "week" in text and numbers and numbers[0] < 54:
        return f"mfg:{year}-W{int(numbers[0]):02d}"
    if month := _MONTH.search(text):
        return _in_month(_MONTHS.index(month[1]) + 1, numbers, day, year if years else None, text)
    if season := _SEASON.search(text):
        return f"mfg:{year}-{season[1]}"
    if (week := next((n for n, w in enumerate(_DAYS) if w in text), None)) is not None:
        return f"mfg:{(day - timedelta(days=(day.weekday() - week) % 7 or 7)).isoformat()}"
    if "yesterday" in text or "last night" in text:
        return f"mfg:{(day - timedelta(days=1)).isoformat()}"
    if "today" in text or "this morning" in text:
        return f"mfg:{day.isoformat()}"
    return f"mfg:{year}" if years else f"mfg:{recent(found, name, setting)}"


def _in_month(month: int, numbers: list[Decimal], day: date, said: int | None, text: str) -> str:
    """A month, with the day where one is told; without a year the last such month."""
    year = said or day.year - (month > day.month or "last year" in text)
    days = [int(n) for n in numbers if 1 <= n <= 31 and n == int(n)]
    first = 1 if "first" in text and "of" in text else 0
    told = days[0] if days else first
    return f"mfg:{year:04d}-{month:02d}" + (f"-{told:02d}" if told else "")


def _year(number: Decimal) -> int:
    """2016 of "2016" and "twenty sixteen" (20.16), 1999 of "ninety-nine"; 0 where it is no year."""
    if 1900 <= number < 2100 and number == int(number):
        return int(number)
    if 19 <= number < 21 and number != int(number):
        return int(number * 100)
    return int(number) + 1900 if 40 <= number < 100 and number == int(number) else 0


MADE: dict[str, Callable[..., str]] = {"en_made": made}
"""Functions of templates for English dates of making."""
