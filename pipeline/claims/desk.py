"""The rule authors' desk: where each rule stands, whether it keeps its word, what it sees.

Everything here goes through the same reading as a broadcast does, so that what an author sees
is what a recording will get.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from pipeline.claims.candidates import Candidate, LineReading, read_line
from pipeline.claims.checks import check_names
from pipeline.claims.compiled import RuleBook, RunRule
from pipeline.claims.detector import RuleDetector
from pipeline.claims.rules import (
    RULES_FOLDER,
    CueRule,
    Placed,
    PlacedCue,
    Rule,
    RuleSource,
    line_of,
    read_rules,
)
from pipeline.claims.selftest import Failure, cue_failures, rule_failures
from pipeline.claims.shape import Shape, shape_of
from pipeline.claims.values import Found, Setting
from pipeline.errors import RuleError
from pipeline.model import Broadcast, Claim, Line, Product, ScheduleEntry

_SHOWN_TRAITS = 8
LINE_MS = 4000
"""Length given to each line of a trial."""
_WORK_KEY = "0" * 64
_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_LOCATED = re.compile(r"[^:\s]+:\d+: ")
_LONGEST_QUOTE = 60


class RuleCard(NamedTuple):
    """A rule or cue and where it stands."""

    id: str
    kind: Literal["rule", "cue"]
    type: str
    """Claim type of a rule, kind of a cue."""
    language: str
    file: str
    line: int
    """From 1."""
    pattern: str
    examples: int
    counter_examples: int


class Fault(NamedTuple):
    """A sentence on which a rule does not do what its author wrote."""

    id: str
    file: str
    line: int
    """Line of the sentence, from 1."""
    problem: str
    sentence: str


class NearMiss(NamedTuple):
    """Words that a rule's pattern matched and that made no claim."""

    rule_id: str
    quote: str
    """As in the text given."""
    reason: str
    """Why not, in words."""
    words: str
    """The words that kept it from being a claim; empty where it is no matter of words."""


class Trial(NamedTuple):
    """What the rules see in a few lines."""

    lines: tuple[str, ...]
    claims: tuple[Claim, ...]
    near_misses: tuple[NearMiss, ...]


# --- reading -----------------------------------------------------------------------------------


def open_rules(folder: Path = RULES_FOLDER) -> tuple[RuleSource, RuleBook]:
    """The rules of a folder with every pattern compiled and every name looked up.

    Raises:
        RuleError: names file and line in its message.
    """
    with _located(folder):
        source = read_rules(folder)
        book = RuleBook(source)
        for rule in book.written:
            check_names(rule, units=source.units)
        for cue in book.cues:
            _ = cue.pattern.regex
    return source, book


def open_detector(folder: Path = RULES_FOLDER) -> RuleDetector:
    """The detector over a folder of rules: built-in ones as they are, others checked first.

    Raises:
        RuleError: names file and line in its message.
    """
    if folder != RULES_FOLDER:
        open_rules(folder)
    with _located(folder):
        return RuleDetector.load(folder)


@contextmanager
def _located(folder: Path) -> Iterator[None]:
    try:
        yield
    except RuleError as error:
        raise located(error, folder) from error


def located(error: RuleError, folder: Path) -> RuleError:
    """The same error with ``file:line:`` in front of its message."""
    file = folder / error.file
    if not error.file or _LOCATED.match(error.message) or not file.is_file():
        return error
    text = file.read_text(encoding="utf-8", errors="replace")
    told = _TOML_LINE.search(error.message)
    line = int(told[1]) if told else _line(text, error.rule_id, error.field)
    message = error.message.removeprefix(f"{error.file}: ")
    return RuleError(
        f"{error.file}:{line}: {message}",
        hint=error.hint,
        file=error.file,
        rule_id=error.rule_id,
        field=error.field,
    )


def _line(text: str, rule_id: str, field: str) -> int:
    """Where a rule stands; for a duplicate id the place where it is used again."""
    if field != "id":
        return line_of(text, rule_id, field)
    stated = re.compile(rf'\s*id\s*=\s*["\']{re.escape(rule_id)}["\']')
    places = [n for n, one in enumerate(text.splitlines(), 1) if stated.match(one)]
    return places[-1] if places else 1


# --- list --------------------------------------------------------------------------------------


def cards(folder: Path = RULES_FOLDER) -> list[RuleCard]:
    """All rules, then all cues, in file order.

    Raises:
        RuleError: names file and line.
    """
    with _located(folder):
        source = read_rules(folder)
    texts = _texts(folder)
    out = [_card(texts, r, r.rule) for r in (*source.rules, *source.readings)]
    return out + [_card(texts, c, c.cue) for c in source.cues]


def card_of(rule_id: str, folder: Path = RULES_FOLDER) -> RuleCard | None:
    """One rule or cue; None when there is none of this id."""
    return next((card for card in cards(folder) if card.id == rule_id), None)


def _card(texts: dict[str, str], placed: Placed | PlacedCue, spec: Rule | CueRule) -> RuleCard:
    return RuleCard(
        id=spec.id,
        kind="rule" if isinstance(spec, Rule) else "cue",
        type=spec.type if isinstance(spec, Rule) else spec.kind,
        language=placed.language,
        file=placed.file,
        line=line_of(texts[placed.file], spec.id),
        pattern=spec.pattern,
        examples=len(spec.examples),
        counter_examples=len(spec.counter_examples),
    )


def _texts(folder: Path) -> dict[str, str]:
    return {p.name: p.read_text(encoding="utf-8") for p in sorted(folder.glob("*.toml"))}


# --- test --------------------------------------------------------------------------------------


def faults(folder: Path = RULES_FOLDER) -> list[Fault]:
    """Every rule and cue against its examples and counter-examples; empty when all hold.

    Raises:
        RuleError: the rules cannot be read at all; names file and line.
    """
    source, book = open_rules(folder)
    texts = _texts(folder)
    out: list[Fault] = []
    for rule in book.written:
        failed = rule_failures(rule, book, source.units)
        out += _placed(failed, rule.rule.id, rule.file, texts[rule.file])
    for cue in book.cues:
        out += _placed(cue_failures(cue), cue.cue.id, cue.file, texts[cue.file])
    return out


def _placed(failed: Sequence[Failure], owner: str, file: str, text: str) -> list[Fault]:
    lines = text.splitlines()
    out = []
    for one in failed:
        field = "counter_examples" if "counter" in one.problem else "examples"
        start = line_of(text, owner, field)
        after = (n for n in range(start, len(lines) + 1) if one.sentence in lines[n - 1])
        out.append(Fault(owner, file, next(after, start), one.problem, one.sentence))
    return out


def spoken_for(claim: Claim, detector: RuleDetector) -> list[tuple[str, int]]:
    """The traits of a quote that speak for its type to the classifier, strongest first.

    Weights are thousandths of a logit; without the words around the quote. Empty where the rule
    folder holds no classifier of the language.
    """
    shape = shape_of(claim.quote)
    learned = detector.book.learned(chinese=shape.chinese)
    if learned is None or not shape.clauses:
        return []
    every = (learned.because(shape, n, claim.claim_type) for n in range(len(shape.clauses)))
    return sorted(set().union(*every), key=lambda t: (-t[1], t[0]))[:_SHOWN_TRAITS]


# --- try ---------------------------------------------------------------------------------------


def trial(
    text: str, *, detector: RuleDetector, language: str = "", products: Sequence[str] = ()
) -> Trial:
    """What the rules see in a sentence; `` | `` separates it from the lines said before.

    Raises:
        RuleError: a pattern that this text needs is wrong.
    """
    said = tuple(part.strip() for part in text.split(" | ") if part.strip())
    language = language or ("zh" if shape_of(text).chinese else "en")
    broadcast = made_broadcast(language, products, lines=len(said))
    lines = tuple(
        Line(
            line_id=f"s{n}",
            source="speech",
            index=n,
            start_ms=n * LINE_MS,
            end_ms=(n + 1) * LINE_MS,
            text=one,
        )
        for n, one in enumerate(said)
    )
    found = detector.detect(broadcast, lines, screen=None, work_key=_WORK_KEY)
    return Trial(said, found.claims, tuple(_misses(said, detector, language)))


def made_broadcast(language: str, products: Sequence[str], *, lines: int = 1) -> Broadcast:
    """A broadcast about nothing, selling the products named, the first of them on stage.

    Without names there is one product that has none, so that no claim lacks a product only
    because none was given.
    """
    made = tuple(
        Product(sku_id=f"SKU{n}", link_number=n, name=name, aliases=(name,) if name else ())
        for n, name in enumerate(products or ("",), 1)
    )
    end_ms = max(1, lines) * LINE_MS
    stage = (ScheduleEntry(sku_id="SKU1", start_ms=0, end_ms=end_ms),)
    return Broadcast(broadcast_id="trial", language=language, products=made, product_schedule=stage)


def _misses(said: Sequence[str], detector: RuleDetector, language: str) -> Iterator[NearMiss]:
    setting = Setting("CNY" if language == "zh" else "USD", None, detector.source.units)
    before: LineReading | None = None
    for text in said:
        reading = detector.read(text, before=before, setting=setting, judged=True)
        context = before.shape.text if before else ""
        book, shape = detector.book, reading.shape
        opinion = book.opinions([(shape, context)])[0]
        alone = read_line(shape, before=context, book=book, setting=setting, opinion=opinion)
        yield from _dropped(text, reading)
        yield from _settled(text, reading, alone)
        yield from _unmade(text, alone, context, book)
        before = reading


def _dropped(text: str, reading: LineReading) -> Iterator[NearMiss]:
    """Statements that a cue keeps from being the host's claim."""
    for candidate in reading.dropped:
        kind = candidate.dropped_by
        mark = next((m for m in candidate.marks if m.kind == kind), None)
        words = _verbatim(text, reading.shape, mark.words) if mark else ""
        quote = _verbatim(text, reading.shape, (candidate.start, candidate.end))
        yield NearMiss(candidate.rule.rule.id, quote, kind, words)


def _settled(text: str, reading: LineReading, alone: LineReading) -> Iterator[NearMiss]:
    """Statements that stood until a later one of the same breath took their place."""
    mark = next((m for m in reversed(reading.cues.marks) if m.kind == "correction"), None)
    words = _verbatim(text, reading.shape, mark.words) if mark else ""
    for candidate in alone.kept:
        if all(c.end <= candidate.start or candidate.end <= c.start for c in reading.kept):
            quote = _verbatim(text, reading.shape, (candidate.start, candidate.end))
            yield NearMiss(candidate.rule.rule.id, quote, "said again in the same line", words)


def _unmade(text: str, reading: LineReading, context: str, book: RuleBook) -> Iterator[NearMiss]:
    """Matches that a rule's own conditions, its value or another rule turned down."""
    shape = reading.shape
    made = {(c.rule.rule.id, *_core(c)) for c in (*reading.kept, *reading.dropped)}
    for rule in book.possible([shape])[0].rules:
        for match in rule.pattern.regex.finditer(shape.text):
            groups = {n: s for n in match.re.groupindex if (s := match.span(n))[0] >= 0}
            span = groups.setdefault("s", match.span())
            if (rule.rule.id, *span) in made or span[1] <= span[0]:
                continue
            reason, words = _refusal(rule, shape, context, groups) or _beaten(reading, span)
            quoted = _verbatim(text, shape, words) if words else ""
            yield NearMiss(rule.rule.id, _verbatim(text, shape, span), reason, quoted)


def _core(candidate: Candidate) -> tuple[int, int]:
    return candidate.found.groups["s"]


def _refusal(
    rule: RunRule, shape: Shape, context: str, groups: dict[str, tuple[int, int]]
) -> tuple[str, tuple[int, int] | None] | None:
    """Which of the rule's own conditions does not hold."""
    start, end = groups["s"]
    if end - start > _LONGEST_QUOTE:
        return "longer than a quote may be", None
    first, last = shape.clause_of(start).start, shape.clause_of(end - 1).end
    barred = rule.unless and rule.unless.regex.search(shape.text, min(first, start), max(last, end))
    if barred:
        return "unless", barred.span()
    if rule.requires and not rule.requires.regex.search(shape.text):
        return "requires something else in the line", None
    if rule.after and not rule.after.regex.search(f"{context}\n{shape.text[:start]}"):
        return "only after another line", None
    numbers = Found(shape, groups).numbers("n") if "n" in groups else ()
    if any(not rule.rule.least <= n.low <= rule.rule.most for n in numbers):
        return f"number outside {rule.rule.least} to {rule.rule.most}", groups["n"]
    return None


def _beaten(reading: LineReading, span: tuple[int, int]) -> tuple[str, None]:
    """The statement that took the same words; without one, the rule found no value."""
    for other in (*reading.kept, *reading.dropped):
        if other.start < span[1] and span[0] < other.end:
            return f"{other.rule.rule.id} has these words", None
    return "no value of its own", None


def _verbatim(text: str, shape: Shape, span: tuple[int, int]) -> str:
    start, end = shape.verbatim(*span)
    return text[start:end].strip()
