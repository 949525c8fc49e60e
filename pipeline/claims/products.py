"""Which product a claim is about.

Strongest first: a product named in the claim's own clause, the house rules
(everything in the room), a product named earlier in the sentence, the closing talk,
the window on stage. Where nothing is sure the answer is *unknown*, not a guess.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.claims.closing import ClosingTalk
from pipeline.claims.confidence import Basis, of_basis, of_margin
from pipeline.claims.cues import Cues, cues
from pipeline.claims.mentions import Mention, MentionFinder, clause_at, folded
from pipeline.claims.units import Unit
from pipeline.claims.windows import Stage, find_windows
from pipeline.model import Broadcast, Line, Screen, Window

_SURE_MARGIN = 0.8
_SURE_PM = 700
_AFTER_CHARS = 8


class SkuLink(NamedTuple):
    """The product a claim is about."""

    sku_id: str | None
    """Null for the whole room, and where it is not known (then ``unsure``)."""
    confidence_pm: int
    """How sure, per mille."""
    reasons: tuple[str, ...]
    """Why, in words a person reads."""
    unsure: bool
    """Whether a person should look."""
    basis: Basis = "nobody"
    """The signal that decided."""
    nats: float | None = None
    """Margin over the next product on stage; null where something else decided."""


class SkuLinker:
    """Links claims to products. Built once per broadcast; linear in the talk.

    Args:
        broadcast: Products and schedule. Of a product, number, name and aliases are read,
            never the listing.
        lines: The lines claims come from; windows are made from the spoken ones.
        screen: What was seen; cards that name a product count.
    """

    def __init__(
        self, broadcast: Broadcast, lines: Sequence[Line], screen: Screen | None = None
    ) -> None:
        self._broadcast = broadcast
        self._spoken = sorted((x for x in lines if x.source == "speech"), key=lambda x: x.start_ms)
        self._place = {line.line_id: n for n, line in enumerate(self._spoken)}
        self._stage: Stage = find_windows(broadcast, self._spoken, screen)
        self._starts = [w.start_ms for w in self._stage.windows]
        self._mentions = _by_line(self._stage.units, len(self._spoken))
        self._closing = ClosingTalk(self._spoken, self._stage)
        self._cues: Cues = cues()
        self._finder = MentionFinder(broadcast.products)

    @property
    def windows(self) -> tuple[Window, ...]:
        """The product windows, in order."""
        return self._stage.windows

    def link(self, line: Line, char_start: int, char_end: int, *, claim_type: str) -> SkuLink:
        """The product meant by characters ``[char_start, char_end)`` of a line."""
        at = self._place.get(line.line_id)
        if at is None:
            return self._by_time(line)
        named = self._named(at, char_start, char_end, claim_type)
        own = named is not None and named.end > clause_at(line.text, char_start).start
        if named is not None and own:
            return _of(named)
        if room := self._room(at, char_start, char_end, claim_type):
            return room
        if named is not None:
            return _of(named)
        if asked := self._asked(at):
            return asked
        if closing := self._closing.rule(at, char_start, claim_type):
            return _said(None, closing.basis, closing.reason)
        return self._on_stage(at, char_start)

    # --- signals, strongest first ---------------------------------------------------------

    def _named(self, at: int, start: int, end: int, claim_type: str) -> Mention | None:
        """The product named as the subject, in the claim's clause or before it in the line."""
        text = self._spoken[at].text
        last: Mention | None = None
        for mention in self._mentions[at]:
            if mention.start >= end:
                break
            if mention.manner in ("object", "advice") or not self._is_subject(text, mention):
                continue
            if claim_type == "gift" and start <= mention.start:
                continue
            last = mention
        far = last is not None and start - last.end > _reach(text)
        return None if far else last

    def _asked(self, at: int) -> SkuLink | None:
        """The product a question names, where the line before is one: its answer is this line."""
        if at == 0 or not self._cues.question.search(_plain(self._spoken[at - 1].text)):
            return None
        if self._closing.opens_rules(at):
            return None
        text = self._spoken[at - 1].text
        named = [m for m in self._mentions[at - 1] if m.manner not in ("object", "advice")]
        plain = [m for m in named if self._is_subject(text, m)]
        if len({m.sku_id for m in named}) != 1 or not plain:
            return None
        asked = plain[0]
        return _said(asked.sku_id, "asked", f"answers the question about “{asked.words}”")

    def _is_subject(self, text: str, mention: Mention) -> bool:
        """Numbers always point; a name points where its clause begins with it, or it is announced."""
        if mention.kind == "number" or mention.manner in ("announced", "return", "back"):
            return True
        clause = clause_at(text, mention.start)
        before = _plain(text[clause.start : mention.start])
        return self._cues.lead.fullmatch(before) is not None or len(before) <= 1

    def _room(self, at: int, start: int, end: int, claim_type: str) -> SkuLink | None:
        """House rules: words for everything on sale, in the claim's clause or before it."""
        if claim_type not in self._cues.room_types:
            return None
        text = self._spoken[at].text
        until = clause_at(text, start).end
        upto = _plain(text[: min(until, end + _AFTER_CHARS)])
        clause = _plain(text[clause_at(text, start).start : until]).strip()
        if match := self._cues.room.search(upto):
            return _said(None, "room", f"said of everything on sale: “{match.group()}”")
        match = self._cues.all_do.search(clause)
        service = claim_type in self._cues.closing_types or self._sku_at(at, start) is None
        if match and service:
            return _said(None, "all_do", f"said of everything on sale: “{match.group()}”")
        if claim_type == "authenticity" and (match := self._cues.seller.search(clause)):
            return _said(None, "seller", f"said of the seller: “{match.group()}”")
        return None

    def _sku_at(self, at: int, char: int) -> str | None:
        unit = self._stage.at(at, char)
        return self._stage.skus[unit] if unit >= 0 else None

    def _on_stage(self, at: int, char: int) -> SkuLink:
        unit = self._stage.at(at, char)
        sku, margin = self._stage.skus[unit], self._stage.margins[unit]
        if sku is None:
            return self._nobody()
        sure = of_margin(margin)
        if margin < _SURE_MARGIN:
            doubt = ("two products are about as likely here",)
            return SkuLink(None, sure, doubt, True, "stage", margin)
        window = self._window(sku, self._stage.units[unit].start_ms)
        reasons = ("on stage at that moment", *(window.reasons if window else ()))
        return SkuLink(sku, sure, reasons, sure < _SURE_PM, "stage", margin)

    def _nobody(self) -> SkuLink:
        if len(self._broadcast.products) == 1:
            only = self._broadcast.products[0].sku_id
            return _said(only, "only", "the only product on sale")
        return SkuLink(None, of_basis("nobody"), ("no product had been shown yet",), True)

    def _window(self, sku: str, at_ms: int) -> Window | None:
        window = self._window_at(at_ms)
        return window if window is not None and window.sku_id == sku else None

    def _window_at(self, at_ms: int) -> Window | None:
        """The window that holds a time; windows are in order and apart."""
        n = bisect_right(self._starts, at_ms) - 1
        return self.windows[n] if n >= 0 and self.windows[n].span.holds(at_ms) else None

    def _by_time(self, line: Line) -> SkuLink:
        """A line on the screen: the one product named on it, else the one on stage."""
        named = {m.sku_id: m for m in self._finder.find(line.text)}
        if len(named) == 1:
            return _of(next(iter(named.values())), seen=True)
        middle = (line.start_ms + line.end_ms) // 2
        for at_ms in (line.start_ms, middle):
            window = self._window_at(at_ms)
            if window is not None and window.sku_id is not None:
                sure = min(window.confidence_pm, of_basis("screen"))
                reasons = ("on stage while it was seen", *window.reasons)
                return SkuLink(window.sku_id, sure, reasons, sure < _SURE_PM, "screen")
        return self._nobody()


def _reach(text: str) -> int:
    """How many characters a name governs: about a sentence."""
    return 90 if text.isascii() else 30


def _by_line(units: Sequence[Unit], count: int) -> list[list[Mention]]:
    out: list[list[Mention]] = [[] for _ in range(count)]
    for unit in units:
        if unit.line >= 0:
            out[unit.line].extend(unit.mentions)
    return out


def _of(mention: Mention, *, seen: bool = False) -> SkuLink:
    what = "link number" if mention.kind == "number" else "product name"
    how = " (by its sound)" if mention.by_sound else ""
    basis: Basis = "sound" if mention.by_sound else mention.kind
    verb = "shown" if seen else "said"
    return _said(mention.sku_id, basis, f"{what} {verb}: “{mention.words}”{how}")


def _said(sku_id: str | None, basis: Basis, reason: str) -> SkuLink:
    return SkuLink(sku_id, of_basis(basis), (reason,), False, basis)


def _plain(text: str) -> str:
    return folded(text).text
