"""When a person should hear a claim before anyone relies on it."""

from __future__ import annotations

from pipeline.claims.candidates import Candidate
from pipeline.claims.products import SkuLink
from pipeline.model import Line

DOUBTFUL_PM = 550
"""Mean recognition probability of a quote below which its words are doubtful. A figure of
judgement: the base model's wrong characters on the sample recordings lie mostly below it."""
_CONFIRMABLE = frozenset({"weak_rule", "broad_reading"})
"""Reasons of rules for review that fall away where the classifier is sure of the claim."""
WEAKEST_PM = 250
"""The same for a single character of the quote."""
AGREED_PM, AGREED_WEAKEST_PM = 400, 120
"""The same two where a rule and the classifier agree: of characters below 400 about half are wrong
on the sample recordings, but what both read the same was right although a character was not."""


def review_of(
    candidate: Candidate, line: Line, start: int, end: int, link: SkuLink
) -> tuple[str, ...]:
    """The reasons, each once; empty when the claim stands on its own."""
    reasons: list[str] = []
    weak = candidate.rule.rule.review
    if weak and not (candidate.view == "sure" and weak in _CONFIRMABLE):
        reasons.append(weak)
    if candidate.view not in ("", "sure"):
        reasons.append("learned" if candidate.learned else "doubted")
    if _doubtful(candidate, line, start, end):
        reasons.append("doubtful_recognition")
    if link.unsure:
        reasons.append("unsure_sku")
    if len(candidate.touch.cues) > 2:
        reasons.append("standing")
    return tuple(dict.fromkeys(reasons))


def _doubtful(candidate: Candidate, line: Line, start: int, end: int) -> bool:
    """Whether the words may be misheard; a rule and a sure classifier bear more doubt together."""
    chars = line.char_prob_pm[start:end]
    mean = sum(chars) // len(chars) if chars else line.prob_pm
    agreed = candidate.view == "sure" and not candidate.learned
    least_mean, least = (AGREED_PM, AGREED_WEAKEST_PM) if agreed else (DOUBTFUL_PM, WEAKEST_PM)
    return mean < least_mean or bool(chars and min(chars) < least)
