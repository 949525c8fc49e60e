"""What a line denies beside what it says: 偏青白, 不是羊脂白 and 没有染色, 没有注胶.

A denial that no rule's words foresee takes its type from the claim in the clause before it: of
what the goods are there said to be, or to lack, this is what they are not.
"""

from __future__ import annotations

import re

from pipeline.claims.amounts import Found, figures
from pipeline.claims.candidates import Candidate, LineReading
from pipeline.claims.shape import Clause
from pipeline.claims.standing import DROPS
from pipeline.model import SET_TYPES, Value

_DENIED = re.compile(
    r"(?:而|但|可|就|它|这个?)?(?P<s>(?:不是|并不是|不属于|不能叫)(?P<x>(?:[\u4e00-\u9fffa-z]{0,4}#)?[\u4e00-\u9fffa-z%]{0,6}?))"
    r"(?:那种[\u4e00-\u9fff]{0,6}|的|哦|啊|哈|呢|呀|嘛|款)*$"
)
_LACKING = re.compile(
    r"(?:也|更)?(?P<s>(?:没有|没|不含|不加|不带|不放|不掺|不用)(?P<x>[\u4e00-\u9fffa-z]{1,5}?))(?:的|哦|啊|哈|呢|呀)*$"
)
_WITHOUT = re.compile(
    r"(?P<s>(?P<x>[\u4e00-\u9fff]{1,5}?)(?:是|都|就|这次|今天)?(?:没有|不送|不含|不配|没配|没带)(?:了|的)?)(?:哦|啊|哈|呢)*$"
)
_NO_THING = re.compile(
    r"^$|^[我你您他她它谁大家人咱每很太挺更不没这啥哪么为因所就都也只光单白要让拿卖说讲吹骗怪问事便贵好坏假瑕一越变垫刚光白]"
    r"|问题|办法|毛病|意思|关系|开玩笑|故意|什么|时候|道理|必要|得说|得讲|骗|吹|而已|[了过着]$"
)
_TYPES = frozenset(
    {
        "material", "ingredient", "style", "colour", "size", "origin", "condition",
        "net_content", "certification", "gift",
    }
)  # fmt: skip


def contrasted(reading: LineReading) -> LineReading:
    """The reading with the denials that stand beside its claims."""
    clauses, kept = reading.shape.clauses, list(reading.kept)
    if not reading.shape.chinese or not kept:
        return reading
    for n in range(1, len(clauses)):
        found = _denial(reading, clauses[n - 1], clauses[n], kept)
        if found is not None:
            kept.append(found)
    if len(kept) == len(reading.kept):
        return reading
    return reading._replace(kept=tuple(sorted(kept, key=lambda c: c.start)))


def _denial(
    reading: LineReading, before: Clause, clause: Clause, kept: list[Candidate]
) -> Candidate | None:
    text = reading.shape.text
    words = _DENIED.match(text, clause.start, clause.end)
    lacking = None if words else _LACKING.match(text, clause.start, clause.end)
    without = None if words or lacking else _WITHOUT.match(text, clause.start, clause.end)
    match = words or lacking or without
    if match is None or _NO_THING.search(match["x"]) or _taken(reading, clause, kept):
        return None
    beside = [c for c in kept if before.start <= c.start < before.end]
    beside = [c for c in beside if c.rule.rule.type in _TYPES]
    if lacking:
        beside = [c for c in beside if c.touch.polarity == "negate" or c.rule.rule.type == "gift"]
    if without:
        beside = [c for c in beside if c.rule.rule.type == "gift"]
    return _denied(reading, beside[-1], match) if beside else None


def _taken(reading: LineReading, clause: Clause, kept: list[Candidate]) -> bool:
    """Whether a claim or a cue has the clause already."""
    if any(c.start < clause.end and clause.start < c.end for c in kept):
        return True
    return any(
        m.kind in DROPS and m.start < clause.end and clause.start < m.end
        for m in reading.cues.marks
    )


def _denied(reading: LineReading, beside: Candidate, match: re.Match[str]) -> Candidate:
    start, end = match.start("s"), match.end()
    said = figures(Found(reading.shape, {"x": match.span("x")}), "x")
    value: Value = (said,) if beside.rule.rule.type in SET_TYPES else said
    touch = beside.touch._replace(
        start=start, end=end, polarity="negate", hedged=False,
        cues=(("contrast", start, match.start("x")),),
    )  # fmt: skip
    return beside._replace(value=value, touch=touch, marks=())
