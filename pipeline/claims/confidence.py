"""How sure a link or a window is: the share of right ones among those like it, as data."""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from functools import lru_cache
from importlib import resources
from typing import Literal, NamedTuple

Basis = Literal[
    "number", "name", "sound", "asked", "room", "all_do", "seller", "rules", "closing", "kind",
    "stage", "only", "nobody", "screen",
]  # fmt: skip
"""The signal that decided a link."""


class Table(NamedTuple):
    """Confidence as measured."""

    nats: tuple[float, ...]
    """Lower edges of the margins, nats, ascending from 0."""
    pm: tuple[int, ...]
    """Per mille right from each edge on; never falling."""
    basis: dict[str, int]
    """Per mille right where something other than the stage decided."""


@lru_cache(maxsize=1)
def table() -> Table:
    """The table of ``confidence.toml``; read once.

    Raises:
        ValueError: The edges do not ascend or the shares fall.
    """
    text = resources.files("pipeline.claims").joinpath("confidence.toml").read_text("utf-8")
    data = tomllib.loads(text)
    nats = tuple(float(n) for n, _ in data["stage"]["steps"])
    pm = tuple(int(p) for _, p in data["stage"]["steps"])
    if nats[0] != 0.0 or list(nats) != sorted(set(nats)) or list(pm) != sorted(pm):
        raise ValueError("confidence.toml: stage.steps must ascend from 0 nats and never fall")
    return Table(nats, pm, {k: int(v) for k, v in data["basis"].items()})


def of_margin(nats: float) -> int:
    """Per mille for a product on stage with this margin over the next one."""
    made = table()
    return made.pm[max(0, bisect_right(made.nats, nats) - 1)]


def of_basis(basis: Basis) -> int:
    """Per mille for a link decided by a signal other than the stage."""
    return table().basis[basis]
