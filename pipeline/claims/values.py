"""Values in normal form: templates, units to metric, ISO 8601 durations, lists."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from pipeline.claims.compiled import Vocabulary
from pipeline.claims.english import ENGLISH
from pipeline.claims.shape import Shape
from pipeline.text.numerals import Number

_FIELD = re.compile(r"\{([a-z]+[a-z0-9]*)(?:\|([a-z_]+))?\}")
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_LETTERS = re.compile(r"[a-z]+")


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


def fill(
    template: str, found: Found, words: Vocabulary, lexicons: tuple[str, ...], setting: Setting
) -> str:
    """A template with its groups; an optional part without its group is left out."""

    def optional(part: re.Match[str]) -> str:
        names = [f[1] for f in _FIELD.finditer(part[1])]
        return part[1] if all(n in found.groups for n in names) else ""

    def one(field: re.Match[str]) -> str:
        name, function = field[1], field[2]
        if name not in found.groups:
            return ""
        if function:
            return FUNCTIONS[function](found, name, setting)
        return word(found, name, words, lexicons)

    return _FIELD.sub(one, _OPTIONAL.sub(optional, template))


def word(found: Found, name: str, words: Vocabulary, lexicons: tuple[str, ...]) -> str:
    """A group's canonical form, or its words with numbers in figures."""
    start, end = found.groups[name]
    for lexicon in lexicons:
        canonical = _canonical(found, start, end, words.canonical(lexicon))
        if canonical:
            return canonical
    return figures(found, name)


def _canonical(found: Found, start: int, end: int, table: dict[str, str]) -> str:
    """The lexicon's form of a stretch; of words with a numeral (二层牛皮) by their figures."""
    text = found.shape.text[start:end]
    if "#" in text:
        numbers = found.shape.numbers
        text = "".join(
            shown(numbers[i]) if i in numbers else found.shape.text[i] for i in range(start, end)
        )
    return table.get(text.strip(), "")


def figures(found: Found, name: str, _: Setting | None = None) -> str:
    """A group's words, numerals as figures."""
    start, end = found.groups[name]
    out = []
    for i in range(start, end):
        number = found.shape.numbers.get(i)
        out.append(shown(number) if number else found.shape.text[i])
    return "".join(out).replace("#", "").strip(" ,")


def items(found: Found, lexicon: str, words: Vocabulary) -> list[str]:
    """The lexicon's terms in the quote, canonical, each once."""
    pattern = re.compile(words.alternatives(lexicon))
    canonical = words.canonical(lexicon)
    start, end = found.groups["s"]
    named = (
        _canonical(found, *m.span(), canonical) or m[0]
        for m in pattern.finditer(found.shape.text, start, end)
    )
    return list(dict.fromkeys(named))


def pairs(found: Found, lexicon: str, words: Vocabulary) -> list[str]:
    """The lexicon's terms in the quote with the percentage beside each."""
    canonical = words.canonical(lexicon)
    start, end = found.groups["s"]
    text = found.shape.text
    term = re.compile(words.alternatives(lexicon))
    spots = [
        (*m.span(), _canonical(found, *m.span(), canonical) or m[0])
        for m in term.finditer(text, start, end)
    ]
    numbers = [i for i in range(start, end) if i in found.shape.numbers]
    before = bool(numbers and spots and numbers[0] < spots[0][0])
    out, used = [], set[int]()
    for at, (a, b, name) in enumerate(spots):
        left = spots[at - 1][1] if at else start
        right = spots[at + 1][0] if at + 1 < len(spots) else end
        near = [
            i for i in numbers if (left <= i < a if before else b <= i < right) and i not in used
        ]
        if near:
            chosen = near[-1] if before else near[0]
            used.add(chosen)
            factor = Decimal(10) if text[chosen + 1 : chosen + 2] == "成" else Decimal(1)
            out.append(f"{name}:{shown(found.shape.numbers[chosen], factor=factor)}%")
        else:
            out.append(name)
    return list(dict.fromkeys(out))


# --- functions ------------------------------------------------------------------------------


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


def _measured(kind: str) -> Callable[[Found, str, Setting], str]:
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


def compact(found: Found, name: str, _: Setting) -> str:
    """Capitals without blanks: ``IPX5``."""
    return figures(found, name).replace(" ", "").upper()


def title(found: Found, name: str, _: Setting) -> str:
    """A name with capitals: ``North Carolina``."""
    return figures(found, name).removeprefix("the ").title()


_X = {"double": "XX", "two": "XX", "triple": "XXX", "three": "XXX", "extra": "X", "one": "X"}


def letters(found: Found, name: str, setting: Setting) -> str:
    """ "double X" is XXL, "extra small" is XS."""
    text = found.text(name)
    count = found.numbers(name)
    if count:
        return dozen_x(found, name, setting)
    ends = "S" if "small" in text or text.endswith("s") else "M" if "medium" in text else "L"
    first = text.split()[0] if text.split() else ""
    crosses = _X.get(first, "X" * text.count("x") if " " not in text else "")
    return crosses + ends


def fit_en(found: Found, name: str, _: Setting) -> str:
    """Which way a size runs, from "big" or from the advice "size down"."""
    return "runs_large" if found.text(name) in ("big", "large", "down") else "runs_small"


def upper(found: Found, name: str, _: Setting) -> str:
    """Capitals, numerals as figures."""
    return figures(found, name).upper()


_COUNTED = re.compile(
    r"(?:#)?(?:个|件|条|双|只|盒|瓶|袋|包|罐|片|颗|粒|枚|张|支|根|把|套|组|份|本|块|卷|副|对|小包|小袋)?"
)


def gifts(found: Found, name: str, _: Setting) -> str:
    """一个防尘罩一个行李牌: each thing with its number, separated by ``;``."""
    start, end = found.groups[name]
    text, numbers = found.shape.text, found.shape.numbers
    cuts = sorted({start, *(i for i in range(start, end) if i in numbers), end})
    out = []
    for a, b in pairwise(cuts):
        number = numbers.get(a)
        lead = _COUNTED.match(text, a, b)
        thing = text[lead.end() if lead else a : b].strip(" ,、和跟还有再加的")
        if thing:
            out.append(f"{thing}x{shown(number) if number else 1}")
    return ";".join(out)


def term(found: Found, name: str, setting: Setting) -> str:
    """A warranty's length; ``LIFETIME`` for life."""
    return (
        "LIFETIME"
        if re.search(r"终身|终生|life", found.text(name))
        else duration(found, name, setting)
    )


def places(found: Found, name: str, _: Setting) -> str:
    """新疆西藏青海: separated by commas."""
    names_ = re.findall(
        r"新疆|西藏|青海|内蒙古?|甘肃|宁夏|海南|港澳台|偏远(?:地区)?", found.text(name)
    )
    return ",".join(dict.fromkeys(names_))


def payer(found: Found, name: str, _: Setting) -> str:
    """Who pays freight."""
    seller = found.text(name) in ("商家", "我", "我们", "店家", "厂家")
    return "seller_pays" if seller else "buyer_pays"


def carrier(found: Found, name: str, _: Setting) -> str:
    """How it travels."""
    text = found.text(name)
    return "insured_express" if "保价" in text else "cold_chain" if "冷" in text else text


def channel(found: Found, name: str, _: Setting) -> str:
    """What kind of seller."""
    text = found.text(name)
    for words in (
        "旗舰店",
        "官方店",
        "品牌官方",
        "直营",
        "专卖店",
        "授权店",
        "厂家直销",
        "源头厂家",
        "直供",
    ):
        if words in text:
            return words
    return text


def fit(found: Found, name: str, _: Setting) -> str:
    """Which way a size runs."""
    return "runs_large" if "大" in found.text(name) else "runs_small"


def dimensions(found: Found, name: str, _: Setting) -> str:
    """高六十六宽四十五厚二十八: each with its letter, in centimetres unless said otherwise."""
    start, end = found.groups[name]
    letters = {"高": "H", "宽": "W", "长": "L", "厚": "D", "深": "D", "直": "直径"}
    text, numbers, out, letter = found.shape.text, found.shape.numbers, [], ""
    for i in range(start, end):
        if text[i] in letters:
            letter = letters[text[i]]
        elif i in numbers:
            unit = re.match(r"#(毫米|mm|米(?!#)|m(?![a-z]))", text[i:end])
            suffix = {"毫米": "mm", "mm": "mm", "米": "m", "m": "m"}[unit[1]] if unit else "cm"
            out.append(f"{letter}:{shown(numbers[i])}{suffix}")
    return ";".join(out)


def inches(found: Found, name: str, _: Setting) -> str:
    """二十寸二十四寸: each size."""
    return ";".join(f"{shown(n)}寸" for n in found.numbers(name) if n.text)


def content(found: Found, name: str, setting: Setting) -> str:
    """Weight or volume."""
    kind = "weight" if amount(found, name, "weight", setting) else "volume"
    return FUNCTIONS[kind](found, name, setting)


def capacity(found: Found, name: str, setting: Setting) -> str:
    """Weight or volume where the unit is one, else as said."""
    for kind in ("weight", "volume"):
        if amount(found, name, kind, setting):
            return FUNCTIONS[kind](found, name, setting)
    return figures(found, name)


def carat(found: Found, name: str, _: Setting) -> str:
    """Carats in grams too (1 ct = 0.2 g); 分 is a hundredth."""
    numbers = found.numbers(name)
    if not numbers:
        return ""
    return f"{plain(numbers[0].low / 5)}g:{plain(numbers[0].low)}克拉"


def fineness(found: Found, name: str, setting: Setting) -> str:
    """足金九九九 is 99.9 per cent; 九二五银 is S925."""
    after = [
        n for i, n in sorted(found.shape.numbers.items())
        if found.groups["s"][0] <= i < found.groups["s"][1]
    ]  # fmt: skip
    metal, number = figures(found, name), plain(after[0].low) if after else ""
    if "银" in metal:
        return f"S{number}银"
    return f"{metal}:{plain(Decimal(number).scaleb(2 - len(number)))}%" if number else metal


_SPLIT = re.compile(r"[、,和跟与及/ ]|还有|另有|也有|另外有|#个|一个|#款|一款")
_TONES = re.compile(r"[\u4e00-\u9fff]{1,3}?[白黑红蓝绿灰粉紫黄棕青橘]色?")


def split(found: Found, name: str, _: Setting) -> str:
    """A list in open words: its parts, separated by ``;``."""
    parts = [p for p in _SPLIT.split(found.text(name)) if p]
    if len(parts) == 1 and len(parts[0]) > 4:
        run = re.match(r"[\u4e00-\u9fff]{2}(?=[\u4e00-\u9fff]{2,3}[红棕粉紫橘])", parts[0])
        lead = [run[0]] if run and not _TONES.fullmatch(run[0]) else []
        parts = lead + _TONES.findall(parts[0][len(lead[0]) if lead else 0 :])
    return ";".join(parts)


def colour_only(found: Found, name: str, _: Setting) -> str:
    """The colour in 没有小麦色, 正红没有做."""
    said = re.compile(r"没有?做|没有生产|没有|不做|没做|没出|停产了?|本季|今年|这[个批款]|的$|是$")
    return said.sub("", found.text(name)).strip()


def metric(found: Found, name: str, setting: Setting) -> str:
    """A unit word as the unit of values; 斤 as half kilograms are left to ``content``."""
    text = found.text(name)
    for kind in ("weight", "volume"):
        if text in setting.units[kind]:
            factor, unit = setting.units[kind][text].split(" ", 1)
            return unit if factor == "1" else f"x{factor}{unit}"
    return text


_FESTIVALS = {
    "双11": "11-11",
    "双12": "12-12",
    "618": "06-18",
    "元旦": "01-01",
    "国庆": "10-01",
    "年底": "12-31",
}


def festival(found: Found, name: str, setting: Setting) -> str:
    """A sales day as a date; month and day as said."""
    text = figures(found, name)
    if setting.day is None:
        return text
    if text == "月底":
        return month_end(found, name, setting)
    if "月" in text:
        return month_day(found, name, setting)
    return f"{setting.day.year:04d}-{_FESTIVALS[text]}" if text in _FESTIVALS else text


def trim(found: Found, name: str, _: Setting) -> str:
    """The words, without fillers at their ends."""
    return figures(found, name).strip(" ,的是有")


def age(found: Found, name: str, _: Setting) -> str:
    """Unit of an age."""
    return "M" if "月" in found.text(name) else "Y"


def bound(found: Found, name: str, _: Setting) -> str:
    """``+`` for and above, ``-`` for and below."""
    return "+" if found.text(name) in ("以上", "往上", "起", "以后", "大") else "-"


def washable(found: Found, name: str, _: Setting) -> str:
    """Care as a key."""
    text = found.text(name)
    keys = {
        "机洗": "machine_washable",
        "洗衣机": "machine_washable",
        "手洗": "hand_wash",
        "烘干": "tumble_dry",
    }
    return next((f"{k}:true" for w, k in keys.items() if w in text), f"{text}:true")


FUNCTIONS: dict[str, Callable[[Found, str, Setting], str]] = {
    "figures": figures,
    "weight": _measured("weight"),
    "volume": _measured("volume"),
    "length": _measured("length"),
    "measure": _measured("measure"),
    "duration": duration,
    "money": money,
    "upto": upto,
    "tens": tens,
    "surplus": surplus,
    "day_of_month": day_of_month,
    "month": month,
    "month_day": month_day,
    "month_end": month_end,
    "recent": recent,
    "plus_size": dozen_x,
    "upper": upper,
    "title": title,
    "letters": letters,
    "fit_en": fit_en,
    "compact": compact,
    "gifts": gifts,
    "term": term,
    "places": places,
    "payer": payer,
    "carrier": carrier,
    "channel": channel,
    "fit": fit,
    "dimensions": dimensions,
    "inches": inches,
    "content": content,
    "capacity": capacity,
    "carat": carat,
    "trim": trim,
    "split": split,
    "colour_only": colour_only,
    "metric": metric,
    "festival": festival,
    "fineness": fineness,
    "age": age,
    "bound": bound,
    "washable": washable,
    **ENGLISH,
}
"""Functions of templates: ``{group|name}``."""
