"""Which product a claim is about.

Strongest first: a product named in the claim's own clause, the house rules
(everything in the room), a product named earlier in the sentence, the closing talk,
the window on stage. Where nothing is sure the answer is *unknown*, not a guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.claims.cues import Cues, cues
from pipeline.claims.mentions import Mention, clause_at, clauses, folded
from pipeline.claims.windows import Stage, Unit, confidence_pm, find_windows
from pipeline.model import Broadcast, Line, Screen, Window

_SURE_MARGIN = 0.8
_NEAR_PRICE_LINES = 1
_ECHO_LINES = 8


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
        self._mentions = _by_line(self._stage.units, len(self._spoken))
        self._closing = _Closing(self._spoken, self._stage)
        self._cues: Cues = cues()

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
        if room := self._room(at, char_start, claim_type):
            return room
        if named is not None:
            return _of(named)
        if closing := self._closing.rule(at, char_start, claim_type):
            return SkuLink(None, 700, (closing,), False)
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
        return last

    def _is_subject(self, text: str, mention: Mention) -> bool:
        """Numbers always point; a name points where its clause begins with it, or it is announced."""
        if mention.kind == "number" or mention.manner == "announced":
            return True
        clause = clause_at(text, mention.start)
        before = _plain(text[clause.start : mention.start])
        return self._cues.lead.fullmatch(before) is not None or len(before) <= 1

    def _room(self, at: int, start: int, claim_type: str) -> SkuLink | None:
        """House rules: words for everything on sale, in the claim's clause or before it."""
        if claim_type not in self._cues.room_types:
            return None
        text = self._spoken[at].text
        until = clause_at(text, start).end
        upto = _plain(text[:until])
        clause = _plain(text[clause_at(text, start).start : until]).strip()
        if match := self._cues.room.search(upto):
            return SkuLink(None, 930, (f"said of everything on sale: “{match.group()}”",), False)
        match = self._cues.all_do.search(clause)
        service = claim_type in self._cues.closing_types or self._sku_at(at, start) is None
        if match and service:
            return SkuLink(None, 800, (f"said of everything on sale: “{match.group()}”",), False)
        if claim_type == "authenticity" and (match := self._cues.seller.search(clause)):
            return SkuLink(None, 850, (f"said of the seller: “{match.group()}”",), False)
        return None

    def _sku_at(self, at: int, char: int) -> str | None:
        unit = self._stage.at(at, char)
        return self._stage.skus[unit] if unit >= 0 else None

    def _on_stage(self, at: int, char: int) -> SkuLink:
        unit = self._stage.at(at, char)
        sku, margin = self._stage.skus[unit], self._stage.margins[unit]
        if sku is None:
            return self._nobody()
        sure = confidence_pm(margin)
        if margin < _SURE_MARGIN:
            return SkuLink(None, sure, ("two products are about as likely here",), True)
        window = self._window(sku, self._stage.units[unit].start_ms)
        reasons = ("on stage at that moment", *(window.reasons if window else ()))
        return SkuLink(sku, sure, reasons, sure < 700)

    def _nobody(self) -> SkuLink:
        if len(self._broadcast.products) == 1:
            only = self._broadcast.products[0].sku_id
            return SkuLink(only, 800, ("the only product on sale",), False)
        return SkuLink(None, 300, ("no product had been shown yet",), True)

    def _window(self, sku: str, at_ms: int) -> Window | None:
        return next(
            (w for w in self.windows if w.sku_id == sku and w.span.holds(at_ms)),
            None,
        )

    def _by_time(self, line: Line) -> SkuLink:
        """A line on the screen: the product named on it, else the one on stage."""
        middle = (line.start_ms + line.end_ms) // 2
        for at_ms in (line.start_ms, middle):
            for window in self.windows:
                if window.span.holds(at_ms) and window.sku_id is not None:
                    sure = min(window.confidence_pm, 900)
                    reasons = ("on stage while it was seen", *window.reasons)
                    return SkuLink(window.sku_id, sure, reasons, sure < 700)
        return self._nobody()


class _Closing:
    """The closing talk: after the last product's price, service is promised for all."""

    def __init__(self, lines: Sequence[Line], stage: Stage) -> None:
        self._lines = lines
        self._cues = cues()
        self._first = self._last_window_line(stage)
        self._price = self._last_price_line()
        self._opened: int | None = None

    def _last_window_line(self, stage: Stage) -> int:
        """The line where the last product takes the stage; past the end when none does."""
        last = next((s for s in reversed(stage.skus) if s is not None), None)
        first = len(self._lines)
        for unit, sku in zip(reversed(stage.units), reversed(stage.skus), strict=True):
            if unit.line < 0:
                continue
            if sku != last:
                break
            first = unit.line
        return first if last is not None else len(self._lines)

    def _last_price_line(self) -> int:
        """The line with the first bare price in the last window; past the end when there is none."""
        for n in range(self._first, len(self._lines)):
            text = self._lines[n].text
            for clause in clauses(text):
                if self._cues.price.match(_plain(text[clause.start : clause.end])):
                    return n
        return len(self._lines)

    def rule(self, at: int, start: int, claim_type: str) -> str:
        """Why a claim belongs to the whole room; empty when it does not."""
        text = self._lines[at].text
        if at <= self._price or not self._for_all(text, start, claim_type):
            return ""
        if self._cues.kind_of_goods.search(_plain(text[: start + 1])):
            return "said of this kind of goods, in the closing talk"
        if at - self._price <= _NEAR_PRICE_LINES or self._echoes(at):
            return ""
        return "said in the closing talk, after the last product's price"

    def _for_all(self, text: str, start: int, claim_type: str) -> bool:
        """Whether a claim of this kind can be meant for everything."""
        if claim_type in self._cues.closing_types:
            return True
        clause = clause_at(text, start)
        words = _plain(text[clause.start : clause.end])
        if claim_type == "warranty":
            return self._cues.none_at_all.search(words) is not None
        return claim_type in self._cues.room_types and bool(self._cues.all_of_it.search(words))

    def _echoes(self, at: int) -> bool:
        """Whether the line takes up a particular of this product (刻字的晚两天)."""
        text = _plain(self._lines[at].text)
        said = "\n".join(
            _plain(x.text) for x in self._lines[max(self._first, at - _ECHO_LINES) : at]
        )
        for match in re.finditer(r"([\u4e00-\u9fff])了?([\u4e00-\u9fff])(?:了)?的", text):
            if match[1] + match[2] in self._cues.no_echo:
                continue
            if re.search(f"{match[1]}[\u4e00-\u9fff]{{0,2}}{match[2]}", said):
                return True
        return False


def _by_line(units: Sequence[Unit], count: int) -> list[list[Mention]]:
    out: list[list[Mention]] = [[] for _ in range(count)]
    for unit in units:
        if unit.line >= 0:
            out[unit.line].extend(unit.mentions)
    return out


def _of(mention: Mention) -> SkuLink:
    what = "link number" if mention.kind == "number" else "product name"
    how = " (by its sound)" if mention.by_sound else ""
    sure = {"number": 970, "name": 950}[mention.kind] - (100 if mention.by_sound else 0)
    return SkuLink(mention.sku_id, sure, (f"{what} said: “{mention.words}”{how}",), False)


def _plain(text: str) -> str:
    return folded(text).text
