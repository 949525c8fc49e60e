"""Everything that was claimed about one SKU, over all broadcasts: how it changed, what clashes.

What was said comes from the index; conditions, corrections and the comparison with the listing
come from the claims themselves, whose packs never change and are read once a process.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, groupby
from typing import Any, Literal, NamedTuple

from pipeline.bootstrap import Application
from pipeline.cases.review import Layer
from pipeline.index.answer import Answer, Hit
from pipeline.model import Frozen
from pipeline.packs import parse_pack

ONE_VALUE = frozenset(
    {
        "price",
        "warranty",
        "returns",
        "shipping_time",
        "freight",
        "origin",
        "net_content",
        "shelf_life",
    }
)
"""Types of which a product has one value at a time: another one is a change or a contradiction."""
MOST_CLAIMS = 1000
_MOST_PACKS = 100
_REMEMBERED_PACKS = 500


class Fact(NamedTuple):
    """What the index does not hold of a claim."""

    condition: str
    corrected_by: str | None
    listed: str
    """The listing's words where they contradict the claim; else empty."""


_PLAIN = Fact("", None, "")
"""Most claims have none of it; they share this."""


class Said(Frozen):
    """One claim about the SKU."""

    claim_id: str
    """Opens at its moment."""
    broadcast_id: str
    """Where it was said."""
    day: str
    """Broadcast day."""
    wall_time: str
    """ISO 8601 in the broadcast's offset; empty without a clock."""
    media_time: str
    """On the broadcast's timeline."""
    host_id: str
    """Who said it."""
    quote: str
    """The words."""
    value: tuple[str, ...]
    """Its value; a person's correction stands here in place of the machine's."""
    polarity: str
    """``affirm`` or ``negate``."""
    condition: str = ""
    """The words of a condition."""
    needs_review: bool = False
    """The machine was unsure, and nobody decided."""
    review: Layer | None = None
    """A person's decision."""
    changed: bool = False
    """Another value than in the broadcast before."""
    listed: str = ""
    """What the listing said instead, where they contradict each other."""


class Clash(Frozen):
    """Two claims that cannot both be right."""

    kind: Literal["value", "polarity"]
    """Two values of a type that has one, in one broadcast; or affirmed and denied."""
    claim_ids: tuple[str, str]
    """Both."""
    values: tuple[str, str]
    """What each says."""


class Story(Frozen):
    """What was said of one type."""

    claim_type: str
    """Which."""
    said: tuple[Said, ...]
    """Oldest first."""
    clashes: tuple[Clash, ...]
    """Among them."""


class SkuReport(Frozen):
    """All claims about a SKU that the viewer may see."""

    sku_id: str
    """Which."""
    products: tuple[str, ...]
    """Its names on the pages, the latest first."""
    claims: int
    """How many claims there are."""
    shown: int
    """How many of them are here; the newest, where there are too many."""
    broadcasts: int
    """In how many broadcasts."""
    looked_into: int
    """In how many of these conditions, corrections and the listing were looked at."""
    stories: tuple[Story, ...]
    """By type, the most talked of first."""


class SkuDesk:
    """Makes reports; one object a process."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._facts: OrderedDict[str, dict[str, Fact]] = OrderedDict()

    def report(
        self,
        sku_id: str,
        *,
        search: Callable[..., Answer],
        layers: Callable[[Answer], dict[str, Layer]],
    ) -> SkuReport:
        """A SKU's report, by the search of whoever asks."""
        answer = search("", sku=sku_id, kind="claim", size=MOST_CLAIMS, facets=False)
        packs = [p for p in dict.fromkeys(hit.document.pack for hit in answer.hits) if p]
        facts: dict[str, Fact] = {}
        for pack in packs[:_MOST_PACKS]:
            facts |= self._facts_of(pack)
        decided = layers(answer)
        said = sorted(
            (_said(hit, facts.get(hit.document.claim_id), decided) for hit in answer.hits),
            key=lambda one: (one.wall_time or one.day, one.broadcast_id, one.media_time),
        )
        types = {hit.document.claim_id: hit.document.claim_type for hit in answer.hits}
        names = dict.fromkeys(hit.document.product for hit in answer.hits if hit.document.product)
        return SkuReport(
            sku_id=sku_id,
            products=tuple(names),
            claims=answer.total,
            shown=len(said),
            broadcasts=len({one.broadcast_id for one in said}),
            looked_into=min(len(packs), _MOST_PACKS),
            stories=tuple(_stories(said, types, facts)),
        )

    def _facts_of(self, pack: str) -> dict[str, Fact]:
        if pack not in self._facts:
            data = parse_pack(self._app.store.read(pack), name=pack)
            # Read plainly: of each claim three fields are wanted, of thousands of claims.
            rows = json.loads(b"[" + b",".join(data.records("claims")) + b"]")
            self._facts[pack] = {row["claim_id"]: _fact(row) for row in rows}
            if len(self._facts) > _REMEMBERED_PACKS:
                self._facts.popitem(last=False)
        return self._facts[pack]


def _fact(row: dict[str, Any]) -> Fact:
    listing = row.get("listing") or {}
    listed = listing.get("listed", "") if listing.get("agreement") == "contradicts" else ""
    found = Fact(row.get("condition", ""), row.get("corrected_by"), listed)
    return _PLAIN if found == _PLAIN else found


def _said(hit: Hit, fact: Fact | None, layers: dict[str, Layer]) -> Said:
    d, layer = hit.document, layers.get(hit.document.claim_id)
    right = layer.correction if layer and layer.correction else None
    value = d.value
    if right is not None and right.value is not None:
        value = (right.value,) if isinstance(right.value, str) else right.value
    return Said(
        claim_id=d.claim_id,
        broadcast_id=d.broadcast_id,
        day=d.day,
        wall_time=hit.wall_time,
        media_time=hit.media_time,
        host_id=d.host_id,
        quote=d.text,
        value=value,
        polarity=(right and right.polarity) or d.polarity,
        condition=fact.condition if fact else "",
        needs_review=d.needs_review and layer is None,
        review=layer,
        listed=fact.listed if fact else "",
    )


def _stories(
    said: Sequence[Said], types: dict[str, str], facts: dict[str, Fact]
) -> Iterable[Story]:
    by_type: dict[str, list[Said]] = {}
    for one in said:
        by_type.setdefault(_type_of(one, types), []).append(one)
    for kind, rows in sorted(by_type.items(), key=lambda item: (-len(item[1]), item[0])):
        firm = [one for one in rows if _firm(one, facts)]
        changed = _changed(firm) if kind in ONE_VALUE else frozenset()
        yield Story(
            claim_type=kind,
            said=tuple(r.model_copy(update={"changed": r.claim_id in changed}) for r in rows),
            clashes=tuple(_clashes(firm, one_value=kind in ONE_VALUE)),
        )


def _type_of(one: Said, types: dict[str, str]) -> str:
    right = one.review.correction if one.review else None
    return (right and right.claim_type) or types[one.claim_id]


def _firm(one: Said, facts: dict[str, Fact]) -> bool:
    """Whether a claim stands without conditions: neither corrected by the host nor rejected."""
    fact = facts.get(one.claim_id)
    rejected = one.review is not None and one.review.verdict == "rejected"
    return fact is not None and not (fact.condition or fact.corrected_by or rejected)


def _base(one: Said) -> str:
    """The value that is compared: ``P5Y`` of ``P5Y:replace``."""
    return one.value[0].partition(":")[0] if one.value else ""


def _changed(firm: Sequence[Said]) -> frozenset[str]:
    """Claims whose value the broadcast before did not have."""
    found: set[str] = set()
    before: set[str] = set()
    affirmed = [one for one in firm if one.polarity == "affirm" and one.value]
    for _, group in groupby(affirmed, key=lambda one: one.broadcast_id):
        rows = list(group)
        if before:
            found |= {one.claim_id for one in rows if _base(one) not in before}
        before = {_base(one) for one in rows}
    return frozenset(found)


def _clashes(firm: Sequence[Said], *, one_value: bool) -> Iterable[Clash]:
    """Each pair of values at most once a broadcast, by its first claims."""
    seen = set()
    for _, group in groupby(firm, key=lambda one: one.broadcast_id):
        for a, b in combinations(list(group), 2):
            kind = _clash(a, b, one_value=one_value)
            key = (a.broadcast_id, kind, *sorted((_base(a), _base(b))))
            if kind is not None and key not in seen:
                seen.add(key)
                values = ("; ".join(a.value), "; ".join(b.value))
                yield Clash(kind=kind, claim_ids=(a.claim_id, b.claim_id), values=values)


def _clash(a: Said, b: Said, *, one_value: bool) -> Literal["value", "polarity"] | None:
    if a.polarity != b.polarity:
        return "polarity" if set(a.value) & set(b.value) else None
    other = one_value and a.polarity == "affirm" and a.value and b.value and _base(a) != _base(b)
    return "value" if other else None
