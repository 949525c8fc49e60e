"""Rules against their own examples and counter-examples."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pipeline.claims.candidates import read_line
from pipeline.claims.compiled import RuleBook, RunCue, RunRule
from pipeline.claims.rules import RULES_FOLDER, RuleSource, line_of
from pipeline.claims.shape import shape_of
from pipeline.claims.values import Setting
from pipeline.errors import RuleError


class Failure(NamedTuple):
    """A sentence on which a rule or cue does not do what its author wrote."""

    problem: str
    """``does not fire on its example`` …"""
    sentence: str


def check_rule(rule: RunRule, book: RuleBook, units: dict[str, dict[str, str]]) -> list[str]:
    """What is wrong with a rule, in words; empty when nothing is."""
    return [f"{f.problem} {f.sentence!r}" for f in rule_failures(rule, book, units)]


def rule_failures(rule: RunRule, book: RuleBook, units: dict[str, dict[str, str]]) -> list[Failure]:
    """The sentences on which a rule fails."""
    setting = Setting("CNY", None, units)
    wrong = [
        Failure("does not fire on its example", text)
        for text in rule.rule.examples
        if not fires(rule, text, book, setting)
    ]
    return wrong + [
        Failure("fires on its counter-example", text)
        for text in rule.rule.counter_examples
        if fires(rule, text, book, setting)
    ]


def fires(rule: RunRule, text: str, book: RuleBook, setting: Setting) -> bool:
    """Whether the rule matches, before other rules compete for the same words."""
    alone = _Alone(book, rule)
    before, _, last = text.rpartition(" | ")
    context = shape_of(before).text if before else ""
    reading = read_line(shape_of(last), before=context, book=alone, setting=setting)
    return any(c.rule is rule for c in (*reading.kept, *reading.dropped))


class _Alone(RuleBook):
    """A book that holds one rule and all cues."""

    def __init__(self, book: RuleBook, rule: RunRule) -> None:
        self.words = book.words
        self.rules = (rule,)
        self.cues = book.cues
        self._by_script = {}


def check_cue(cue: RunCue) -> list[str]:
    """What is wrong with a cue, in words; empty when nothing is."""
    return [f"{f.problem} {f.sentence!r}" for f in cue_failures(cue)]


def cue_failures(cue: RunCue) -> list[Failure]:
    """The sentences on which a cue fails."""
    wrong = [
        Failure("is not found in its example", text)
        for text in cue.cue.examples
        if not _found(cue, text)
    ]
    return wrong + [
        Failure("is found in its counter-example", text)
        for text in cue.cue.counter_examples
        if _found(cue, text)
    ]


def _found(cue: RunCue, text: str) -> bool:
    shape = shape_of(text)
    if cue.cue.scope == "left":
        ends = range(len(shape.text) + 1)
        return any(cue.pattern.regex.search(shape.text[:end]) for end in ends)
    if cue.cue.scope == "clause":
        return any(cue.pattern.regex.search(shape.text, c.start, c.end) for c in shape.clauses)
    return cue.pattern.regex.search(shape.text) is not None


def check_all(source: RuleSource, *, folder: Path = RULES_FOLDER) -> None:
    """Every rule and cue against its examples.

    Raises:
        RuleError: the first that fails, with file and line.
    """
    book = RuleBook(source)
    for owner, file, wrong in (
        *((r.rule.id, r.file, check_rule(r, book, source.units)) for r in book.written),
        *((c.cue.id, c.file, check_cue(c)) for c in book.cues),
    ):
        if wrong:
            text = (folder / file).read_text(encoding="utf-8")
            raise RuleError(
                f"{file}:{line_of(text, owner)}: {owner} {wrong[0]}",
                hint="correct the pattern or the example",
                file=file,
                rule_id=owner,
                field="examples",
            )
