"""Bare answers: 没有, 不是哦, "no" take what they deny or confirm from the question before."""

from __future__ import annotations

import re

from pipeline.claims.candidates import Candidate, LineReading, read_line
from pipeline.claims.compiled import RuleBook
from pipeline.claims.shape import shape_of
from pipeline.claims.values import Setting
from pipeline.model import Polarity

_ANSWER_ZH = re.compile(
    r"(?:(?P<echo>[\u4e00-\u9fffa-z#]{1,8}),)?"
    r"(?P<s>(?P<no>不是|没有|没|不能|不可以|不会|不行|不含|不带|不用|不支持)|(?P<yes>是的|对的|对|有|可以|能用|能|会|含|送|是))"
    r"(?P<tail>哦|的|啊|呀|哈|呢|滴|哒|亲|嘛)*(?=[,。! ]|$)"
)
_ANSWER_EN = re.compile(
    r"(?P<s>(?P<no>no|nope|it doesn't|it does not|they don't|it isn't|it's not|not at all)"
    r"|(?P<yes>yes|yeah|yep|it does|they do|it is|absolutely))(?=[,.!]|$)"
)
_QUESTION_WORDS = re.compile(r"(?:吗|么|嘛|呢|吧|不|没有|没|咯|啊)[?]*$")
_A_NOT_A = re.compile(r"([\u4e00-\u9fff])[不没]\1")
_HAVE_NOT = re.compile(r"有没有|是不是|能不能|会不会|可不可以|可以不可以")


def resolve_answer(
    reading: LineReading, before: LineReading | None, *, book: RuleBook, setting: Setting
) -> LineReading:
    """The reading with the claim a bare answer makes, if the line before was a question."""
    shape = reading.shape
    pattern = _ANSWER_ZH if shape.chinese else _ANSWER_EN
    answer = pattern.match(shape.text)
    if answer is None or before is None or not _asked(before):
        return reading
    if shape.chinese and answer["echo"] and answer["echo"] not in before.shape.text:
        return reading
    start, end = answer.span("s")
    if answer.groupdict().get("tail"):
        end = answer.end()
    asked = _asked_for(before.shape.text, book, setting)
    if asked is None or any(_same(asked, k) for k in reading.kept):
        return reading
    kept = tuple(k for k in reading.kept if not (k.learned and k.start < end and k.end > start))
    if any(k.start < end and k.end > start for k in kept):
        return reading
    reading = reading._replace(kept=kept)
    if answer["yes"] and reading.kept:
        return reading
    return reading._replace(
        kept=tuple(
            sorted(
                [*reading.kept, _answered(asked, start, end, bool(answer["no"]))],
                key=lambda c: c.start,
            )
        )
    )


def _asked_for(question: str, book: RuleBook, setting: Setting) -> Candidate | None:
    """The claim that a plain yes would make; a bare noun is tried as 没有 + noun."""
    asked = _as_statement(question)
    found = read_line(shape_of(asked), before="", book=book, setting=setting).kept
    if found:
        return found[-1]
    noun = asked.removeprefix("有").removeprefix("是").removeprefix("会").rstrip("的")
    denied = ("没有" + noun, "不" + noun, "不是" + noun) if noun and not noun.isascii() else ()
    for text in denied:
        for candidate in read_line(shape_of(text), before="", book=book, setting=setting).kept:
            if candidate.touch.polarity == "negate":
                affirmed = candidate.touch._replace(polarity="affirm")
                return candidate._replace(touch=affirmed)
    return None


def _answered(asked: Candidate, start: int, end: int, no: bool) -> Candidate:
    flipped = (asked.touch.polarity == "negate") != no
    polarity: Polarity = "negate" if flipped else "affirm"
    touch = asked.touch._replace(
        start=start, end=end, polarity=polarity, cues=(("answer", start, end),)
    )
    return asked._replace(touch=touch, marks=())


def _asked(before: LineReading) -> bool:
    return any(m.kind == "question" for m in before.cues.marks)


def _as_statement(text: str) -> str:
    """The question without what makes it one (是纯棉的吗 → 是纯棉的)."""
    text = text.replace("#", "1")
    text = _HAVE_NOT.sub(lambda m: m[0][0] if m[0][0] != "可" else "可以", text)
    text = _A_NOT_A.sub(r"\1", text)
    text = re.sub(
        r"^(?:do|does|is|are|can|will|has|have) (?:they |it |these |this |the |you )?", "", text
    )
    return _QUESTION_WORDS.sub("", text.rstrip("? "))


def _same(one: Candidate, other: Candidate) -> bool:
    """Whether the answer goes on to say what was asked for in its own words."""
    if one.rule.rule.type != other.rule.rule.type:
        return False
    mine, theirs = "".join(one.value or ""), "".join(other.value or "")
    return any(mine[i : i + 2] in theirs for i in range(max(1, len(mine) - 1)))
