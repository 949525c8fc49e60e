"""First pass: every statement that a rule sees in a line; second: which of them stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.claims.compiled import Possible, RuleBook, RunRule
from pipeline.claims.learned import Opinion, View
from pipeline.claims.shape import Clause, Shape
from pipeline.claims.standing import DROPS, LineCues, Mark, Touch
from pipeline.claims.values import Found, Setting, fill, items, pairs
from pipeline.model import SET_TYPES, Value

_MAX_QUOTE = 60
_MAX_QUOTE_LATIN = 90
_NEGATOR = re.compile(
    r"(?:不是|不含|不带|不会|不能|不用|没有|没|不|别|无|非)"
    r"|\b(?:not?|never|without|nothing|none|nae|nowt|zero|cannot|[a-z]+n't|[a-z]+nae)\b ?"
)
_DENIED_LAST = re.compile(
    r"(?:not|no|neither|never|cannot|(?:is|are|was|does|do|ca|wo|has|have)n't|cannae)"
)
"""The last words of an English clause that is denied behind (the wall plug isn't)."""
_DENIED_AFTER = re.compile(
    r",? (?:(?:sorry|i'm afraid|please|well|then|and|but),? )*"
    r"(?:no|nope|nah|not a chance|no way|(?:please )?don't|i (?:do not|can't|cannot|won't|don't)"
    r"|none of (?:that|those|it)|neither)(?:,? (?:sorry|ma'am|sir|please|love|dear))?(?=[,.!]|$)"
)
"""The same said in the next breath (opened socks, no)."""


class Candidate(NamedTuple):
    """A statement in a line, on the shape."""

    rule: RunRule
    found: Found
    touch: Touch
    value: Value
    marks: tuple[Mark, ...]
    view: View = ""
    """What the classifier holds of it."""
    learned: bool = False
    """Whether the classifier found it, not a rule's wording."""
    heard: bool = False
    """Whether the line was recognised: its 吗 may be a 嘛, its question mark a guess, and it may hold
    several utterances of which one is chat."""

    @property
    def start(self) -> int:
        """Start of the quote in the shape."""
        return self.touch.start

    @property
    def end(self) -> int:
        """End, exclusive."""
        return self.touch.end

    @property
    def dropped_by(self) -> str:
        """The cue kind that keeps it from being a claim; empty when it stands."""
        immune: tuple[str, ...] = self.rule.rule.immune
        if self.heard and self.view == "sure":
            immune = (*immune, "question", "chat")
        if self.touch.polarity == "negate":  # nobody presents goods by what they are not
            immune = (*immune, "announce")
        kind = next((m.kind for m in self.marks if m.kind in DROPS and m.kind not in immune), "")
        weak = bool(self.rule.rule.review) and self.view == "unlikely"
        doubted = (weak or self.view == "impossible") and "chat" not in self.rule.rule.immune
        return kind or ("unlikely" if doubted else "")


class LineReading(NamedTuple):
    """All that was read in a line."""

    shape: Shape
    cues: LineCues
    kept: tuple[Candidate, ...]
    dropped: tuple[Candidate, ...]


def read_line(
    shape: Shape, *, before: str, book: RuleBook, setting: Setting,
    opinion: Opinion | None = None, heard: bool = False, possible: Possible | None = None,
) -> LineReading:  # fmt: skip
    """The claims of a line and those that were dropped; ``before`` is the previous shape.

    With the opinion of a classifier, what a rule sees but nobody would promise is dropped, and clauses that no
    rule covers are read by the readings of the type that the classifier takes them for.
    ``possible`` are the rules and cues to try, where they were looked up before for many lines.
    """
    possible = possible or book.possible([shape])[0]
    cues = LineCues(shape, possible.cues)
    found: list[Candidate] = []
    for rule in possible.rules:
        if rule.pattern.regex.search(shape.text):
            found += _by_rule(rule, shape, cues, before=before, setting=setting)
    if opinion is not None and shape.clauses:
        found = [
            c._replace(view=opinion.view(c.rule.rule.type, c.start, c.end, heard=heard))
            for c in found
        ]
        found += _by_reading(opinion, shape, cues, book=book, before=before, setting=setting)
    found = [c._replace(heard=True) for c in found] if heard else found
    standing = [c for c in found if not c.dropped_by]
    kept = _without_overlap(standing)
    dropped = _without_overlap([c for c in found if c.dropped_by])
    return LineReading(shape, cues, tuple(kept), tuple(dropped))


def _by_reading(
    opinion: Opinion, shape: Shape, cues: LineCues, *, book: RuleBook, before: str, setting: Setting
) -> Iterator[Candidate]:
    """The first reading that fits, of every clause and type that the classifier finds likely."""
    for clause, claim_type, view in opinion.likely():
        for reading in book.readings_of(claim_type, chinese=shape.chinese):
            made = _by_rule(reading, shape, cues, before=before, setting=setting, within=clause)
            if made:
                yield made[0]._replace(view=view, learned=True)
                break


def _by_rule(
    rule: RunRule, shape: Shape, cues: LineCues, *, before: str, setting: Setting,
    within: Clause | None = None,
) -> list[Candidate]:  # fmt: skip
    text, out = shape.text, []
    for match in rule.pattern.regex.finditer(text, *(within or ())):
        groups = {n: s for n in match.re.groupindex if (s := match.span(n))[0] >= 0}
        start, end = groups.setdefault("s", match.span())
        if end <= start or end - start > (_MAX_QUOTE if shape.chinese else _MAX_QUOTE_LATIN):
            continue
        if not _allowed(rule, shape, before=before, start=start, end=end):
            continue
        found = Found(shape, groups)
        if "n" in groups and not _within(rule, found):
            continue
        value = _value(rule, found, setting)
        if not value:
            continue
        touch = _touched(rule, cues, start, end)
        if within is not None and touch.polarity == rule.rule.polarity:
            touch = _denied(rule, cues, touch, text)
        if rule.rule.hedged:
            touch = touch._replace(hedged=True)
        marks = tuple(cues.over(start, end, rule.rule.type))
        out.append(Candidate(rule, found, touch, value, marks))
    return out


def _touched(rule: RunRule, cues: LineCues, start: int, end: int) -> Touch:
    spec = rule.rule
    return cues.touch(
        start, end, claim_type=spec.type, polarity=spec.polarity, negatable=spec.negatable
    )


def _denied(rule: RunRule, cues: LineCues, touch: Touch, text: str) -> Touch:
    """A whole clause holds its negation inside: asked again for the words behind it."""
    if rule.rule.negatable and (found := _denied_behind(touch, text)):
        return found
    for negator in _NEGATOR.finditer(text, touch.start, touch.end):
        if negator.end() < touch.end:
            behind = _touched(rule, cues, negator.end(), touch.end)
            if behind.polarity != rule.rule.polarity:
                return behind._replace(
                    start=min(touch.start, behind.start),
                    hedged=touch.hedged or behind.hedged,
                    cues=tuple(dict.fromkeys((*touch.cues, *behind.cues))),
                )
    return touch


def _denied_behind(touch: Touch, text: str) -> Touch | None:
    """Denied by the last word of an English clause, or by the few words that follow it."""
    hit = _DENIED_AFTER.match(text, touch.end)
    last = text.rfind(" ", touch.start, touch.end) + 1
    if hit is None and not (last and _DENIED_LAST.fullmatch(text, last, touch.end)):
        return None
    where = hit.span() if hit else (last, touch.end)
    cues = (*touch.cues, ("negate", *where))
    return touch._replace(end=max(touch.end, where[1]), polarity="negate", cues=cues)


def _allowed(rule: RunRule, shape: Shape, *, before: str, start: int, end: int) -> bool:
    text = shape.text
    if rule.unless:
        first, last = shape.clause_of(start).start, shape.clause_of(end - 1).end
        if rule.unless.regex.search(text, min(first, start), max(last, end)):
            return False
    if rule.requires and not rule.requires.regex.search(text):
        return False
    return rule.after is None or bool(rule.after.regex.search(before + "\n" + text[:start]))


def _within(rule: RunRule, found: Found) -> bool:
    return all(rule.rule.least <= n.low <= rule.rule.most for n in found.numbers("n"))


def _value(rule: RunRule, found: Found, setting: Setting) -> Value:
    spec, words = rule.rule, rule.words
    if spec.list or spec.pairs:
        lead = fill(spec.prefix, found, words, rule.lexicons, setting) if spec.prefix else ""
        named = items(found, spec.list, words) if spec.list else pairs(found, spec.pairs, words)
        return tuple(lead + n for n in named)
    text = fill(spec.value, found, words, rule.lexicons, setting).strip()
    if spec.type not in SET_TYPES:
        return text
    return tuple(p.strip() for p in text.split(";") if p.strip())


def _without_overlap(found: list[Candidate]) -> list[Candidate]:
    """Of overlapping statements the one of higher priority, then the longer, then the earlier."""
    ranked = sorted(
        found, key=lambda c: (-c.rule.rule.priority, -(c.end - c.start), c.start, c.rule.rule.id)
    )
    kept: list[Candidate] = []
    for candidate in ranked:
        if all(_apart(candidate, k) for k in kept):
            kept.append(candidate)
    return sorted(kept, key=lambda c: c.start)


def _apart(one: Candidate, other: Candidate) -> bool:
    """Neither the same words nor the same statement said twice in one breath."""
    if one.start < other.end and other.start < one.end:
        return False
    return (
        one.rule.rule.type != other.rule.rule.type
        or one.value != other.value
        or one.touch.polarity != other.touch.polarity
    )


def without_numbers(reading: LineReading, links: frozenset[int]) -> tuple[Candidate, ...]:
    """The claims without a "price" that only calls a product by its number (二十三, 外套).

    Such a number stands first in the line, or before the product (转头看杆子，五十二，溪流竿).
    """
    first = reading.shape.clauses[0].end if reading.shape.clauses else 0

    def calls(candidate: Candidate) -> bool:
        if candidate.rule.rule.type != "price":
            return False
        if candidate.end > first and reading.shape.text[candidate.end : candidate.end + 1] != ",":
            return False
        text = reading.shape.text[candidate.start : candidate.end]
        number = reading.shape.numbers.get(candidate.start)
        return text == "#" and number is not None and number.low in links

    return tuple(c for c in reading.kept if not calls(c))
