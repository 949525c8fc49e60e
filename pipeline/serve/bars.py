"""Bars, drawn on the server: a row each, the length of a value beside others or of a share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

LEFT, WIDTH, ROW = 260, 640, 26
"""Room for the names, for the longest bar, and for a row."""


class Bar(NamedTuple):
    """A row."""

    name: str
    y: int
    length: str
    """Of the filled part."""
    rest: str
    """Of what is missing behind it; ``0.0`` where nothing can be."""
    end: str
    """Where the figure stands."""
    figure: str
    title: str
    """Told when pointed at."""


class Bars(NamedTuple):
    """What is drawn."""

    rows: list[Bar]
    height: int


def counted(rows: Sequence[tuple[str, int, str]]) -> Bars:
    """``(name, count, title)``: lengths beside the largest."""
    most = max([1, *(count for _, count, _ in rows)])
    drawn = []
    for number, (name, count, title) in enumerate(rows):
        length = WIDTH * count / most
        end = f"{LEFT + length + 8:.1f}"
        drawn.append(Bar(name, number * ROW, f"{length:.1f}", "0.0", end, str(count), title))
    return Bars(drawn, ROW * len(rows))


def shares(rows: Sequence[tuple[str, int, str]]) -> Bars:
    """``(name, per mille, title)``: the share, and what is missing of the whole."""
    drawn = []
    for number, (name, share_pm, title) in enumerate(rows):
        length = WIDTH * min(1000, max(0, share_pm)) / 1000
        figure = f"{share_pm / 10:g} %"
        rest, end = f"{WIDTH - length:.1f}", f"{LEFT + WIDTH + 8}"
        drawn.append(Bar(name, number * ROW, f"{length:.1f}", rest, end, figure, title))
    return Bars(drawn, ROW * len(rows))
