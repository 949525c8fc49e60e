"""Values of English phrases: spans, things in a list, places, sizes, days to come."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from pipeline.claims.english_days import Around, Said, expiry, plain, recent, until, written

_UNIT = re.compile(r"(year|yr|twelvemonth|month|fortnight|week|day|hour|hr|minute|min)")
_LETTER = {"yr": "Y", "twelvemonth": "Y", "hr": "H", "min": "MIN", "minute": "MIN"}
_HALVES = {"Y": ("M", 12), "M": ("D", 30), "W": ("D", 7), "D": ("H", 24), "H": ("MIN", 60)}
_LEAD = re.compile(
    r"^(?:and|a|an|the|one|your|our|my|this|that|some|another|free|extra|complimentary|bonus|little|"
    r"small|matching|nice|single|also|even|full|of|in|with|it|you|get)\b[ -]*"
)
_SPLIT = re.compile(r",? (?:and|plus|as well as|or|then|&) |, |/| & ")
_SIZE = {
    "extra": "X", "double": "XX", "triple": "XXX", "quadruple": "XXXX", "x": "X", "xx": "XX", "xxx": "XXX",
    "small": "S", "medium": "M", "large": "L", "s": "S", "m": "M", "l": "L",
}  # fmt: skip


def span(found: Said, name: str, _: Around) -> str:
    """ISO 8601 of "a year and a half", "30-day", "two to three weeks" (its longer end)."""
    text, numbers = found.text(name), found.numbers(name)
    unit = _UNIT.search(text)
    if not unit:
        return "LIFETIME" if "life" in text or "forever" in text else written(found, name)
    letter = _LETTER.get(unit[1], unit[1][0].upper())
    value = numbers[0].high if numbers else Decimal(2 if "couple" in text else 1)
    if unit[1] == "fortnight":
        letter, value = "D", value * 14
    if text.endswith("and a half"):
        value += Decimal("0.5")
    return _iso(value, letter)


def _iso(value: Decimal, letter: str) -> str:
    if value != int(value) and letter in _HALVES:
        letter, times = _HALVES[letter]
        value *= times
    if letter == "W":
        letter, value = "D", value * 7
    whole = int(value)
    return {"H": f"PT{whole}H", "MIN": f"PT{whole}M"}.get(letter, f"P{whole}{letter}")


def things(found: Said, name: str, _: Around) -> str:
    """ "a pouch and two filters" as ``pouch x1;filters x2``."""
    out = []
    for part in _SPLIT.split(written(found, name)):
        count = re.match(r"(\d+) ", part)
        thing = re.sub(r"\b\d+-[a-z]+ ", "", part[count.end() :] if count else part)
        while (shorter := _LEAD.sub("", thing)) != thing:
            thing = shorter
        if thing:
            out.append(f"{thing} x{count[1] if count else 1}")
    return ";".join(out)


def listed(found: Said, name: str, _: Around) -> str:
    """ "black, olive and sand" as ``black;olive;sand``."""
    parts = []
    for part in _SPLIT.split(written(found, name)):
        bare = re.sub(r"^(?:(?:and|or|the|a|an|in|just|only|then|also|both)\b ?)+", "", part)
        bare = re.sub(r" (?:only|too|as well|ones?|colou?rs?|one)$", "", bare).strip(" ,")
        parts.append(bare)
    return ";".join(dict.fromkeys(p for p in parts if p))


def title(found: Said, name: str, _: Around) -> str:
    """A place with capitals."""
    words = re.sub(r"^(?:in|from|the) ", "", written(found, name)).split()
    return " ".join(w if w in ("of", "and", "in") else w.capitalize() for w in words)


def size(found: Said, name: str, _: Around) -> str:
    """ "double x" as ``XXL``, "extra small" as ``XS``, "3xl" as ``3XL``."""
    text = written(found, name).replace("-", " ")
    text = re.sub(r"\b(double|triple|quadruple) x?l\b", r"\1", text)
    if text[:1].isdigit():
        return text.upper()
    letters = "".join(_SIZE.get(w, w.upper()) for w in text.split())
    return letters if letters[-1:] in ("S", "M", "L") else letters + "L"


def length(found: Said, name: str, setting: Around) -> str:
    """A length as said; without a unit, inches in a room that sells in dollars, else cm."""
    text, numbers = found.text(name), found.numbers(name)
    if not numbers:
        return text
    unit = re.search(r"#[ -]?([a-z\"]+)", text)
    word = unit[1] if unit else ""
    short = next((s for w, s in _LENGTHS if word.startswith(w)), "")
    if not short:
        short = "in" if setting.currency == "USD" else "cm"
    number = numbers[0]
    low = plain(number.low)
    return f"{low}-{plain(number.high)}{short}" if number.is_range else f"{low}{short}"


_LENGTHS = (
    ("inch", "in"), ("in", "in"), ('"', "in"), ("cm", "cm"), ("centi", "cm"), ("mm", "mm"), ("mil", "mm"),
    ("met", "m"), ("f", "ft"), ("yard", "yd"), ("m", "m"),
)  # fmt: skip
_NOTES = {"tenner": "10", "fiver": "5"}
_MONEY = (("£", "GBP"), ("quid", "GBP"), ("pound", "GBP"), ("€", "EUR"), ("euro", "EUR"),
          ("rupee", "INR"), ("rand", "ZAR"), ("naira", "NGN"), ("ringgit", "MYR"))  # fmt: skip


def price(found: Said, name: str, setting: Around) -> str:
    """Money in the currency said, else the room's; empty for a range."""
    numbers, text = found.numbers(name), found.text(name)
    if note := next((n for word, n in _NOTES.items() if word in text), ""):
        return "GBP" + note
    if not numbers or numbers[-1].is_range:
        return ""
    said = next((code for word, code in _MONEY if word in text), "")
    if len(numbers) == 2 and re.search(r"#(?: ?[a-z]+) #", text):
        return (said or setting.currency) + plain(numbers[0].low + numbers[1].low / 100)
    if not said and re.search(r"\$|dollar|buck", text) and setting.currency in ("GBP", "EUR"):
        said = "USD"
    code, low = said or setting.currency, numbers[-1].low
    whole = code in _WITHOUT_PARTS and low != int(low)
    return code + plain(low * 100 if whole else low)


def cents(found: Said, name: str, setting: Around) -> str:
    """ "ninety-nine cents" as 0.99 of the room's currency."""
    numbers = found.numbers(name)
    return setting.currency + plain(numbers[-1].low / 100) if numbers else ""


def stretch(found: Said, name: str, _: Around) -> str:
    """A range (``28-44``); empty for a single number."""
    numbers = found.numbers(name)
    if len(numbers) == 1 and numbers[0].is_range:
        return f"{plain(numbers[0].low)}-{plain(numbers[0].high)}"
    return ""


def slug(found: Said, name: str, _: Around) -> str:
    """Words with figures, joined as a key."""
    return re.sub(r"[^a-z0-9.%]+", "_", written(found, name)).strip("_")


def age(found: Said, name: str, _: Around) -> str:
    """ "6 months" as 6M, "six" as 6Y."""
    numbers = found.numbers(name)
    if not numbers:
        return written(found, name)
    letter = "M" if "month" in found.text(name) else "Y"
    low = plain(numbers[0].low)
    return f"{low}-{plain(numbers[0].high)}{letter}" if numbers[0].is_range else low + letter


def words(found: Said, name: str, _: Around) -> str:
    """The words, numerals as figures, without articles in front."""
    text = written(found, name)
    while (shorter := _LEAD.sub("", text)) != text and shorter:
        text = shorter
    return text


def box(found: Said, name: str, setting: Around) -> str:
    """ "forty by twenty-five centimetres" as ``40x25cm``; without a unit as :func:`length`."""
    text = found.text(name)
    unit = re.findall(r"#[ -]?([a-z\"]+)", text.replace(" by", "").replace(" x ", " "))
    word = next((u for u in reversed(unit) if u != "x"), "")
    short = next((s for w, s in _LENGTHS if word.startswith(w)), "")
    if not short:
        short = "in" if setting.currency == "USD" else "cm"
    return "x".join(plain(n.low) for n in found.numbers(name)) + short


def millimetres(found: Said, name: str, setting: Around) -> str:
    """Body measures: a bare number above 99 is in millimetres (a wrist of 140 to 210)."""
    numbers = found.numbers(name)
    if numbers and numbers[0].low > 99 and re.fullmatch(r"# ?", found.text(name)):
        shown = plain(numbers[0].low)
        return f"{shown}-{plain(numbers[0].high)}mm" if numbers[0].is_range else f"{shown}mm"
    return length(found, name, setting)


_DIMS = {"long": "L", "length": "L", "wide": "W", "width": "W", "tall": "H", "high": "H", "height": "H",
         "thick": "H", "thickness": "H", "deep": "D", "depth": "D", "across": "D", "diameter": "D"}  # fmt: skip


def dimension(found: Said, name: str, _: Around) -> str:
    """The letter of a dimension (``L``), else its name."""
    text = found.text(name).strip()
    return _DIMS.get(text.removeprefix("in "), text)


NET = (
    ("fluid o", "fl oz"), ("fl o", "fl oz"), ("ounce", "oz"), ("oz", "oz"), ("kilo", "kg"), ("kg", "kg"),
    ("gal", "gal"), ("g", "g"), ("pound", "lb"), ("lb", "lb"), ("mil", "mL"), ("ml", "mL"), ("l", "L"),
    ("pint", "pt"), ("quart", "qt"), ("cup", "cup"),
)  # fmt: skip


def net(found: Said, name: str, setting: Around) -> str:
    """A weight or volume in the unit said (``12oz``, ``350mL``); pounds are money in Britain."""
    numbers, text = found.numbers(name), found.text(name)
    unit = re.search(r"#(?:[ -]and a half)?[ -]?([a-z ]+)", text)
    short = next((s for w, s in NET if unit and unit[1].startswith(w)), "")
    if not numbers:
        return text
    if short == "lb" and "pound" in text and setting.currency == "GBP":
        return ""
    low, high = numbers[0].low, numbers[0].high
    if "and a half" in text:
        low, high = low + Decimal("0.5"), high + Decimal("0.5")
    return f"{plain(low)}-{plain(high)}{short}" if high != low else f"{plain(low)}{short}"


def first(found: Said, name: str, _: Around) -> str:
    """ "an inch" and "two inches" as ``1in`` and ``2in``."""
    text = written(found, name)
    text = re.sub(r"^half(?: an?)? ", "0.5 ", re.sub(r"^an? ", "1 ", text))
    for word, short in (("inches", "in"), ("inch", "in"), ("centimet", "cm"), ("percent", "%")):
        text = re.sub(rf" ?{word}[a-z]*", short, text)
    return text


def running(found: Said, name: str, _: Around) -> str:
    """How long it runs: ``7h``, ``40min``, ``P10D``; a bare number takes the unit said before."""
    text, numbers = found.text(name), found.numbers(name)
    if not numbers:
        return text
    unit = _UNIT.search(text)
    if not unit:
        try:
            unit = _UNIT.search(found.text("u"))
        except KeyError:
            unit = None
    low = plain(numbers[0].low)
    shown = f"{low}-{plain(numbers[0].high)}" if numbers[0].is_range else low
    if unit is None:
        return f"{shown}h" if text.strip() == "#" else written(found, name)
    if unit[1] in ("day", "week"):
        return _iso(numbers[0].high, "D" if unit[1] == "day" else "W")
    return shown + ("min" if unit[1].startswith("min") else "h")


def sensors(found: Said, name: str, _: Around) -> str:
    """ "heart rate and blood oxygen" as ``heart_rate,SpO2``."""
    parts = _SPLIT.split(written(found, name))
    return ",".join("SpO2" if "oxygen" in p else p.strip().replace(" ", "_") for p in parts)


def pair(found: Said, name: str, _: Around) -> str:
    """ "a pair" and "both" as 2."""
    text, numbers = found.text(name), found.numbers(name)
    if numbers:
        return plain(numbers[0].low)
    return "2" if text in ("a pair", "both", "two") else text.replace(" ", "_")


def years(found: Said, name: str, _: Around) -> str:
    """A bare number of years."""
    numbers = found.numbers(name)
    return f"P{plain(numbers[0].low)}Y" if numbers else "P1Y"


def unit(found: Said, name: str, _: Around) -> str:
    """The short form of a unit of weight or volume."""
    text = found.text(name)
    return next((short for word, short in NET if text.startswith(word)), text)


def fee(found: Said, name: str, setting: Around) -> str:
    """A shipping fee: "five ninety-five" said in words is 5.95, hardly ever 595."""
    numbers = found.numbers(name)
    if numbers and numbers[-1].low >= 100 and not any(c.isdigit() for c in numbers[-1].text):
        return setting.currency + plain(numbers[-1].low / 100)
    return price(found, name, setting)


def within(found: Said, name: str, setting: Around) -> str:
    """A last day or, where a span is said, its length."""
    text = found.text(name)
    if _UNIT.search(text) and (found.numbers(name) or _SPAN_OF_ONE.search(text)):
        return span(found, name, setting)
    if re.search(
        r"^tomorrow|(?:same|next|following) (?:working |business )?(?:day|morning)$", text
    ):
        return "PT24H"
    return until(found, name, setting)


def days(found: Said, name: str, _: Around) -> str:
    """ "knives, maybe four" after days were told: a bare number is one of days."""
    numbers, text = found.numbers(name), found.text(name)
    if not numbers:
        return "P14D" if "fortnight" in text else "P7D"
    return f"P{plain(numbers[-1].high * (7 if 'week' in text else 1))}D"


def forever(_: Said, __: str, ___: Around) -> str:
    """Any way of saying that a promise has no end."""
    return "LIFETIME"


_SPAN_OF_ONE = re.compile(
    r"\b(?:an?|one|couple(?: of)?|half a|first|full|whole) (?:[a-z]+ )?(?:year|month|week|day|hour|fortnight|twelvemonth)|\bfortnight\b|\bcouple\b"
)
_DAYS_ABROAD = {"canada": "CA", "the uk": "UK", "uk": "UK", "europe": "EU", "the eu": "EU"}


def abroad(found: Said, name: str, _: Around) -> str:
    """Where it is sent, as a code."""
    text = found.text(name).strip()
    return _DAYS_ABROAD.get(text, text)


_WITHOUT_PARTS = frozenset({"INR", "ZAR", "NGN", "PKR", "KES"})
"""Money nobody counts in hundredths: "eleven fifty" is 1150."""
_NAMED_MONEY = (
    (r"\brands?\b|\bzar\b", "ZAR"), (r"₹|\brupees?\b|\blakhs?\b|\binr\b", "INR"), (r"₦|\bnaira\b", "NGN"),
    (r"\bringgit\b", "MYR"), (r"\bdirhams?\b", "AED"),
)  # fmt: skip
_DOLLARS = {9.5: "AUD", 10.0: "AUD", 10.5: "AUD", 11.0: "AUD", 12.0: "NZD", 13.0: "NZD"}
"""Whose dollars a room means, by the hours its clock is ahead."""


def currency_of(spoken: str, offset_hours: float | None) -> str:
    """The currency of an English room that gives none: from the money words it uses.

    "Pounds" alone may be a weight; it counts where nobody says dollars and the room's clock is
    that of Britain or Ireland, or where a sign or "quid" is used.
    """
    text = spoken.lower()
    if named := next((code for words, code in _NAMED_MONEY if re.search(words, text)), ""):
        return named
    if re.search(r"\$|\bdollars?\b|\bbucks?\b", text):
        return _DOLLARS.get(offset_hours or 0, "USD")
    if re.search(r"£|\bquid\b|\bpence\b|\bpounds each\b", text):
        return "GBP"
    if re.search(r"€|\beuros?\b", text):
        return "EUR"
    if offset_hours in (0, 1) and re.search(r"\bpounds?\b", text):
        return "GBP"
    return _DOLLARS.get(offset_hours or 0, "INR" if offset_hours == 5.5 else "USD")


ENGLISH: dict[str, Callable[..., str]] = {
    "en_span": span,
    "en_things": things,
    "en_listed": listed,
    "en_title": title,
    "en_size": size,
    "en_length": length,
    "en_price": price,
    "en_cents": cents,
    "en_stretch": stretch,
    "en_until": until,
    "en_slug": slug,
    "en_age": age,
    "en_words": words,
    "en_abroad": abroad,
    "en_box": box,
    "en_mm": millimetres,
    "en_dim": dimension,
    "en_net": net,
    "en_pair": pair,
    "en_years": years,
    "en_unit": unit,
    "en_fee": fee,
    "en_within": within,
    "en_days": days,
    "en_forever": forever,
    "en_first": first,
    "en_run": running,
    "en_sensors": sensors,
    "en_recent": recent,
    "en_expiry": expiry,
}
"""Functions of templates for English rules."""
