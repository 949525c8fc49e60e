"""One numeral of a text: the type that both languages' readers give."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class Number(NamedTuple):
    """One numeral of a text, half-open ``[start, end)``; ``low == high`` unless it is a range."""

    start: int
    end: int
    low: Decimal
    high: Decimal
    text: str
    mark: str = ""
    """``%`` for a percentage, ``块`` for an amount with its currency word inside (九块九)."""
    approx: bool = False
    """Said as more or less: 三十多, 二十来, 十几."""

    @property
    def value(self) -> Decimal:
        """The value, or the low end of a range."""
        return self.low

    @property
    def is_range(self) -> bool:
        """Whether two ends were named."""
        return self.low != self.high
