"""English numerals: "one seventy nine", "forty-nine ninety-nine", "two and a half", "a dozen"."""

from __future__ import annotations

import re
from decimal import Decimal

from pipeline.text.number import Number

_ONES = dict(
    zip(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ],
        range(20),
        strict=True,
    )
)
_TENS = dict(
    zip(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"],
        range(20, 100, 10),
        strict=True,
    )
)
_SCALES = {"hundred": 100, "thousand": 1000, "grand": 1000, "million": 1_000_000}
_WORD = "|".join([*_TENS, *sorted(_ONES, key=len, reverse=True), *_SCALES])
ENGLISH = re.compile(
    rf"\b(?:(?:a|half a)[ -](?=hundred|thousand|million|dozen))?(?:{_WORD}|dozen)"
    rf"(?:(?:[ -](?:and[ -](?!a\b|one\b(?!-)))?|-)(?:{_WORD}|oh(?=[ -](?:{'|'.join([*_ONES, *_TENS])})))"
    rf"|[ ]point(?:[ ](?:{_WORD}))+)*"
    r"(?P<half>[ ]and a half)?\b(?P<sign>[ ](?:percent|per cent)\b)?"
    r"|\bhalf an?\b"
)
_PRONOUN = re.compile(
    r"\b(?:this|that|the|which|no|another|new|every|any|each|some|big|small|old|last|next|other|white|"
    r"black|blue|red|gold|green|same|only|good|nice|mine|single|first|second|third|brown|grey|gray|pink|purple|navy|cream|"
    r"yellow|orange|silver|smaller|bigger|larger|littler|longer|shorter|wider|lighter|darker|cheaper|dearer|nicer|better|"
    r"best|right|wrong|left|spare|broken|bad|perfect|used|worn|wooden|leather|plain|large|medium|long|short|wide|narrow)[ ]$"
)

_MEASURED = re.compile(r" (?:grams?|degrees|calories|sugars?|dollars|pounds|point|to|and)\b", re.I)
"""After "zero" where it counts; elsewhere it denies ("zero suede on it")."""


def _chunks(words: list[str]) -> list[int]:
    """Words to ordinary numbers: "two forty nine" -> [2, 49]."""
    chunks: list[int] = []
    total = current = 0
    state = "start"
    for word in words:
        if word in _SCALES:
            scale = _SCALES[word]
            current = max(1, current) * scale
            if scale >= 1000:
                total, current = total + current, 0
            state = "scale"
            continue
        value = _TENS.get(word, _ONES.get(word, 0))
        joins = state in ("start", "scale") or (state == "tens" and 0 < value < 10)
        if not joins:
            chunks.append(total + current)
            total = current = 0
        current += value
        state = "tens" if word in _TENS else "ones"
    return [*chunks, total + current]


def _assemble(chunks: list[int]) -> list[tuple[Decimal, Decimal, int]]:
    """Chunks to amounts as prices are said; each with the number of chunks it used."""
    if not chunks:
        return []
    head, rest = chunks[0], chunks[1:]
    used = 1
    if head < 10 and rest and (10 <= rest[0] < 100):
        head, rest, used = head * 100 + rest[0], rest[1:], 2
    value = Decimal(head)
    if head >= 10 and rest and 10 <= rest[0] < 100:
        value, rest, used = value + Decimal(rest[0]).scaleb(-2), rest[1:], used + 1
    elif used == 1 and rest and 0 < head < 10 and rest[0] == head + 1:
        return [(value, Decimal(rest[0]), 2), *_assemble(rest[1:])]
    return [(value, value, used), *_assemble(rest)]


def read_english(found: re.Match[str], text: str) -> list[Number]:
    """The numbers of one match of :data:`ENGLISH`."""
    start, end = found.span()
    raw = found[0].lower()
    if raw.startswith("half a") and not raw.endswith("dozen"):
        return [Number(start, start + 4, Decimal("0.5"), Decimal("0.5"), text[start : start + 4])]
    mark = "%" if found["sign"] else ""
    body = raw[: -len(found["sign"])] if found["sign"] else raw
    extra = Decimal("0.5") if found["half"] else Decimal(0)
    body = body[: -len(found["half"])] if found["half"] else body
    if body.endswith("dozen"):
        dozens = 6 if body.startswith("half") else 12 * max(1, sum(_chunks(_words(body)[:-1])))
        return [Number(start, end, Decimal(dozens), Decimal(dozens), found[0], mark)]
    whole, _, decimals = body.partition(" point ")
    if decimals:
        part = "".join(str(c) for c in _chunks(_words(decimals)))
        value = Decimal(sum(_chunks(_words(whole)))) + Decimal(part).scaleb(-len(part))
        return [Number(start, end, value, value, found[0], mark)]
    if body == "zero" and not mark and not _MEASURED.match(text, end):
        return []
    if body == "one" and _PRONOUN.search(text[max(0, start - 10) : start].lower()):
        return []
    return _placed(_spoken(_words(whole)), start, end, text, extra=extra, mark=mark)


def _spoken(words: list[str]) -> list[tuple[Decimal, Decimal, int]]:
    """Amounts with the number of words each one took; "oh" stands for a zero (one oh five)."""
    if "oh" in words:
        at = words.index("oh")
        left, right = sum(_chunks(words[:at])), sum(_chunks(words[at + 1 :]))
        value = (
            Decimal(left * 100 + right) if left < 10 else Decimal(left) + Decimal(right).scaleb(-2)
        )
        return [(value, value, len(words))]
    chunks = _chunks(words)
    sizes: list[int] = []
    count = 0
    for word_at in range(1, len(words) + 1):
        count = len(_chunks(words[:word_at]))
        if count > len(sizes):
            sizes.append(0)
        sizes[count - 1] += 1
    out, at = [], 0
    for low, high, used in _assemble(chunks):
        out.append((low, high, sum(sizes[at : at + used])))
        at += used
    return out


def _words(body: str) -> list[str]:
    return [w for w in re.split(r"[ -]+", body) if w and w not in ("and", "a")]


def _placed(
    amounts: list[tuple[Decimal, Decimal, int]],
    start: int,
    end: int,
    text: str,
    *,
    extra: Decimal,
    mark: str,
) -> list[Number]:
    """Amounts back onto the text by counting words."""
    spots = [
        m.span()
        for m in re.finditer(r"[a-z]+", text[start:end].lower())
        if m[0] not in ("and", "a", "half", "percent", "per", "cent")
    ]
    out, at = [], 0
    for number, (low, high, used) in enumerate(amounts):
        last = number == len(amounts) - 1
        a = start if number == 0 else start + spots[at][0]
        b = end if last else start + spots[at + used - 1][1]
        out.append(Number(a, b, low + extra, high + extra, text[a:b], mark if last else ""))
        at += used
    return out
