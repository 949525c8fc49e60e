"""What a dispute is about: claim types from a reason code or from the buyer's words.

The words are data (``reasons.toml``), in Chinese and English whatever the language of
the broadcast. A complaint about something no host promises (a courier, a wrong
address) asks for no claim at all.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple, get_args

from pipeline.errors import RuleError
from pipeline.model import CLAIM_TYPES, ClaimType
from pipeline.text.normal import normal_text
from pipeline.text.numerals import find_numbers

OTHER = "other"
_FILE = "reasons.toml"
_STRONG, _WEAK, _RULE = 2, 1, 3
_ENOUGH = 1
_CLOSE = 0.5


class Reason(NamedTuple):
    """One dispute reason of the data file."""

    code: str
    first: tuple[ClaimType, ...]
    then: tuple[ClaimType, ...]
    strong: tuple[re.Pattern[str], ...]
    weak: tuple[re.Pattern[str], ...]


class Inquiry(NamedTuple):
    """What to look for."""

    first: tuple[ClaimType, ...]
    """Claim types that decide the dispute, strongest first."""
    then: tuple[ClaimType, ...]
    """Types that matter only where the buyer's words point at the claim."""
    topics: frozenset[str]
    """Topics in the buyer's words, by the names of the data file."""
    numbers: frozenset[str]
    """Numbers in the buyer's words, in plain decimal."""
    understood: bool
    """False where neither the code nor the words say what the dispute is about."""
    nothing: bool
    """Whether the complaint is about nothing a host says."""
    text: str
    """The buyer's words, normal form."""
    codes: tuple[str, ...]
    """The reasons behind it: the given code, then those read from the words."""


Reader = Callable[[str], Sequence[ClaimType]]
"""Claim types that the claim rules find in a text: buyers repeat what hosts promise."""


class _Data(NamedTuple):
    reasons: dict[str, Reason]
    topics: dict[str, re.Pattern[str]]


def inquire(reason_code: str, reason_text: str, *, read: Reader | None = None) -> Inquiry:
    """What the code and the words of a dispute ask for. The code decides where it is known.

    ``read`` adds what the claim rules find in the buyer's words; asked only without a code.
    """
    data = _data()
    text = normal_text(reason_text)
    code = reason_code.strip().lower()
    found = read(reason_text) if read and text and code not in data.reasons else ()
    heard = _codes_in(text, data, frozenset(found))
    if code == OTHER or (code not in data.reasons and OTHER in heard):
        return Inquiry((), (), frozenset(), frozenset(), True, True, text, (OTHER,))
    known = code in data.reasons
    codes = (code,) if known else heard
    first = tuple(dict.fromkeys(t for c in codes for t in data.reasons[c].first))
    extra = [t for c in codes for t in data.reasons[c].then]
    if known:
        extra += [t for c in heard for t in data.reasons[c].first]
    then = tuple(t for t in dict.fromkeys(extra) if t not in first)
    if not codes and not text:
        first = CLAIM_TYPES
    return Inquiry(
        first, then, topics_in(text), numbers_in(text), bool(codes) or not text, False, text,
        tuple(dict.fromkeys((*codes, *heard))),
    )  # fmt: skip


def topics_in(text: str) -> frozenset[str]:
    """The topics a text (normal form) touches."""
    return frozenset(name for name, pattern in _data().topics.items() if pattern.search(text))


def numbers_in(text: str) -> frozenset[str]:
    """The numbers of a text in plain decimal; both ends of a range."""
    found = find_numbers(text)
    return frozenset(plain for n in found for plain in (_plain(n.low), _plain(n.high)))


def _plain(number: Any) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _codes_in(text: str, data: _Data, found: frozenset[ClaimType]) -> tuple[str, ...]:
    """The reasons the words give, best first; ``other`` alone where it weighs as much."""
    points = {
        code: _points(text, reason) + _RULE * len(found.intersection(reason.first))
        for code, reason in data.reasons.items()
    }
    best = max((p for code, p in points.items() if code != OTHER), default=0)
    if points.get(OTHER, 0) >= max(best, _ENOUGH):
        return (OTHER,)
    if best < _ENOUGH:
        return ()
    ranked = sorted(points.items(), key=lambda item: -item[1])
    return tuple(c for c, p in ranked if c != OTHER and p >= _ENOUGH and p > best * _CLOSE)


def _points(text: str, reason: Reason) -> int:
    strong = sum(_STRONG for p in reason.strong if p.search(text))
    return strong + sum(_WEAK for p in reason.weak if p.search(text))


@lru_cache(maxsize=1)
def _data() -> _Data:
    """The data file, checked.

    Raises:
        RuleError: an unknown key or claim type, or a pattern that does not compile.
    """
    raw = resources.files("pipeline.cases").joinpath(_FILE).read_text(encoding="utf-8")
    data = tomllib.loads(raw)
    reasons = {code: _reason(code, fields) for code, fields in data["reason"].items()}
    topics = {name: _any_of(words) for name, words in data["topics"].items()}
    return _Data(reasons, topics)


def _reason(code: str, fields: dict[str, list[str]]) -> Reason:
    if set(fields) != {"first", "then", "strong", "weak"}:
        raise _wrong(code, "fields", "needs first, then, strong, weak and nothing else")
    return Reason(
        code,
        tuple(_types(code, "first", fields["first"])),
        tuple(_types(code, "then", fields["then"])),
        tuple(_patterns(code, "strong", fields["strong"])),
        tuple(_patterns(code, "weak", fields["weak"])),
    )


def _types(code: str, field: str, names: list[str]) -> Iterator[ClaimType]:
    known: dict[str, ClaimType] = {str(t): t for t in get_args(ClaimType)}
    for name in names:
        if name not in known:
            raise _wrong(code, field, f"names an unknown claim type {name!r}")
        yield known[name]


def _patterns(code: str, field: str, patterns: list[str]) -> Iterator[re.Pattern[str]]:
    for pattern in patterns:
        try:
            yield re.compile(_bounded(pattern))
        except re.error as error:
            raise _wrong(code, field, f"has a pattern that does not compile: {error}") from error


def _bounded(pattern: str) -> str:
    """English patterns begin at a word's beginning."""
    return rf"\b(?:{pattern})" if re.match(r"[a-z]", pattern) else pattern


def _any_of(words: list[str]) -> re.Pattern[str]:
    parts = [rf"\b{re.escape(w)}(?:s|es|ed)?\b" if w.isascii() else re.escape(w) for w in words]
    return re.compile("|".join(parts))


def _wrong(code: str, field: str, complaint: str) -> RuleError:
    return RuleError(
        f"{_FILE}: reason {code!r}: {field} {complaint}",
        hint="correct the data file",
        file=_FILE,
        rule_id=code,
        field=field,
    )
