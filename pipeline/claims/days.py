"""When something will be done, as said in Mandarin: days, weekdays, months, feasts, or a span."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta

from pipeline.claims.amounts import Found, Setting, duration, figures

_NEW_YEARS = (20240210, 20250129, 20260217, 20270206, 20280126, 20290213, 20300203, 20310123)
_SHORT = {"51": (5, 1), "61": (6, 1), "11": (10, 1)}
"""五一, 六一 and 十一 as figures."""
_LUNAR_DAYS = {"春节": 0, "过年": 0, "年前": 0, "元宵": 14}
"""Days after the lunar new year."""
_FEASTS = {
    "元旦": (1, 1),
    "情人节": (2, 14),
    "妇女节": (3, 8),
    "女神节": (3, 8),
    "三八": (3, 8),
    "清明": (4, 5),
    "儿童节": (6, 1),
    "618": (6, 18),
    "立秋": (8, 7),
    "教师节": (9, 10),
    "国庆": (10, 1),
    "双11": (11, 11),
    "立冬": (11, 7),
    "双12": (12, 12),
    "冬至": (12, 22),
    "圣诞": (12, 25),
    "双旦": (12, 25),
    "年底": (12, 31),
    "今年": (12, 31),
}
_NEXT = re.compile(r"明[天早晚]|次日|隔[天日]|转天|第2天")
_WEEKDAY = re.compile(r"(下*)个?(?:周|星期|礼拜)([一二三四五六日天末1-6])")
_SAME_DAY = re.compile(r"今[天晚]|当[天晚日]")
_SPAN = re.compile(
    r"(?<!第)#个?半?来?(?:天|周|星期|礼拜|月(?![#初底中末上下份])|小时|钟头|工作日|晚)"
)
_WEEK = "一二三四五六日"


def when(found: Found, name: str, setting: Setting) -> str:
    """A span in ISO 8601, a day as ``date:``; today's dispatch is within 24 hours."""
    text = figures(found, name)
    if _SPAN.search(found.text(name)):
        span = duration(found, name, setting)
        if span.startswith("P"):
            return span
    if _SAME_DAY.search(text) or setting.day is None:
        return "PT24H" if _SAME_DAY.search(text) or _NEXT.search(text) else text
    if (ahead := _ahead(text)) or (ahead := _nth(text)):
        return "PT24H" if ahead == 1 else f"P{ahead}D"
    day = _day(text, setting.day)
    return f"date:{day.isoformat()}" if day else text


def _ahead(text: str) -> int:
    """Days from today in 明天, 后天, 大后天; 0 where none is said."""
    return 3 if "大后天" in text else 2 if "后天" in text else 1 if _NEXT.search(text) else 0


def _nth(text: str) -> int:
    """The 6 of 第六天; 0 where none is said."""
    nth = re.search(r"第(\d+)天", text)
    return int(nth[1]) if nth else 0


def feast(found: Found, name: str, setting: Setting) -> str:
    """A sales day or feast as a date; month and day as said; the words where none is meant."""
    text = figures(found, name)
    day = _day(text, setting.day) if setting.day else None
    return day.isoformat() if day else text


def _day(text: str, today: date) -> date | None:
    if ahead := _ahead(text):
        return today + timedelta(days=ahead)
    if weekday := _WEEKDAY.search(text):
        return _weekday(weekday, today)
    return _named(text, today) or _in_month(text, today)


def _weekday(said: re.Match[str], today: date) -> date:
    name = said[2]
    day_of_week = _WEEK.index(name.replace("天", "日")) if name in "一二三四五六日天" else 5
    wanted = int(name) - 1 if name.isdigit() else day_of_week
    monday = today - timedelta(days=today.weekday())
    day = monday + timedelta(days=wanted, weeks=len(said[1]))
    return day if day >= today or said[1] else day + timedelta(weeks=1)


def _named(text: str, today: date) -> date | None:
    if text in _SHORT:
        return _next(today, *_SHORT[text])
    for name, (month, day) in _FEASTS.items():
        if name in text:
            return _next(today, month, day)
    for name, days in _LUNAR_DAYS.items():
        if name in text:
            begins = (date(n // 10000, n // 100 % 100, n % 100) for n in _NEW_YEARS)
            dates = (first + timedelta(days=days) for first in begins)
            return next((d for d in dates if d >= today), None)
    return None


def _in_month(text: str, today: date) -> date | None:
    """月底, 下个月十号, 十一月, 二十五号."""
    named, numbered = re.search(r"(\d+)月", text), re.search(r"(\d+)[号日]", text)
    month = int(named[1]) if named else 0
    day = int(numbered[1]) if numbered else 0
    if not (month or day or "月" in text) or month > 12 or day > 31:
        return None
    if re.search(r"下个?月", text):
        month = today.month % 12 + 1
    if not month:
        month = today.month if not day or day >= today.day else today.month % 12 + 1
    return _next(today, month, day or _part(text))


def _part(text: str) -> int:
    return 1 if "初" in text else 15 if "中" in text else 31


def _next(today: date, month: int, day: int) -> date:
    year = today.year + (1 if (month, day) < (today.month, today.day) else 0)
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


DAYS = {"when": when, "feast": feast}
"""Functions of templates."""
