"""Parsed word lists put into parsed patterns, in place of the character that stands for each."""

from __future__ import annotations

import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
from collections.abc import Mapping
from typing import Any

Tree = Any
"""``re._parser.SubPattern``: a list of ``(operation, argument)``."""


def grafted(tree: Tree, grafts: Mapping[int, Tree]) -> Tree:
    """A new tree with every stand-in replaced; trees that are put in are shared, not copied."""
    out = sre_parser.SubPattern(tree.state)
    for op, arg in tree:
        if op is sre.LITERAL and arg in grafts:
            out.data.append(_group(grafts[arg]))
        elif op is sre.IN:
            out.data.append(_of_class(tree.state, arg, grafts))
        else:
            out.data.append((op, _of_argument(arg, grafts)))
    return out


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
