"""Functions of value templates: ``{group|name}``."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

from pipeline.claims.amounts import (
    Found,
    Setting,
    amount,
    day_of_month,
    dozen_x,
    duration,
    figures,
    measured,
    money,
    month,
    month_day,
    month_end,
    plain,
    recent,
    shown,
    surplus,
    tens,
    upto,
)
from pipeline.claims.days import DAYS, feast
from pipeline.claims.english import ENGLISH
from pipeline.claims.english_made import MADE
from pipeline.claims.english_measures import MEASURES
from pipeline.claims.lengths import LENGTHS
from pipeline.claims.shades import SHADES
from pipeline.claims.specs import SPECS


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
    r"(?:#)?(?:小[包袋瓶盒罐支块份]|大[包袋瓶盒罐]|整套|个|件|条|双|只|盒|瓶|袋|包|箱|桶|罐|听|管|片|颗|粒|枚|张|支|根|把|套|组|"
    r"份|本|块|卷|副|对|台|部|床|顶|杯|碗|盆|提|贴|串|束|捆)?"
)

_PAIRS = {"俩": "2", "仨": "3"}


_THINGS = re.compile(r"[、,和跟与及](?!田)|(?<=[\u4e00-\u9fff]{2})加(?![热绒厚长大粗湿油水固湿])")
_COUNT = re.compile(
    r"#(?:小|大)?(?:整套|[个件条双只盒瓶袋包箱桶罐听管片颗粒枚张支根把套组份本块卷副对台部床顶杯碗盆提贴串束捆截])"
)


def gifts(found: Found, name: str, _: Setting) -> str:
    """一个防尘罩一个行李牌: each thing with its number, separated by ``;``."""
    start, end = found.groups[name]
    text, numbers = found.shape.text, found.shape.numbers
    counts = {i for i in range(start, end) if i in numbers and _COUNT.match(text, i, end)}
    parts = {m.end() for m in _THINGS.finditer(text, start, end)}
    out = []
    for a, b in pairwise(sorted({start, *counts, *parts, end})):
        pair = text[a] in _PAIRS
        count = shown(numbers[a]) if a in counts else _PAIRS.get(text[a], "1")
        lead = _COUNTED.match(text, a + pair, b) if a in counts or a not in numbers else None
        thing = found.shape.written(lead.end() if lead else a, b).strip(" ,、")
        thing = thing.lstrip("和跟与及还有再").rstrip("和跟与及还有再加的")
        if thing:
            out.append(f"{thing}x{count}")
        elif out and a in counts:
            out[-1] = f"{out[-1].rsplit('x', 1)[0]}x{count}"
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
    return ",".join(dict.fromkeys(names_)) or figures(found, name)


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


def threshold(found: Found, name: str, setting: Setting) -> str:
    """What an order must come to: money, unless pieces are counted."""
    text, numbers = found.text(name).rstrip(), found.numbers(name)
    counted = not text.endswith(("#", "块", "元", "钱"))
    return figures(found, name) if counted or not numbers else money(found, name, setting)


def deal(found: Found, name: str, _: Setting) -> str:
    """``promo:2_for_`` where several pieces are bought at once; empty for one."""
    text, numbers = found.text(name), found.numbers(name)
    count = _PAIRS.get(text[:1]) or (plain(numbers[0].low) if numbers else "1")
    if count == "1":
        return "promo:2_for_" if text.endswith(("对", "双")) else ""
    return f"promo:{count}_for_"


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
    "weight": measured("weight"),
    "volume": measured("volume"),
    "length": measured("length"),
    "measure": measured("measure"),
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
    "festival": feast,
    "threshold": threshold,
    "deal": deal,
    "fineness": fineness,
    "age": age,
    "bound": bound,
    "washable": washable,
    **DAYS,
    **ENGLISH,
    **MEASURES,
    **MADE,
    **LENGTHS,
    **SHADES,
    **SPECS,
}
"""Functions of templates: ``{group|name}``."""
