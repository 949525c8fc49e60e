"""What a rule names must be there: groups, functions, lexicons, units.

A broadcast finds out only when a line happens to need the name; an author is told at once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from pipeline.claims.compiled import RunRule
from pipeline.claims.functions import FUNCTIONS
from pipeline.errors import RuleError

_BRACED = re.compile(r"\{([^{}]*)\}")
_FIELD = re.compile(r"([a-z]+[a-z0-9]*)(?:\|([a-z_]+))?")
_UNITS = {
    "weight": ("weight",),
    "volume": ("volume",),
    "length": ("length",),
    "measure": ("measure",),
    "duration": ("duration",),
    "term": ("duration",),
    "content": ("weight", "volume"),
    "capacity": ("weight", "volume"),
    "metric": ("weight", "volume"),
}
"""Functions of templates that look words up in ``[units.…]`` tables."""


def check_names(rule: RunRule, *, units: Collection[str]) -> None:
    """Compile every pattern of a rule and look up every name in it.

    Raises:
        RuleError: the first pattern that does not compile or name that is not there.
    """
    for pattern in (rule.unless, rule.requires, rule.after):
        _ = pattern and pattern.regex
    for field, complaint in _complaints(rule, units):
        raise RuleError(
            f"{rule.file}: rule {rule.rule.id}, field {field}: {complaint}",
            hint="correct the name, or define it in a file of the same folder",
            file=rule.file,
            rule_id=rule.rule.id,
            field=field,
        )


def _complaints(rule: RunRule, units: Collection[str]) -> Iterator[tuple[str, str]]:
    groups = {"s", *rule.pattern.regex.groupindex}
    for field, template in (("value", rule.rule.value), ("prefix", rule.rule.prefix)):
        for braced in _BRACED.findall(template):
            wrong = _wrong(braced, groups, units)
            if wrong:
                yield field, wrong
    for field, name in (("list", rule.rule.list), ("pairs", rule.rule.pairs)):
        if name and name not in rule.words.lexicons:
            yield field, f"unknown lexicon {name!r}"


def _wrong(braced: str, groups: Collection[str], units: Collection[str]) -> str:
    """What is wrong with ``{group|function}``; empty when nothing is."""
    parts = _FIELD.fullmatch(braced)
    if parts is None:
        return f"{{{braced}}} is not {{group}} or {{group|function}}"
    group, function = parts[1], parts[2]
    if group not in groups:
        return f"the pattern has no group {group!r}"
    if function and function not in FUNCTIONS:
        return f"unknown function {function!r}"
    missing = [kind for kind in _UNITS.get(function or "", ()) if kind not in units]
    return f"{function!r} needs a table [units.{missing[0]}]" if missing else ""
