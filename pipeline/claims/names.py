"""What the products of a broadcast are called: names, aliases and the heads of names.

Only names are read here. The listing's values never help to place a claim that
may later be compared with them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.model import Product
from pipeline.text.normal import normal_text
from pipeline.text.sound import FUZZY, LITERAL, SAME_TONE, TONELESS, SoundMatcher, syllables

_SPEC = re.compile(
    r"\d+(?:\.\d+)?\s*(?:寸|包|斤|公斤|克|g|kg|ml|l|w|件|片|条|支|瓶|袋|盒|个|只|pack|-pack)?\b"
)
_HEAD_CHARS = 2
_LATIN = re.compile(r"[a-z][a-z'-]*")
_FUNCTION = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "for",
        "and",
        "with",
        "in",
        "on",
        "to",
        "by",
        "pack",
        "set",
        "pair",
        "pairs",
    ]
)


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

    def find(self, text: str) -> list[NameHit]:
        """The names in a text, in order, not overlapping."""
        hits = []
        for hit in self._matcher.find(text):
            name = self._names[hit.needle]
            if hit.grade <= _worst(name) and _whole(text, hit.start, hit.end):
                hits.append(
                    NameHit(name.sku_id, hit.start, hit.end, hit.needle, hit.grade > 0, name.given)
                )
        return _longest(hits)


def _whole(text: str, start: int, end: int) -> bool:
    """Whether a Latin name is not a part of a hyphened word (``watch`` in ``stop-watch``)."""
    return not (text[start : start + 1].isascii() and text[start - 1 : start] == "-")


def _worst(name: Name) -> int:
    """The worst sound still trusted: short names need the very tones, long ones may be alike."""
    units = len(syllables(name.text))
    if not name.given and units <= 2:
        return LITERAL
    return SAME_TONE if units <= 1 else TONELESS if units == 2 else FUZZY


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
    if text[-1:].isascii() and text[-1:].isalpha() and len(text) >= 3:
        yield Name(sku_id, text[:-1] if text.endswith("s") else text + "s", given)


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
    """The name without its brand and figures, and the noun it ends in."""
    bare = _SPEC.sub(" ", name).strip(" -·")
    if not bare:
        return
    if words := [w for w in _LATIN.findall(bare) if w not in _FUNCTION]:
        yield bare
        if not any("\u4e00" <= c <= "\u9fff" for c in bare):
            yield words[-1]
            return
    core = bare.replace(" ", "")
    yield core
    for size in range(_HEAD_CHARS, min(5, len(core))):
        yield core[-size:]
