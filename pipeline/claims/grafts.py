"""Parsed word lists and macros put into parsed patterns, in place of the character for each.

A graft is parsed once and compiled once, whatever the number of patterns that hold it: its machine
code is copied into theirs. The code of a regular expression holds only distances and the numbers
of groups, and a graft has no groups of its own, so it reads the same wherever it stands.

Before many alternatives stands one look at the next character: where none of them begins with it,
none is tried.
"""

from __future__ import annotations

import re
import re._compiler as sre_compiler  # type: ignore[import-not-found]
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

Tree = Any
"""``re._parser.SubPattern``: a list of ``(operation, argument)``."""

_MANY = 12
"""Alternatives before which a look ahead pays."""
_NO_WIDTH = (sre.AT, sre.ASSERT, sre.ASSERT_NOT)
_NOTHING: tuple[Any, Any] = (None, None)
_BEING_WRITTEN = threading.local()
"""``code``: the list that the compiler fills just now in this thread."""


class Graft(sre_parser.SubPattern):  # type: ignore[misc]
    """A tree that hands the compiler its finished code instead of its parts.

    The compiler walks a tree by iterating over it; all else it asks of ``data``.
    """

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree.state, tree.data)

    @cached_property
    def _code(self) -> list[int]:
        return _written(self.data)

    def __iter__(self) -> Iterator[Any]:
        code: list[int] | None = getattr(_BEING_WRITTEN, "code", None)
        if code is None:
            return iter(self.data)
        code += self._code
        return iter(())


class Guarded(sre_parser.SubPattern):  # type: ignore[misc]
    """Many alternatives, for the compiler with a look ahead at their first characters."""

    def __init__(self, state: Any, branch: tuple[Any, Any], firsts: frozenset[int]) -> None:
        super().__init__(state, [branch])
        self._firsts = firsts

    def __iter__(self) -> Iterator[Any]:
        code: list[int] | None = getattr(_BEING_WRITTEN, "code", None)
        if code is not None:
            code += _look_ahead(self._firsts)
        return iter(self.data)


@lru_cache(maxsize=4096)
def _look_ahead(firsts: frozenset[int]) -> list[int]:
    one = sre_parser.SubPattern(None, [(sre.IN, [(sre.LITERAL, char) for char in sorted(firsts)])])
    return _written([(sre.ASSERT, (1, one))])


def _firsts(data: Sequence[tuple[Any, Any]]) -> frozenset[int] | None:
    """The characters that any match begins with; None where that is not sure."""
    op, arg = next((one for one in data if one[0] not in _NO_WIDTH), _NOTHING)
    if op is sre.LITERAL:
        return frozenset([arg])
    if op is sre.IN and all(one is sre.LITERAL for one, _ in arg):
        return frozenset(char for _, char in arg)
    if op is sre.SUBPATTERN and not arg[1] and not arg[2]:
        return _firsts(arg[3].data)
    if op in (sre.MAX_REPEAT, sre.MIN_REPEAT) and arg[0] > 0:
        return _firsts(arg[2].data)
    return _any_first(arg[1]) if op is sre.BRANCH else None


def _any_first(branches: Sequence[Tree]) -> frozenset[int] | None:
    found = [_firsts(branch.data) for branch in branches]
    known = [one for one in found if one is not None]
    return frozenset().union(*known) if len(known) == len(found) else None


def compiled(tree: Tree) -> re.Pattern[str]:
    """The pattern of a tree; grafts are copied, not compiled again."""
    state, flags = tree.state, tree.state.flags
    if flags != sre.SRE_FLAG_UNICODE:
        plain: re.Pattern[str] = sre_compiler.compile(tree)
        return plain
    code: list[int] = []
    sre_compiler._compile_info(code, tree, flags)
    code += [*_written(tree.data), sre.SUCCESS]
    names = [None] * state.groups
    for name, number in state.groupdict.items():
        names[number] = name
    made: re.Pattern[str] = sre_compiler._sre.compile(
        None, flags, code, state.groups - 1, state.groupdict, tuple(names)
    )
    return made


def _written(data: Any) -> list[int]:
    """The code of a tree's parts, without what stands before and behind them."""
    outer = getattr(_BEING_WRITTEN, "code", None)
    code: list[int] = []
    _BEING_WRITTEN.code = code
    try:
        sre_compiler._compile(code, data, sre.SRE_FLAG_UNICODE)
    finally:
        _BEING_WRITTEN.code = outer
    return code


def grafted(tree: Tree, grafts: Mapping[int, Tree]) -> Tree:
    """A new tree with every stand-in replaced; trees that are put in are shared, not copied."""
    out = sre_parser.SubPattern(tree.state)
    for op, arg in tree.data:
        if op is sre.LITERAL:
            out.data.append(_group(grafts[arg]) if arg in grafts else (op, arg))
        elif op is sre.IN:
            out.data.append(_of_class(tree.state, arg, grafts))
        else:
            out.data.append(_guarded(tree.state, op, _of_argument(arg, grafts)))
    return out


def _guarded(state: Any, op: Any, arg: Any) -> tuple[Any, Any]:
    if op is not sre.BRANCH or len(arg[1]) < _MANY:
        return op, arg
    firsts = _any_first(arg[1])
    return (op, arg) if firsts is None else _group(Guarded(state, (op, arg), firsts))


def _group(tree: Tree) -> tuple[Any, Any]:
    """A group that captures nothing; its width is worked out once for all that share it."""
    return sre.SUBPATTERN, (None, 0, 0, tree)


def _of_argument(arg: Any, grafts: Mapping[int, Tree]) -> Any:
    """Trees may lie in tuples and lists: branches, groups, repeats, looks ahead and back."""
    if isinstance(arg, sre_parser.SubPattern):
        return grafted(arg, grafts)
    if isinstance(arg, tuple | list):
        return type(arg)(_of_argument(one, grafts) for one in arg)
    return arg


def _of_class(state: Any, items: Any, grafts: Mapping[int, Tree]) -> tuple[Any, Any]:
    """``x|y`` of single characters is parsed as a class: with a stand-in, a branch again."""
    if not any(op is sre.LITERAL and arg in grafts for op, arg in items):
        return sre.IN, items
    branches = []
    for op, arg in items:
        graft = grafts.get(arg) if op is sre.LITERAL else None
        data = (sre.IN, [(op, arg)]) if graft is None else _group(graft)
        branches.append(sre_parser.SubPattern(state, [data]))
    return sre.BRANCH, (None, branches)
