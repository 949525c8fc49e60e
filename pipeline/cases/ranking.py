"""Which claims answer a dispute, and in what order.

Claims for and against rank alike: a denial clears a merchant as a promise binds one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pipeline.cases.reasons import Inquiry, numbers_in, topics_in
from pipeline.model import Claim
from pipeline.text.normal import normal_text
from pipeline.text.stems import stem

_FIRST, _THEN = 1000, 300
_BY_ORDER_OF_TYPE = 20
_NUMBER, _TOPIC, _WORDS = 160, 120, 25
_OWN_SKU, _CORRECTION, _BEFORE = 40, 30, 10
_MAX_WORDS = 6
_EMPTY = frozenset(
    [
        "主播",
        "直播",
        "播间",
        "说的",
        "的是",
        "没有",
        "不是",
        "就是",
        "这个",
        "那个",
        "我们",
        "你们",
        "他们",
        "一个",
        "不能",
        "可以",
        "客服",
        "商家",
        "收到",
        "怎么",
        "什么",
        "不给",
        "还是",
        "已经",
        "结果",
        "现在",
        "时候",
        "的话",
        "能不",
        "不知",
        "知道",
        "自己",
        "一样",
        "不一",
        "两个",
        "东西",
        "这款",
    ]
)
"""Pairs that say nothing about what is meant."""
_WORD = re.compile(r"[a-z]{4,}")
_EMPTY_WORDS = (
    "host said says told stream that this they them what when with from have been were "
    "just only very than then does didn don't item order ordered received sent came"
)
_POINTED = 2 * _WORDS


class Ranked(NamedTuple):
    """A claim with its rank score and the reasons for it."""

    claim: Claim
    score: int
    reasons: tuple[str, ...]


def rank(claims: Sequence[Claim], inquiry: Inquiry, *, sku_id: str) -> list[Ranked]:
    """The claims of a SKU and of the whole room that matter, most relevant first."""
    if inquiry.nothing:
        return []
    mine = [c for c in claims if c.sku_id == sku_id or (c.sku_id is None and _for_all(c))]
    ranked = [r for c in mine if (r := _score(c, inquiry, sku_id)) is not None]
    return sorted(ranked, key=lambda r: (-r.score, r.claim.start_ms, r.claim.claim_id))


def _for_all(claim: Claim) -> bool:
    """Whether a claim without a SKU is meant for everything, not merely unplaced."""
    return "unsure_sku" not in claim.review_reasons


def _score(claim: Claim, inquiry: Inquiry, sku_id: str) -> Ranked | None:
    pointed, reasons = _pointed(claim, inquiry)
    if claim.claim_type in inquiry.first:
        place = inquiry.first.index(claim.claim_type)
        score = _FIRST - min(place, 10) * _BY_ORDER_OF_TYPE
        reasons.insert(0, f"{claim.claim_type} decides such a dispute")
    elif claim.claim_type in inquiry.then and pointed >= _TOPIC:
        score = _THEN
        reasons.insert(0, f"{claim.claim_type} bears on such a dispute")
    elif not inquiry.understood and pointed >= _POINTED:
        score = _THEN
    else:
        return None
    score += pointed
    if claim.sku_id == sku_id:
        score += _OWN_SKU
    else:
        reasons.append("said of everything in the room")
    if claim.corrects is not None:
        score += _CORRECTION
        reasons.append("corrects an earlier claim")
    if claim.polarity == "negate":
        reasons.append("the host denies it")
    return Ranked(claim, score, tuple(reasons))


def _pointed(claim: Claim, inquiry: Inquiry) -> tuple[int, list[str]]:
    """How much the buyer's words point at this claim."""
    value = " ".join(claim.value) if isinstance(claim.value, tuple) else claim.value or ""
    quote = normal_text(claim.quote)
    said = f"{quote} {normal_text(value)}"
    reasons = []
    numbers = sorted(inquiry.numbers & (numbers_in(quote) | numbers_in(normal_text(value))))
    score = _NUMBER * min(2, len(numbers))
    if numbers:
        reasons.append(f"the buyer names {', '.join(numbers)}")
    topics = sorted(inquiry.topics & topics_in(said))
    score += _TOPIC * min(2, len(topics))
    if topics:
        reasons.append(f"the buyer speaks of the same thing: {', '.join(topics)}")
    shared = _shared(said, inquiry.text)
    if shared:
        score += _WORDS * min(_MAX_WORDS, shared)
        reasons.append("the buyer uses the same words")
    return score, reasons


def _shared(said: str, text: str) -> int:
    """How many pairs of neighbouring Chinese characters both have; a Latin word counts as two."""
    return len(_pairs(said) & _pairs(text)) + 2 * len(_words(said) & _words(text))


def _words(text: str) -> set[str]:
    """The stems of the longer Latin words, without those that say nothing."""
    return {stem(w) for w in _WORD.findall(text)} - _empty_stems()


@lru_cache(maxsize=1)
def _empty_stems() -> frozenset[str]:
    return frozenset(stem(w) for w in _EMPTY_WORDS.split())


def _pairs(text: str) -> set[str]:
    pairs = (text[i : i + 2] for i in range(len(text) - 1))
    return {p for p in pairs if p not in _EMPTY and all("\u4e00" <= c <= "\u9fff" for c in p)}
