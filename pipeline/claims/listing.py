"""Each claim beside the SKU's listing: agrees, contradicts, or not stated, both sides quoted.

The listing is read only here, after a claim has been heard and placed. It helps neither, so the
comparison cannot be circular; :func:`compare` still marks a claim as ``circular`` when its SKU
was chosen or its words were resolved with the very field compared with.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pipeline.claims.colour_families import ColourFamilies
from pipeline.claims.shape import shape_of
from pipeline.claims.values import plain
from pipeline.model import Broadcast, Claim, ClaimType, ListingCheck, Product
from pipeline.text.normal import normal_text

_KEYS = Path(__file__).parent / "listing_keys.toml"
_HOURS = {"Y": 8760, "M": 730, "W": 168, "D": 24, "H": 1}
_ISO = re.compile(
    r"P(?=[\dT])(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?"
)
_WORDS = re.compile(r"[\s,;:/=+|、()<>-]+")
_MONEY = re.compile(r"(?:CNY|USD|EUR|GBP)(\d+(?:\.\d+)?)")
_NAMED = frozenset({"colour", "material", "ingredient", "origin", "certification"})


class Measure(NamedTuple):
    """A number with its base unit; unit ``n`` where none was said."""

    unit: str
    value: Decimal


def compare(
    claim: Claim,
    broadcast: Broadcast,
    *,
    units: Mapping[str, Mapping[str, str]],
    colours: ColourFamilies | None = None,
) -> ListingCheck | None:
    """The claim's place beside the listing; None where it has no SKU or there is no listing."""
    product = broadcast.product(claim.sku_id)
    values = _values_at(product, broadcast, claim) if product else {}
    if not values:
        return None
    fields = [k for k in values if field_type(k) == claim.claim_type]
    checks = [_against(claim, k, values[k], units) for k in fields]
    if claim.claim_type == "colour" and colours is not None:
        checks = [_by_family(claim, check, colours) for check in checks]
    for verdict in ("contradicts", "agrees"):
        decided = [c for c in checks if c.agreement == verdict]
        if decided and not (
            verdict == "contradicts" and any(c.agreement == "agrees" for c in checks)
        ):
            return _not_circular(claim, decided[0])
    if checks:
        return checks[0]
    return ListingCheck(agreement="not_stated", reason="no listing field speaks about this")


def _by_family(claim: Claim, check: ListingCheck, colours: ColourFamilies) -> ListingCheck:
    """A shade and its family (藏青, blue) agree where the words alone do not."""
    said = claim.value if isinstance(claim.value, tuple) else (claim.value or "",)
    said = tuple(v.split("=")[-1].split(":")[0] for v in said)
    listed = [w for w in _WORDS.split(normal_text(check.listed)) if w]
    if check.agreement == "agrees" or not colours.meet(said, listed):
        return check
    if claim.polarity == "negate":
        return check
    reason = "one colour lies within the other"
    return check.model_copy(update={"agreement": "agrees", "reason": reason})


def _not_circular(claim: Claim, check: ListingCheck) -> ListingCheck:
    used = any(
        f"listing:{check.field}" in reason for reason in (*claim.sku_reasons, claim.resolved_reason)
    )
    return (
        check.model_copy(update={"agreement": "needs_review", "reason": "circular"})
        if used
        else check
    )


def _values_at(product: Product, broadcast: Broadcast, claim: Claim) -> dict[str, str]:
    """The listing as last captured before the claim, over the broadcast's own."""
    values = dict(product.listing)
    start = broadcast.started_at
    for snapshot in sorted(
        (s for s in product.listings if s.captured_at is not None),
        key=lambda s: s.captured_at.isoformat() if s.captured_at else "",
    ):
        if start is None or snapshot.captured_at is None:
            continue
        if (snapshot.captured_at - start).total_seconds() * 1000 <= claim.start_ms:
            values.update(snapshot.values)
    return values


@lru_cache(maxsize=1)
def colour_names() -> dict[str, str]:
    """Colours of one language to their name in the other, from ``listing_keys.toml``."""
    table: dict[str, str] = tomllib.loads(_KEYS.read_text(encoding="utf-8"))["colours"]
    return table


@lru_cache(maxsize=1)
def _keys() -> dict[str, ClaimType]:
    table = tomllib.loads(_KEYS.read_text(encoding="utf-8"))["keys"]
    return {key.lower(): kind for kind, keys in table.items() for key in keys}


@lru_cache(maxsize=4096)
def field_type(field: str) -> ClaimType | None:
    """The claim type a listing field speaks about; None when the map does not know it."""
    name = normal_text(field)
    keys = _keys()
    if name in keys:
        return keys[name]
    held = [k for k in keys if k in name and (len(k) > 2 or not k.isascii())]
    return keys[max(held, key=len)] if held else None


def _against(
    claim: Claim, field: str, listed: str, units: Mapping[str, Mapping[str, str]]
) -> ListingCheck:
    said = " ".join(claim.value) if isinstance(claim.value, tuple) else claim.value or ""
    agreement, reason = _judge(claim, said, listed, units)
    return ListingCheck.model_validate(
        {"agreement": agreement, "field": field, "listed": listed, "reason": reason}
    )


def _judge(
    claim: Claim, said: str, listed: str, units: Mapping[str, Mapping[str, str]]
) -> tuple[str, str]:
    if claim.claim_type == "price" and said.startswith(("coupon", "promo")):
        return "not_stated", "a promotion, not the price itself"
    same = _by_measure(said, listed, units)
    if same is None and (claim.claim_type in _NAMED or not measures(said, units)):
        same = _by_name(claim, said, listed)
    if same is None:
        return "not_stated", "the field says nothing that can be compared"
    if claim.polarity == "negate":
        if same:
            return "contradicts", "the listing states what was denied"
        return "not_stated", "denied here and absent there"
    if same:
        return "agrees", "the same value"
    if "=" in said and normal_text(said.split("=")[0]) not in normal_text(listed):
        return "not_stated", "said of a part that the listing does not name"
    return "contradicts", "another value"


def _by_measure(said: str, listed: str, units: Mapping[str, Mapping[str, str]]) -> bool | None:
    mine, theirs = measures(said, units), listing_measures(listed, units)
    kinds = {m.unit for m in mine} & {m.unit for m in theirs}
    if not kinds and any(m.unit == "n" for m in theirs):
        mine = {Measure("n", m.value) for m in mine if m.unit == "money"}
        kinds = {m.unit for m in mine} & {m.unit for m in theirs}
    if not kinds:
        return None
    ours = {m for m in mine if m.unit in kinds}
    return bool(ours & theirs) if len(ours) == 1 else ours <= theirs or ours >= theirs


def _by_name(claim: Claim, said: str, listed: str) -> bool | None:
    wanted = {w.split("=")[-1] for w in _WORDS.split(normal_text(said).replace("=", " ")) if w}
    wanted = {w.removesuffix("色") or w for w in wanted if not w.replace("%", "").isdigit()}
    text = normal_text(listed)
    if not wanted:
        return None
    hits = {w for w in wanted if w in text or any(p in w for p in _WORDS.split(text) if len(p) > 1)}
    if hits:
        return True
    if (
        claim.claim_type == "colour"
        and claim.polarity == "affirm"
        and ":" not in said
        and "偏" not in said
    ):
        return False
    return False if claim.polarity == "negate" else None


def measures(said: str, units: Mapping[str, Mapping[str, str]]) -> set[Measure]:
    """Numbers of a value in normal form, in base units."""
    out = {Measure("money", Decimal(m)) for m in _MONEY.findall(said)}
    rest = _MONEY.sub(" ", said)
    for found in _ISO.finditer(rest):
        years, months, weeks, days, hours, minutes = (int(g or 0) for g in found.groups())
        total = years * 8760 + months * 730 + weeks * 168 + days * 24 + hours
        out.add(Measure("h", Decimal(total) + Decimal(minutes) / 60))
    return out | listing_measures(_ISO.sub(" ", rest), units)


_shape = lru_cache(maxsize=4096)(shape_of)
"""The same values and listing texts come again and again."""


def listing_measures(text: str, units: Mapping[str, Mapping[str, str]]) -> set[Measure]:
    """Numbers of free text with the unit that follows, in base units."""
    shape = _shape(text)
    out: set[Measure] = set()
    for at, number in shape.numbers.items():
        rest = shape.text[at + 1 : at + 14].lstrip("块 -")
        for value in dict.fromkeys((number.low, number.high)):
            out.add(_measure(value, rest, units))
    return out


@lru_cache(maxsize=64)
def _longest_first(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(words, key=len, reverse=True))


def _measure(value: Decimal, rest: str, units: Mapping[str, Mapping[str, str]]) -> Measure:
    if rest.startswith("%"):
        return Measure("%", value)
    for kind in ("weight", "volume", "length", "duration"):
        for word in _longest_first(tuple(units.get(kind, ()))):
            after = rest[len(word) : len(word) + 1]
            if rest.startswith(word) and not (
                word.isascii() and after.isascii() and after.isalpha()
            ):
                factor, unit = units[kind][word].split(" ", 1)
                return _based(value * Decimal(factor), unit)
    letters = re.match(r"[a-z]+", rest)
    return Measure(letters[0] if letters else "n", Decimal(plain(value)))


def _based(value: Decimal, unit: str) -> Measure:
    base = {
        "kg": ("g", 1000),
        "L": ("ml", 1000),
        "mL": ("ml", 1),
        "m": ("mm", 1000),
        "cm": ("mm", 10),
    }
    if unit in base:
        name, factor = base[unit]
        return Measure(name, Decimal(plain(value * factor)))
    if unit in _HOURS:
        return Measure("h", Decimal(plain(value * _HOURS[unit])))
    return Measure(unit, Decimal(plain(value)))
