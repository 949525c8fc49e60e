"""What a line must hold for a pattern to match, and the few patterns that a line lets through.

A gate is a tuple of gram groups; any match holds a member of each. Most patterns are ruled out
for most lines by it, which keeps a long transcript linear and fast.
"""

from __future__ import annotations

import re
import re._constants as sre  # type: ignore[import-not-found]
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any

Gate = tuple[frozenset[str], ...]
Standins = dict[int, Gate]
"""Code point standing for a lexicon or a macro to what any match of it must hold."""
_LONGEST_GRAM = 5
_AT_ONCE = 512
"""Lines asked about at once."""
_LATIN_RUN = re.compile(r"[a-z]{3,}")


class Gatekeeper:
    """Finds the few patterns that a line could match, without asking each one.

    Many lines are asked about at once: of every group a whole number says in which lines it is
    found, a bit a line, and the lines of a pattern are those that all its groups have in common.
    """

    def __init__(self, gates: Iterable[Gate]) -> None:
        groups: dict[frozenset[str], int] = {}
        self._needs = [
            tuple(dict.fromkeys(groups.setdefault(group, len(groups)) for group in gate))
            for gate in gates
        ]
        self._count = len(groups)
        self._groups: dict[str, list[int]] = {}
        """The groups that a gram belongs to."""
        for group, number in groups.items():
            for gram in group:
                self._groups.setdefault(gram, []).append(number)

    def open(self, lines: Sequence[Collection[str]]) -> list[list[int]]:
        """For the grams of each line the indexes, in order, of the patterns not ruled out."""
        out: list[list[int]] = [[] for _ in lines]
        for first in range(0, len(lines), _AT_ONCE):
            self._open(lines[first : first + _AT_ONCE], out[first : first + _AT_ONCE])
        return out

    def _open(self, lines: Sequence[Collection[str]], out: list[list[int]]) -> None:
        found = self._found(lines)
        for pattern, needs in enumerate(self._needs):
            there = (1 << len(lines)) - 1
            for group in needs:
                there &= found[group]
                if not there:
                    break
            while there:
                last = there.bit_length() - 1
                out[last].append(pattern)
                there ^= 1 << last

    def _found(self, lines: Sequence[Collection[str]]) -> list[int]:
        """Of each group the lines that hold a member, a bit a line."""
        holders: dict[str, int] = {}
        known = self._groups.keys()
        for n, grams in enumerate(lines):
            bit = 1 << n
            for gram in known & grams:
                holders[gram] = holders.get(gram, 0) | bit
        found = [0] * self._count
        for gram, there in holders.items():
            for group in self._groups[gram]:
                found[group] |= there
        return found


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
        out += standins[arg] if op is sre.LITERAL else _of_op(op, arg, standins)
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
        if op is sre.LITERAL and arg in standins:
            if not standins[arg]:
                return frozenset()
            chars |= _rarest(standins[arg])
        elif op is sre.LITERAL:
            chars.add(chr(arg))
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
        union |= _rarest(groups)
    return [frozenset(union)]


def _rarest(groups: Sequence[frozenset[str]]) -> frozenset[str]:
    return min(groups, key=_rank)


@lru_cache(maxsize=65536)
def _rank(group: frozenset[str]) -> tuple[int, int]:
    return min(map(_commonness, group), default=0), len(group)


def _commonness(gram: str) -> int:
    if len(gram) > 1:
        return 0 if len(gram) > 2 else 1
    return 3 if gram.isascii() else 2
