"""What the products of a broadcast are called: names, aliases and the heads of names.

Only names are read here. The listing's values never help to place a claim that
may later be compared with them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pipeline.claims.cues import Cues, chinese_number, cues, english_number
from pipeline.model import Product
from pipeline.text.normal import normal_text
from pipeline.text.sound import FUZZY, LITERAL, TONELESS, SoundHit, SoundMatcher, syllables

_SPEC = re.compile(
    r"\d+(?:\.\d+)?\s*(?:毫升|公斤|公分|厘米|[寸包斤克升件片条支瓶袋盒个只段色码代层抽匹米]|kg|ml|cm|pack|-pack"
    r"|ft|in|oz|lb|g|l|w|v)?装?(?![a-z0-9])"
)
_DIGITS = re.compile(r"\d{1,4}")
_HEAD_CHARS = 2
_LATIN = re.compile(r"[a-z][a-z'-]*")
_ZH_DIGITS = "零一二三四五六七八九"
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_NUMERAL = re.compile(f"[{_ZH_DIGITS}两十百千万]")


class Name(NamedTuple):
    """One way to say a product."""

    sku_id: str
    text: str
    """Normal form."""
    given: bool
    """Whether the merchant wrote it; False for the head of the full name."""


class NameHit(NamedTuple):
    """A product name heard in a text; offsets into the text searched."""

    sku_id: str
    start: int
    end: int
    text: str
    by_sound: bool
    given: bool


class NameFinder:
    """Finds product names by writing and by sound; the longest name wins a place."""

    def __init__(self, products: Sequence[Product]) -> None:
        owners: dict[str, set[str]] = defaultdict(set)
        names: dict[str, Name] = {}
        for name in _all_names(products):
            owners[name.text].add(name.sku_id)
            names.setdefault(name.text, name)
        self._names = {text: name for text, name in names.items() if len(owners[text]) == 1}
        self._matcher = SoundMatcher(self._names)
        self._words: Cues = cues()
        self._kinds = _kinds(self._names.values())

    def find(self, text: str) -> list[NameHit]:
        """The names in a text, in order, not overlapping."""
        hits = []
        for hit in self._matcher.find(text):
            name = self._names[hit.needle]
            if hit.grade <= _worst(name) and self._stands(text, hit):
                by_sound = hit.grade > LITERAL
                hits.append(
                    NameHit(name.sku_id, hit.start, hit.end, hit.needle, by_sound, name.given)
                )
        return _longest([*hits, *self._by_kind(text)])

    def _by_kind(self, text: str) -> Iterator[NameHit]:
        """Products called by their kind alone: 这把刀, 遛娃的小车, 咱们家这个手工碗."""
        for match in self._words.kind.finditer(text):
            if sku := self._kinds.get(match["kind"]):
                yield NameHit(sku, match.start("kind"), match.end(), match["kind"], False, False)

    def _stands(self, text: str, hit: SoundHit) -> bool:
        """Whether a hit is a word of its own and not a piece of another."""
        if not _whole(text, hit.start, hit.end):
            return False
        heard = text[hit.start : hit.end]
        if hit.grade > LITERAL and len(_NUMERAL.findall(heard)) > len(_NUMERAL.findall(hit.needle)):
            return False  # 二百九十九 is no 白酒
        if len(heard) == 1 and "\u4e00" <= heard <= "\u9fff":
            before, after = text[: hit.start], text[hit.end :]
            return bool(self._words.short_before.search(before)) and bool(
                self._words.short_after.match(after)
            )
        return True


def _kinds(names: Iterable[Name]) -> dict[str, str]:
    """The last character of each product's Chinese names, where no other product has it anywhere."""
    owners: dict[str, set[str]] = defaultdict(set)
    names = [n for n in names if _HAN.fullmatch(n.text)]
    for name in names:
        if len(name.text) >= 2 and name.given:
            owners[name.text[-1]].add(name.sku_id)
    for name in names:
        for char in set(name.text) & owners.keys():
            owners[char].add(name.sku_id)
    return {char: skus.pop() for char, skus in owners.items() if len(skus) == 1}


def _whole(text: str, start: int, end: int) -> bool:
    """Whether a Latin name is not a part of a hyphened word (``watch`` in ``stop-watch``)."""
    return not (text[start : start + 1].isascii() and text[start - 1 : start] == "-")


def _worst(name: Name) -> int:
    """The worst sound still trusted: short names need the very tones, long ones may be alike."""
    units = len(syllables(name.text))
    if not name.given and units <= 2:
        return LITERAL
    return LITERAL if units <= 1 else TONELESS if units == 2 else FUZZY


def _longest(hits: list[NameHit]) -> list[NameHit]:
    kept: list[NameHit] = []
    for hit in sorted(hits, key=lambda h: (h.by_sound, h.start - h.end, h.start)):
        if all(hit.end <= other.start or hit.start >= other.end for other in kept):
            kept.append(hit)
    return sorted(kept, key=lambda h: h.start)


def _all_names(products: Sequence[Product]) -> Iterator[Name]:
    brand = _brand([normal_text(p.name) for p in products if p.name])
    for product in products:
        full = normal_text(product.name)
        for text in (full, *(normal_text(a) for a in product.aliases)):
            yield from _forms(product.sku_id, text, given=True)
        for text in _heads(full.removeprefix(brand).strip()):
            yield from _forms(product.sku_id, text, given=False)


def _forms(sku_id: str, text: str, *, given: bool) -> Iterator[Name]:
    if not any(s.key for s in syllables(text)):
        return
    yield Name(sku_id, text, given)
    for spoken in _spoken(text):
        yield Name(sku_id, spoken, given)
    if given and len(text) >= 3 and _HAN.fullmatch(text):
        yield from (Name(sku_id, f"{text[:-n]}的{text[-n:]}", False) for n in (1, 2))
    if text[-1:].isascii() and text[-1:].isalpha() and len(text) >= 3:
        yield Name(sku_id, text[:-1] if text.endswith("s") else text + "s", given)


def _spoken(text: str) -> Iterator[str]:
    """The name with its figures said aloud: 曜石12 → 曜石十二, 曜石一二; Pad 2 → Pad two."""
    if not _DIGITS.search(text):
        return
    if text.isascii():
        yield _DIGITS.sub(lambda m: english_number(int(m[0])) or m[0], text)
        return
    yield _DIGITS.sub(lambda m: "".join(_ZH_DIGITS[int(c)] for c in m[0]), text)
    yield _DIGITS.sub(lambda m: chinese_number(int(m[0])) or m[0], text)


def _brand(names: Sequence[str]) -> str:
    """What all names begin with: a brand says nothing about which product is meant."""
    if len(names) < 2:
        return ""
    first, last = min(names), max(names)
    same = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    shared = first[:same]
    if shared.isascii():
        return shared[: shared.rfind(" ") + 1]
    return shared if len(shared) >= 2 else ""


def _heads(name: str) -> Iterator[str]:
    """The name without its brand, figures and packing, and the noun it ends in."""
    words = cues()
    bare = words.packing.sub("", _SPEC.sub(" ", name).strip(" -·")).strip(" -·")
    if not bare:
        return
    latin = _LATIN.findall(bare)
    if nouns := [w for w in latin if w not in words.function and w not in words.packing_latin]:
        yield bare
        if not any("\u4e00" <= c <= "\u9fff" for c in bare):
            yield nouns[-1]
            return
    core = bare.replace(" ", "")
    yield core
    for size in range(_HEAD_CHARS, min(5, len(core))):
        yield core[-size:]
