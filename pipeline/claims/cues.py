"""The words by which hosts hand over, go back and speak of the whole room.

The words are data (``sku_cues.toml``); this module compiles them once.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

_EN_NUMBERS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
_EN_ORDINALS = [
    "zeroth",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
]
_EN_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}
_ZH_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "幺": 1}

ZH_NUMERAL = r"(?:[零〇一二两三四五六七八九幺十百]{1,5}|\d{1,3})"
EN_NUMERAL = (
    r"(?:\d{1,3}|(?:twenty|thirty|forty|fifty)[ -](?:one|two|three|four|five|six|seven|eight|nine)"
    r"|" + "|".join(sorted([*_EN_NUMBERS, *_EN_TENS], key=len, reverse=True)) + ")"
)
EN_ORDINAL = "(?:" + "|".join(_EN_ORDINALS) + ")"


class Cues(NamedTuple):
    """Compiled cue words; see ``sku_cues.toml`` for what each is."""

    numbers: tuple[re.Pattern[str], ...]
    any_number: re.Pattern[str]
    ordinal: re.Pattern[str]
    bare_number: re.Pattern[str]
    leading_number: re.Pattern[str]
    fillers: re.Pattern[str]
    handover_before: re.Pattern[str]
    handover_alone: re.Pattern[str]
    leads_to_number: re.Pattern[str]
    turns: re.Pattern[str]
    money: re.Pattern[str]
    countdown: re.Pattern[str]
    returning: re.Pattern[str]
    taken_up: re.Pattern[str]
    recalled: re.Pattern[str]
    back_before: re.Pattern[str]
    question: re.Pattern[str]
    preview: re.Pattern[str]
    introducing: re.Pattern[str]
    recap: re.Pattern[str]
    object_before: re.Pattern[str]
    advice_before: re.Pattern[str]
    lead: re.Pattern[str]
    room: re.Pattern[str]
    opens_rules: re.Pattern[str]
    rules_types: frozenset[str]
    all_do: re.Pattern[str]
    seller: re.Pattern[str]
    kind_of_goods: re.Pattern[str]
    closing_types: frozenset[str]
    room_types: frozenset[str]
    price: re.Pattern[str]
    all_of_it: re.Pattern[str]
    none_at_all: re.Pattern[str]
    no_echo: frozenset[str]
    kind: re.Pattern[str]
    short_before: re.Pattern[str]
    short_after: re.Pattern[str]
    packing: re.Pattern[str]
    packing_latin: frozenset[str]
    function: frozenset[str]


@lru_cache(maxsize=1)
def cues() -> Cues:
    """The compiled words; read once."""
    text = resources.files("pipeline.claims").joinpath("sku_cues.toml").read_text(encoding="utf-8")
    data: dict[str, Any] = tomllib.loads(text)
    return Cues(**_of_numbers(data), **_of_turns(data), **_of_names(data), **_of_room(data))


def _of_numbers(data: dict[str, Any]) -> dict[str, Any]:
    """Link numbers, and what is none."""
    ordinal = re.compile(rf"第(?P<n>{ZH_NUMERAL})[个款件样]")
    return {
        "numbers": (*_number_patterns(data["number"]), ordinal),
        "any_number": re.compile(rf"{ZH_NUMERAL}|{EN_NUMERAL}|{EN_ORDINAL}"),
        "ordinal": ordinal,
        "bare_number": re.compile(
            rf"(?P<n>{EN_NUMERAL}|{ZH_NUMERAL}|{EN_ORDINAL})(?=(?:\s+then)?\s*[,.!:，。！：])"
        ),
        "leading_number": re.compile(rf"(?:^|(?<=[.!?] ))(?P<n>{EN_NUMERAL}) (?=[a-z])"),
        "fillers": re.compile(data["number"]["fillers"]),
        "money": re.compile(data["number"]["money"]),
        "countdown": re.compile(data["number"]["count"]),
    }


def _of_turns(data: dict[str, Any]) -> dict[str, Any]:
    """How the talk moves on, goes back, asks and names in passing."""
    return {
        "handover_before": re.compile(_before(data["handover"]["before"])),
        "handover_alone": re.compile(data["handover"]["alone"]),
        "leads_to_number": re.compile(data["handover"]["leads_to_number"]),
        "turns": re.compile(data["handover"]["turns"]),
        "returning": re.compile(data["back"]["returning"]),
        "taken_up": re.compile(data["back"]["taken_up"]),
        "recalled": re.compile(data["back"]["recalled"]),
        "back_before": re.compile(data["back"]["before"]),
        "question": re.compile(data["question"]["line"]),
        "preview": re.compile(data["back"]["preview"]),
        "introducing": re.compile(data["handover"]["introducing"]),
        "recap": re.compile(data["back"]["recap"]),
        "object_before": re.compile(data["object"]["before"]),
        "advice_before": re.compile(data["object"]["advice_before"]),
        "lead": re.compile(data["object"]["lead"]),
    }


def _of_names(data: dict[str, Any]) -> dict[str, Any]:
    """What product names are made of."""
    return {
        "kind": re.compile(data["names"]["kind"]),
        "short_before": re.compile(data["names"]["short_before"]),
        "short_after": re.compile(data["names"]["short_after"]),
        "packing": re.compile(data["names"]["packing"]),
        "packing_latin": frozenset(data["names"]["packing_latin"]),
        "function": frozenset(data["names"]["function"]),
    }


def _of_room(data: dict[str, Any]) -> dict[str, Any]:
    """The house rules and the closing talk."""
    return {
        "room": re.compile("|".join(data["room"]["words"])),
        "opens_rules": re.compile("|".join(data["room"]["opens_rules"])),
        "rules_types": frozenset(data["room"]["types"]["rules"]),
        "all_do": re.compile(data["room"]["all_do"]),
        "seller": re.compile(data["room"]["seller"]),
        "kind_of_goods": re.compile(data["room"]["kind_of_goods"]),
        "closing_types": frozenset(data["room"]["types"]["closing"]),
        "room_types": frozenset(data["room"]["types"]["general"]),
        "price": re.compile("|".join(data["closing"]["price"])),
        "all_of_it": re.compile(data["closing"]["all_of_it"]),
        "none_at_all": re.compile(data["closing"]["none_at_all"]),
        "no_echo": frozenset(data["closing"]["no_echo"].split("|")),
    }


def _number_patterns(data: dict[str, str]) -> tuple[re.Pattern[str], ...]:
    zh, en = ZH_NUMERAL, EN_NUMERAL
    return (
        re.compile(rf"(?<![月腊期\d零〇一二两三四五六七八九十百])(?P<n>{zh}){data['zh_after']}"),
        re.compile(rf"(?P<n>{zh}){data['zh_sounds_like']}"),
        re.compile(
            rf"(?<![\d零〇一二两三四五六七八九十百几第])(?P<n>{zh})\s*{data['zh_link_after']}"
        ),
        re.compile(
            rf"[链连][接结]\s*(?P<n>{zh})(?![零〇一二两三四五六七八九十百千万点\d块元毛分秒个])"
        ),
        re.compile(rf"第(?P<n>{zh}){data['zh_ordinal']}"),
        re.compile(
            rf"{data['en_before']}(?P<n>{en})\b(?!\.?\d|\s*(?:percent|dollars|bucks|day|hour))"
        ),
        re.compile(rf"\b(?P<n>{EN_ORDINAL}){data['en_ordinal_after']}"),
    )


def _before(words: list[str]) -> str:
    longest = sorted(words, key=len, reverse=True)
    return r"(?:" + "|".join(map(re.escape, longest)) + r")[\s,，]*$"


def small_number(text: str) -> int | None:
    """The value of a link number: 三, 十二, 23, ``twenty two``, ``third``; None when it is none."""
    text = text.strip().replace("-", " ")
    if text.isascii() and text.isdigit():
        return int(text)
    if text in _EN_NUMBERS:
        return _EN_NUMBERS.index(text)
    if text in _EN_ORDINALS:
        return _EN_ORDINALS.index(text)
    tens, _, ones = text.partition(" ")
    if tens in _EN_TENS:
        return _EN_TENS[tens] + (_EN_NUMBERS.index(ones) if ones else 0)
    return _chinese_number(text)


def english_number(number: int) -> str:
    """Below 60 as it is said; empty beyond."""
    if number < len(_EN_NUMBERS):
        return _EN_NUMBERS[number]
    tens = next((word for word, value in _EN_TENS.items() if value == number // 10 * 10), "")
    ones = f" {_EN_NUMBERS[number % 10]}" if number % 10 else ""
    return tens + ones if tens else ""


def chinese_number(number: int) -> str:
    """Below 100 as it is said; empty beyond."""
    if number >= 100:
        return ""
    digits = "零一二三四五六七八九"
    if number < 10:
        return digits[number]
    tens, ones = divmod(number, 10)
    return (digits[tens] if tens > 1 else "") + "十" + (digits[ones] if ones else "")


def _chinese_number(text: str) -> int | None:
    total, digit = 0, None
    for char in text:
        if char in _ZH_DIGITS:
            digit = _ZH_DIGITS[char] if digit is None else digit * 10 + _ZH_DIGITS[char]
        elif char in "十百":
            total += (1 if digit is None else digit) * (10 if char == "十" else 100)
            digit = None
        else:
            return None
    return total + (digit or 0)
