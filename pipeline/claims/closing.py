"""The closing talk: once the last product has its price, service is promised for all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipeline.claims.cues import cues
from pipeline.claims.mentions import clause_at, clauses, folded
from pipeline.claims.windows import Stage
from pipeline.model import Line

_NEAR_PRICE_MS = 6_000
_ECHO_LINES = 8


class ClosingTalk:
    """Tells claims about everything from claims about the last product.

    Hosts end with the last product's price and go on to the house rules. What follows
    the price at once, or takes up a particular of the product, is still about it.
    """

    def __init__(self, lines: Sequence[Line], stage: Stage) -> None:
        self._lines = lines
        self._cues = cues()
        self._first = _last_window_line(stage, len(lines))
        self._price_ms = self._last_price_ms()
        self._opens_ms = self._opening_ms()

    def rule(self, at: int, start: int, claim_type: str) -> str:
        """Why a claim belongs to the whole room; empty when it does not."""
        line = self._lines[at]
        if self._price_ms is None or self._opens_ms is None or at < self._first:
            return ""
        begins_ms = line.span_of(start, start).start_ms
        if begins_ms <= self._price_ms or not self._for_all(line.text, start, claim_type):
            return ""
        if self._cues.kind_of_goods.search(_plain(line.text[: start + 1])):
            return "said of this kind of goods, in the closing talk"
        if begins_ms < self._opens_ms or self._echoes(at):
            return ""
        return "said in the closing talk, after the last product's price"

    def _last_price_ms(self) -> int | None:
        """When the first bare price of the last window begins; None when there is none."""
        for line in self._lines[self._first :]:
            for clause in clauses(line.text):
                if match := self._cues.price.match(_plain(line.text[clause.start : clause.end])):
                    return line.span_of(clause.start, clause.start + match.end()).end_ms
        return None

    def _opening_ms(self) -> int | None:
        """When the closing talk opens: a while after the price, or with the first house rule."""
        if self._price_ms is None:
            return None
        opens = self._price_ms + _NEAR_PRICE_MS
        return min([opens, *self._house_rules_ms(self._price_ms, opens)])

    def _house_rules_ms(self, after_ms: int, until_ms: int) -> Iterator[int]:
        for line in self._lines[self._first :]:
            if line.end_ms > after_ms and line.start_ms < until_ms:
                match = self._cues.room.search(_plain(line.text))
                if match and (at := line.span_of(match.start(), match.start()).start_ms) > after_ms:
                    yield at

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


def _last_window_line(stage: Stage, count: int) -> int:
    """The line where the last product takes the stage; past the end when none does."""
    last = next((s for s in reversed(stage.skus) if s is not None), None)
    first = count
    for unit, sku in zip(reversed(stage.units), reversed(stage.skus), strict=True):
        if unit.line < 0:
            continue
        if sku != last:
            break
        first = unit.line
    return first if last is not None else count


def _plain(text: str) -> str:
    return folded(text).text
