"""Which claims hit which labels, and what the hits got right.

A hit has the label's type, overlaps it in time, is not much longer and (from given
transcripts) shares half its characters; each label and each claim is used once.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from pipeline.evaluate.values import same_value
from pipeline.model import Claim

Label = dict[str, Any]
TOLERANCE_MS = 300
AUDIO_TOLERANCE_MS = 1500


class Scored(NamedTuple):
    """One broadcast's claims against its labels."""

    counts: Counter[str]
    by_type: dict[str, Counter[str]]
    errors_ms: list[int]
    """Of each hit: |start - label's start|."""
    missed: list[tuple[str, str]]
    """``(type, quote)`` of labels without a claim."""
    extra: list[tuple[str, str]]
    """``(type, quote)`` of claims without a label."""
    wrong: list[tuple[str, str, str]]
    """``(type, label's value, claim's value)`` of hits with another value."""


def score(labels: Sequence[Label], claims: Sequence[Claim], *, audio: bool) -> Scored:
    """Score the spoken claims of one broadcast."""
    spoken = [c for c in claims if c.source == "speech"]
    pairs = matched(labels, spoken, audio=audio)
    hit_l, hit_c = {i for i, _ in pairs}, {j for _, j in pairs}
    return Scored(
        _counts(labels, spoken, pairs),
        _by_type(labels, spoken, pairs),
        [abs(labels[i]["start_ms"] - spoken[j].start_ms) for i, j in pairs],
        [(g["claim_type"], g["quote"]) for i, g in enumerate(labels) if i not in hit_l],
        [(c.claim_type, c.quote) for j, c in enumerate(spoken) if j not in hit_c],
        [
            (labels[i]["claim_type"], str(labels[i]["value"]), str(spoken[j].value))
            for i, j in pairs
            if _value_right(labels[i], spoken[j]) is False
        ],
    )


def matched(
    labels: Sequence[Label], claims: Sequence[Claim], *, audio: bool
) -> list[tuple[int, int]]:
    """The best pairs ``(label, claim)``, each used once."""
    found = [
        (
            common(g["quote"], c.quote) - abs(g["start_ms"] - c.start_ms) / 5000,
            i,
            j,
        )
        for i, g in enumerate(labels)
        for j, c in enumerate(claims)
        if _fits(g, c, audio=audio)
    ]
    pairs: list[tuple[int, int]] = []
    used_l: set[int] = set()
    used_c: set[int] = set()
    for _, i, j in sorted(found, key=lambda row: (-row[0], row[1], row[2])):
        if i not in used_l and j not in used_c:
            used_l.add(i)
            used_c.add(j)
            pairs.append((i, j))
    return pairs


def _fits(label: Label, claim: Claim, *, audio: bool) -> bool:
    tolerance = AUDIO_TOLERANCE_MS if audio else TOLERANCE_MS
    start = max(label["start_ms"], claim.start_ms)
    end = min(label["end_ms"], claim.end_ms)
    length = label["end_ms"] - label["start_ms"]
    if label["claim_type"] != claim.claim_type or end - start + tolerance <= 0:
        return False
    if claim.end_ms - claim.start_ms > 3 * length + 2000:
        return False
    return audio or common(label["quote"], claim.quote) >= 0.5


def common(a: str, b: str) -> float:
    """Dice coefficient of the longest common substring."""
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    size = matcher.find_longest_match(0, len(a), 0, len(b)).size
    return 2 * size / max(1, len(a) + len(b))


def _value_right(label: Label, claim: Claim) -> bool | None:
    return same_value(label["claim_type"], label["value"], claim.value)


def _counts(
    labels: Sequence[Label], claims: Sequence[Claim], pairs: Sequence[tuple[int, int]]
) -> Counter[str]:
    n: Counter[str] = Counter(gold=len(labels), got=len(claims), hit=len(pairs))
    sure = [j for j, c in enumerate(claims) if not c.needs_review]
    hits = {j for _, j in pairs}
    n["sure"], n["sure_hit"] = len(sure), sum(j in hits for j in sure)
    for i, j in pairs:
        label, claim = labels[i], claims[j]
        denied, found = label["polarity"] == "negate", claim.polarity == "negate"
        n.update(neg_gold=denied, neg_got=found, neg_hit=denied and found)
        n.update(hed_gold=label["hedged"], hed_got=claim.hedged)
        n.update(hed_hit=label["hedged"] and claim.hedged, sku=label["sku_id"] == claim.sku_id)
        n["inverted"] += denied != found
        n["sure_inverted"] += denied != found and not claim.needs_review
        right = _value_right(label, claim)
        n.update(valued=right is not None, value=bool(right))
    return n


def _by_type(
    labels: Sequence[Label], claims: Sequence[Claim], pairs: Sequence[tuple[int, int]]
) -> dict[str, Counter[str]]:
    per: dict[str, Counter[str]] = {}
    for label in labels:
        per.setdefault(label["claim_type"], Counter())["gold"] += 1
    for claim in claims:
        per.setdefault(claim.claim_type, Counter())["got"] += 1
    for i, _ in pairs:
        per[labels[i]["claim_type"]]["hit"] += 1
    return per
