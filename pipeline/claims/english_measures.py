"""Sizes and amounts of English phrases: plural sizes, parts of a litre, "a metre fifty"."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from pipeline.claims.english import NET, length
from pipeline.claims.english_days import Around, Said, plain, written

_SIZE_WORDS = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "sixe": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14",
}  # fmt: skip


def sizes(found: Said, name: str, _: Around) -> str:
    """ "eights, nine and a halfs and a lonely twelve" as ``8;9.5;12``."""
    text = re.sub(r"(\d+)[ -]and[ -]a[ -]halfs?", r"\1.5", written(found, name))
    words = (
        r"\b(?:(?P<w>"
        + "|".join(sorted(_SIZE_WORDS, key=len, reverse=True))
        + r")s|(?P<n>\d+(?:\.\d+)?)s?)\b"
    )
    out = [hit["n"] or _SIZE_WORDS[hit["w"]] for hit in re.finditer(words, text)]
    if len(out) > 1 and re.search(r"\b1 [a-z]+ \d", text):
        out = [n for n in out if n != "1"]
    return ";".join(out) or text


_PARTS = (
    ("three quarters", "0.75"),
    ("half", "0.5"),
    ("quarter", "0.25"),
    ("third", "0.333"),
    ("eighth", "0.125"),
)


def fraction(found: Said, name: str, setting: Around) -> str:
    """ "a quarter of a litre" as ``250mL``, "half a kilo" as ``500g``, else with the part (``0.5lb``)."""
    text, numbers = found.text(name), found.numbers(name)
    part = next((Decimal(p) for word, p in _PARTS if word in text), Decimal(1))
    if numbers:
        part = part * numbers[0].low
    for word, short in (("lit", "mL"), ("kilo", "g"), ("kg", "g")):
        if re.search(rf"\b{word}", text):
            return f"{plain(part * 1000)}{short}"
    return plain(part) + next((s for w, s in NET if re.search(rf"\b{w}", text)), "")


def metres(found: Said, name: str, _: Around) -> str:
    """ "a metre fifty by two metres" as ``150x200cm``, "a metre forty-five across" as ``145cm``."""
    out = []
    for side in re.split(r" by |,? not ", written(found, name)):
        said = re.search(
            r"(?P<m>an?|\d+(?:\.\d+)?) ?(?:m[a-z]+)?(?P<h> and a half)?(?: (?:and )?(?P<c>\d+))?",
            side,
        )
        if said is None or re.search("f[eo]o?t|yard", side):
            return written(found, name)
        whole = Decimal(1) if said["m"].startswith("a") else Decimal(said["m"])
        rest = Decimal(50) if said["h"] else Decimal(said["c"] or 0)
        out.append(plain(whole * 100 + rest))
    return "x".join(out[: 2 if " by " in found.text(name) else 1]) + "cm"


def measures(found: Said, name: str, setting: Around) -> str:
    """ "the eight inch and the eleven" as ``8in;11in``: the unit said once is meant for all."""
    unit = length(found, name, setting)
    short = re.sub(r"[\d.-]", "", unit)
    return ";".join(plain(n.low) + short for n in found.numbers(name))


_INCH = re.compile(
    r"(?:(?P<n>\d+(?:\.\d+)?) |(?P<a>an?|one) (?=inch)|)"
    r"(?:(?:and an? )?(?P<p>half|quarter|eighth|three[ -]quarters|3[ -]quarters)(?: of)?(?: an?)? ?)?"
    r"(?P<u>inch|foot|feet|met)[a-z]*(?: and an? (?P<q>half|quarter))?"
)


def inches(found: Said, name: str, setting: Around) -> str:
    """ "inch and a half" as ``1.5in``, "seven and a quarter inches" as ``7.25in``."""
    said = _INCH.search(written(found, name))
    if said is None or any(n.is_range for n in found.numbers(name)):
        return length(found, name, setting)
    part = (said["p"] or said["q"] or "").replace("3", "three").replace("-", " ")
    rest = next((Decimal(p) for word, p in _PARTS if word == part), Decimal(0))
    alone = Decimal(0) if said["p"] else Decimal(1)
    whole = Decimal(said["n"]) if said["n"] else alone
    return plain(whole + rest) + {"i": "in", "f": "ft", "m": "m"}[said["u"][0]]


_SHORT = (
    (r"kilos?|kilogram(?:me)?s?|kgs", "kg"), (r"grams?|grammes?", "g"), (r"lit(?:er|re)s?", "L"),
    (r"mils?|millilit(?:er|re)s?|mls", "ml"), (r"centimet(?:er|re)s?", "cm"), (r"millimet(?:er|re)s?", "mm"),
    (r"hours?|hrs?", "h"), (r"minutes?|mins?", "min"), (r"watts?", "W"), (r"volts?", "V"),
)  # fmt: skip


def spec(found: Said, name: str, _: Around) -> str:
    """The words with figures and short units: "300kg static", "1.5h on high"."""
    text = written(found, name)
    text = re.sub(r"\ban? (hour|minute) and a half\b", r"1.5 \1s", text)
    text = re.sub(r"\b(?:half|(0\.5)) an? (hour|kilo|lit(?:er|re))\b", r"0.5 \2", text)
    text = re.sub(r"\ban? (hour|minute|kilo|lit(?:er|re))\b", r"1 \1", text)
    for words, short in _SHORT:
        text = re.sub(rf"(?<=\d)[ -](?:{words})\b", short, text)
    return text


MEASURES: dict[str, Callable[..., str]] = {
    "en_sizes": sizes,
    "en_measures": measures,
    "en_fraction": fraction,
    "en_metres": metres,
    "en_inches": inches,
    "en_spec": spec,
}
"""Functions of templates for English sizes and amounts."""
