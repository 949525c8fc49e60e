"""What a line must hold for a pattern to match, and the few patterns that a line lets through.

A gate is a tuple of gram groups; any match holds a member of each. Most patterns are ruled out
for most lines by it, which keeps a long transcript linear and fast.
"""

from __future__ import annotations

import re
import re._constants as sre  # type: ignore[import-not-found]
from collections.abc import Iterable
from typing import Any

Gate = tuple[frozenset[str], ...]
Standins = dict[int, frozenset[str]]
"""Code point standing for a lexicon to the grams that its words begin with."""
_LONGEST_GRAM = 5
_LATIN_RUN = re.compile(r"[a-z]{3,}")


class Gatekeeper:
    """Finds the few patterns that a line could match, without asking each one."""

    def __init__(self, gates: Iterable[Gate]) -> None:
        self._always: list[int] = []
        self._by_gram: dict[str, list[int]] = {}
        groups: dict[frozenset[str], int] = {}
        self._needs: list[int] = []
        """Of each pattern, the groups that must all be there, a bit each."""
        for n, gate in enumerate(gates):
            bits = {groups.setdefault(group, len(groups)) for group in gate}
            self._needs.append(sum(1 << bit for bit in bits))
            for gram in min(gate, key=_width, default=()):
                self._by_gram.setdefault(gram, []).append(n)
            if not gate:
                self._always.append(n)
        self._bits: dict[str, int] = {}
        for group, bit in groups.items():
            for gram in group:
                self._bits[gram] = self._bits.get(gram, 0) | 1 << bit

    def open(self, grams: set[str]) -> list[int]:
        """Indexes, in order, of the patterns that these grams do not rule out."""
        possible, there = set(self._always), 0
        for gram in grams & self._bits.keys():
            there |= self._bits[gram]
            possible.update(self._by_gram.get(gram, ()))
        absent, needs = ~there, self._needs
        return sorted([n for n in possible if not needs[n] & absent])


def _width(group: frozenset[str]) -> int:
    """How much a group lets through: its size, numeral sign and single characters counting many."""
    return sum(1 if len(g) > 1 else 60 if g.isascii() else 5 for g in group)


def grams_of(text: str) -> set[str]:
    """The characters and pairs of a text, and where it is Latin its groups of 3 to 5 letters."""
    grams = set(text)
    grams.update(map(str.__add__, text, text[1:]))
    for run in _LATIN_RUN.findall(text):
        for size in range(3, min(_LONGEST_GRAM, len(run)) + 1):
            grams.update(run[n : n + size] for n in range(len(run) - size + 1))
    return grams


def start_of(word: str) -> str:
    """A gram that any text with the word holds: its first letters, else its first two characters."""
    found = _LATIN_RUN.search(word)
    return found[0][:_LONGEST_GRAM] if found else word[:2]


# --- what any match must hold --------------------------------------------------------------


def gate_of(parsed: Any, standins: Standins) -> Gate:
    """Of a parsed pattern; empty when nothing is sure."""
    return tuple(_required(parsed, standins))


def _required(parsed: Any, standins: Standins) -> list[frozenset[str]]:
    out: list[frozenset[str]] = []
    run = ""
    for op, arg in parsed:
        if op is sre.LITERAL and arg not in standins:
            run += chr(arg)
            continue
        out += _of_run(run)
        run = ""
        out += [standins[arg]] if op is sre.LITERAL else _of_op(op, arg, standins)
    return [*out, *_of_run(run)]


def _of_run(run: str) -> Iterable[frozenset[str]]:
    words = _LATIN_RUN.findall(run)
    if words:
        return [frozenset([max(words, key=len)[:_LONGEST_GRAM]])]
    if len(run) > 1:
        return [frozenset([run[n : n + 2]]) for n in range(len(run) - 1)]
    return [frozenset([c]) for c in run]


def _of_op(op: Any, arg: Any, standins: Standins) -> list[frozenset[str]]:
    if op is sre.IN:
        chars = _class(arg, standins)
        return [chars] if chars else []
    if op is sre.BRANCH:
        return _of_branch(arg[1], standins)
    if op is sre.SUBPATTERN:
        return _required(arg[3], standins)
    if op in (sre.MAX_REPEAT, sre.MIN_REPEAT) and arg[0] > 0:
        return _required(arg[2], standins)
    return []


def _class(items: Any, standins: Standins) -> frozenset[str]:
    chars: set[str] = set()
    for op, arg in items:
        if op is sre.LITERAL:
            chars |= standins.get(arg, {chr(arg)})
        elif op is sre.RANGE and arg[1] - arg[0] < 64:
            chars.update(chr(c) for c in range(arg[0], arg[1] + 1))
        else:
            return frozenset()
    return frozenset(chars)


def _of_branch(branches: Any, standins: Standins) -> list[frozenset[str]]:
    """One member from each branch's rarest group."""
    union: set[str] = set()
    for branch in branches:
        groups = _required(branch, standins)
        if not groups:
            return []
        union |= min(groups, key=lambda g: (min(map(_commonness, g), default=0), len(g)))
    return [frozenset(union)]


def _commonness(gram: str) -> int:
    if len(gram) > 1:
        return 0 if len(gram) > 2 else 1
    return 3 if gram.isascii() else 2
