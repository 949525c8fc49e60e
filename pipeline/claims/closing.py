"""Talk about everything on sale: the house rules, and the closing talk.

Hosts open the house rules with words of their own (规矩, 售后统一说, house rules) and
keep to them until a product comes on stage. At the end they need no such words:
once the last product has its price, service is promised for all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pipeline.claims.confidence import Basis
from pipeline.claims.cues import cues
from pipeline.claims.mentions import Mention, clause_at, clauses, folded
from pipeline.claims.windows import Stage
from pipeline.model import Line

_NEAR_PRICE_MS = 6_000
_RULES_MS = 60_000
_ECHO_LINES = 8


class Verdict(NamedTuple):
    """A claim belongs to the whole room."""

    basis: Basis
    reason: str
    """In words a person reads."""


class _Rules(NamedTuple):
    """House rules under way in a line."""

    from_char: int
    words: str


class ClosingTalk:
    """Tells claims about everything from claims about the product last shown.

    What follows a price at once, or takes up a particular of the product, is still about it.
    """

    def __init__(self, lines: Sequence[Line], stage: Stage) -> None:
        self._lines = lines
        self._cues = cues()
        self._stage = stage
        self._rules = tuple(self._house_rules())
        self._first = _last_shown_line(stage, len(lines), self._priced)
        self._price_ms = self._last_price_ms()
        self._opens_ms = self._opening_ms()

    def rule(self, at: int, start: int, claim_type: str) -> Verdict | None:
        """Why a claim belongs to the whole room; None when it does not."""
        rules = self._rules[at]
        if rules and start >= rules.from_char and self._of_rules(at, start, claim_type):
            return Verdict("rules", f"said in the house rules: “{rules.words}”")
        return self._closing(at, start, claim_type)

    def opens_rules(self, at: int) -> bool:
        """Whether the house rules begin in this line."""
        return self._cues.opens_rules.search(_plain(self._lines[at].text)) is not None

    # --- house rules ----------------------------------------------------------------------

    def _house_rules(self) -> Iterator[_Rules | None]:
        """For each line the house rules under way: until a product comes on stage or has its price."""
        words, until_ms = "", 0
        seen: set[str | None] = set()
        for at, line in enumerate(self._lines):
            skus = {sku for sku, _ in self._units(at)}
            fresh = not skus <= seen
            seen |= skus
            if match := self._cues.opens_rules.search(_plain(line.text)):
                words, until_ms = match.group(), line.end_ms + _RULES_MS
                yield _Rules(match.start(), words)
                continue
            if fresh or line.start_ms >= until_ms or (words and self._priced(at)):
                words = ""
            yield _Rules(0, words) if words and not self._shown(at) else None

    def _of_rules(self, at: int, start: int, claim_type: str) -> bool:
        if claim_type in self._cues.rules_types:
            return True
        return self._for_all(self._lines[at].text, start, claim_type)

    def _units(self, at: int) -> Iterator[tuple[str | None, bool]]:
        first, starts = self._stage.places[at]
        for n in range(first, first + len(starts)):
            unit = self._stage.units[n]
            shown = any(m.manner in ("announced", "return", "back") for m in unit.mentions)
            yield self._stage.skus[n], shown

    def _shown(self, at: int) -> bool:
        return any(shown for _, shown in self._units(at))

    # --- closing talk ---------------------------------------------------------------------

    def _closing(self, at: int, start: int, claim_type: str) -> Verdict | None:
        line = self._lines[at]
        if self._price_ms is None or self._opens_ms is None or at < self._first:
            return None
        begins_ms = line.span_of(start, start).start_ms
        if begins_ms <= self._price_ms or not self._for_all(line.text, start, claim_type):
            return None
        if self._cues.kind_of_goods.search(_plain(line.text[: start + 1])):
            return Verdict("kind", "said of this kind of goods, in the closing talk")
        if begins_ms < self._opens_ms or self._echoes(at):
            return None
        return Verdict("closing", "said in the closing talk, after the last product's price")

    def _priced(self, at: int) -> bool:
        return self._price_in(at) is not None

    def _price_in(self, at: int) -> int | None:
        """When the first bare price of a line ends; None when there is none."""
        line = self._lines[at]
        called = [(m.start, m.end) for m in self._numbers(at)]
        for clause in clauses(line.text):
            match = self._cues.price.match(_plain(line.text[clause.start : clause.end]))
            if match and not any(s < clause.end and e > clause.start for s, e in called):
                return line.span_of(clause.start, clause.start + match.end()).end_ms
        return None

    def _numbers(self, at: int) -> Iterator[Mention]:
        """The link numbers in a line: they are no prices."""
        first, starts = self._stage.places[at]
        for unit in self._stage.units[first : first + len(starts)]:
            yield from (m for m in unit.mentions if m.kind == "number")

    def _last_price_ms(self) -> int | None:
        """When the last product's first bare price ends; None when there is none."""
        prices = (self._price_in(at) for at in range(self._first, len(self._lines)))
        return next((p for p in prices if p is not None), None)

    def _opening_ms(self) -> int | None:
        """When the closing talk opens: a while after the price, or with the first house rule."""
        if self._price_ms is None:
            return None
        opens = self._price_ms + _NEAR_PRICE_MS
        return min([opens, *self._room_words_ms(self._price_ms, opens)])

    def _room_words_ms(self, after_ms: int, until_ms: int) -> Iterator[int]:
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


def _last_shown_line(stage: Stage, count: int, priced: Callable[[int], bool]) -> int:
    """Where the last product with a price takes the stage; past the end when there is none.

    Returns to earlier products after it have no price and count as closing talk; a product
    that is new on stage and has no price yet means that the closing talk has not begun.
    """
    runs = list(_runs(stage))
    for n in range(len(runs) - 1, -1, -1):
        sku, lines = runs[n]
        if any(priced(at) for at in lines):
            return lines[0]
        if sku not in {earlier for earlier, _ in runs[:n]}:
            break
    return count


def _runs(stage: Stage) -> Iterator[tuple[str, list[int]]]:
    """The products on stage one after another, with their lines."""
    last: str | None = None
    lines: list[int] = []
    for unit, sku in zip(stage.units, stage.skus, strict=True):
        if unit.line < 0 or sku is None:
            continue
        if sku != last:
            if last is not None:
                yield last, lines
            last, lines = sku, []
        if not lines or lines[-1] != unit.line:
            lines.append(unit.line)
    if last is not None:
        yield last, lines


def _plain(text: str) -> str:
    return folded(text).text
