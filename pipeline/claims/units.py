"""The talk cut into units: stretches during which the product is taken not to change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from pipeline.claims.cues import cues
from pipeline.claims.mentions import Mention, MentionFinder, folded
from pipeline.claims.schedule import Announcement, Event
from pipeline.model import Line, Product
from pipeline.timeline import Span

_GAP_MS = 5_000
_LEAD_CHARS = 12
OVERVIEW_PRODUCTS = 3
"""So many products in one line are a list of what is on sale."""


class Unit(NamedTuple):
    """A stretch of talk during which the product is taken not to change."""

    line: int
    """Number of the line among those given; -1 for a stretch without words."""
    char_start: int
    char_end: int
    start_ms: int
    end_ms: int
    mentions: tuple[Mention, ...]
    handover: bool = False
    """Whether words say that something new begins."""
    introduces: str = ""
    """A product never announced that is named here for the first time."""
    returns: str = ""
    """A product never announced that is named here."""

    @property
    def span(self) -> Span:
        """Where it lies on the timeline."""
        return Span(self.start_ms, self.end_ms)


def cut(lines: Sequence[Line], finder: MentionFinder) -> Iterator[Unit]:
    """The lines, cut again where a product is announced; in order of time."""
    alone = cues().handover_alone
    for n, line in enumerate(lines):
        mentions = _without_overview(finder.find(line.text))
        cuts = [0, *_cut_places(mentions), len(line.text)]
        for start, end in pairwise(cuts):
            if end > start or len(cuts) == 2:
                span = line.span_of(start, end)
                own = tuple(m for m in mentions if start <= m.start < end)
                handover = alone.search(folded(line.text[start:end]).text) is not None
                yield Unit(n, start, end, span.start_ms, span.end_ms, own, handover)


def _without_overview(mentions: list[Mention]) -> list[Mention]:
    """The mentions; none of them announces where a line lists the products one after another."""
    listed = {m.sku_id for m in mentions if m.manner in ("announced", "plain")}
    if len(listed) < OVERVIEW_PRODUCTS:
        return mentions
    return [m._replace(manner="plain") if m.manner == "announced" else m for m in mentions]


def _cut_places(mentions: Sequence[Mention]) -> list[int]:
    """Where an announcement begins of a product that is not the one last announced.

    Names right before the announcement belong to it (蜂蜜，椴树蜜，三号).
    """
    places: list[int] = []
    last, lead = "", None  # type: tuple[str, Mention | None]
    for mention in mentions:
        if mention.manner not in ("announced", "plain"):
            continue
        if lead is None or lead.sku_id != mention.sku_id or mention.start - lead.end > _LEAD_CHARS:
            lead = mention
        if mention.manner == "announced" and mention.sku_id != last:
            places.append(lead.start)
            last = mention.sku_id
    return [p for p in dict.fromkeys(places) if p > 0]


def announcements(unit: Unit) -> Iterator[Mention]:
    """The announcement made in a unit; none where several products are announced at once."""
    skus = {m.sku_id for m in unit.mentions if m.manner == "announced"}
    if len(skus) == 1:
        yield next(m for m in unit.mentions if m.manner == "announced")


def all_announced(units: Sequence[Unit]) -> list[Announcement]:
    """Who was announced when: by number where the host uses numbers for it, else by name."""
    by_number: list[Announcement] = []
    by_name: list[Announcement] = []
    quietly: list[Announcement] = []
    for unit in units:
        for mention in announcements(unit):
            made = Announcement(unit.start_ms, mention.sku_id)
            numbered = any(m.kind == "number" and m.manner == "announced" for m in unit.mentions)
            (by_number if numbered else by_name).append(made)
        if unit.introduces:
            quietly.append(Announcement(unit.start_ms, unit.introduces))
    out = list(by_number)
    for weaker in (by_name, quietly):
        known = {a.sku_id for a in out}
        out.extend(a for a in weaker if a.sku_id not in known)
    return sorted(out)


def with_introductions(units: Sequence[Unit], products: Sequence[Product] = ()) -> tuple[Unit, ...]:
    """The units, marked where a product that is never announced probably comes on stage.

    Somebody must bring it on stage, and its first mention is the likeliest place. One that
    is never named either comes at the hand-over where its link number is next in order.
    """
    announced = {m.sku_id for u in units for m in u.mentions if m.manner == "announced"}
    numbered = _first_numbers(units)
    seen = set(announced)
    out = []
    for at, unit in enumerate(units):
        mine = [m.sku_id for m in unit.mentions if m.pointed and m.sku_id not in announced]
        overview = len({m.sku_id for m in unit.mentions}) >= 2
        if mine and not overview:
            due = [sku for sku in mine if at >= numbered.get(sku, 0)]
            first = next((sku for sku in due if sku not in seen), "")
            seen.update(due)
            unit = unit._replace(introduces=first, returns=mine[0])
        out.append(unit)
    for sku, at in _next_in_order(out, products, announced):
        out[at] = out[at]._replace(introduces=sku)
    if opener := _opener(out, products):
        sku, at = opener
        out[at] = out[at]._replace(introduces=sku, handover=True)
    return tuple(out)


def _first_numbers(units: Sequence[Unit]) -> dict[str, int]:
    """Where each product is first pointed at by its number, which says more than a name in passing."""
    out: dict[str, int] = {}
    for at, unit in enumerate(units):
        for mention in unit.mentions:
            if mention.kind == "number" and mention.pointed:
                out.setdefault(mention.sku_id, at)
    return out


def _opener(units: Sequence[Unit], products: Sequence[Product]) -> tuple[str, int] | None:
    """The first product, where the second by number is the first to be announced.

    Hosts open with it in passing (``Biltong first``; ``starting with the clips``), so that it
    comes on stage where it is first spoken of.
    """
    ordered = _by_number(products)
    called = ((at, m.sku_id) for at, unit in enumerate(units) for m in announcements(unit))
    end, sku = next(called, (0, ""))
    if len(ordered) < 2 or sku != ordered[1].sku_id:
        return None
    opener = ordered[0].sku_id
    if any(unit.introduces not in ("", opener) for unit in units[:end]):
        return None
    spoken_of = (n for n in range(end) if any(m.sku_id == opener for m in units[n].mentions))
    return next(((opener, at) for at in spoken_of), None)


def _next_in_order(
    units: Sequence[Unit], products: Sequence[Product], announced: set[str]
) -> Iterator[tuple[str, int]]:
    """Products not named at their hand-over: the one where their link number is next in order."""
    ordered = _by_number(products)
    firsts: dict[str, int] = {}
    for at, unit in enumerate(units):
        for sku in (*(m.sku_id for m in announcements(unit)), unit.introduces):
            firsts.setdefault(sku, at)
    for before, product in pairwise(ordered):
        if product.sku_id in announced or before.sku_id not in firsts:
            continue
        start = firsts[before.sku_id] + 1
        end = min((at for at in firsts.values() if at >= start), default=len(units))
        for at in range(start, end):
            if units[at].handover and not units[at].mentions:
                yield product.sku_id, at
                break


def _by_number(products: Sequence[Product]) -> list[Product]:
    """Those that have a link number, in its order."""
    return sorted((p for p in products if p.link_number is not None), key=_link_number)


def _link_number(product: Product) -> int:
    return product.link_number or 0


def with_gaps(units: tuple[Unit, ...], events: Sequence[Event], bounds: Span) -> tuple[Unit, ...]:
    """The units with wordless ones where nothing was heard, cut at the platform's events."""
    edges = sorted({t for e in events for t in (e.start_ms, e.end_ms)})
    out: list[Unit] = []
    at = bounds.start_ms
    for unit in units:
        if unit.start_ms - at >= _GAP_MS:
            out.extend(_wordless(at, unit.start_ms, edges))
        out.append(unit)
        at = max(at, unit.end_ms)
    if bounds.end_ms - at >= _GAP_MS:
        out.extend(_wordless(at, bounds.end_ms, edges))
    return tuple(out)


def _wordless(start_ms: int, end_ms: int, edges: Sequence[int]) -> Iterator[Unit]:
    cuts = [start_ms, *(t for t in edges if start_ms < t < end_ms), end_ms]
    for start, end in pairwise(cuts):
        yield Unit(-1, 0, 0, start, end, ())
