"""Mandarin numerals and figures: 一百二十九, 三九九, 一千一百八, 九块九, 三五斤, 百分之八十."""

from __future__ import annotations

import re
from decimal import Decimal

from pipeline.text.number import Number

_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "幺": 1}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10_000}
_DIGIT_CLASS = "零〇一二两三四五六七八九幺"
_MEASURE = (
    "年月日天周个斤克千公升米厘毫分寸尺两吨件条双只支盒瓶袋包箱罐桶片颗粒块元码岁度折成瓦转秒小时层"
    "位号楼套卷张份枚把台本串提打对头根株棵饼杯碗勺管贴点号档升倍%期级代圈针目克里人单钱口尾匹"
)
_PIECE = frozenset("件条双只支盒瓶袋包箱罐桶片颗块套张份枚把台本个对根床顶")
_SKIP_ZH = (
    "一下子?|一样|一些|一点(?:点|儿)?(?![零一二三四五六七八九])|一定|一直|一起|一般|一切|一旦|一共|一边|一会|"
    "一味|一遍|一致|一流|一体|一向|一块儿|一方面|一路|一套下来|一律|一目了然|一模|一如|一眼|一分钱一分货|"
    "一股脑|一门心思|一口气|一看|一听|一想|一说|一摸|一拉|一按|一擦|一冲|一洗|一开始|一来|一到|一家人|"
    "统一|万一|唯一|之一|单一|同一|专一|星期[一二三四五六]|周[一二三四五六](?!周)|礼拜[一二三四五六]|"
    "十分(?!钟|之)|十足|千万(?!级|像素)|万向|百搭|百货|百合|百叶|百褶|百香|百年|千层|万能|八宝|五花|三文鱼|"
    "三明治|四川|九江|六安|三亚|三七|五金|五粮|五谷|千岛|百色|三鲜|四季|七夕|十全|百度|二手|二维码|二次|"
    "一次性|一会儿|一脸|一身|半点|三观|五星|四方|八方|九阳|万家|千家|六神|三星|七匹狼|"
    "五四三二一|三二一(?!块)|一物一(?=[证码])|一机一(?=码)|一(?=[证码]一)"
)
NUMERAL = re.compile(
    rf"(?P<skip>{_SKIP_ZH})"
    r"|(?P<all>百分之百|百分百)"
    rf"|百分之(?P<pct>[{_DIGIT_CLASS}十百千点]+|\d+(?:\.\d+)?)"
    r"|(?P<ar>\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?P<big>万|千(?!克|米|瓦))?(?P<sign>\s?(?:%|percent\b))?"
    rf"|(?P<zh>[{_DIGIT_CLASS}十百千万]+(?:点[{_DIGIT_CLASS}]+)?)"
    rf"|(?P<half>半(?=个?(?:年|月|小时|钟头)|[斤天克升瓶箱袋盒打码折块只条杯里寸两包公米勺管片颗粒桶罐]))"
)
_MORE = re.compile(r"[多来几余](?=[^少些]|$)")
_JIAO = re.compile(
    rf"(?:块|元)钱?(?P<ar>\d{{1,2}}(?!\d|[克斤]))|块(?P<zh>[{_DIGIT_CLASS}]{{1,3}})[毛角]?"
)


def _digits(run: str) -> Decimal:
    return Decimal("".join(str(_DIGITS[c]) for c in run))


class _Run:
    """A reader over one run of Chinese numeral characters."""

    def __init__(self, run: str, after: str) -> None:
        self.run, self.at, self.after = run, 0, after

    def _peek(self, ahead: int = 0) -> str:
        return self.run[self.at + ahead : self.at + ahead + 1]

    def _digit_run(self) -> str:
        end = self.at
        while end < len(self.run) and self.run[end] in _DIGITS:
            end += 1
        return self.run[self.at : end]

    def read(self) -> tuple[Decimal, Decimal] | None:
        """The next number as (low, high); None when a character is none."""
        run = self._digit_run()
        following = self.run[self.at + len(run) : self.at + len(run) + 1]
        if following not in _UNITS or not following:
            return self._plain(run, decimals=following == "点")
        if len(run) == 2 and run[0] != "零" and _is_range(run):
            return self._range_of_units(run)
        if len(run) > 2:
            self.at += len(run) - 1
            return _same(_digits(run[:-1]))
        return self._structured()

    def _plain(self, run: str, *, decimals: bool) -> tuple[Decimal, Decimal] | None:
        if not run:
            self.at += 1
            return None
        next_char = self.after[:1]
        if (
            not decimals
            and len(run) > 1
            and run[-1] == "两"
            and not (next_char and next_char in _MEASURE)
        ):
            run = run[:-1]
        if len(run) in (4, 5) and run[-1] == "一" and next_char and next_char in _PIECE:
            run = run[:-1]  # 一五九一件: the last counts what is sold
        self.at += len(run)
        if decimals:
            return self._with_decimals(_digits(run))
        if len(run) == 2 and "零" not in run and next_char not in "折新" and _is_range(run):
            return Decimal(_DIGITS[run[0]]), Decimal(_DIGITS[run[1]])
        return _same(_digits(run))

    def _with_decimals(self, whole: Decimal) -> tuple[Decimal, Decimal]:
        self.at += 1
        run = self._digit_run()
        if len(run) > 2 and self.after[:1] in _MEASURE and run[-1] == "一":
            run = run[:-1]
        self.at += len(run)
        return _same(whole + _digits(run).scaleb(-len(run)))

    def _range_of_units(self, run: str) -> tuple[Decimal, Decimal]:
        self.at += 2
        scale = 1
        while self._peek() in _UNITS and self._peek():
            scale *= _UNITS[self._peek()]
            self.at += 1
        return Decimal(_DIGITS[run[0]] * scale), Decimal(_DIGITS[run[1]] * scale)

    def _structured(self) -> tuple[Decimal, Decimal]:
        total, section, last, zero = 0, 0, 10**9, False
        while self.at < len(self.run):
            char = self._peek()
            if char in ("零", "〇"):
                zero, self.at = True, self.at + 1
                continue
            if char == "点":
                return self._with_decimals(Decimal(total + section))
            unit = _UNITS.get(char) or _UNITS.get(self._peek(1), 0)
            digit = 1 if char in _UNITS else _DIGITS[char]
            if not unit:
                tail = self._tail(last, zero=zero)
                base = Decimal(total + section)
                return self._pointed((base + tail[0], base + tail[1]))
            if unit == 10_000 and char in _UNITS and not section:
                break
            if char == "万":
                total, section, last, zero = (total + section) * 10_000, 0, 10_000, False
                self.at += 1
                continue
            if unit == 10_000 and not total:
                self.at += 2
                total, section, last, zero = (section + digit) * 10_000, 0, 10_000, False
                continue
            if unit >= last:
                break
            self.at += 1 if char in _UNITS else 2
            section, last, zero = section + digit * unit, unit, False
        return _same(Decimal(total + section))

    def _tail(self, last: int, *, zero: bool) -> tuple[Decimal, Decimal]:
        """The digit after the last unit: ones (二十八), or the next unit left out (一百八)."""
        run = self._digit_run()
        if run[0] == "两" and last <= 10:
            self.run = self.run[: self.at]  # the unit 两 of 十两 stays where it is
            return _same(Decimal(0))
        scale = 1 if zero or last <= 10 else last // 10
        if len(run) >= 2 and _is_range(run[:2]) and self.after[:1] != "点":
            self.at += 2
            return Decimal(_DIGITS[run[0]] * scale), Decimal(_DIGITS[run[1]] * scale)
        self.at += 1
        return _same(Decimal(_DIGITS[run[0]] * scale))

    def _pointed(self, found: tuple[Decimal, Decimal]) -> tuple[Decimal, Decimal]:
        """十五点六: decimals after a number with units."""
        if self._peek() == "点" and found[0] == found[1] and self.at + 1 < len(self.run):
            return self._with_decimals(found[0])
        return found


def _is_range(run: str) -> bool:
    low, high = _DIGITS[run[0]], _DIGITS[run[1]]
    return 0 < low < high and (high - low == 1 or (low, high) == (3, 5))


def _same(value: Decimal) -> tuple[Decimal, Decimal]:
    return value, value


def _chinese(text: str, start: int, end: int) -> list[Number]:
    """All numbers in one run; a run may hold several (一千一百八一克)."""
    out: list[Number] = []
    reader = _Run(text[start:end], text[end : end + 2])
    while reader.at < len(reader.run):
        begin = reader.at
        found = reader.read()
        if found is None or reader.at <= begin:
            reader.at = max(reader.at, begin + 1)
            continue
        a, b = start + begin, start + reader.at
        if out and a == out[-1].end and text[a:b] == "两":
            continue
        out.append(Number(a, b, found[0], found[1], text[a:b]))
    return out


def with_money(number: Number, text: str) -> Number:
    """九块九, 39元5: the part after the currency word belongs to the amount."""
    found = _JIAO.match(text, number.end)
    if not found or number.is_range:
        return number
    run, end = found["ar"] or found["zh"], found.end()
    if found["zh"]:
        if len(run) > 1 and text[end : end + 1] in _MEASURE and text[end : end + 1]:
            run, end = run[:-1], end - 1
        elif len(run) == 1 and _starts_measure(text, found):
            return number
        run = str(_digits(run)).rjust(len(run), "0")
    amount = number.low + Decimal(run).scaleb(-len(run))
    return Number(number.start, end, amount, amount, text[number.start : end], "块")


def _starts_measure(text: str, found: re.Match[str]) -> bool:
    """二十块一斤: the 一 counts what is sold and is no 毛; 九块九包邮 counts nothing."""
    after = text[found.end() : found.end() + 2]
    if after in ("包邮", "包退", "包换"):
        return False
    return bool(after) and after[0] in _MEASURE and not found[0].endswith(("毛", "角"))


def of_match(found: re.Match[str], text: str) -> list[Number]:
    """The numbers of one match of :data:`NUMERAL`."""
    start, end = found.span()
    if found["all"]:
        return [Number(start, end, Decimal(100), Decimal(100), found[0], "%")]
    if found["pct"]:
        inner = found["pct"]
        parts = _chinese(text, found.start("pct"), found.end("pct"))
        value = Decimal(inner) if inner[0].isdigit() and inner.isascii() else None
        low, high = (value, value) if value is not None else (parts[0].low, parts[0].high)
        return [Number(start, end, low, high, found[0], "%")]
    if found["ar"]:
        value = Decimal(found["ar"].replace(",", ""))
        if found["big"]:
            value = (value * (10_000 if found["big"] == "万" else 1000)).to_integral_value()
        return [Number(start, end, value, value, found[0], "%" if found["sign"] else "")]
    if found["half"]:
        return [Number(start, end, Decimal("0.5"), Decimal("0.5"), found[0])]
    return _chinese(text, start, end)


def with_softener(number: Number, text: str) -> Number:
    """三十多, 二十来, 十几: the softener belongs to the numeral."""
    if number.mark == "%" or (number.low < 10 and number.text[-1:] not in _UNITS):
        return number
    more = _MORE.match(text, number.end)
    if not more or number.low % 10:
        return number
    end = more.end()
    return number._replace(end=end, text=text[number.start : end], approx=True)
