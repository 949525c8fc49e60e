"""When a person should hear a claim before anyone relies on it."""

from __future__ import annotations

from pipeline.claims.candidates import Candidate
from pipeline.claims.products import SkuLink
from pipeline.model import Line

DOUBTFUL_PM = 550
"""Mean recognition probability of a quote below which its words are doubtful. A figure of
judgement: the base model's wrong characters on the sample recordings lie mostly below it."""
WEAKEST_PM = 250
"""The same for a single character of the quote."""


def review_of(
    candidate: Candidate, line: Line, start: int, end: int, link: SkuLink
) -> tuple[str, ...]:
    """The reasons, each once; empty when the claim stands on its own."""
    reasons: list[str] = []
    if candidate.rule.rule.review:
        reasons.append(candidate.rule.rule.review)
    if candidate.doubt:
        reasons.append(candidate.doubt)
    chars = line.char_prob_pm[start:end]
    mean = sum(chars) // len(chars) if chars else line.prob_pm
    if mean < DOUBTFUL_PM or (chars and min(chars) < WEAKEST_PM):
        reasons.append("doubtful_recognition")
    if link.unsure:
        reasons.append("unsure_sku")
    if len(candidate.touch.cues) > 2:
        reasons.append("standing")
    return tuple(dict.fromkeys(reasons))
