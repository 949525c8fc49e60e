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
_CALLED = (
    r"(?:(?:oh|well|um|uh|ah|ha|honestly|sweetie|honey|hon|dear|love|darling|hmm|ooh|look|so|now|bro|man|dude|god|lord|"
    r"heavens|goodness|sorry|listen)[,.! ]+)*"
)
_NO = (
    r"no way|no chance|not a chance|not on your life|not (?:at all|even close|really|any ?more|so much(?: as one)?|one|a bit|"
    r"a (?:single one|drop|trace|scrap))|(?:absolutely|definitely|certainly|of course) not|(?:i'm )?afraid not|'fraid not|"
    r"sadly not|hard (?:no|nope)|that's (?:a|an) (?:hard |big |firm |absolute )?(?:no|nope)|never(?: ever)?|none(?: at all)?|"
    r"far from it|i wish|don't you dare|please don't|i wouldn't|(?:(?:no|nope),? )?(?:it|they|you|she) (?:doesn't|does not|don't|do not|isn't|"
    r"is not|aren't|won't|can't|cannot|didn't|hasn't|haven't)|(?:it's|they're) not|nope|nah|naw|no"
)
_YES = (
    r"(?:(?:yes|yeah|yep|oh yes),? )?(?:it|they|you|we|that) (?:sure |really |certainly )?(?:does|do|is|are|can|will|has|have)|sure (?:does|do|is|are|can|will)|"
    r"(?:yes|yeah) indeed|you bet|absolutely|definitely|certainly|of course|totally|very much so|indeed|knock yourself out|"
    r"go for it|that's right|spot on|exactly|sure|yes|yeah|yep|yup"
)
_ANSWER_EN = re.compile(
    rf"(?:^|(?<=[.!?] )(?=that's an? |{_CALLED}(?:no|yes|nope|yep)[,.!])|(?<=[?] )(?=(?:it|they|you) [a-z']+[,.!]|"
    rf"(?:it|they|you) [a-z']+$))(?:{_CALLED})"
    rf"(?P<s>(?:(?P<no>{_NO})|(?P<yes>{_YES}))(?:,? (?:i'm (?:sorry to say|afraid)|sorry|dear|love|honey|hon|darling|sadly|"
    r"thankfully|ma'am|sir|my love|i promise))?)(?=[,.!?]|$)"
)
_ASKS = re.compile(
    r"^(?:(?:hey|hi|so|and|but|ok|okay|wait|please|um|question|[a-z]+),? )??"
    r"(?:(?:any chance|is it true|do you know if|does anyone know if|can you tell (?:me|us) if|wondering if|i wonder if|"
    r"what about|how about)(?: that)? )?"
    r"(?:do|does|did|is|are|was|were|can|could|will|would|has|have|had|should) "
    r"(?:(?:they|it|these|this|those|that|there|you|i|we|one|any of (?:it|them)) |the )?"
)
_CHANCE = re.compile(r"^(?:any chance|what about|how about)(?: that)? |^any |^got (?:any )?")
_FRAMES_EN = ("{}", "it's {}", "it has {}", "it can {}", "they {}")
_QUESTION_WORDS = re.compile(r"(?:吗|么|嘛|呢|吧|不|没有|没|咯|啊)[?]*$")
_A_NOT_A = re.compile(r"([\u4e00-\u9fff])[不没]\1")
_HAVE_NOT = re.compile(r"有没有|是不是|能不能|会不会|可不可以|可以不可以")


def resolve_answer(
    reading: LineReading, before: LineReading | None, *, book: RuleBook, setting: Setting
) -> LineReading:
    """The reading with the claim a bare answer makes, if the line before was a question."""
    shape = reading.shape
    answer = _ANSWER_ZH.match(shape.text) if shape.chinese else _ANSWER_EN.search(shape.text)
    question = _own_question(shape.text, answer) if answer and not shape.chinese else ""
    if answer is None or not (question or (before is not None and _asked(before))):
        return reading
    question = question or (before.shape.text if before else "")
    if shape.chinese and answer["echo"] and answer["echo"] not in question:
        return reading
    start, end = answer.span("s")
    if answer.groupdict().get("tail"):
        end = answer.end()
    asked = _asked_for(question, book, setting)
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


def _own_question(text: str, answer: re.Match[str]) -> str:
    """The question that stands before the answer in the same line (Waterproof? Nope.)."""
    found = re.search(r"([^.!?]+)\? $", text[: answer.start()])
    return found[1].strip() if found else ""


def _asked_for(question: str, book: RuleBook, setting: Setting) -> Candidate | None:
    """The claim that a plain yes would make; a bare noun is tried as 没有 + noun."""
    asked = _as_statement(question)
    for frame in _FRAMES_EN if asked.isascii() else ("{}",):
        text = frame.format(asked)
        found = read_line(shape_of(text), before="", book=book, setting=setting).kept
        if found:
            return found[-1]
    noun = asked.removeprefix("有").removeprefix("是").removeprefix("会").rstrip("的")
    denied: tuple[str, ...] = ("没有" + noun, "不" + noun, "不是" + noun) if noun else ()
    if noun.isascii():
        denied = (f"there's no {noun}",)
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
    shorter = _ASKS.sub("", text)
    text = shorter if shorter != text else _CHANCE.sub("", text)
    return _QUESTION_WORDS.sub("", text.rstrip("? "))


def _same(one: Candidate, other: Candidate) -> bool:
    """Whether the answer goes on to say what was asked for in its own words."""
    if one.rule.rule.type != other.rule.rule.type:
        return False
    mine, theirs = "".join(one.value or ""), "".join(other.value or "")
    return any(mine[i : i + 2] in theirs for i in range(max(1, len(mine) - 1)))
